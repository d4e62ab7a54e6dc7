"""A run of one seed: a person has a standing order, the phone changes networks, and processes die.

It runs the product's steps in ``world``. Every session that a standing order made is found by its key, also
after a lost answer, and is checked in the moment in which it appears.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from ipaddress import ip_network
from random import Random
from typing import Any, Final

from sqlalchemy import Connection, and_, case, func, select, update

from kswifi.esim.sql import esim
from kswifi.free_data import waiting
from kswifi.free_data.budgets import set_budget
from kswifi.free_data.model import BudgetKind
from kswifi.free_data.rules import FreeDataRules, WhenBudgetGone
from kswifi.free_data.sql import free_grant
from kswifi.kernel.clock import unix_seconds
from kswifi.kernel.errors import KswifiError
from kswifi.ledger import commands as do
from kswifi.outbox.sql import domain_event
from kswifi.people import standing_order_store as store
from kswifi.people.rules import StandingOrderRules
from kswifi.people.standing_order_model import StandingOrder, StandingOrderState
from kswifi.people.standing_order_watch import StandingOrderWatch
from kswifi.people.standing_orders import CarriedOutBy, StandingOrderService, StandingWish, require_certain_wifi
from kswifi.sessions.model import LIVE_STATES, SessionState
from kswifi.sessions.network_access import CidrNetworkAccess
from kswifi.sessions.orders import cancel_session
from kswifi.sessions.sql import internet_session
from kswifi.simulation.errors import PowerLostError, SimulationFailedError
from kswifi.simulation.people.world import OFFER, Happening, PeopleWorld

_EVENTS: Final = 60
_ALLOWANCE: Final = 3 * 10**9
_PIECE: Final = 600_000_000
_COST: Final = 20_001
_KEY: Final = "standing:"
_WIFI: Final = "10.20.0.7"
_CELLULAR: Final = "100.64.3.9"
_UNKNOWN: Final = "198.51.100.4"
_KNOWING: Final = CidrNetworkAccess([ip_network("10.20.0.0/16")])
"""A server that knows the operator's WiFi networks."""
_BLIND: Final = CidrNetworkAccess(())
"""A server that knows none: it can only rely on what a device says."""

_s, _g = internet_session.c, free_grant.c
_OURS: Final = select(_s.session_id, _s.idempotency_key, _s.esim_id).where(_s.idempotency_key.startswith(_KEY))


@dataclass(frozen=True, slots=True)
class StandingOrderFigures:
    """The figures of one run, as evidence that something happened."""

    seed: int
    faults: int
    due: int
    ordered: int
    refused_networks: int
    refused_orders: int
    waited: int
    paused_by_itself: int


