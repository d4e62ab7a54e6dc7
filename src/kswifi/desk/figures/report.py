"""Read the figures: one day, a run of days, venues; as CSV too."""

import csv
import io
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date
from typing import Final

from sqlalchemy import Connection, func, select

from kswifi.desk.figures.model import FIGURES, Unit
from kswifi.desk.figures.sql import figure_day

LEAST_PEOPLE: Final = 5
"""The figures of a venue are shown from so many redeemed vouchers on: fewer would be figures of single people."""

ROWS_LIMIT: Final = 100_000
_t: Final = figure_day.c


@dataclass(frozen=True, slots=True)
class Figure:
    """One figure of one day."""

    day: str
    name: str
    dimension: str
    value: int
    unit: Unit


@dataclass(frozen=True, slots=True)
class VenueFigures:
    """The figures of one venue in a run of days; amounts are None where too few people would be behind them."""

    venue: str
    vouchers: int
    orders: int | None
    activated: int | None
    octets: int | None


def figures_between(connection: Connection, first: date, last: date, *, whole_only: bool = False) -> list[Figure]:
    """Return the figures of the days from ``first`` to ``last``, in order; with ``whole_only`` no dimensions.

    The figures of venues with fewer than LEAST_PEOPLE redeemed vouchers in these days are left out.
    """
    days = _t.day.between(first.isoformat(), last.isoformat())
    query = select(figure_day).where(days).order_by(_t.day, _t.name, _t.dimension).limit(ROWS_LIMIT)
    if whole_only:
        query = query.where(_t.dimension == "")
    small = {f"venue:{it.venue}" for it in venue_figures(connection, first, last) if it.orders is None}
    return [
        Figure(row.day, row.name, row.dimension, row.value, FIGURES[row.name][0])
        for row in connection.execute(query)
        if row.dimension not in small
    ]


def totals(connection: Connection, first: date, last: date) -> dict[str, int]:
    """Return the sum of each figure over some days; of the ``active_*`` figures, the last day's value."""
    days = _t.day.between(first.isoformat(), last.isoformat()), _t.dimension == ""
    found = dict.fromkeys(FIGURES, 0)
    for row in connection.execute(
        select(_t.name, func.sum(_t.value).label("value")).where(*days).group_by(_t.name)
    ):
        found[row.name] = int(row.value)
    newest = select(_t.name, _t.value).where(_t.day == last.isoformat(), _t.dimension == "")
    of_last = {row.name: row.value for row in connection.execute(newest)}
    return found | {name: of_last.get(name, 0) for name in found if name.startswith("active_")}


def series(connection: Connection, name: str, first: date, last: date) -> dict[str, int]:
    """Return one figure's whole by day; days without it are left out."""
    query = select(_t.day, _t.value).where(
        _t.name == name, _t.dimension == "", _t.day.between(first.isoformat(), last.isoformat())
    )
    return {row.day: row.value for row in connection.execute(query.order_by(_t.day))}


def by_dimension(connection: Connection, name: str, kind: str, first: date, last: date) -> dict[str, int]:
    """Return one figure by offer, budget, venue or reason, the largest first."""
    start = f"{kind}:"
    total = func.sum(_t.value)
    query = (
        select(_t.dimension, total.label("value"))
        .where(
            _t.name == name,
            _t.day.between(first.isoformat(), last.isoformat()),
            _t.dimension >= start,
            _t.dimension < f"{kind};",
        )
        .group_by(_t.dimension)
        .order_by(total.desc())
        .limit(100)
    )
    return {row.dimension.removeprefix(start): int(row.value) for row in connection.execute(query)}


def venue_figures(connection: Connection, first: date, last: date) -> list[VenueFigures]:
    """Return the venues with redeemed vouchers or orders in some days, the busiest first."""
    columns = {name: by_dimension(connection, name, "venue", first, last) for name in ("vouchers", *_OF_VENUES)}
    venues = {venue for column in columns.values() for venue in column}
    found = []
    for venue in venues:
        vouchers = columns["vouchers"].get(venue, 0)
        shown = vouchers >= LEAST_PEOPLE
        orders, activated, octets = (columns[it].get(venue, 0) if shown else None for it in _OF_VENUES)
        found.append(VenueFigures(venue, vouchers, orders, activated, octets))
    return sorted(found, key=lambda it: (-it.vouchers, it.venue))


_OF_VENUES: Final = ("orders", "activated", "octets")


def as_csv(figures: Iterable[Figure]) -> str:
    """Return figures as CSV (RFC 4180) with a heading.

    No cell begins with a sign that a spreadsheet takes for a formula, because each dimension begins with its kind.
    """
    out = io.StringIO()
    writer = csv.writer(out)
    writer.writerow(("day", "name", "dimension", "value", "unit"))
    for it in figures:
        writer.writerow((it.day, it.name, it.dimension, it.value, str(it.unit)))
    return out.getvalue()
