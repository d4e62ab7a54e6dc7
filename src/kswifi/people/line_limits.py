"""Limits that people set themselves on a line: a pause that ends by itself, and the most that a day uses.

The ledger keeps and enforces both. A wish is stored here and carried to the ledger by the outbox, the newest one
last. Where a network cannot give a stopped line control-only access, neither is offered: the phone would have no
way to this server until it has WiFi.
"""

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta, tzinfo
from enum import StrEnum
from typing import Any, Final

from sqlalchemy import Connection, delete, select, update
from sqlalchemy.engine import Row

from kswifi.database.dialect import insert
from kswifi.database.engine import Database, transaction_instant
from kswifi.esim.lines.service import find_esim
from kswifi.esim.model import ESim, Hold
from kswifi.esim.sql import esim
from kswifi.kernel.clock import from_unix_seconds, unix_seconds
from kswifi.kernel.local_days import day_start, local_day
from kswifi.ledger.commands import Command, LiftLimit, LimitDay, OpenWallet, OutcomeCode
from kswifi.ledger.errors import LedgerBusyError, LedgerClosedError, LedgerFailedError
from kswifi.ledger.limits import DAY_SECONDS, hold_ends_at, jitter_seconds, used_octets
from kswifi.ledger.limits import is_lifted as is_limit_lifted
from kswifi.ledger.ports import LedgerCommands
from kswifi.ledger.state import LedgerState
from kswifi.outbox.model import Entry
from kswifi.outbox.results import Done, Handler, JobResult, Refused, Unknown
from kswifi.outbox.service import enqueue
from kswifi.people.errors import LIMIT_NOT_OFFERED, LIMIT_TOO_SMALL, PAUSE_TOO_LONG
from kswifi.people.rules import LimitRules
from kswifi.people.sql import line_limit
from kswifi.sessions.line import switch_line

LIMIT: Final = "line.limit_day"
LIFT: Final = "line.lift_limit"
ANCHORED_AT_ONCE: Final = 500
_t: Final = line_limit.c


class NotOffered(StrEnum):
    """Why a line has no limits."""

    SWITCHED_OFF = "switched_off"
    """The operator does not offer them."""
    DATA_PROVIDER = "data_provider"
    """A data provider serves the line: it cannot stop and continue at an octet."""
    NO_CONTROL_ONLY_ACCESS = "no_control_only_access"
    """The network ends a stopped line, so that the phone reaches nothing, not even this server."""


@dataclass(frozen=True, slots=True)
class DayUse:
    """What the ledger knows of the present day; ``ends_at`` is the instant at which a new day begins."""

    used_octets: int
    is_lifted: bool
    ends_at: datetime


@dataclass(frozen=True, slots=True)
class LineLimits:
    """The limits of a line.

    Attributes:
        line: the line.
        not_offered: why it can have none; None if it can.
        daily_octets: the limit as wished last; None without one.
        day: the present day as the ledger counts it; None without a limit there.
        pause_ends_at: when the pause ends as wished last; None if no pause with an end is wished.
        back_at: when the ledger's present hold ends by itself; None without such a hold.
    """

    line: ESim
    not_offered: NotOffered | None
    daily_octets: int | None
    day: DayUse | None
    pause_ends_at: datetime | None
    back_at: datetime | None

    @property
    def is_reached(self) -> bool:
        """Whether the limit of the day, and not the end of a session, has stopped the line."""
        return self.line.hold is Hold.LIMITED