class StandingOrderScenario(PeopleWorld):
    """A run of one seed; ``run`` raises SimulationFailedError if a rule of standing orders is broken."""

    def __init__(self, seed: int) -> None:
        super().__init__(seed)
        self.user_id = self.users[0]
        self.service = StandingOrderService(
            self.database,
            self.catalogue,
            self.downloads,
            self.free_data,
            StandingOrderRules(),
            self.random.randbytes,
        )
        self.watch = self._new_watch()
        self.ours: set[str] = set()
        """The keys of the sessions that standing orders made."""
        self.refused_networks = 0
        self.refused_orders = 0
        self.kobo = 0
        self.checked = (0, 0)
        """How many events and sessions there were at the last check."""

    @staticmethod
    def rules_of(random: Random) -> FreeDataRules:
        """Return rules of free data whose limits a run reaches."""
        return FreeDataRules(
            allowance_octets=_ALLOWANCE,
            cost_kobo_per_gb=random.choice((0, _COST)),
            when_budget_gone=random.choice(list(WhenBudgetGone)),
        )

    def run(self) -> StandingOrderFigures:
        """Run the storm, then the calm; check the standing order after every event."""
        self.play()
        events = self.database.now(_changes)
        return StandingOrderFigures(
            seed=self.seed,
            faults=self.faults.count,
            due=len(_due_dates(events)),
            ordered=len(self.ours),
            refused_networks=self.refused_networks,
            refused_orders=self.refused_orders,
            waited=sum(it["state"] == StandingOrderState.WAITING for it in events),
            paused_by_itself=sum(
                it["state"] == StandingOrderState.PAUSED and it["last_result"] == "ignored" for it in events
            ),
        )

    async def _run(self) -> None:
        odds, self.faults.odds = self.faults.odds, 0.0
        await self.database.write(self._insert_people)
        await self._add_money()
        await self.downloads.order(self.user_id, OFFER, idempotency_key="first")
        await self._wish()
        self.faults.odds = odds
        for _ in range(_EVENTS):
            await self._event()
            self._check()
        self.faults.odds = 0.0
        await self._calm()
        self._check()

    def _happenings(self) -> tuple[Happening, ...]:
        return (
            (self._carry_out, 12),
            (self._look, 8),
            (self._use, 10),
            (self._store, 8),
            (self._work_some, 3),
            (self._project, 3),
            (self._pass_time, 3),
            (self._wish, 1),
            (self._end, 1),
            (self._order_by_hand, 1),
            (self._cancel, 1),
            (self._add_money, 1),
            (self._call_waiting, 1),
            (self._freeze, 1),
        )

    # The person and the phone

    async def _wish(self) -> None:
        percent, days = self.random.choice(((50, None), (20, None), (None, 1), (None, 7)))
        wish = StandingWish(OFFER, percent, days, paused=self.random.random() < 0.1)
        await self.database.write(lambda connection: self.service.put(connection, self.user_id, wish))

    async def _end(self) -> None:
        if self.random.random() < 0.3:
            await self.database.write(lambda connection: self.service.end(connection, self.user_id))

    async def _carry_out(self) -> None:
        """Let the phone ask for a due date on some network; it may repeat an old one whose answer was lost."""
        order = self._order()
        if order is None:
            return
        chance = self.random
        if order.due_since is None and chance.random() < 0.7:
            await self._use()
            return
        number = max(1, order.due_number + chance.choices((0, -1, 1), (8, 1, 1))[0])
        by = chance.choice(list(CarriedOutBy))
        where = chance.choices((_WIFI, _CELLULAR, _UNKNOWN), (4, 2, 2))[0]
        access = chance.choice((_KNOWING, _BLIND))
        device_knows = where == _WIFI and chance.random() < 0.7  # a device never takes another network for WiFi
        certain = where == _WIFI and (access is _KNOWING or device_knows)
        live = self.database.now(self._live_sessions)
        try:
            await require_certain_wifi(access, where, 40_000, device_knows=device_knows)
            await self.service.carry_out(self.user_id, number, by)
        except PowerLostError:
            raise
        except KswifiError as refused:
            self.refused_networks += refused.code in ("not_on_wifi", "wifi_not_certain")
            self.refused_orders += refused.code not in ("not_on_wifi", "wifi_not_certain")
        finally:
            self._look_at_new_sessions(order, number, certain=certain, live=live)

    def _look_at_new_sessions(
        self, order: StandingOrder, number: int, *, certain: bool, live: dict[str, int]
    ) -> None:
        """Check the session that this request made, if it made one."""
        for _, key, esim_id in self.database.now(lambda connection: connection.execute(_OURS).all()):
            if key in self.ours:
                continue
            self.ours.add(key)
            if not certain:
                raise SimulationFailedError(f"{key} was ordered over a network that was not certain")
            if key != order.key_of(number) or order.due_since is None or order.state is not StandingOrderState.ON:
                raise SimulationFailedError(f"{key} was ordered, and {order.due_number} was asked for")
            if number != order.due_number:
                raise SimulationFailedError(f"{key} was ordered, and {order.due_number} was due")
            if live.get(esim_id, 0) > 1:
                raise SimulationFailedError(f"{key} was ordered, and one was ahead already")
            had = self.database.now(lambda connection: _counted_octets(connection, self.clock.now()))
            if had > _ALLOWANCE:
                raise SimulationFailedError(f"{key} was ordered beyond the allowance: {had} octets")

    async def _order_by_hand(self) -> None:
        await self.downloads.order(self.user_id, OFFER, idempotency_key=f"hand-{self.random.getrandbits(60)}")

    async def _cancel(self) -> None:
        session = await self._session_of(self.user_id, SessionState.ORDERED, SessionState.PACKAGED)
        if session is not None:
            await self.database.write(
                lambda connection: cancel_session(connection, self.user_id, session.session_id)
            )

    async def _store(self) -> None:
        """Let the server prepare what was ordered, and the card prove that it stores it."""
        waiting_for = (SessionState.ORDERED, SessionState.PACKAGED, SessionState.TRANSFERRING)
        if await self._session_of(self.user_id, *waiting_for) is None:
            await self._look()
            return
        await self._work_all()
        session = await self._session_of(self.user_id, SessionState.PACKAGED)
        if session is not None:
            await self._bring(session)
            await self._work_all()

    # The network and the operator

    async def _use(self) -> None:
        """Use a piece of a session, of any line that has one, as charging does."""
        lines = list(self.database.now(self._live_sessions)) or [self._line_of(self.user_id)]
        line = self.random.choice(lines)
        self.used += 1
        name = f"s{self.used}"
        until = unix_seconds(self.clock.now()) + 3600
        outcome = self.ledger.apply(do.Reserve(f"{name}#0", name, line, do.Ask(_PIECE, 0, until)))
        if outcome.granted_octets:
            self.ledger.apply(do.Commit(f"{name}#1", name, outcome.granted_octets, close=True))

    async def _pass_time(self) -> None:
        self.clock.instant += timedelta(hours=self.random.choice((1, 6, 25, 72)))

    async def _freeze(self) -> None:
        """Wish one line of the person frozen, or none any more: a frozen one gets no session."""
        frozen = None if self.random.random() < 0.7 else self._line_of(self.user_id)
        await self.database.write(
            lambda connection: connection.execute(update(esim).values(wants_frozen=esim.c.esim_id == frozen))
        )

    async def _add_money(self) -> None:
        self.kobo += self.random.choice((1, 2)) * _COST
        await self.database.write(
            lambda connection: set_budget(connection, "operator", BudgetKind.OPERATOR, self.kobo)
        )

    async def _call_waiting(self) -> None:
        await self.database.write(lambda connection: waiting.tell_some(connection, self.free_data.rules))

    async def _look(self) -> None:
        if self.random.random() < 0.7:
            await self._project()
        await self.watch.look()

    def _new_watch(self) -> StandingOrderWatch:
        return StandingOrderWatch(self.database, self.downloads, self.service)

    def _start_again(self) -> None:
        super()._start_again()
        self.watch = self._new_watch()

    async def _calm(self) -> None:
        """Check that nothing is stuck: with money, an allowance and WiFi the next due date gives a session."""
        self._start_again()
        self.kobo += 100 * _COST
        await self.database.write(
            lambda connection: set_budget(connection, "operator", BudgetKind.OPERATOR, self.kobo)
        )
        await self.database.write(lambda connection: connection.execute(update(esim).values(wants_frozen=False)))
        self.clock.instant += timedelta(days=62)  # all sessions are over, and the allowance is whole again
        await self._work_all()
        for paused in (True, False):  # turned on again, it forgets the due dates that were ignored
            wish = StandingWish(OFFER, 20, None, paused)
            await self.database.write(partial(self.service.put, user_id=self.user_id, wish=wish))
        for _ in range(4):
            await self._call_waiting()
            await self._look()
            order = self._order()
            if order is not None and order.due_since is not None:
                await self.service.carry_out(self.user_id, order.due_number, CarriedOutBy.BACKGROUND)
                self._look_at_new_sessions(order, order.due_number, certain=True, live={})
                return
            self.clock.instant += timedelta(hours=2)
        raise SimulationFailedError(f"no session is due: {self._order()}")

    # Looking and checks

    def _order(self) -> StandingOrder | None:
        return self.database.now(lambda connection: store.find_standing_order(connection, self.user_id))

    def _live_sessions(self, connection: Connection) -> dict[str, int]:
        query = (
            select(_s.esim_id, func.count())
            .where(_s.user_id == self.user_id, _s.state.in_(LIVE_STATES))
            .group_by(_s.esim_id)
        )
        return {row[0]: int(row[1]) for row in connection.execute(query)}

    def _check(self) -> None:
        """Check the money, that each due date was declared once, and that only requests of phones made sessions."""
        self._check_money()
        if (written := self.database.now(_last_change)) == self.checked:
            return
        self.checked = written
        keys = [key for _, key, _ in self.database.now(lambda connection: connection.execute(_OURS).all())]
        if unasked := set(keys) - self.ours:
            raise SimulationFailedError(f"{unasked} were ordered without a phone")
        declared = _due_dates(self.database.now(_changes))
        if len(set(declared)) != len(declared):
            raise SimulationFailedError("a due date was declared twice")
        if undeclared := set(keys) - {f"{_KEY}{order_id}:{number}" for order_id, number in declared}:
            raise SimulationFailedError(f"{undeclared} were ordered and never due")
        if len(set(keys)) != len(keys):
            raise SimulationFailedError("two sessions have one due date")


