"""A run of one seed: people give, claim, share and use octets while processes die and answers are lost."""

from dataclasses import dataclass
from datetime import timedelta
from typing import Final

from sqlalchemy import Connection, select

from kswifi.accounts.model import SignedIn, User
from kswifi.esim.sql import esim
from kswifi.free_data.sql import free_budget
from kswifi.kernel.clock import unix_seconds
from kswifi.kernel.errors import KswifiError
from kswifi.ledger import commands as do
from kswifi.ledger.commands import NO_ACCOUNT
from kswifi.people import store
from kswifi.people.gifts import GiftService, Wish
from kswifi.people.model import OPEN_STATES, OctetTransfer, TransferKind, TransferState
from kswifi.people.move_model import Confirmation, MoveReason, MoveState, PhoneMove
from kswifi.people.moves import Movers, MoveService
from kswifi.people.returns import return_due
from kswifi.people.rules import GiftRules
from kswifi.people.sql import octet_transfer, phone_move
from kswifi.sessions import jobs as session_jobs
from kswifi.sessions.model import LIVE_STATES, SessionState
from kswifi.sessions.orders import cancel_session
from kswifi.sessions.sql import session_balance
from kswifi.sessions.store import sessions_on
from kswifi.simulation.errors import SimulationFailedError
from kswifi.simulation.people.world import OFFER, START, Happening, PeopleWorld

_EVENTS: Final = 24
_MEGABYTE: Final = 1_000_000
_RESERVED: Final = 50 * _MEGABYTE
_CALM_HOURS: Final = 60
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


class PeopleScenario(PeopleWorld):
    """A run of one seed; ``run`` raises SimulationFailedError if octets or kobo are lost, doubled or early."""

    def __init__(self, seed: int) -> None:
        super().__init__(seed)
        gift_rules = GiftRules(giver_verified=False, giver_age=timedelta(), receiver_givers=9)
        self.gifts = GiftService(self.downloads, self.free_data, gift_rules, self.random.randbytes)
        self.moves = MoveService(self.random.randbytes)
        self.movers = Movers(self.database, lambda: self.ledger.state, self.downloads, self.gifts)
        self.moving: set[str] = set()
        """The lines that are being moved, or were: they stay frozen."""

    def run(self) -> Figures:
        """Run the storm, then the calm; check the books after every event, and everything at the end."""
        self.play()
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
            await self.downloads.order(self.users[0], OFFER, esim_id=first, idempotency_key=f"first-{number}")
        await self._work_all()
        for session in await self.database.read(lambda connection: sessions_on(connection, first)):
            await self._bring(session)
        await self._work_all()

    def _happenings(self) -> tuple[Happening, ...]:
        return (
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
        user = User(user_id, "+2348031234500", None, START)
        signed_in = SignedIn(user, "csrf", START + timedelta(days=366), "this device")

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

    async def _sweep(self) -> None:
        await return_due(self.database)
        await self.movers.carry_out()
        for esim_id, user_id in self.database.now(lambda connection: connection.execute(_LINES).all()):
            self.lines.setdefault(esim_id, user_id)

    async def _calm(self) -> None:
        """Let everything that is under way come to its end, without faults."""
        self._start_again()
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

    # Checks

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
