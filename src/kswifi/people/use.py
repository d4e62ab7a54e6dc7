"""A person's use of data, from the charging data records of their sessions: by hour, day, week and session.

The records know how many octets a session used in which hour, and nothing of where they went.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta, tzinfo
from typing import Any, Final

from sqlalchemy import Connection, bindparam, case, func, select
from sqlalchemy.engine import Row

from kswifi.charging_records.sql import charging_hour
from kswifi.database.engine import Database, transaction_instant
from kswifi.database.pages import PagedQuery
from kswifi.database.types import unix_microseconds, utc_instant
from kswifi.esim.model import LineKind
from kswifi.esim.sql import esim
from kswifi.kernel.pages import Page, PageRequest, cursor_invalid, first_of
from kswifi.people.use_model import (
    COUNTED_BY,
    CountedBy,
    Forecast,
    HourUse,
    Period,
    PeriodUse,
    Remainder,
    bounds,
    by_period,
    forecast,
    pace_of,
)
from kswifi.sessions.model import SessionOverview, SessionState
from kswifi.sessions.sql import internet_session, session_balance
from kswifi.sessions.store import overviews_of
from kswifi.supply.records import ProviderOrder
from kswifi.supply.store import orders_of_sessions

HOURS_AT_ONCE: Final = 10_000
"""The most hours that one page of days or weeks is added up from, more than a year."""

BIGGEST_HOURS: Final = 5
BIGGEST_WITHIN: Final = timedelta(days=30)
_LEFT_LIMIT: Final = 1_000
_HOURS_OF: Final = {Period.DAY: 25, Period.WEEK: 7 * 24 + 1}
"""The most hours that begin in a period: one more than usual when summer time ends."""

_USABLE: Final = (SessionState.STORED, SessionState.ACTIVE, SessionState.PAUSED)
_s: Final = internet_session.c
_h: Final = charging_hour.c
_PORTION: Final = case((esim.c.kind == LineKind.OWN_LINE, _h.octets), else_=0)
_USE: Final = (
    select(
        _h.hour_at,
        func.sum(_h.octets).label("octets"),
        func.sum(_h.input_octets).label("uplink"),
        func.sum(_h.output_octets).label("downlink"),
        func.sum(_PORTION).label("portions"),
    )
    .select_from(
        internet_session.join(charging_hour, _h.account_id == _s.session_id).join(
            esim, esim.c.esim_id == _s.esim_id
        )
    )
    .where(_s.user_id == bindparam("wanted_user"))
    .group_by(_h.hour_at)
)
_HOURS: Final = PagedQuery(_USE, _h.hour_at, newest_first=True)
_HOURS_BEFORE: Final = _USE.where(_h.hour_at < bindparam("before")).order_by(_h.hour_at.desc())
_HOURS_SINCE: Final = _USE.where(_h.hour_at >= bindparam("since")).order_by(_h.hour_at)
_FAR: Final = utc_instant(2**53)


@dataclass(frozen=True, slots=True)
class SessionUse:
    """The use of one session, and of a line that counts itself the portions that were sent to it.

    ``first_at`` and ``last_at`` are the beginnings of the first and last hour with use; None without use.
    """

    overview: SessionOverview
    octets: int
    uplink_octets: int
    downlink_octets: int
    first_at: datetime | None
    last_at: datetime | None
    portions: tuple[ProviderOrder, ...]

    @property
    def counted_by(self) -> CountedBy:
        """Who counts the octets of the session's line."""
        return COUNTED_BY[self.overview.line_kind]


@dataclass(frozen=True, slots=True)
class UseSummary:
    """A person's use now.

    Attributes:
        today: the use since the last local midnight.
        this_week: the use since the beginning of the local week.
        last_week: the use of the week before.
        last_week_so_far_octets: the part of the last week's use before the same time of that week.
        pace_octets: octets a day; None without use in the last seven days.
        left_octets: what is left of the stored sessions on counted lines; None if one of them is uncapped.
        forecast: how long they last at this pace; None without a pace or without a session.
        biggest_hours: the hours of the last 30 days with the most use, the biggest first.
    """

    today: PeriodUse
    this_week: PeriodUse
    last_week: PeriodUse
    last_week_so_far_octets: int
    pace_octets: int | None
    left_octets: int | None
    forecast: Forecast | None
    biggest_hours: tuple[HourUse, ...]


