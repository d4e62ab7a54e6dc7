"""Everything that a session's road needs, in one test's folder: database, ledger, services, worker and a card."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from sqlalchemy import insert

from kswifi.accounts.sql import user_account
from kswifi.catalogue.service import Catalogue
from kswifi.database.engine import Database
from kswifi.esim.authentication_centre import AuthenticationCentre
from kswifi.esim.direct_loading import DirectLoading
from kswifi.esim.model import LineSettings
from kswifi.esim.service import EsimOrders
from kswifi.esim.vault import SubscriberVault
from kswifi.euicc.card import Euicc
from kswifi.euicc.storage import MemoryStorage
from kswifi.jobs.worker import Worker, WorkerLimits
from kswifi.kernel.clock import ManualClock, unix_seconds
from kswifi.kernel.numbers import Eid, Iccid
from kswifi.ledger.client import LedgerClient
from kswifi.ledger.commands import Ask, Commit, Outcome, Reserve
from kswifi.ledger.sqlite import SqliteJournal
from kswifi.rsp import tlv
from kswifi.sessions.handlers import SessionHandlers
from kswifi.sessions.keys import SessionSigningKey, fresh_signing_key_pem
from kswifi.sessions.manager import ESIMSessionManager
from kswifi.sessions.model import InternetSession, SessionRules
from kswifi.sessions.projector import Projector
from kswifi.sessions.proof import StorageProofs
from kswifi.sessions.service import SessionDownloadService
from tests.support.databases import START, open_database

ADA: Final = "019ab0de-0000-7000-8000-00000000ada0"
BOLA: Final = "019ab0de-0000-7000-8000-00000000b01a"
LINE: Final = LineSettings("smdp.kswifi.test")
GB: Final = 10**9
SIGNING_PEM: Final = fresh_signing_key_pem()


@dataclass
class Road:
    """The parts, and the few steps that most tests take with them."""

    folder: Path
    clock: ManualClock
    database: Database
    ledger: LedgerClient
    signing_key: SessionSigningKey
    orders: EsimOrders
    authentication_centre: AuthenticationCentre
    delivery: DirectLoading
    manager: ESIMSessionManager
    downloads: SessionDownloadService
    proofs: StorageProofs
    handlers: SessionHandlers
    projector: Projector

    def __post_init__(self) -> None:
        self.worker = Worker(self.database, self.handlers.handlers(), WorkerLimits(attempts=3))

    async def settle(self) -> None:
        """Work the outbox and project the ledger, until nothing is left to do now."""
        while await self.worker.run_until_idle():
            await self.projector.catch_up()
        await self.projector.catch_up()

    async def now(self, session: InternetSession) -> InternetSession:
        """Return a session as it is now."""
        return await self.downloads.session(session.user_id, session.session_id)

    async def downloaded(self, size: int = GB, user_id: str = ADA, key: str | None = None) -> InternetSession:
        """Take a session to `downloaded`."""
        session = await self.downloads.download_session(user_id, size, idempotency_key=key)
        await self.settle()
        session, _ = await self.downloads.package(user_id, session.session_id)
        assert session.package_sha256 is not None
        return await self.downloads.confirm_download(user_id, session.session_id, session.package_sha256)

    async def transferring(self, size: int = GB, user_id: str = ADA) -> tuple[InternetSession, Euicc]:
        """Take a session to where its profile is on a card, enabled, and only the proof is missing."""
        session = await self.downloaded(size, user_id)
        session = await self.downloads.transfer_to_esim(session.session_id, session.esim_id)
        await self.settle()
        return session, await self.load_card(session)

    async def load_card(self, session: InternetSession) -> Euicc:
        """Return a new card with the session's profile, enabled."""
        package = await self.delivery.profile_package(session.esim_id, session.user_id)
        return card_with(package)

    async def stored(self, size: int = GB, user_id: str = ADA) -> InternetSession:
        """Take a session to `stored`."""
        session, card = await self.transferring(size, user_id)
        await self.prove(session, card)
        await self.settle()
        return await self.now(session)

    async def prove(self, session: InternetSession, card: Euicc) -> InternetSession:
        """Let the card prove itself."""
        challenge = await self.proofs.challenge(session.user_id, session.session_id)
        responses = [card.transmit(command.apdu) for command in challenge.script]
        return await self.proofs.prove(session.user_id, session.session_id, responses)

    async def reserve(self, session: InternetSession, octets: int, number: int = 0) -> Outcome:
        """Reserve as charging would."""
        ask = Ask(octets, octets, unix_seconds(self.clock.now()) + 3600)
        return await self.ledger.execute(Reserve(f"r{number}", f"gw;{session.esim_id}", session.esim_id, ask))

    async def use(self, session: InternetSession, octets: int, number: int = 0) -> Outcome:
        """Reserve and use octets up as charging would, and project it."""
        await self.reserve(session, octets, number)
        outcome = await self.ledger.execute(Commit(f"c{number}", f"gw;{session.esim_id}", octets))
        await self.settle()
        return outcome