def _last_change(connection: Connection) -> tuple[int, int]:
    """Return the numbers of events and of sessions."""
    events = select(func.count()).select_from(domain_event).scalar_subquery()
    sessions = select(func.count()).select_from(internet_session).scalar_subquery()
    row = connection.execute(select(events, sessions)).one()
    return int(row[0]), int(row[1])


def _changes(connection: Connection) -> list[dict[str, Any]]:
    """Return the published changes of standing orders, the oldest first."""
    t = domain_event.c
    query = select(t.payload).where(t.kind == store.STANDING_ORDER_CHANGED).order_by(t.sequence)
    return [dict(payload) for payload in connection.scalars(query)]


def _due_dates(changes: list[dict[str, Any]]) -> list[tuple[str, int]]:
    """Return the due dates that were declared."""
    return [(it["standing_order_id"], it["due_number"]) for it in changes if it["due"]]


def _counted_octets(connection: Connection, now: datetime) -> int:
    """Return what a person had in thirty days, by the grants alone: what ended without use does not count."""
    given_back = and_(_g.ended_at.is_not(None), _g.used_octets == 0)
    query = select(func.coalesce(func.sum(case((given_back, 0), else_=_g.octets)), 0))
    return int(connection.scalar(query.where(_g.ordered_at > now - timedelta(days=30))) or 0)
