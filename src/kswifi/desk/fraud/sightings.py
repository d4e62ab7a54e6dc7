"""Read sightings of accounts from free orders, sign-ups and payments."""

from collections.abc import Iterable, Iterator
from datetime import datetime
from typing import Final

from sqlalchemy import ColumnElement, Connection, Select, func, select

from kswifi.accounts.sql import login_session, user_account
from kswifi.desk.fraud.model import LEAST_TO_JOIN, SERIES_DIGITS, Link, Sighting, series_of
from kswifi.free_data.sql import account_device, free_grant
from kswifi.payments.sql import payment

MARKS_LIMIT: Final = 500
"""The marks of one link that are read at once, those with the most accounts first."""

SIGHTINGS_LIMIT: Final = 20_000
_IN_ONE_QUERY: Final = 400
_g, _d, _p, _u = free_grant.c, account_device.c, payment.c, user_account.c

_SERIES: Final = func.substr(_u.phone_number, 1, func.length(_u.phone_number) - SERIES_DIGITS)


def new_marks(connection: Connection, since: datetime) -> set[tuple[Link, str]]:
    """Return the marks of accounts that ordered, signed up or paid since an instant."""
    found: set[tuple[Link, str]] = set()
    columns = (_g.device_mark, _g.card_mark, _u.phone_number)
    query = select(*columns).join_from(free_grant, user_account, _g.user_id == _u.user_id)
    for row in connection.execute(query.where(_g.ordered_at > since).limit(SIGHTINGS_LIMIT)):
        found |= {(Link.DEVICE, row.device_mark)} if row.device_mark else set()
        found |= {(Link.CARD, row.card_mark)} if row.card_mark else set()
        found |= {(Link.SERIES, series_of(row.phone_number))} if row.phone_number else set()
    devices = select(_d.device_mark).where(_d.seen_at > since).distinct().limit(SIGHTINGS_LIMIT)
    found |= {(Link.DEVICE, mark) for mark in connection.scalars(devices)}
    paid = select(_p.instrument).where(_p.settled_at > since, _p.instrument.is_not(None)).distinct()
    return found | {(Link.PAYMENT, mark) for mark in connection.scalars(paid.limit(SIGHTINGS_LIMIT))}


def shared_marks(connection: Connection, since: datetime) -> set[tuple[Link, str]]:
    """Return the marks that may join enough accounts, those with the most sightings since an instant."""
    of_series = select(_SERIES).join_from(free_grant, user_account, _g.user_id == _u.user_id)
    of_series = of_series.where(_g.ordered_at > since, _u.phone_number.is_not(None))
    queries: tuple[tuple[Link, Select[str], ColumnElement[str]], ...] = (
        (Link.DEVICE, _since(_g.device_mark, _g.ordered_at, since), _g.device_mark),
        (Link.DEVICE, _since(_d.device_mark, _d.seen_at, since), _d.device_mark),
        (Link.CARD, _since(_g.card_mark, _g.ordered_at, since), _g.card_mark),
        (Link.PAYMENT, _since(_p.instrument, _p.settled_at, since), _p.instrument),
        (Link.SERIES, of_series, _SERIES),
    )
    found: set[tuple[Link, str]] = set()
    for link, query, mark in queries:
        # Rows, not accounts, are counted: an index answers that alone. ``clusters_of`` counts accounts.
        rows = func.count()
        shared = query.group_by(mark).having(rows >= LEAST_TO_JOIN[link]).order_by(rows.desc())
        found |= {(link, it) for it in connection.scalars(shared.limit(MARKS_LIMIT))}
    return found


def sightings_of(connection: Connection, marks: Iterable[tuple[Link, str]], since: datetime) -> list[Sighting]:
    """Return all sightings of some marks since an instant."""
    wanted: dict[Link, list[str]] = {link: [] for link in Link}
    for link, mark in sorted(marks):
        wanted[link].append(mark)
    found: list[Sighting] = []
    for some in _some(wanted[Link.DEVICE]):
        found += _read(connection, Link.DEVICE, _rows(_g.device_mark, _g.user_id, _g.ordered_at, some, since))
        found += _read(connection, Link.DEVICE, _rows(_d.device_mark, _d.user_id, _d.seen_at, some, since))
    for some in _some(wanted[Link.CARD]):
        found += _read(connection, Link.CARD, _rows(_g.card_mark, _g.user_id, _g.ordered_at, some, since))
    for some in _some(wanted[Link.PAYMENT]):
        found += _read(connection, Link.PAYMENT, _rows(_p.instrument, _p.user_id, _p.settled_at, some, since))
    for series in wanted[Link.SERIES]:
        found += _read(connection, Link.SERIES, _of_series(series, since))
    return found


def networks_of(connection: Connection, user_ids: Iterable[str]) -> dict[str, int]:
    """Return the networks from which some accounts are signed in, with the accounts in each, the largest first.

    For the person who reviews: an address holds nobody.
    """
    t = login_session.c
    accounts = func.count(t.user_id.distinct())
    found: dict[str, int] = {}
    for some in _some(sorted(set(user_ids))):
        query = select(t.network, accounts).where(t.user_id.in_(some), t.network.is_not(None)).group_by(t.network)
        for network, count in connection.execute(query):
            found[network] = found.get(network, 0) + int(count)
    return dict(sorted(found.items(), key=lambda it: (-it[1], it[0])))


def _since(mark: ColumnElement[str], at: ColumnElement[datetime], since: datetime) -> Select[str]:
    return select(mark).where(at > since, mark.is_not(None))


def _rows(
    mark: ColumnElement[str],
    account: ColumnElement[str],
    at: ColumnElement[datetime],
    marks: list[str],
    since: datetime,
) -> Select[str, str, datetime]:
    query = select(account, mark, at).where(mark.in_(marks), at > since)
    return query.order_by(at.desc()).limit(SIGHTINGS_LIMIT)


def _of_series(series: str, since: datetime) -> Select[str, str, datetime]:
    """Select the first free order of each account of a number series; the index of phone numbers finds them."""
    last = "9" * SERIES_DIGITS
    first_order = func.min(_g.ordered_at)
    return (
        select(_u.user_id, _SERIES, first_order)
        .join_from(user_account, free_grant, _g.user_id == _u.user_id)
        .where(_u.phone_number.between(series + "0" * SERIES_DIGITS, series + last), _g.ordered_at > since)
        .group_by(_u.user_id, _SERIES)
    )


def _read(connection: Connection, link: Link, query: Select[str, str, datetime]) -> Iterator[Sighting]:
    for user_id, mark, at in connection.execute(query):
        yield Sighting(user_id, link, mark, at)


def _some(marks: list[str]) -> Iterator[list[str]]:
    for start in range(0, len(marks), _IN_ONE_QUERY):
        yield marks[start : start + _IN_ONE_QUERY]