class LineLimitService:
    """Sets, reads and lifts the limits of lines.

    Args:
        database: the control plane's database.
        ledger: the ledger, for the wishes.
        state: returns the ledger's state in memory, for what it counts.
        zone: the time zone of the days.
        rules: the operator's rules.
    """

    def __init__(
        self,
        database: Database,
        ledger: LedgerCommands,
        state: Callable[[], LedgerState],
        zone: tzinfo,
        rules: LimitRules,
    ) -> None:
        self._database = database
        self._ledger = ledger
        self._state = state
        self._zone = zone
        self.rules = rules

    def read(self, connection: Connection, user_id: str, esim_id: str) -> LineLimits:
        """Return the limits of a user's line.

        Raises:
            UnknownEsimError: the user has no such line.
        """
        line = find_esim(connection, esim_id, user_id)
        row = connection.execute(select(line_limit).where(_t.esim_id == line.esim_id)).one_or_none()
        at = unix_seconds(transaction_instant(connection))
        state = self._state()
        limit = state.day_limits.get(line.esim_id)
        day = None
        if limit is not None:
            ends_at = from_unix_seconds(hold_ends_at(limit, at) - jitter_seconds(line.esim_id))
            day = DayUse(used_octets(limit, at), is_limit_lifted(limit, at), ends_at)
        shown = None if line.hold is Hold.EXHAUSTED else line.hold
        back_at = None
        if shown is Hold.PAUSED or shown is Hold.LIMITED:
            back_at = state.hold_ends.get((line.esim_id, "paused" if shown is Hold.PAUSED else "limited"))
        return LineLimits(
            line=line,
            not_offered=self._not_offered(line),
            daily_octets=None if row is None else row.daily_octets,
            day=day,
            pause_ends_at=line.pause_ends_at if line.wants_pause else None,
            back_at=None if back_at is None else from_unix_seconds(back_at),
        )

    def set_day(self, connection: Connection, user_id: str, esim_id: str, octets: int | None) -> LineLimits:
        """Set the most that a line uses in a day; None removes the limit. It counts from now on.

        Raises:
            UnknownEsimError: the user has no such line.
            LIMIT_NOT_OFFERED: the line or its network cannot do it. Removing a limit is never refused.
            LIMIT_TOO_SMALL: the operator allows no limit as small.
        """
        line = find_esim(connection, esim_id, user_id)
        if octets is not None:
            self._require_offered(line)
            if octets < self.rules.least_octets:
                raise LIMIT_TOO_SMALL(
                    f"a limit is at least {self.rules.least_octets} octets", least_octets=self.rules.least_octets
                )
        day_at = self._day_at(transaction_instant(connection))
        insertion = insert(line_limit).values(
            esim_id=line.esim_id,
            daily_octets=octets,
            day_at=day_at,
            day_second=day_at % DAY_SECONDS,
            wish=1,
            lifts=0,
        )
        row = connection.execute(
            insertion.on_conflict_do_update(
                index_elements=["esim_id"],
                set_={
                    "daily_octets": octets,
                    "day_at": day_at,
                    "day_second": day_at % DAY_SECONDS,
                    "wish": _t.wish + 1,
                },
            ).returning(*line_limit.columns)
        ).one()
        _ask_for_limit(connection, row)
        return self.read(connection, user_id, line.esim_id)

    def lift_day(self, connection: Connection, user_id: str, esim_id: str) -> LineLimits:
        """Lift the limit of a line for the rest of the day. Idempotent.

        Raises:
            UnknownEsimError: the user has no such line.
        """
        line = find_esim(connection, esim_id, user_id)
        lifts = connection.execute(
            update(line_limit)
            .where(_t.esim_id == line.esim_id, _t.daily_octets.is_not(None))
            .values(lifts=_t.lifts + 1)
            .returning(_t.lifts)
        ).scalar_one_or_none()
        if lifts is not None:
            payload = {"esim_id": line.esim_id, "lifts": lifts}
            enqueue(connection, kind=LIFT, key=f"{LIFT}:{line.esim_id}:{lifts}", payload=payload)
        return self.read(connection, user_id, line.esim_id)

    def pause_until(self, connection: Connection, user_id: str, esim_id: str, until: datetime) -> LineLimits:
        """Pause a line until an instant; it comes back within ten minutes after that.

        Raises:
            UnknownEsimError: the user has no such line.
            LIMIT_NOT_OFFERED: the line or its network cannot do it.
            PAUSE_TOO_LONG: the instant is past, or further away than the operator allows.
            NO_SESSION_ON_ESIM: nothing stored on the line could be used.
        """
        line = find_esim(connection, esim_id, user_id)
        self._require_offered(line)
        now = transaction_instant(connection)
        if not now < until <= now + self.rules.longest_pause:
            hours = self.rules.longest_pause // timedelta(hours=1)
            raise PAUSE_TOO_LONG(f"a pause ends within {hours} hours, and not before now", longest_hours=hours)
        ends_at = from_unix_seconds(unix_seconds(until) + jitter_seconds(line.esim_id))
        switch_line(connection, line.esim_id, pause=True, pause_ends_at=ends_at)
        return self.read(connection, user_id, line.esim_id)

    def handlers(self) -> Mapping[str, Handler]:
        """Return the handler of each kind of entry."""
        return {LIMIT: self.apply_limit, LIFT: self.apply_lift}

    async def apply_limit(self, entry: Entry) -> JobResult:
        """Give the ledger the limit that was wished last; older requests are skipped."""
        esim_id = str(entry.payload["esim_id"])

        def look(connection: Connection) -> tuple[ESim, Row[*tuple[Any, ...]] | None]:
            query = select(line_limit).where(_t.esim_id == esim_id)
            return find_esim(connection, esim_id), connection.execute(query).one_or_none()

        line, row = await self._database.read(look)
        if row is None:  # its owner has deleted the account since, which revokes all sessions of the line
            return Done()
        return await self._execute(
            # A line whose first session is not prepared yet has no wallet.
            OpenWallet(f"open:{esim_id}", esim_id, line.network_name),
            LimitDay(f"limit-day:{esim_id}:{row.wish}", esim_id, row.daily_octets, row.day_at),
        )

    async def apply_lift(self, entry: Entry) -> JobResult:
        """Lift the limit of the day in the ledger."""
        esim_id, lifts = str(entry.payload["esim_id"]), entry.payload["lifts"]
        return await self._execute(LiftLimit(f"lift-limit:{esim_id}:{lifts}", esim_id))

    async def follow_days(self) -> int:
        """Move the beginnings of days where summer time began or ended; return how many limits changed."""

        def change(connection: Connection) -> int:
            day_at = self._day_at(transaction_instant(connection))
            second = day_at % DAY_SECONDS
            moved = select(_t.esim_id).where(_t.daily_octets.is_not(None), _t.day_second != second)
            ids = connection.execute(moved.limit(ANCHORED_AT_ONCE)).scalars().all()
            if not ids:
                return 0
            rows = connection.execute(
                update(line_limit)
                .where(_t.esim_id.in_(ids))
                .values(day_at=day_at, day_second=second, wish=_t.wish + 1)
                .returning(*line_limit.columns)
            ).all()
            for row in rows:
                _ask_for_limit(connection, row)
            return len(rows)

        return await self._database.write(change)

    async def _execute(self, *commands: Command) -> JobResult:
        for command in commands:
            try:
                outcome = await self._ledger.execute(command)
            except (LedgerBusyError, LedgerClosedError, LedgerFailedError) as error:
                return Unknown(str(error))
            if outcome.code is not OutcomeCode.DONE:
                return Refused(f"the ledger refused it: {outcome.code}")
        return Done()

    def _day_at(self, now: datetime) -> int:
        return unix_seconds(day_start(local_day(now, self._zone), self._zone))

    def _not_offered(self, line: ESim) -> NotOffered | None:
        if not self.rules.enabled:
            return NotOffered.SWITCHED_OFF
        if not line.is_card:
            return NotOffered.DATA_PROVIDER
        return None if self.rules.control_only_access else NotOffered.NO_CONTROL_ONLY_ACCESS

    def _require_offered(self, line: ESim) -> None:
        why = self._not_offered(line)
        if why is not None:
            raise LIMIT_NOT_OFFERED(_WORDS[why], why=str(why))