class MyUse:
    """Reads the use of a person.

    Args:
        database: the control plane's database.
        zone: the time zone of the local days.
        kept_days: how long charging data records are kept.
    """

    def __init__(self, database: Database, zone: tzinfo, kept_days: int) -> None:
        self._database = database
        self.zone = zone
        self.kept_days = kept_days

    async def summary(self, user_id: str) -> UseSummary:
        """Return how a person's use stands now."""
        return await self._database.read(lambda connection: self._summary(connection, user_id))

    async def periods(self, user_id: str, period: Period, page: PageRequest) -> Page[PeriodUse]:
        """Return a page of the periods with use, the newest first. It may be shorter than asked for.

        Raises:
            PAGE_CURSOR_INVALID: ``page.after`` is of another list.
        """
        return await self._database.read(lambda connection: self._periods(connection, user_id, period, page))

    async def sessions(self, user_id: str, page: PageRequest) -> Page[SessionUse]:
        """Return a page of the person's sessions with their use, the newest first."""
        return await self._database.read(lambda connection: sessions_use(connection, user_id, page))

    def _summary(self, connection: Connection, user_id: str) -> UseSummary:
        now = transaction_instant(connection)
        week = bounds(Period.WEEK, now, self.zone)
        before = bounds(Period.WEEK, week[0] - timedelta(microseconds=1), self.zone)
        hours = hours_since(connection, user_id, now - BIGGEST_WITHIN)
        left = _left(connection, user_id, now)
        pace = pace_of(hours, now)
        biggest = sorted(hours, key=lambda it: (-it.octets, it.starts_at))
        return UseSummary(
            today=_sum_of(hours, bounds(Period.DAY, now, self.zone)),
            this_week=_sum_of(hours, week),
            last_week=_sum_of(hours, before),
            last_week_so_far_octets=_sum_of(hours, (before[0], before[0] + (now - week[0]))).octets,
            pace_octets=pace,
            left_octets=None if any(it.octets is None for it in left) else sum(it.octets or 0 for it in left),
            forecast=None if pace is None else forecast(pace, left, now),
            biggest_hours=tuple(it for it in biggest[:BIGGEST_HOURS] if it.octets > 0),
        )

    def _periods(self, connection: Connection, user_id: str, period: Period, page: PageRequest) -> Page[PeriodUse]:
        if period is Period.HOUR:
            found = _HOURS.read(connection, page, _hour, wanted_user=user_id)
            return Page(by_period(period, found.items, self.zone), found.last)
        before = _FAR
        if page.after is not None:
            if len(page.after) != 1 or not isinstance(page.after[0], int):
                raise cursor_invalid()
            before = utc_instant(page.after[0])
        rows_limit = min((page.limit + 1) * _HOURS_OF[period], HOURS_AT_ONCE)
        query = _HOURS_BEFORE.limit(rows_limit)
        rows = connection.execute(query, {"wanted_user": user_id, "before": before}).all()
        found_periods = by_period(period, map(_hour, rows), self.zone)
        if len(rows) == rows_limit and len(found_periods) <= page.limit:
            # Not all hours of the last period may be among the rows, so the next page begins with it.
            keyed = [((unix_microseconds(it.starts_at),), it) for it in found_periods]
            return first_of(keyed, len(keyed) - 1)
        return first_of([((unix_microseconds(it.starts_at),), it) for it in found_periods], page.limit)


def hours_since(connection: Connection, user_id: str, since: datetime) -> list[HourUse]:
    """Return a person's hours with use that begin at or after an instant, in order, at most ``HOURS_AT_ONCE``."""
    query = _HOURS_SINCE.limit(HOURS_AT_ONCE)
    return [_hour(row) for row in connection.execute(query, {"wanted_user": user_id, "since": since})]


def sessions_use(connection: Connection, user_id: str, page: PageRequest) -> Page[SessionUse]:
    """Return a page of a person's sessions with their use, the newest first."""
    found = overviews_of(connection, user_id, page)
    ids = [it.session.session_id for it in found.items]
    totals = {row.account_id: row for row in connection.execute(_TOTALS, {"wanted": ids})}
    vended = [it.session.session_id for it in found.items if it.line_kind is LineKind.OWN_LINE]
    portions = orders_of_sessions(connection, vended) if vended else {}

    def use_of(overview: SessionOverview) -> SessionUse:
        row = totals.get(overview.session.session_id)
        bought = tuple(portions.get(overview.session.session_id, ()))
        if row is None:
            return SessionUse(overview, 0, 0, 0, None, None, bought)
        octets, uplink, downlink = int(row.octets), int(row.uplink), int(row.downlink)
        return SessionUse(overview, octets, uplink, downlink, row.first_at, row.last_at, bought)

    return found.map(use_of)


_TOTALS: Final = (
    select(
        _h.account_id,
        func.sum(_h.octets).label("octets"),
        func.sum(_h.input_octets).label("uplink"),
        func.sum(_h.output_octets).label("downlink"),
        func.min(_h.hour_at).label("first_at"),
        func.max(_h.hour_at).label("last_at"),
    )
    .where(_h.account_id.in_(bindparam("wanted", expanding=True)))
    .group_by(_h.account_id)
)


def _left(connection: Connection, user_id: str, now: datetime) -> list[Remainder]:
    """Return what is left of the stored sessions on lines that we or a provider count."""
    b = session_balance.c
    query = (
        select(_s.allowance_octets, _s.valid_until, b.available, b.reserved, b.withheld)
        .select_from(
            internet_session.join(esim, esim.c.esim_id == _s.esim_id).outerjoin(
                session_balance, b.session_id == _s.session_id
            )
        )
        .where(
            _s.user_id == user_id,
            _s.state.in_(_USABLE),
            _s.valid_until > now,
            esim.c.kind != LineKind.OWN_LINE,
        )
        .order_by(_s.valid_until)
        .limit(_LEFT_LIMIT)
    )

    def octets(row: Row[*tuple[Any, ...]]) -> int | None:
        if row.allowance_octets is None:
            return None
        return (row.available or 0) + (row.reserved or 0) + (row.withheld or 0)

    return [Remainder(octets(row), row.valid_until) for row in connection.execute(query)]


def _sum_of(hours: Sequence[HourUse], span: tuple[datetime, datetime]) -> PeriodUse:
    chosen = [it for it in hours if span[0] <= it.starts_at < span[1]]
    return PeriodUse(
        *span,
        sum(it.octets for it in chosen),
        sum(it.uplink_octets for it in chosen),
        sum(it.downlink_octets for it in chosen),
        sum(it.portion_octets for it in chosen),
    )


def _hour(row: Row[*tuple[Any, ...]]) -> HourUse:
    return HourUse(row.hour_at, int(row.octets), int(row.uplink), int(row.downlink), int(row.portions))
