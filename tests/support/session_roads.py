"""Everything that a session's road needs, in one test's folder: database, ledger, services, SM-DP+ and a card."""

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from functools import cache
from pathlib import Path
from typing import Final

from sqlalchemy import Connection, select

from kswifi.accounts.sql import user_account
from kswifi.bench.light_card import LightCard
from kswifi.bootstrap.parts.provisioning.external_smdp import ExternalSmdp
from kswifi.catalogue.model import LAGOS
from kswifi.catalogue.service import Catalogue
from kswifi.database.dialect import insert
from kswifi.database.engine import Database
from kswifi.esim.external_smdp.delivery_by_line import DeliveryByLine
from kswifi.esim.external_smdp.progress import PeerProgress
from kswifi.esim.lines.authentication_centre import AuthenticationCentre
from kswifi.esim.lines.packets import CardPackets, Proof
from kswifi.esim.lines.service import EsimOrders, find_esim
from kswifi.esim.lines.vault import SubscriberKeys, SubscriberVault
from kswifi.esim.model import LineSettings, ProfileState
from kswifi.esim.ports import ProfileDelivery
from kswifi.esim.smdp.install_results import InstallResults
from kswifi.esim.smdp.packages import Packages
from kswifi.esim.smdp.provisioning import Provisioning
from kswifi.esim.smdp.secured_delivery import SecuredDelivery
from kswifi.esim.sql import esim as esim_table
from kswifi.euicc.card import Euicc
from kswifi.free_data.pseudonyms import Marks
from kswifi.free_data.rules import FreeDataRules
from kswifi.free_data.service import FreeData
from kswifi.jobs.worker import Worker, WorkerLimits
from kswifi.kernel.clock import unix_seconds
from kswifi.kernel.numbers import Eid, Imsi
from kswifi.ledger.client import LedgerClient
from kswifi.ledger.commands import Ask, Commit, Outcome, Reserve
from kswifi.ledger.storage.sqlite_journal import SqliteJournal
from kswifi.payments.bookings import book_settled
from kswifi.payments.jobs import ask_to_withdraw
from kswifi.payments.model import PassState, Payment, PaymentEvent, PaymentState
from kswifi.payments.passes import grant_pass
from kswifi.payments.ports import Charge, ChargeStatus
from kswifi.payments.rules import PassRules
from kswifi.payments.store import add_payment, find_payment, move_payment, period_of, set_period_state
from kswifi.people.gifts import GiftService
from kswifi.people.job_handlers import TransferHandlers
from kswifi.people.line_limits import LineLimitService
from kswifi.people.rules import GiftRules, LimitRules, StandingOrderRules
from kswifi.people.standing_order_watch import StandingOrderWatch
from kswifi.people.standing_orders import StandingOrderService
from kswifi.providers.smdp.es2plus import Es2PlusDelivery
from kswifi.rsp import binding
from kswifi.rsp.messages.metadata import ProfileMetadata
from kswifi.rsp.messages.notifications import InstallFailure
from kswifi.rsp.pki import Pki, load_pki
from kswifi.rsp.pki_making import PkiPlan, make_pki
from kswifi.sessions.card.packets import CardRecords, HandedPacket
from kswifi.sessions.job_handlers import SessionHandlers
from kswifi.sessions.line import ESIMSessionManager
from kswifi.sessions.model import InternetSession, UsageData
from kswifi.sessions.orders import SessionDownloadService
from kswifi.sessions.pass_refund import PassEnds
from kswifi.sessions.projector import Projector
from kswifi.sessions.signing import SessionSigningKey, fresh_signing_key_pem
from tests.support.cards import enable, send
from tests.support.clocks import ManualClock
from tests.support.databases import START, open_database
from tests.support.memory_storage import MemoryStorage

ADA: Final = "019ab0de-0000-7000-8000-00000000ada0"
BOLA: Final = "019ab0de-0000-7000-8000-00000000b01a"
LINE: Final = LineSettings("smdp.kswifi.test")
GB: Final = 10**9
SIGNING_PEM: Final = fresh_signing_key_pem()