@asynccontextmanager
async def open_road(
    folder: Path, rules: SessionRules | None = None, clock: ManualClock | None = None
) -> AsyncIterator[Road]:
    """Give a road with two users, closed when the test is through with it; again in the folder, it goes on."""
    clock = clock or ManualClock(START)
    async with open_database(folder, clock) as database:
        ledger = LedgerClient(SqliteJournal(folder), clock)
        await ledger.start()
        try:
            yield await _assemble(folder, clock, database, ledger, rules)
        finally:
            await ledger.close()


async def _assemble(
    folder: Path, clock: ManualClock, database: Database, ledger: LedgerClient, rules: SessionRules | None
) -> Road:
    async with database.transaction() as connection:
        for user_id, email in ((ADA, "ada@example.ng"), (BOLA, "bola@example.ng")):
            await connection.execute(
                insert(user_account)
                .prefix_with("OR IGNORE")
                .values(user_id=user_id, email=email, password_hash="", recovery_code_hash=b"", created_at=START)
            )
    signing_key = SessionSigningKey.from_pem(SIGNING_PEM)
    vault = SubscriberVault(bytes(32))
    orders = EsimOrders(vault)
    authentication_centre = AuthenticationCentre(database, vault)
    delivery = DirectLoading(database, orders)
    manager = ESIMSessionManager(database, signing_key)
    catalogue = Catalogue.load()
    return Road(
        folder=folder,
        clock=clock,
        database=database,
        ledger=ledger,
        signing_key=signing_key,
        orders=orders,
        authentication_centre=authentication_centre,
        delivery=delivery,
        manager=manager,
        downloads=SessionDownloadService(database, catalogue, orders, manager, rules),
        proofs=StorageProofs(database, authentication_centre, rules),
        handlers=SessionHandlers(database, ledger, catalogue, signing_key, LINE, delivery),
        projector=Projector(database, ledger),
    )


def card_with(profile_package: bytes) -> Euicc:
    """Return a new card with this profile, enabled by ES10c as a phone does it."""
    card = Euicc.create(MemoryStorage(), Eid.with_check_digits("890490320012345678900000000001"))
    loaded = card.load_profile_package(profile_package)
    assert card.transmit(bytes.fromhex("00A4040010A0000005591010FFFFFFFF8900000100"))[-2] in (0x61, 0x90)
    enable_profile(card, loaded.iccid)
    return card


def enable_profile(card: Euicc, iccid: Iccid) -> None:
    """Enable a profile; the ISD-R is selected."""
    request = tlv.encode(0xBF31, tlv.encode(0xA0, tlv.encode(0x5A, iccid.to_bytes())), tlv.encode(0x81, b"\x00"))
    answer = card.transmit(bytes([0x80, 0xE2, 0x91, 0x00, len(request)]) + request + b"\x00")
    assert answer == bytes.fromhex("BF3103800100") + b"\x90\x00", answer.hex()