_WORDS: Final = {
    NotOffered.SWITCHED_OFF: "limits of lines are switched off here",
    NotOffered.DATA_PROVIDER: "a data provider serves this line and cannot do it: switch data off on the phone",
    NotOffered.NO_CONTROL_ONLY_ACCESS: (
        "this network ends a stopped line, so the phone could not reach us: switch mobile data off on the phone"
    ),
}


def daily_limits_of(connection: Connection, esim_ids: Collection[str]) -> dict[str, int]:
    """Return the daily limits in octets of those lines that have one."""
    query = select(_t.esim_id, _t.daily_octets).where(_t.esim_id.in_(esim_ids), _t.daily_octets.is_not(None))
    return {row.esim_id: row.daily_octets for row in connection.execute(query)}


def forget_limits(connection: Connection, user_id: str) -> None:
    """Delete the limits of all lines of a user."""
    lines = select(esim.c.esim_id).where(esim.c.user_id == user_id)
    connection.execute(delete(line_limit).where(_t.esim_id.in_(lines)))


def _ask_for_limit(connection: Connection, row: Row[*tuple[Any, ...]]) -> None:
    """Request that the ledger takes the newest limit of a line."""
    enqueue(connection, kind=LIMIT, key=f"{LIMIT}:{row.esim_id}:{row.wish}", payload={"esim_id": row.esim_id})