@cache
def world() -> Pki:
    """Return the PKI of every road, with one card's certificates in it."""
    eid = Eid.with_check_digits("890490320000000000000000000001")
    return load_pki(make_pki(PkiPlan("KSWiFi", LINE.smdp_address, "89049032"), eid, START))


@dataclass(frozen=True)
class Downloaded:
    """What a card got in one transaction, in the clear, and what it can sign of it."""

    transaction_id: bytes
    profile: bytes
    metadata: ProfileMetadata
    card: LightCard

    def result(self, failure: InstallFailure | None = None) -> bytes:
        """Return the card's signed install result."""
        return self.card.install_result(
            self.transaction_id, self.metadata.iccid, LINE.smdp_address, "2.999.10", failure
        ).encode()


@dataclass(frozen=True)
class AtPeer:
    """A road whose profiles an external SM-DP+ delivers; ``certificate`` is the one it authenticates with."""

    address: str
    delivery: Callable[[Database], Es2PlusDelivery]
    certificate: bytes = b"the peer's"
    takes_provider_status: bool = False


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
    vault: SubscriberVault
    delivery: ProfileDelivery
    provisioning: Provisioning
    results: InstallResults
    manager: ESIMSessionManager
    free_data: FreeData
    downloads: SessionDownloadService
    gifts: GiftService
    standing_orders: StandingOrderService
    standing_watch: StandingOrderWatch
    transfers: TransferHandlers
    handlers: SessionHandlers
    projector: Projector
    payments: int = 0
    cards: dict[str, Euicc] = field(default_factory=dict)
    peer: ExternalSmdp | None = None

    def __post_init__(self) -> None:
        self.card = LightCard(world().card_identities()[0], world().trust())
        self.card_records = CardRecords(self.database, CardPackets(self.vault))
        pass_ends = PassEnds(self.database, self.ledger, self.ledger.state.balances)
        self.line_limits = LineLimitService(
            self.database, self.ledger, lambda: self.ledger.state, LAGOS, LimitRules()
        )
        worked = {**self.handlers.handlers(), **pass_ends.handlers(), **self.transfers.handlers()}
        worked |= self.line_limits.handlers()
        worked |= {} if self.peer is None else self.peer.handlers
        self.worker = Worker(self.database, worked, WorkerLimits(attempts=3))

    async def pay(self, user_id: str = ADA, limit_octets: int | None = None) -> Payment:
        """Give a user a pass, as a settled payment does."""
        self.payments += 1

        def change(connection: Connection) -> Payment:
            now = self.clock.now()
            payment = Payment(
                reference=f"kswifi-{self.payments}",
                user_id=user_id,
                offer_id="unlimited",
                title="Unlimited",
                amount_kobo=80_000,
                valid_days=7,
                limit_octets=limit_octets,
                gateway="sandbox",
                sandbox=True,
                state=PaymentState.SETTLED,
                reason=None,
                checkout_url=None,
                created_at=now,
                settled_at=now,
                refunded_at=None,
                paid_kobo=80_000,
                fees_kobo=0,
                refund_kobo=None,
                channel=None,
            )
            add_payment(connection, payment)
            book_settled(connection, payment, Charge(payment.reference, ChargeStatus.PAID, 80_000, "NGN"), now)
            grant_pass(connection, payment, now, LAGOS)
            return payment

        return await self.database.write(change)

    async def ask_refund(self, payment: Payment) -> Payment:
        """Ask for the money back as its payer does, and see what comes of it."""

        def change(connection: Connection) -> None:
            period = period_of(connection, payment.reference)
            assert period is not None
            set_period_state(connection, period, PassState.SUSPENDED)
            move_payment(connection, payment, PaymentEvent.REFUND_ASKED)
            ask_to_withdraw(connection, payment.reference)

        await self.database.write(change)
        await self.settle()
        return await self.database.read(lambda connection: find_payment(connection, payment.reference))

    async def settle(self) -> None:
        """Work the outbox and project the ledger, until nothing is left to do now."""
        await self.projector.catch_up()
        while await self.worker.run_until_idle():
            await self.projector.catch_up()

    async def now(self, session: InternetSession) -> InternetSession:
        """Return a session as it is now."""
        return await self.downloads.session(session.user_id, session.session_id)

    async def usage(self, session: InternetSession) -> UsageData:
        """Return how a session stands, as the API shows it."""
        return (await self.downloads.overview(session.user_id, session.session_id)).usage

    async def downloaded(self, size: int = GB, user_id: str = ADA, key: str | None = None) -> InternetSession:
        """Take a session to `downloaded`."""
        session = await self.downloads.download_session(user_id, size, idempotency_key=key)
        await self.settle()
        session, _ = await self.downloads.package(user_id, session.session_id)
        assert session.package_sha256 is not None
        return await self.downloads.confirm_download(user_id, session.session_id, session.package_sha256)

    async def transferring(self, size: int = GB, user_id: str = ADA) -> InternetSession:
        """Take a session to where its profile is released, and only the card is missing."""
        session = await self.downloaded(size, user_id)
        session = await self.downloads.transfer_to_esim(session.session_id, session.esim_id)
        await self.settle()
        return session

    async def download(self, session: InternetSession) -> Downloaded:
        """Have the card download the session's profile, by the functions of ES9+."""
        line = await self.database.read(lambda connection: find_esim(connection, session.esim_id))
        begun = self.provisioning.initiate_authentication(
            self.card.challenge(), self.card.info1(), LINE.smdp_address
        )
        tid = begun.transaction_id
        answer = self.card.authenticate(
            begun.server_signed1.raw, begun.server_signature1, begun.server_certificate, line.matching_id
        )
        offered = await self.provisioning.authenticate_client(tid, answer.encode())
        signed2, signature, certificate = (
            offered.prepared.smdp_signed2.raw,
            offered.prepared.smdp_signature2,
            offered.prepared.smdp_certificate,
        )
        prepared = self.card.prepare_download(signed2, signature, certificate)
        package = await self.provisioning.get_bound_profile_package(tid, prepared.encode())
        events = self.card.open_package(package, tid, certificate)
        profile = b"".join(event.octets for event in events if isinstance(event, binding.ProfileOctets))
        return Downloaded(tid, profile, ProfileMetadata.decode(offered.metadata), self.card)

    async def stored(self, size: int = GB, user_id: str = ADA) -> InternetSession:
        """Take a session to `stored`."""
        session = await self.transferring(size, user_id)
        await self.prove(session)
        await self.settle()
        return await self.now(session)

    async def prove(self, session: InternetSession, failure: InstallFailure | None = None) -> None:
        """Let the card hold the session, or fail to, and its proof come in: by the profile, or by packets."""
        line = await self.database.read(lambda connection: find_esim(connection, session.esim_id))
        if line.profile_state is ProfileState.INSTALLED:
            await self.carry(session)
            return
        downloaded = await self.download(session)
        if failure is None:
            card = Euicc.create(MemoryStorage(), Eid.with_check_digits("890490320000000000000000000001"))
            card.load_profile_package(downloaded.profile)
            enable(card, line.numbers.iccid)
            self.cards[line.esim_id] = card
        await self.results.handle_notification(downloaded.result(failure))

    async def carry(self, session: InternetSession, packets: int = 8) -> list[Proof]:
        """Hand waiting packets to the session's card, and bring back what it says."""
        proofs = []
        for _ in range(packets):
            packet = await self.card_records.next_packet(session.user_id, session.esim_id)
            if packet is None:
                break
            answer = self.hand_over(session.esim_id, packet)
            proofs.append(
                await self.card_records.take_answer(session.user_id, session.esim_id, packet.packet_id, answer)
            )
        return proofs

    def hand_over(self, esim_id: str, packet: HandedPacket) -> bytes:
        """Return what the card says to the last ENVELOPE."""
        answer = b""
        for envelope in packet.envelopes:
            data, status = send(self.cards[esim_id], envelope.hex())
            answer = data + bytes.fromhex(status)
        return answer

    async def keys(self, imsi: Imsi) -> SubscriberKeys:
        """Return a line's keys."""

        def look(connection: Connection) -> SubscriberKeys:
            query = select(esim_table.c.sealed_keys).where(esim_table.c.imsi == imsi)
            return self.vault.open(imsi, connection.execute(query).scalar_one())

        return await self.database.read(look)

    async def reserve(self, session: InternetSession, octets: int, number: int = 0) -> Outcome:
        """Reserve as charging would."""
        ask = Ask(octets, octets, unix_seconds(self.clock.now()) + 3600)
        return await self.ledger.execute(Reserve(f"r{number}", f"gw;{session.esim_id}", session.esim_id, ask))

    async def use(self, session: InternetSession, octets: int, number: int = 0) -> Outcome:
        """Reserve and use octets up as charging would, and project it."""
        await self.reserve(session, octets, number)
        outcome = await self.commit(session, octets, number)
        await self.settle()
        return outcome

    async def commit(self, session: InternetSession, octets: int, number: int = 0) -> Outcome:
        """Report usage as charging would."""
        return await self.ledger.execute(Commit(f"c{number}", f"gw;{session.esim_id}", octets))


