"""Another's SM-DP+ joined: our calls to it, what it tells us, and who works what is asked of it."""

import asyncio
from collections.abc import Mapping
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from cryptography.hazmat.primitives.serialization import Encoding

from kswifi.database.engine import Database
from kswifi.esim.errors import UnknownEsimError
from kswifi.esim.external_smdp.orders import PEER_CANCEL
from kswifi.esim.external_smdp.progress import PEER_PROGRESS, PeerProgress
from kswifi.esim.lines.service import find_esim
from kswifi.esim.operators.operators import read_certificates
from kswifi.esim.ports import ProfileDelivery
from kswifi.esim.smdp.secured_delivery import SecuredDelivery
from kswifi.jobs.worker import Worker, WorkerLimits
from kswifi.outbox.results import Handler, JobResult, Refused
from kswifi.providers.smdp.es2plus import Es2PlusDelivery
from kswifi.providers.smdp.es2plus_call import Es2PlusPeer, Es2PlusSettingsError, client_context
from kswifi.sessions.jobs import DELIVER
from kswifi.settings import Settings

_CALLS: Final = WorkerLimits(concurrency=8, handler_seconds=100.0, attempts=3000, longest_delay_seconds=900.0)
"""A delivery makes at most five calls, of 15 seconds each; it is tried for as long as a session is valid."""


@dataclass(frozen=True, slots=True)
class Peer:
    """The parts of the delivery by another's SM-DP+; ``progress`` is None where it does not call back."""

    delivery: Es2PlusDelivery
    progress: PeerProgress | None

    @property
    def handlers(self) -> Mapping[str, Handler]:
        """What is worked beside the deliveries."""
        told = {} if self.progress is None else {PEER_PROGRESS: self.progress.work}
        return {PEER_CANCEL: self.delivery.cancel, **told}


def open_peer(settings: Settings, database: Database, stack: AsyncExitStack) -> Peer | None:
    """Return the parts, or None where our own SM-DP+ delivers.

    Raises:
        Es2PlusSettingsError: our certificate or key there, or its authorities, cannot be used.
        OperatorRefusedError: the file of its callbacks' certificates holds none.
    """
    if settings.es2_peer_url is None:
        return None
    peer = make_peer(settings)
    stack.push_async_callback(peer.close)
    told_by = settings.es2_peer_callback_certificate
    progress = None if told_by is None else PeerProgress(database, certificates_of(told_by))
    return Peer(Es2PlusDelivery(database, peer, settings.es2_peer_profile_type), progress)


def make_peer(settings: Settings) -> Es2PlusPeer:
    """Return what calls the SM-DP+ that the settings name; raises as ``open_peer``."""
    url, requester = settings.es2_peer_url, settings.es2_peer_requester
    certificate, key = settings.es2_peer_certificate, settings.es2_peer_key
    if url is None or requester is None or certificate is None or key is None:
        raise Es2PlusSettingsError("no other's SM-DP+ is set up")
    return Es2PlusPeer(url, client_context(certificate, key, settings.es2_peer_ca), requester)


def certificates_of(path: Path) -> tuple[bytes, ...]:
    """Return the certificates (DER) of a file."""
    return tuple(each.public_bytes(Encoding.DER) for each in read_certificates(path.read_bytes()))


class DeliveryByLine:
    """A ``ProfileDelivery`` that goes by where each line's profile is."""

    def __init__(self, database: Database, own: ProfileDelivery, peer: ProfileDelivery | None) -> None:
        self._database = database
        self._own = own
        self._peer = peer

    async def deliver(self, esim_id: str, session_record: bytes) -> JobResult:
        """Deliver by our own SM-DP+, or by that of others which has the line's profile."""
        try:
            line = await self._database.read(lambda connection: find_esim(connection, esim_id))
        except UnknownEsimError as error:
            return Refused(error.message)
        if not line.record_travels_apart:
            return await self._own.deliver(esim_id, session_record)
        if self._peer is None:
            return Refused(f"this line's profile is at {line.smdp_address}, which is not set up here any more")
        return await self._peer.deliver(esim_id, session_record)


def delivery_of(database: Database, peer: Peer | None) -> ProfileDelivery:
    """Return the delivery for every line."""
    return DeliveryByLine(database, SecuredDelivery(database), None if peer is None else peer.delivery)


class Workers:
    """The worker of the outbox, and one beside for another's SM-DP+: a slow one holds up nothing else."""

    def __init__(self, *workers: Worker) -> None:
        self._workers = workers

    async def run(self) -> None:
        """Work until ``stop``."""
        await asyncio.gather(*(each.run() for each in self._workers))

    def stop(self) -> None:
        """Let what is under way finish, and take nothing more."""
        for each in self._workers:
            each.stop()


def open_workers(database: Database, handlers: Mapping[str, Handler], peer: Peer | None) -> Workers:
    """Return what works all of these kinds."""
    if peer is None:
        return Workers(Worker(database, handlers))
    mine = {kind: handler for kind, handler in handlers.items() if kind != DELIVER}
    return Workers(Worker(database, mine), Worker(database, {DELIVER: handlers[DELIVER], **peer.handlers}, _CALLS))
