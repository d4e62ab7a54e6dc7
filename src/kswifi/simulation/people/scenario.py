"""A run of one seed: people give, claim, share and use octets while processes die and answers are lost."""

import asyncio
from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cache
from random import Random
from typing import Any, Final
from uuid import UUID

from sqlalchemy import Connection, delete, func, insert, select, update

from kswifi.accounts.model import SignedIn, User
from kswifi.accounts.sql import user_account
from kswifi.catalogue.service import Catalogue
from kswifi.esim.lines.service import EsimOrders
from kswifi.esim.lines.vault import SubscriberVault
from kswifi.esim.model import LineSettings, NumberRange, ProfileState
from kswifi.esim.ports import StorageProof
from kswifi.esim.sql import esim
from kswifi.free_data.budgets import set_budget
from kswifi.free_data.model import BudgetKind
from kswifi.free_data.pseudonyms import Marks
from kswifi.free_data.rules import FreeDataRules
from kswifi.free_data.service import FreeData
from kswifi.free_data.sql import free_budget, free_grant
from kswifi.kernel.clock import unix_seconds
from kswifi.kernel.errors import KswifiError
from kswifi.ledger import commands as do
from kswifi.ledger.commands import NO_ACCOUNT
from kswifi.outbox.model import Entry, EntryState
from kswifi.outbox.results import Done, JobResult, Refused, Unknown
from kswifi.outbox.sql import outbox_entry
from kswifi.people import store
from kswifi.people.gifts import GiftService, Wish
from kswifi.people.job_handlers import TransferHandlers
from kswifi.people.model import OPEN_STATES, OctetTransfer, TransferKind, TransferState
from kswifi.people.move_model import Confirmation, MoveReason, MoveState, PhoneMove
from kswifi.people.moves import Movers, MoveService
from kswifi.people.returns import return_due
from kswifi.people.rules import GiftRules
from kswifi.people.sql import octet_transfer, phone_move
from kswifi.sessions import jobs as session_jobs
from kswifi.sessions.card.packets import note_proof
from kswifi.sessions.job_handlers import SessionHandlers
from kswifi.sessions.line import ESIMSessionManager
from kswifi.sessions.model import LIVE_STATES, InternetSession, SessionEvent, SessionState
from kswifi.sessions.orders import SessionDownloadService, cancel_session
from kswifi.sessions.projector import Projector
from kswifi.sessions.signing import SessionSigningKey, fresh_signing_key_pem
from kswifi.sessions.sql import internet_session, session_balance
from kswifi.sessions.store import find_session, sessions_on
from kswifi.sessions.transitions import move_session
from kswifi.simulation.errors import PowerLostError, SimulationFailedError
from kswifi.simulation.people.control_plane import Faults, MemoryDatabase, RuleLedger

_g, _b = free_grant.c, free_budget.c
_MONEY: Final = select(
    select(func.coalesce(func.sum(_b.reserved_kobo), 0)).scalar_subquery(),
    select(func.coalesce(func.sum(_b.spent_kobo), 0)).scalar_subquery(),
    select(func.coalesce(func.sum(_g.reserved_kobo), 0)).scalar_subquery()
    + select(func.coalesce(func.sum(octet_transfer.c.kobo), 0)).scalar_subquery(),
    select(func.coalesce(func.sum(_g.spent_kobo), 0)).scalar_subquery(),
)
"""The kobo that the budget reserved and spent; those that grants and transfers hold; those that grants spent."""

_START: Final = datetime(2026, 11, 23, 9, 0, tzinfo=UTC)
_EVENTS: Final = 24
_MEGABYTE: Final = 1_000_000
_BUDGET_KOBO: Final = 10**7
_OFFER: Final = "free-1gb"
_NUMBERS: Final = NumberRange()
_RESERVED: Final = 50 * _MEGABYTE
_ODDS: Final = (0.0, 0.03, 0.1)
_CALM_HOURS: Final = 60
_ROUNDS: Final = 40
_CALM_ROUNDS: Final = 6
_LINES: Final = select(esim.c.esim_id, esim.c.user_id).order_by(esim.c.esim_id)


@dataclass(frozen=True, slots=True)
class Figures:
    """The figures of one run, as evidence that something happened."""

    seed: int
    faults: int
    offered: int
    received: int
    returned: int
    refused: int
    octets_sent: int
    octets_received: int
    kobo: int
    moves: int


