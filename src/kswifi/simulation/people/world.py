"""The world of simulated people: accounts, lines, the outbox, the ledger's rules, and processes that die.

A scenario adds what people do in it, and what must hold.
"""

import asyncio
from abc import ABC, abstractmethod
from collections.abc import Callable, Coroutine, Sequence
from datetime import UTC, datetime
from functools import cache
from random import Random
from typing import Any, Final
from uuid import UUID

from sqlalchemy import Connection, delete, func, insert, select, update

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
from kswifi.kernel.errors import KswifiError
from kswifi.outbox.model import Entry, EntryState
from kswifi.outbox.results import Done, JobResult, Refused, Unknown
from kswifi.outbox.sql import outbox_entry
from kswifi.people.job_handlers import TransferHandlers
from kswifi.people.sql import octet_transfer
from kswifi.sessions.card.packets import note_proof
from kswifi.sessions.job_handlers import SessionHandlers
from kswifi.sessions.line import ESIMSessionManager
from kswifi.sessions.model import InternetSession, SessionEvent, SessionState
from kswifi.sessions.orders import SessionDownloadService
from kswifi.sessions.projector import Projector
from kswifi.sessions.signing import SessionSigningKey, fresh_signing_key_pem
from kswifi.sessions.sql import internet_session
from kswifi.sessions.store import find_session
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

OFFER: Final = "free-1gb"
STORED_STATES: Final = (SessionState.STORED, SessionState.ACTIVE, SessionState.PAUSED)

Happening = tuple[Callable[[], Coroutine[Any, Any, None]], int]
"""Something that may happen, and how often in comparison with the others."""

START: Final = datetime(2026, 11, 23, 9, 0, tzinfo=UTC)
_BUDGET_KOBO: Final = 10**7
_NUMBERS: Final = NumberRange()
_ODDS: Final = (0.0, 0.03, 0.1)
_ROUNDS: Final = 40


class _Clock:
    def __init__(self) -> None:
        self.instant = START

    def now(self) -> datetime:
        return self.instant


class _NoDelivery:
    """All cards of the simulation have their profile: nothing is delivered over ES9+."""

    async def deliver(self, esim_id: str, session_record: bytes) -> JobResult:  # noqa: ARG002 - the port
        return Refused(f"{esim_id} has its profile")


@cache
def _shared() -> tuple[MemoryDatabase, Catalogue, SessionSigningKey]:
    return MemoryDatabase(), Catalogue.load(), SessionSigningKey.from_pem(fresh_signing_key_pem())


class PeopleWorld(ABC):
    """The world of one seed. ``play`` runs the scenario's ``_run``."""

    def __init__(self, seed: int) -> None:
        self.seed = seed
        self.random = random = Random(seed)  # noqa: S311 - reproducible, not secret
        self.clock = _Clock()
        self.faults = Faults(random, random.choice(_ODDS))
        self.database, self.catalogue, key = _shared()
        self.database.begin_seed(self.clock, self.faults)
        self.ledger = RuleLedger(self.clock, self.faults, self._is_proved)
        self._rules = rules = self.rules_of(random)
        self.free_data = FreeData(self.database, Marks(bytes(32)), rules)
        orders = EsimOrders(SubscriberVault(bytes(32)), random_bytes=random.randbytes)
        manager = ESIMSessionManager(self.database)
        self.downloads = SessionDownloadService(
            self.database, self.catalogue, orders, manager, self.free_data, random_bytes=random.randbytes
        )
        transfers = TransferHandlers(self.database, self.ledger)
        handlers = SessionHandlers(
            self.database,
            self.ledger,
            self.catalogue,
            key,
            LineSettings("smdp.example"),
            _NoDelivery(),
            self.free_data,
            incoming=transfers,
        )
        self.handlers = {**handlers.handlers(), **transfers.handlers()}
        self.projector = self._new_projector()
        self.users = [str(UUID(int=random.getrandbits(128), version=4)) for _ in range(3)]
        self.lines: dict[str, str] = {}
        """Each line with its user."""
        self.used = 0

    @staticmethod
    def rules_of(random: Random) -> FreeDataRules:
        """Return the rules of free data: wide ones, so that they refuse nothing."""
        return FreeDataRules(
            allowance_octets=100 * 10**9, unspent_octets=100 * 10**9, cost_kobo_per_gb=random.choice((0, 20_001))
        )

    def play(self) -> None:
        """Run the scenario.

        Raises:
            SimulationFailedError: something that must hold does not; it names the seed.
        """
        try:
            asyncio.run(self._run())
        except Exception as error:  # every failure must name its seed
            raise SimulationFailedError(f"seed {self.seed}: {error!r}", seed=self.seed) from error

    @abstractmethod
    async def _run(self) -> None:
        """Run what happens, and check what must hold."""

    @abstractmethod
    def _happenings(self) -> Sequence[Happening]:
        """Return what may happen in this scenario."""

    async def _event(self) -> None:
        """Let something happen; a process that dies is started again, and a refusal changes nothing."""
        happenings = self._happenings()
        (happens,) = self.random.choices([it[0] for it in happenings], [it[1] for it in happenings])
        try:
            await happens()
        except PowerLostError:
            self._start_again()
        except KswifiError as refused:
            if isinstance(refused, SimulationFailedError):
                raise

    def _start_again(self) -> None:
        """Make anew what a process holds in its memory."""
        self.projector = self._new_projector()

    def _insert_people(self, connection: Connection) -> None:
        set_budget(connection, "operator", BudgetKind.OPERATOR, _BUDGET_KOBO)
        for number, user_id in enumerate(self.users):
            connection.execute(
                insert(user_account).values(
                    user_id=user_id,
                    phone_number=f"+23480312345{number:02d}",
                    password_hash="x",  # noqa: S106 - nobody signs in
                    recovery_code_hash=bytes(32),
                    created_at=START,
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
                created_at=START,
            )
        )

    def _line_of(self, user_id: str) -> str:
        return next(it for it, owner in self.lines.items() if owner == user_id)

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

    async def _project(self) -> None:
        await self.projector.catch_up()

    def _new_projector(self) -> Projector:
        return Projector(self.database, self.ledger, self._rules)

    async def _session_of(self, user_id: str, *states: SessionState) -> InternetSession | None:
        wanted = states or STORED_STATES
        t = internet_session.c

        def look(connection: Connection) -> list[InternetSession]:
            query = select(t.session_id).where(t.user_id == user_id, t.state.in_(wanted)).order_by(t.session_id)
            return [find_session(connection, it) for it in connection.scalars(query).all()]

        found = await self.database.read(look)
        return self.random.choice(found) if found else None

    def _is_proved(self, session_id: str) -> bool:
        return self.database.now(lambda connection: find_session(connection, session_id).storage_proof is not None)

    def _check_money(self) -> None:
        """Check that the budget's reserved kobo are those of all grants and transfers, and none is lost."""

        reserved, spent, held, grants_spent = self.database.now(lambda connection: connection.execute(_MONEY).one())
        if (reserved, spent) != (held, grants_spent):
            raise SimulationFailedError(
                f"the budget has reserved {reserved} and spent {spent} kobo; sessions and gifts hold {held} "
                f"and spent {grants_spent}"
            )
