"""An external SM-DP+ (ES2+, SGP.22 5.3): our calls to it, its callbacks, and the worker of both."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from cryptography.hazmat.primitives.serialization import Encoding

from kswifi.bootstrap.context import Context
from kswifi.bootstrap.part import Part
from kswifi.database.engine import Database
from kswifi.esim.external_smdp.orders import PEER_CANCEL
from kswifi.esim.external_smdp.progress import PEER_PROGRESS, PeerProgress
from kswifi.esim.operators.operators import read_certificates
from kswifi.jobs.worker import Worker, WorkerLimits
from kswifi.outbox.results import Handler
from kswifi.providers.smdp.es2plus import Es2PlusDelivery
from kswifi.providers.smdp.es2plus_call import Es2PlusPeer, Es2PlusSettingsError, client_context
from kswifi.settings import Settings

_CALLS: Final = WorkerLimits(concurrency=8, handler_seconds=100.0, attempts=3000, longest_delay_seconds=900.0)
"""A delivery makes at most five calls, of 15 seconds each; it is tried for as long as a session is valid."""


@dataclass(frozen=True, slots=True)
class ExternalSmdp:
    """The delivery by an external SM-DP+; ``progress`` is None where that SM-DP+ does not call back."""

    delivery: Es2PlusDelivery
    progress: PeerProgress | None

    @property
    def handlers(self) -> Mapping[str, Handler]:
        """The jobs of this SM-DP+ besides the deliveries."""
        called = {} if self.progress is None else {PEER_PROGRESS: self.progress.work}
        return {PEER_CANCEL: self.delivery.cancel, **called}

    def worker(self, database: Database, handlers: Mapping[str, Handler]) -> Worker:
        """Return a worker of its own for its jobs and for these handlers."""
        return Worker(database, {**handlers, **self.handlers}, _CALLS)


async def open_external_smdp(context: Context) -> Part:
    """Offer the external SM-DP+ that the settings name; without one, our own delivers.

    Raises:
        Es2PlusSettingsError: our certificate or key there, or its authorities, cannot be used.
        OperatorRefusedError: the file of its callbacks' certificates holds none.
    """
    settings, database = context.settings, context.database
    if settings.es2_peer_url is not None:
        peer = make_peer(settings)
        context.stack.push_async_callback(peer.close)
        certificate = settings.es2_peer_callback_certificate
        progress = None if certificate is None else PeerProgress(database, certificates_of(certificate))
        context.offer(ExternalSmdp(Es2PlusDelivery(database, peer, settings.es2_peer_profile_type), progress))
    return Part()


def make_peer(settings: Settings) -> Es2PlusPeer:
    """Return what calls the SM-DP+ that the settings name; raises as ``open_external_smdp``."""
    url, requester = settings.es2_peer_url, settings.es2_peer_requester
    certificate, key = settings.es2_peer_certificate, settings.es2_peer_key
    if url is None or requester is None or certificate is None or key is None:
        raise Es2PlusSettingsError("no external SM-DP+ is set up")
    return Es2PlusPeer(url, client_context(certificate, key, settings.es2_peer_ca), requester)


def certificates_of(path: Path) -> tuple[bytes, ...]:
    """Return the certificates (DER) of a file."""
    return tuple(each.public_bytes(Encoding.DER) for each in read_certificates(path.read_bytes()))