class _Clock:
    def __init__(self) -> None:
        self.instant = _START

    def now(self) -> datetime:
        return self.instant


class _NoDelivery:
    """All cards of the simulation have their profile: nothing is delivered over ES9+."""

    async def deliver(self, esim_id: str, session_record: bytes) -> JobResult:  # noqa: ARG002 - the port
        return Refused(f"{esim_id} has its profile")


@cache
def _shared() -> tuple[MemoryDatabase, Catalogue, SessionSigningKey]:
    return MemoryDatabase(), Catalogue.load(), SessionSigningKey.from_pem(fresh_signing_key_pem())


class PeopleScenario:
    """A run of one seed; ``run`` raises SimulationFailedError if octets or kobo are lost, doubled or early."""

    def __init__(self, seed: int) -> None:
        self.seed = seed
        self.random = random = Random(seed)  # noqa: S311 - reproducible, not secret
        self.clock = _Clock()
        self.faults = Faults(random, random.choice(_ODDS))
        self.database, catalogue, key = _shared()
        self.database.begin_seed(self.clock, self.faults)
        self.ledger = RuleLedger(self.clock, self.faults, self._is_proved)
        rules = FreeDataRules(
            allowance_octets=100 * 10**9, unspent_octets=100 * 10**9, cost_kobo_per_gb=random.choice((0, 20_001))
        )
        self.free_data = FreeData(self.database, Marks(bytes(32)), rules)
        orders = EsimOrders(SubscriberVault(bytes(32)), random_bytes=random.randbytes)
        manager = ESIMSessionManager(self.database)
        self.downloads = SessionDownloadService(
            self.database, catalogue, orders, manager, self.free_data, random_bytes=random.randbytes
        )
        gift_rules = GiftRules(giver_verified=False, giver_age=timedelta(), receiver_givers=9)
        self.gifts = GiftService(self.downloads, self.free_data, gift_rules, random.randbytes)
        self.moves = MoveService(random.randbytes)
        self.movers = Movers(self.database, lambda: self.ledger.state, self.downloads, self.gifts)
        transfers = TransferHandlers(self.database, self.ledger)
        handlers = SessionHandlers(
            self.database,
            self.ledger,
            catalogue,
            key,
            LineSettings("smdp.example"),
            _NoDelivery(),
            self.free_data,
            incoming=transfers,
        )
        self.handlers = {**handlers.handlers(), **transfers.handlers()}
        self._rules = rules
        self.projector = self._new_projector()
        self.users = [str(UUID(int=random.getrandbits(128), version=4)) for _ in range(3)]
        self.lines: dict[str, str] = {}
        """Each line with its user."""
        self.moving: set[str] = set()
        """The lines that are being moved, or were: they stay frozen."""
        self.used = 0

    def run(self) -> Figures:
        """Run the storm, then the calm; check the books after every event, and everything at the end."""
        try:
            asyncio.run(self._run())
        except Exception as error:  # every failure must name its seed
            raise SimulationFailedError(f"seed {self.seed}: {error!r}", seed=self.seed) from error
        return self._figures()

    async def _run(self) -> None:
        odds, self.faults.odds = self.faults.odds, 0.0
        await self._open()
        self.faults.odds = odds
        for _ in range(_EVENTS):
            await self._event()
            self._check_money()
        self.faults.odds = 0.0
        await self._calm()
        self._check_end()

    async def _open(self) -> None:
        """Open three accounts with a line each, the first with two, and two stored sessions."""
        await self.database.write(self._insert_people)
        first = self._line_of(self.users[0])
        for number in range(2):
            await self.downloads.order(self.users[0], _OFFER, esim_id=first, idempotency_key=f"first-{number}")
        await self._work_all()
        for session in await self.database.read(lambda connection: sessions_on(connection, first)):
            await self._bring(session)
        await self._work_all()

    def _insert_people(self, connection: Connection) -> None:
        set_budget(connection, "operator", BudgetKind.OPERATOR, _BUDGET_KOBO)
        for number, user_id in enumerate(self.users):
            connection.execute(
                insert(user_account).values(
                    user_id=user_id,
                    phone_number=f"+23480312345{number:02d}",
                    password_hash="x",  # noqa: S106 - nobody signs in
                    recovery_code_hash=bytes(32),
                    created_at=_START,
                )
            )
            for _ in range(2 if number == 0 else 1):
                self._insert_line(connection, user_id)

    def _insert_line(self, connection: Connection, user_id: str) -> None:
        serial = len(self.lines) + 1_000  # beyond those of lines that the product allocates
        esim_id = str(UUID(int=self.random.getrandbits(128), version=4))
        self.lines[esim_id] = user_id
        connection.execute(
            insert(esim).values(
                esim_id=esim_id,
                user_id=user_id,
                iccid=str(_NUMBERS.iccid(serial)),
                imsi=str(_NUMBERS.imsi(serial)),
                matching_id=f"M{serial}",
                profile_state=ProfileState.INSTALLED,
                wants_pause=False,
                wish=0,
                sealed_keys=b"",
                seq=0,
                ind=0,
                created_at=_START,
            )
        )

    def _line_of(self, user_id: str) -> str:
        return next(it for it, owner in self.lines.items() if owner == user_id)

    async def _event(self) -> None:
        chance = self.random
        events: tuple[tuple[Callable[[], Coroutine[Any, Any, None]], int], ...] = (
            (self._offer, 6),
            (self._share, 2),
            (self._claim, 7),
            (self._withdraw, 1),
            (self._store, 6),
            (self._work_some, 16),
            (self._use, 4),
            (self._switch, 1),
            (self._end_some, 1),
            (self._lose_phone, 1),
            (self._pass_time, 1),
            (self._sweep, 2),
            (self._project, 2),
        )
        (happens,) = chance.choices([it[0] for it in events], [it[1] for it in events])
        try:
            await happens()
        except PowerLostError:
            self.projector = self._new_projector()
        except KswifiError as refused:
            if isinstance(refused, SimulationFailedError):
                raise

    # People

    async def _offer(self) -> None:
        session = await self._session_of(self.users[0])
        if session is not None:
            wish = Wish(session.session_id, self.random.randint(1, 400) * _MEGABYTE)
            await self.database.write(lambda connection: self.gifts.offer(connection, session.user_id, wish))

    async def _share(self) -> None:
        session = await self._session_of(self.users[0])
        if session is not None:
            others = [it for it, owner in self.lines.items() if owner == session.user_id and it != session.esim_id]
            wish = Wish(session.session_id, self.random.randint(1, 300) * _MEGABYTE, self.random.choice(others))
            await self.database.write(lambda connection: self.gifts.offer(connection, session.user_id, wish))

    async def _claim(self) -> None:
        """Let one or both of the others claim a gift, perhaps while the giver takes it back."""
        transfer = await self._transfer()
        if transfer is None or transfer.code is None:
            return
        code = transfer.code
        for user_id in self.random.sample(self.users[1:], self.random.randint(1, 2)):
            try:
                await self.database.write(
                    lambda connection, user_id=user_id: self.gifts.claim(  # type: ignore[misc]
                        connection, user_id, code, esim_id=None, device_id=None
                    )
                )
            except KswifiError:
                continue

    async def _withdraw(self) -> None:
        transfer = await self._transfer()
        if transfer is not None and transfer.code is not None:
            code = transfer.code
            await self.database.write(lambda connection: self.gifts.withdraw(connection, transfer.giver_id, code))

    async def _store(self) -> None:
        """Let a card prove that it stores a session that waits for octets."""
        session = await self._session_of(self.random.choice(self.users), SessionState.PACKAGED)
        if session is not None:
            await self._bring(session)

    async def _bring(self, session: InternetSession) -> None:
        def bring(connection: Connection) -> None:
            current = find_session(connection, session.session_id)
            if current.state is not SessionState.PACKAGED:
                return
            for event in (
                SessionEvent.DOWNLOAD_STARTED,
                SessionEvent.DOWNLOAD_CONFIRMED,
                SessionEvent.TRANSFER_STARTED,
            ):
                current = move_session(connection, current, event)
            connection.execute(
                update(esim).where(esim.c.esim_id == current.esim_id).values(profile_state=ProfileState.INSTALLED)
            )
            note_proof(connection, current.session_id, StorageProof.POR)

        await self.database.write(bring)

    async def _end_some(self) -> None:
        """Let the receiver cancel, or the operator revoke, a session."""
        session = await self._session_of(self.random.choice(self.users), *LIVE_STATES)
        if session is None:
            return
        if self.random.random() < 0.5:
            await self.database.write(
                lambda connection: cancel_session(connection, session.user_id, session.session_id)
            )
        else:
            await self.database.write(
                lambda connection: session_jobs.ask_to_revoke(connection, session, "simulated")
            )

    async def _lose_phone(self) -> None:
        """Ask for a move of a line of the giver, and perhaps confirm it with a passkey."""
        user_id = self.users[0]
        candidates = [it for it, owner in self.lines.items() if owner == user_id and it not in self.moving]
        if not candidates:
            return
        line = self.random.choice(candidates)
        user = User(user_id, "+2348031234500", None, _START)
        signed_in = SignedIn(user, "csrf", _START + timedelta(days=366), "this device")

        def ask(connection: Connection) -> PhoneMove:
            return self.moves.ask(connection, user_id, line, MoveReason.LOST, signed_in.login_id)

        move = await self.database.write(ask)
        self.moving.add(line)
        if self.random.random() < 0.7:
            await self.database.write(
                lambda connection: self.moves.confirm(connection, signed_in, move.move_id, Confirmation.PASSKEY)
            )

    # The network

    async def _use(self) -> None:
        """Reserve and use octets of a line, as charging does; nothing is granted before the card's proof."""
        line = self.random.choice(list(self.lines))
        self.used += 1
        name = f"s{self.used}"
        until = unix_seconds(self.clock.now()) + 3600
        ask = do.Ask(_RESERVED, 10**10 if self.random.random() < 0.2 else 0, until)
        outcome = self.ledger.apply(do.Reserve(f"{name}#0", name, line, ask))
        if not outcome.granted_octets or outcome.account_id in (None, NO_ACCOUNT):
            return
        if not self._is_proved(str(outcome.account_id)):
            raise SimulationFailedError(f"{outcome.account_id} was granted octets before its card's proof")
        used = self.random.randint(0, outcome.granted_octets)
        self.ledger.apply(do.Commit(f"{name}#1", name, used, close=True))

    async def _switch(self) -> None:
        line, number = self.random.choice(list(self.lines)), self.random.getrandbits(60)
        if line in self._lines_in_moves():
            return
        frozen = self.random.random() < 0.5
        self.ledger.apply(do.Freeze(f"freeze:{number}", line, frozen))

    async def _pass_time(self) -> None:
        self.clock.instant += timedelta(hours=self.random.choice((1, 5, 20, 49)))

    # The server

    async def _work_some(self) -> None:
        for entry in await self._due(self.random.randint(1, 3)):
            await self._work(entry)

    async def _work(self, entry: Entry) -> None:
        handler = self.handlers.get(entry.kind)
        result = Done() if handler is None else await handler(entry)
        if not isinstance(result, Unknown):
            await self.database.write(
                lambda connection: connection.execute(delete(outbox_entry).where(outbox_entry.c.id == entry.id))
            )

    async def _work_all(self) -> None:
        for _ in range(_ROUNDS):
            await self._project()
            entries = await self._due(1000)
            if not entries:
                return
            for entry in entries:
                await self._work(entry)
        raise SimulationFailedError("the outbox does not become empty")

    async def _due(self, limit: int) -> list[Entry]:
        t = outbox_entry.c

        def look(connection: Connection) -> list[Entry]:
            due = select(outbox_entry).where(t.state == EntryState.WAITING, t.run_at <= self.clock.now())
            rows = connection.execute(due.order_by(t.id)).all()
            return [Entry(it.id, it.kind, it.key, it.payload, 1, "worker") for it in rows]

        entries = await self.database.read(look)
        return self.random.sample(entries, min(limit, len(entries)))

    async def _sweep(self) -> None:
        await return_due(self.database)
        await self.movers.carry_out()
        for esim_id, user_id in self.database.now(lambda connection: connection.execute(_LINES).all()):
            self.lines.setdefault(esim_id, user_id)

    async def _project(self) -> None:
        await self.projector.catch_up()

    def _new_projector(self) -> Projector:
        return Projector(self.database, self.ledger, self._rules)

    async def _calm(self) -> None:
        """Let everything that is under way come to its end, without faults."""
        self.projector = self._new_projector()
        moved = self._lines_in_moves()
        for number, line in enumerate(it for it in self.lines if it not in moved):
            self.ledger.apply(do.Freeze(f"thaw:{number}", line, False))
        for _ in range(_CALM_ROUNDS):
            await self._work_all()
            for user_id in self.users:
                session = await self._session_of(user_id, SessionState.PACKAGED)
                if session is not None:
                    await self._bring(session)
            await self._work_all()
            await self._sweep()
            await self._work_all()
            self.clock.instant += timedelta(hours=_CALM_HOURS)

    # Looking

    async def _session_of(self, user_id: str, *states: SessionState) -> InternetSession | None:
        wanted = states or (SessionState.STORED, SessionState.ACTIVE, SessionState.PAUSED)
        t = internet_session.c

        def look(connection: Connection) -> list[InternetSession]:
            query = select(t.session_id).where(t.user_id == user_id, t.state.in_(wanted)).order_by(t.session_id)
            return [find_session(connection, it) for it in connection.scalars(query).all()]

        found = await self.database.read(look)
        return self.random.choice(found) if found else None

    async def _transfer(self) -> OctetTransfer | None:
        found = await self.database.read(self._transfers)
        waiting = [it for it in found if it.state in OPEN_STATES]
        return self.random.choice(waiting) if waiting else None

    @staticmethod
    def _transfers(connection: Connection) -> list[OctetTransfer]:
        ids = connection.scalars(select(octet_transfer.c.transfer_id).order_by(octet_transfer.c.transfer_id))
        found = [store.find_transfer(connection, it) for it in ids.all()]
        return [it for it in found if it is not None]

    def _lines_in_moves(self) -> set[str]:
        """Return the lines that are being moved or were; the rows know requests whose answers were lost."""
        return set(self.database.now(lambda connection: connection.scalars(select(phone_move.c.old_esim_id)).all()))

    def _is_proved(self, session_id: str) -> bool:
        return self.database.now(lambda connection: find_session(connection, session_id).storage_proof is not None)

    # Checks

    def _check_money(self) -> None:
        """Check that the budget's reserved kobo are those of all grants and transfers, and none is lost."""

        reserved, spent, held, grants_spent = self.database.now(lambda connection: connection.execute(_MONEY).one())
        if (reserved, spent) != (held, grants_spent):
            raise SimulationFailedError(
                f"the budget has reserved {reserved} and spent {spent} kobo; sessions and gifts hold {held} "
                f"and spent {grants_spent}"
            )

    def _check_end(self) -> None:
        """Check that every transfer has ended where its row says, and that the projection is the ledger's state."""
        self._check_money()
        for transfer in self.database.now(self._transfers):
            if transfer.state in OPEN_STATES:
                raise SimulationFailedError(f"{transfer.name} ended as {transfer.state}")
            left = self.ledger.in_transit.get(transfer.name)
            expected = None if transfer.state is TransferState.REFUSED else 0
            if left != expected:
                raise SimulationFailedError(
                    f"{transfer.name} is {transfer.state}, and {left} octets are in transit"
                )
        states = select(phone_move.c.state)
        if waiting := set(self.database.now(lambda connection: connection.scalars(states).all())) - {
            MoveState.MOVED
        }:
            raise SimulationFailedError(f"a move is {waiting}")
        accounts = self.ledger.state.accounts.values()
        net = sum(it.transferred_out - it.transferred_in for it in accounts)
        if net:
            raise SimulationFailedError(f"{net} octets were sent and not received")
        for row in self.database.now(lambda connection: connection.execute(select(session_balance)).all()):
            account = self.ledger.state.accounts[row.session_id]
            if (row.used, row.available) != (account.used, account.available):
                raise SimulationFailedError(f"the balance of {row.session_id} is not that of the ledger")

    def _figures(self) -> Figures:
        transfers = self.database.now(self._transfers)
        accounts = self.ledger.state.accounts.values()
        spent = self.database.now(lambda connection: connection.scalar(select(free_budget.c.spent_kobo)))
        states = [it.state for it in transfers]
        return Figures(
            seed=self.seed,
            faults=self.faults.count,
            offered=sum(it.kind is TransferKind.GIFT for it in transfers),
            received=states.count(TransferState.RECEIVED),
            returned=states.count(TransferState.RETURNED),
            refused=states.count(TransferState.REFUSED),
            octets_sent=sum(it.transferred_out for it in accounts),
            octets_received=sum(it.transferred_in for it in accounts),
            kobo=int(spent or 0),
            moves=sum(it.kind is TransferKind.MOVE for it in transfers),
        )
