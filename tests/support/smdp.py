"""An SM-DP+ in a thread of this process, on a free port with TLS, and cards and clients for it."""

import asyncio
import base64
import ssl
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Final, TypeVar

import pytest
from cryptography.hazmat.primitives.serialization import Encoding
from sqlalchemy import Connection

from kswifi.bench.es9_client import Download, Es9Client, Es9FailedError
from kswifi.bench.light_card import LightCard
from kswifi.bootstrap.parts.provisioning.smdp import RspOptions, SmdpPlus, make_smdp
from kswifi.data_directory.layout import Installation
from kswifi.database.engine import Database, sqlite_url
from kswifi.database.migrate import migrate
from kswifi.esim.external_smdp.progress import PeerProgress
from kswifi.esim.lines.vault import SubscriberVault
from kswifi.esim.model import ProfileEvent
from kswifi.esim.smdp.orders import NewOrder, order_by_matching_id, place_order
from kswifi.esim.smdp.pki_folder import load_folder
from kswifi.esim.smdp.rsp_model import ProfileOrder, SmdpRules
from kswifi.kernel.clock import Clock, SystemClock
from kswifi.kernel.numbers import Eid
from kswifi.rsp import pki_making
from kswifi.rsp.certificates import Role
from kswifi.rsp.curves import Curve
from kswifi.rsp.pki import CardIdentity, KeyedCertificate, Pki

ADDRESS: Final = "rsp.kswifi.example"
SGP26: Final = Path(__file__).parents[1] / "data" / "sgp26"
TS48: Final = Path(__file__).parents[1] / "data" / "ts48"
VAULT_KEY: Final = bytes(range(32))

_T = TypeVar("_T")