@asynccontextmanager
async def open_road(
    folder: Path,
    rules: FreeDataRules | None = None,
    clock: ManualClock | None = None,
    passes: PassRules | None = None,
    at_peer: AtPeer | None = None,
) -> AsyncIterator[Road]:
    """Give a road with two users, closed when the test is through with it; again in the folder, it goes on."""
    clock = clock or ManualClock(START)
    async with open_database(folder, clock) as database:
        ledger = LedgerClient(SqliteJournal(folder), clock)
        await ledger.start()
        try:
            yield await _assemble(folder, clock, database, ledger, rules, passes, at_peer)
        finally:
            await ledger.close()


async def _assemble(
    folder: Path,
    clock: ManualClock,
    database: Database,
    ledger: LedgerClient,
    rules: FreeDataRules | None,
    passes: PassRules | None,
    at_peer: AtPeer | None,
) -> Road:
    def change(connection: Connection) -> None:
        for user_id, email in ((ADA, "ada@example.ng"), (BOLA, "bola@example.ng")):
            connection.execute(
                insert(user_account)
                .values(user_id=user_id, email=email, password_hash="", recovery_code_hash=b"", created_at=START)
                .on_conflict_do_nothing()
            )

    await database.write(change)
    signing_key = SessionSigningKey.from_pem(SIGNING_PEM)
    vault, trust = SubscriberVault(bytes(32)), world().trust()
    orders = EsimOrders(vault, peer_address=None if at_peer is None else at_peer.address)
    peer = None
    if at_peer is not None:
        peer = ExternalSmdp(at_peer.delivery(database), PeerProgress(database, (at_peer.certificate,)))
    authentication_centre = AuthenticationCentre(database, vault)
    delivery = DeliveryByLine(database, SecuredDelivery(database), None if peer is None else peer.delivery)
    manager = ESIMSessionManager(database)
    catalogue = Catalogue.load()
    free_data = FreeData(database, Marks(bytes(32)), rules)
    downloads = SessionDownloadService(database, catalogue, orders, manager, free_data, passes)
    transfers = TransferHandlers(database, ledger)
    standing_orders = StandingOrderService(database, catalogue, downloads, free_data, StandingOrderRules())
    return Road(
        folder=folder,
        clock=clock,
        database=database,
        ledger=ledger,
        signing_key=signing_key,
        orders=orders,
        authentication_centre=authentication_centre,
        vault=vault,
        delivery=delivery,
        provisioning=Provisioning(
            database,
            vault,
            identities=world().smdp_identities(),
            trust=trust,
            packages=Packages(vault, LINE.smdp_address),
            addresses=(LINE.smdp_address,),
        ),
        results=InstallResults(database, trust),
        manager=manager,
        free_data=free_data,
        downloads=downloads,
        gifts=GiftService(downloads, free_data, GiftRules(giver_verified=False, giver_age=timedelta())),
        standing_orders=standing_orders,
        standing_watch=StandingOrderWatch(database, downloads, standing_orders),
        transfers=transfers,
        handlers=SessionHandlers(
            *(database, ledger, catalogue, signing_key, LINE, delivery, free_data),
            incoming=transfers,
            takes_provider_status=at_peer is not None and at_peer.takes_provider_status,
        ),
        peer=peer,
        projector=Projector(database, ledger, rules),
    )
