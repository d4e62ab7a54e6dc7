"""A person's statement of a local month: every hour with use, and the octets that were given and received."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, datetime, timedelta, tzinfo
from typing import Any, Final

from sqlalchemy import Connection, bindparam, func, or_, select
from sqlalchemy.engine import Row

from kswifi.charging_records.sql import charging_hour
from kswifi.database.engine import Database, transaction_instant
from kswifi.esim.model import LineKind
from kswifi.esim.sql import esim
from kswifi.kernel.local_days import day_start, local_day
from kswifi.kernel.pages import Page, PageRequest, page_of
from kswifi.people.errors import NO_STATEMENT, STATEMENT_TOO_LONG
from kswifi.people.model import TransferKind, TransferState
from kswifi.people.sql import octet_transfer
from kswifi.people.use_model import COUNTED_BY, CountedBy
from kswifi.sessions.sql import internet_session

ROWS_LIMIT: Final = 20_000
"""The most hours of sessions in one statement; one line in use all the time has 744."""
TRANSFERS_LIMIT: Final = 1_000
_MONTHS: Final = 12
_s: Final = internet_session.c
_h: Final = charging_hour.c
_t: Final = octet_transfer.c
_JOINED: Final = internet_session.join(charging_hour, _h.account_id == _s.session_id).join(
    esim, esim.c.esim_id == _s.esim_id
)


@dataclass(frozen=True, slots=True, order=True)
class Month:
    """A calendar month of the operator's time zone."""

    year: int
    month: int

    @classmethod
    def of(cls, day: date) -> "Month":
        """Return the month of a day."""
        return cls(day.year, day.month)

    @property
    def first(self) -> date:
        """The first day."""
        return date(self.year, self.month, 1)

    @property
    def following(self) -> "Month":
        """The month after it."""
        return Month(self.year + self.month // _MONTHS, self.month % _MONTHS + 1)

    def bounds(self, zone: tzinfo) -> tuple[datetime, datetime]:
        """Return the first instant, and the first after it."""
        return day_start(self.first, zone), day_start(self.following.first, zone)

    def __str__(self) -> str:
        """Return it as in ISO 8601: 2026-11."""
        return f"{self.year:04d}-{self.month:02d}"


@dataclass(frozen=True, slots=True)
class Sum:
    """Octets of an hour, day or session, both ways, and in each direction as far as the network told them."""

    octets: int = 0
    uplink_octets: int = 0
    downlink_octets: int = 0

    def __add__(self, other: "Sum") -> "Sum":
        """Return both together."""
        return Sum(
            self.octets + other.octets,
            self.uplink_octets + other.uplink_octets,
            self.downlink_octets + other.downlink_octets,
        )


@dataclass(frozen=True, slots=True)
class StatementHour:
    """The use of one session in one hour."""

    starts_at: datetime
    session_id: str
    use: Sum


@dataclass(frozen=True, slots=True)
class StatementSession:
    """A session with use in the month; ``allowance_octets`` is None for an uncapped one."""

    session_id: str
    offer_id: str
    line_kind: LineKind
    allowance_octets: int | None
    use: Sum

    @property
    def counted_by(self) -> CountedBy:
        """Who counts the octets of the session's line."""
        return COUNTED_BY[self.line_kind]


@dataclass(frozen=True, slots=True)
class StatementTransfer:
    """Octets that came into one of the person's sessions in the month, or left it; negative octets left it."""

    at: datetime
    session_id: str
    kind: TransferKind
    octets: int


@dataclass(frozen=True, slots=True)
class MonthStatement:
    """The statement of a month as known at ``made_at``.

    Attributes:
        month: the month.
        zone: the time zone in which it begins and ends.
        made_at: the instant of the statement.
        is_whole: False while the month lasts.
        hours: every hour with use, in order.
        sessions: the sessions with use, in the order of their first hour.
        transfers: what was given, shared, moved and received, in order, at most ``TRANSFERS_LIMIT``.
    """

    month: Month
    zone: tzinfo
    made_at: datetime
    is_whole: bool
    hours: tuple[StatementHour, ...]
    sessions: tuple[StatementSession, ...]
    transfers: tuple[StatementTransfer, ...]

    @property
    def total(self) -> Sum:
        """The use of the whole month."""
        return sum_of(it.use for it in self.hours)

    @property
    def days(self) -> dict[date, Sum]:
        """The local days with use, in order."""
        found: dict[date, Sum] = {}
        for it in self.hours:
            day = local_day(it.starts_at, self.zone)
            found[day] = found.get(day, Sum()) + it.use
        return found


def sum_of(uses: Iterable[Sum]) -> Sum:
    """Return the sum of some uses."""
    return sum(uses, start=Sum())


class Statements:
    """Makes the statements of months.

    Args:
        database: the control plane's database.
        zone: the time zone of the months.
        kept_days: how long charging data records are kept.
        seller: the operator's name on a statement.
    """

    def __init__(self, database: Database, zone: tzinfo, kept_days: int, seller: str) -> None:
        self._database = database
        self._zone = zone
        self._kept = timedelta(days=kept_days)
        self.seller = seller

    async def months(self, user_id: str, page: PageRequest) -> Page[Month]:
        """Return a page of the months from the first use to now, the newest first; none without use."""

        def look(connection: Connection) -> list[Month]:
            now = transaction_instant(connection)
            first = connection.scalar(_FIRST, {"wanted_user": user_id})
            if first is None:
                return []
            month = Month.of(local_day(max(first, now - self._kept), self._zone))
            found = [month]
            while month < Month.of(local_day(now, self._zone)):
                month = month.following
                found.append(month)
            return found[::-1]

        found = await self._database.read(look)
        return page_of(found, lambda it: (-(it.year * _MONTHS + it.month),), page)

    async def month(self, user_id: str, month: Month) -> MonthStatement:
        """Return the statement of a month.

        Raises:
            NO_STATEMENT: the month has not begun, or its records are not kept any more.
            STATEMENT_TOO_LONG: it has more than ``ROWS_LIMIT`` hours.
        """
        return await self._database.read(lambda connection: self._month(connection, user_id, month))

    def _month(self, connection: Connection, user_id: str, month: Month) -> MonthStatement:
        now = transaction_instant(connection)
        begins_at, ends_at = month.bounds(self._zone)
        if begins_at > now:
            raise NO_STATEMENT("this month has not begun yet", month=str(month))
        if ends_at <= now - self._kept:
            raise NO_STATEMENT("the use of this month is not kept any more", month=str(month))
        span = {"wanted_user": user_id, "begins_at": begins_at, "ends_at": ends_at}
        hours = [_hour(row) for row in connection.execute(_HOURS, span)]
        if len(hours) > ROWS_LIMIT:
            raise STATEMENT_TOO_LONG(f"the month has more than {ROWS_LIMIT} hours of use", month=str(month))
        uses: dict[str, Sum] = {}
        for it in hours:
            uses[it.session_id] = uses.get(it.session_id, Sum()) + it.use
        rows = {row.session_id: row for row in connection.execute(_SESSIONS, {"wanted": list(uses)})}
        sessions = tuple(_session(rows[session_id], use) for session_id, use in uses.items())
        transfers = tuple(_transfers(connection.execute(_TRANSFERS, span), user_id))
        return MonthStatement(month, self._zone, now, ends_at <= now, tuple(hours), sessions, transfers)


_FIRST: Final = select(func.min(_h.hour_at)).select_from(_JOINED).where(_s.user_id == bindparam("wanted_user"))
_HOURS: Final = (
    select(
        _h.hour_at,
        _h.account_id,
        func.sum(_h.octets).label("octets"),
        func.sum(_h.input_octets).label("uplink"),
        func.sum(_h.output_octets).label("downlink"),
    )
    .select_from(_JOINED)
    .where(
        _s.user_id == bindparam("wanted_user"),
        _h.hour_at >= bindparam("begins_at"),
        _h.hour_at < bindparam("ends_at"),
    )
    .group_by(_h.hour_at, _h.account_id)
    .order_by(_h.hour_at, _h.account_id)
    .limit(ROWS_LIMIT + 1)
)
_SESSIONS: Final = (
    select(_s.session_id, _s.offer_id, _s.allowance_octets, esim.c.kind)
    .select_from(internet_session.join(esim, esim.c.esim_id == _s.esim_id))
    .where(_s.session_id.in_(bindparam("wanted", expanding=True)))
)
_TRANSFERS: Final = (
    select(_t.giver_id, _t.receiver_id, _t.from_session_id, _t.to_session_id, _t.kind, _t.octets, _t.ended_at)
    .where(
        or_(_t.giver_id == bindparam("wanted_user"), _t.receiver_id == bindparam("wanted_user")),
        _t.state == TransferState.RECEIVED,
        _t.ended_at >= bindparam("begins_at"),
        _t.ended_at < bindparam("ends_at"),
    )
    .order_by(_t.ended_at, _t.transfer_id)
    .limit(TRANSFERS_LIMIT)
)


def _hour(row: Row[*tuple[Any, ...]]) -> StatementHour:
    use = Sum(int(row.octets), int(row.uplink), int(row.downlink))
    return StatementHour(row.hour_at, row.account_id, use)


def _session(row: Row[*tuple[Any, ...]], use: Sum) -> StatementSession:
    return StatementSession(row.session_id, row.offer_id, LineKind(row.kind), row.allowance_octets, use)


def _transfers(rows: Iterable[Row[*tuple[Any, ...]]], user_id: str) -> Iterable[StatementTransfer]:
    """Yield the lines of each transfer: one that leaves the person's session, one that comes into it, or both."""
    for row in rows:
        if row.giver_id == user_id:
            yield StatementTransfer(row.ended_at, row.from_session_id, TransferKind(row.kind), -row.octets)
        if row.receiver_id == user_id:
            yield StatementTransfer(row.ended_at, row.to_session_id, TransferKind(row.kind), row.octets)