def client_context(pki: Pki) -> ssl.SSLContext:
    """Trust the CIs of a PKI, as an LPA does."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    issuers = b"".join(each.certificate.parsed.public_bytes(Encoding.PEM) for each in pki.of_role(Role.CI))
    context.load_verify_locations(cadata=issuers.decode())
    context.verify_flags |= ssl.VERIFY_X509_STRICT
    return context


@dataclass
class RunningSmdp:
    """One running server and what a test needs of it."""

    smdp: SmdpPlus
    database: Database
    loop: asyncio.AbstractEventLoop
    pki: Pki
    clients: list[Es9Client] = field(default_factory=list)

    def write(self, work: Callable[[Connection], _T]) -> _T:
        """Run a step on its database."""
        return asyncio.run_coroutine_threadsafe(self.database.write(work), self.loop).result(20)

    def client(self) -> Es9Client:
        """Return a client that knows its CI."""
        self.clients.append(Es9Client(("127.0.0.1", self.smdp.port), client_context(self.pki), ADDRESS))
        return self.clients[-1]

    def card(self, curve: Curve = Curve.NIST_P256, **changes: object) -> LightCard:
        """Return a card of its PKI."""
        identity = next(each for each in self.pki.card_identities() if each.eum.curve is curve)
        return LightCard(identity, self.pki.trust(), **changes)  # type: ignore[arg-type]

    def download(
        self, matching_id: str | None, card: LightCard | None = None, code: bytes | None = None
    ) -> Download:
        """Return a download that is to be walked."""
        client = self.clients[0] if self.clients else self.client()
        return Download(client, card or self.card(), ADDRESS, matching_id, code)

    @property
    def oid(self) -> str:
        """Its object identifier."""
        return self.pki.smdp_identities()[0].oid


@contextmanager
def running_smdp(
    folder: Path,
    *,
    pki_dir: Path | None = None,
    profiles_dir: Path | None = TS48,
    rules: SmdpRules | None = None,
    clock: Clock | None = None,
    es2_on_es9: bool | None = None,
    told_by: tuple[bytes, ...] = (),
) -> Iterator[RunningSmdp]:
    """Run a server on a data directory until the block ends; on the same directory it goes on from there.

    ``es2_on_es9``: serve ES2+ on a free port, and on that of ES9+ or not; None serves none. ``told_by``: the
    certificates (DER) of those that may report progress of our own orders there.
    """
    started: list[RunningSmdp | BaseException] = []
    ready = threading.Event()

    async def main() -> None:
        installation = Installation(folder).open()
        database = Database(sqlite_url(installation.control_database), clock or SystemClock())
        try:
            await migrate(database)
            options = RspOptions("127.0.0.1", 0, ADDRESS, pki_dir, profiles_dir)
            if es2_on_es9 is not None:
                progress = PeerProgress(database, told_by) if told_by else None
                options = replace(options, es2_port=0, es2_on_es9=es2_on_es9, progress=progress)
            smdp = make_smdp(installation, database, SubscriberVault(VAULT_KEY), options, rules=rules)
            pki = load_folder(pki_dir or installation.pki_dir)
            started.append(RunningSmdp(smdp, database, asyncio.get_running_loop(), pki))
            ready.set()
            await smdp.serve()
        except BaseException as error:
            started.append(error)
            raise
        finally:
            ready.set()
            await database.close()
            installation.close()

    thread = threading.Thread(target=lambda: asyncio.run(main()), name="smdp")
    thread.start()
    assert ready.wait(30)
    running = started[0]
    if isinstance(running, BaseException):
        thread.join()
        raise running
    try:
        yield running
    finally:
        for client in running.clients:
            client.close()
        running.loop.call_soon_threadsafe(running.smdp.leave)
        thread.join(30)
        assert not thread.is_alive()


PROFILE: Final = "TS48v2_SAIP2.1_BERTLV"
NOW: Final = datetime.now(UTC)
READY: Final = (ProfileEvent.LINK, ProfileEvent.CONFIRM, ProfileEvent.RELEASE)
RULES: Final = SmdpRules(downloads=3)
_numbers = iter(range(10**6))


def order(server: RunningSmdp, *events: ProfileEvent, **changes: object) -> ProfileOrder:
    """Place an order of its own, released unless other events are given."""
    values = {"iccid": "89000123456789012341", "matching_id": f"ORDER-{next(_numbers)}", "package_name": PROFILE}
    new = NewOrder(**{**values, **changes})  # type: ignore[arg-type]
    return server.write(lambda connection: place_order(connection, new, *(events or READY)))


def order_now(server: RunningSmdp, placed: ProfileOrder) -> ProfileOrder:
    assert placed.matching_id is not None
    found = server.write(partial(order_by_matching_id, matching_id=placed.matching_id))
    assert found is not None
    return found


def refused(codes: str) -> "pytest.RaisesExc[Es9FailedError]":
    return pytest.RaisesExc(Es9FailedError, check=lambda error: error.message == codes)


def authenticated(server: RunningSmdp, placed: ProfileOrder | str | None, **kwargs: object) -> Download:
    matching_id = placed.matching_id if isinstance(placed, ProfileOrder) else placed
    walk = server.download(matching_id, **kwargs)  # type: ignore[arg-type]
    walk.initiate()
    walk.authenticate()
    return walk


def offered_otpk(walk: Download) -> bool:
    assert walk.offered is not None
    return b"\x5f\x49" in base64.b64decode(walk.offered["smdpSigned2"])


def made_card(
    server: RunningSmdp, eum_at: datetime, eid: Eid, prefix: str = "89049032", **until: datetime
) -> LightCard:
    """Return a card whose manufacturer's certificate was made then, under the server's CI."""
    issuer = next(each for each in server.pki.certificates if each.certificate.role.value == "ci"
                  and each.certificate.curve is Curve.NIST_P256)  # fmt: skip
    eum = pki_making.make_manufacturer(
        _ending(issuer, until.get("eum")),
        organization="KSWiFi",
        eid_prefix=prefix,
        oid="2.999.5",
        at=eum_at,
    )
    card = pki_making.make_card(eum, organization="KSWiFi", eid=eid, at=eum_at)
    return LightCard(CardIdentity(issuer.certificate.key_id, card, eum.certificate), server.pki.trust())


def _ending(issuer: KeyedCertificate, until: datetime | None) -> KeyedCertificate:
    """Return the issuer as one that says it ends then: its manufacturers end with it."""
    if until is None:
        return issuer
    return replace(issuer, certificate=replace(issuer.certificate, not_after=until))
