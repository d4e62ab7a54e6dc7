"""The life of a grant: added with the order, updated while it is used, settled when its InternetSession has ended.

The spent and reserved kobo are a function of the used and the open octets. So updating twice, late or in another
order gives the same sums.
"""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, fields, replace
from datetime import datetime
from functools import partial
from typing import Any

import structlog
from sqlalchemy import Connection, bindparam, func, insert, select, update
from sqlalchemy.engine import Row

from kswifi.books.model import Account, Line
from kswifi.books.service import post
from kswifi.database.dialect import select_rows, update_rows
from kswifi.database.engine import after_commit, transaction_instant
from kswifi.database.types import utc_instant
from kswifi.free_data.budgets import find_budget, local_day, move, recount, reserve, reserve_more, stopped
from kswifi.free_data.errors import BudgetGoneError
from kswifi.free_data.limits import Asker
from kswifi.free_data.model import (
    BudgetKind,
    FreeGrant,
    Money,
    first_cost_of,
    first_tranche,
    money_of,
    released_next,
)
from kswifi.free_data.rules import FreeDataRules
from kswifi.free_data.sql import free_grant

_log = structlog.get_logger(__name__)
_t = free_grant.c
_COLUMNS = tuple(it.name for it in fields(FreeGrant))
_FIND = select(free_grant).where(_t.session_id == bindparam("wanted"))  # made once: making one anew costs more


def add_grant(
    connection: Connection,
    session_id: str,
    asker: Asker,
    octets: int,
    rules: FreeDataRules,
    venue_budget_id: str | None = None,
    bundle_kobo: int | None = None,
    *,
    goodwill: bool = False,
) -> None:
    """Insert a grant and reserve its cost: ``bundle_kobo`` for a session that a provider's bundles serve.

    ``goodwill`` takes nothing of the owner's allowance.

    Raises:
        BudgetGoneError: as ``reserve``.
    """
    now = transaction_instant(connection)
    tranche_octets = rules.tranche_octets if bundle_kobo is None else None
    cost_kobo = first_cost_of(octets, tranche_octets, rules.cost_kobo_per_gb)
    if bundle_kobo is not None:
        cost_kobo = bundle_kobo
    budget_id = reserve(connection, cost_kobo, rules, venue_budget_id)
    connection.execute(
        insert(free_grant).values(
            session_id=session_id,
            user_id=asker.user_id,
            account_mark=asker.account_mark,
            phone_mark=asker.phone_mark,
            device_mark=asker.device_mark,
            card_mark=asker.card_mark,
            octets=octets,
            used_octets=0,
            tranche_octets=tranche_octets,
            released_octets=first_tranche(octets, tranche_octets),
            cost_kobo_per_gb=rules.cost_kobo_per_gb,
            budget_id=budget_id,
            reserved_kobo=cost_kobo,
            spent_kobo=0,
            ordered_at=now,
            ordered_on=local_day(now, rules.zone),
            bundle_kobo=bundle_kobo,
            goodwill=goodwill,
        )
    )


def find_grant(connection: Connection, session_id: str) -> FreeGrant | None:
    """Return the grant of an InternetSession; None for a paid one."""
    row = connection.execute(_FIND, {"wanted": session_id}).one_or_none()
    return None if row is None else read_grant(row)


def follow(
    connection: Connection, session_id: str, used_octets: int, *, open_octets: int, ended: bool
) -> FreeGrant | None:
    """Update a grant with the usage of its InternetSession; return the updated grant, None if there is none.

    Args:
        connection: of the transaction that changes the InternetSession.
        session_id: the id of the InternetSession.
        used_octets: the total by the ledger.
        open_octets: octets that an ended session still holds in reservations; ignored for a live one, which may use
            all released octets.
        ended: nothing can be reserved any more; what cannot be used any more is returned to the budget.
    """
    grant = find_grant(connection, session_id)
    if grant is None:
        return None
    over = ended or grant.ended_at is not None
    may_be_used = open_octets if over else max(0, grant.released_octets - used_octets)
    money = _as_far_as_paid(connection, grant, money_of(grant, used_octets, may_be_used))
    if over and grant.bundle_kobo is not None:
        money = Money(money.spent_kobo, 0)
    move(
        connection,
        grant.budget_id,
        grant.ordered_on,
        reserved_kobo=money.reserved_kobo - grant.reserved_kobo,
        spent_kobo=money.spent_kobo - grant.spent_kobo,
    )
    values: dict[str, Any] = {
        "used_octets": min(used_octets, grant.octets),
        "reserved_kobo": money.reserved_kobo,
        "spent_kobo": money.spent_kobo,
    }
    if over and grant.ended_at is None:
        values["ended_at"] = transaction_instant(connection)
    connection.execute(update(free_grant).where(_t.session_id == session_id).values(**values))
    if over and not money.reserved_kobo:
        _book(connection, grant, money.spent_kobo, grant.ended_at or transaction_instant(connection))
    return find_grant(connection, session_id)


@dataclass(frozen=True, slots=True)
class GrantUsage:
    """What was used of a free session: the arguments of ``follow``."""

    session_id: str
    used_octets: int
    open_octets: int
    ended: bool


def follow_all(connection: Connection, usages: Sequence[GrantUsage]) -> list[FreeGrant]:
    """Follow many grants in a few statements; return those that are there, as they are then.

    It leaves what ``follow`` leaves of each. Grants that are usual, alive and within what was reserved for them,
    are written together; the others one by one.
    """
    found = _find_all(connection, [usage.session_id for usage in usages])
    followed: list[FreeGrant] = []
    moved: defaultdict[tuple[str | None, str], list[int]] = defaultdict(lambda: [0, 0])
    rows: list[tuple[Any, ...]] = []
    for usage in usages:
        grant = found.get(usage.session_id)
        if grant is None:
            continue
        money = money_of(grant, usage.used_octets, max(0, grant.released_octets - usage.used_octets))
        over = usage.ended or grant.ended_at is not None
        if over or money.in_all_kobo > grant.spent_kobo + grant.reserved_kobo:
            one = follow(
                connection, usage.session_id, usage.used_octets, open_octets=usage.open_octets, ended=usage.ended
            )
            followed += [] if one is None else [one]
            continue
        sums = moved[grant.budget_id, grant.ordered_on]
        sums[0] += money.reserved_kobo - grant.reserved_kobo
        sums[1] += money.spent_kobo - grant.spent_kobo
        used = min(usage.used_octets, grant.octets)
        rows.append((used, money.reserved_kobo, money.spent_kobo, grant.session_id))
        followed.append(
            replace(grant, used_octets=used, reserved_kobo=money.reserved_kobo, spent_kobo=money.spent_kobo)
        )
    for (budget_id, ordered_on), (reserved_kobo, spent_kobo) in moved.items():
        move(connection, budget_id, ordered_on, reserved_kobo=reserved_kobo, spent_kobo=spent_kobo)
    if rows:
        columns = ("used_octets", "reserved_kobo", "spent_kobo")
        update_rows(connection, "free_grant", columns, rows, key="session_id")
    return followed


def release_tranche(connection: Connection, session_id: str, rules: FreeDataRules) -> FreeGrant | None:
    """Release the next tranche of an InternetSession that has used half of its last one; return its grant.

    None if no tranche is due, while free data is stopped, and if the payer's money is gone; ``waiting_for_release``
    returns the session again later.
    """
    grant = find_grant(connection, session_id)
    if grant is None or not grant.wants_release or stopped(connection) is not None:
        return None
    released = released_next(grant)
    money = money_of(grant, grant.used_octets, released - grant.used_octets)
    more_kobo = money.in_all_kobo - grant.spent_kobo - grant.reserved_kobo
    today = local_day(transaction_instant(connection), rules.zone)
    try:
        with connection.begin_nested():  # the moved reservation has to fit the ceilings of this day too
            recount(connection, grant.budget_id, grant.reserved_kobo, of_day=grant.ordered_on, on_day=today)
            reserve_more(connection, grant.budget_id, more_kobo, rules)
    except BudgetGoneError:
        return None
    values = {"released_octets": released, "reserved_kobo": money.reserved_kobo, "ordered_on": today}
    connection.execute(update(free_grant).where(_t.session_id == session_id).values(**values))
    return find_grant(connection, session_id)


def waiting_for_release(connection: Connection, limit: int) -> list[str]:
    """Return the ids of at most ``limit`` InternetSessions whose next tranche is due and not released yet.

    The choice is random, so that many sessions that wait for one venue's money do not block the others.
    """
    due = _t.used_octets >= _t.released_octets - _t.tranche_octets // 2
    query = select(_t.session_id).where(_t.ended_at.is_(None), _t.released_octets < _t.octets, due)
    return list(connection.scalars(query.order_by(func.random()).limit(limit)))


def spend_bundle(connection: Connection, session_id: str, kobo: int) -> None:
    """Move the cost of a provider's bundle from reserved to spent; a negative amount moves it back.

    No effect on a session that is paid for, or whose used octets are paid for. After the session's end nothing is
    reserved any more: a cost that comes late is spent as far as the budget reaches.
    """
    grant = find_grant(connection, session_id)
    if grant is None or grant.bundle_kobo is None or not kobo:
        return
    spent = max(0, grant.spent_kobo + kobo)
    reserved = 0 if grant.ended_at is not None else max(0, grant.bundle_kobo - spent)
    money = _as_far_as_paid(connection, grant, Money(spent, reserved))
    move(
        connection,
        grant.budget_id,
        grant.ordered_on,
        reserved_kobo=money.reserved_kobo - grant.reserved_kobo,
        spent_kobo=money.spent_kobo - grant.spent_kobo,
    )
    values = {"reserved_kobo": money.reserved_kobo, "spent_kobo": money.spent_kobo}
    connection.execute(update(free_grant).where(_t.session_id == session_id).values(**values))
    if grant.ended_at is not None and money.spent_kobo > grant.spent_kobo:
        _book(connection, grant, money.spent_kobo, transaction_instant(connection))


def end_unused(connection: Connection, session_id: str) -> None:
    """Settle an InternetSession that ended before it could be used: its whole reservation is returned."""
    follow(connection, session_id, 0, open_octets=0, ended=True)


def note_card(connection: Connection, session_id: str, card_mark: str) -> None:
    """Store the mark of the eUICC that has installed an InternetSession."""
    connection.execute(update(free_grant).where(_t.session_id == session_id).values(card_mark=card_mark))


def _find_all(connection: Connection, session_ids: Sequence[str]) -> dict[str, FreeGrant]:
    rows = select_rows(connection, "free_grant", _COLUMNS, key="session_id", among=session_ids)
    return {row[0]: _grant_of((*row[:-2], utc_instant(row[-2]), row[-1])) for row in rows}


def _grant_of(values: tuple[Any, ...]) -> FreeGrant:
    return FreeGrant(*values)


def _as_far_as_paid(connection: Connection, grant: FreeGrant, money: Money) -> Money:
    """Return the part of the cost that the payer's budget can bear.

    A cost above the reservation is a defect of ours or of the network. It is logged and not refused by the
    database, so that other users' balances are still updated.
    """
    more_kobo = money.in_all_kobo - grant.spent_kobo - grant.reserved_kobo
    if more_kobo <= 0 or grant.budget_id is None:
        return money
    lacking_kobo = more_kobo - find_budget(connection, grant.budget_id).left_kobo
    if lacking_kobo <= 0:
        return money
    after_commit(
        connection,
        partial(
            _log.error, "free_session_beyond_its_budget", session_id=grant.session_id, lacking_kobo=lacking_kobo
        ),
    )
    reserved_kobo = max(0, money.reserved_kobo - lacking_kobo)
    return Money(money.in_all_kobo - lacking_kobo - reserved_kobo, reserved_kobo)


def _book(connection: Connection, grant: FreeGrant, spent_kobo: int, at: datetime) -> None:
    """Book the cost of a settled InternetSession; a sponsor's or venue's budget pays from its deposit.

    A late usage report may follow; its additional cost becomes an entry of its own.
    """
    booked_kobo = grant.spent_kobo if grant.ended_at is not None and not grant.reserved_kobo else 0
    if spent_kobo == booked_kobo:
        return
    in_all_kobo, spent_kobo = spent_kobo, spent_kobo - booked_kobo
    lines: list[Line] = []
    if grant.bundle_kobo is None:  # the cost of a bundle was booked when it was bought
        lines = [(Account.COST_OF_DATA, spent_kobo), (Account.OWED_FOR_DATA, -spent_kobo)]
    if grant.budget_id is not None:
        budget = find_budget(connection, grant.budget_id)
        if budget.kind is not BudgetKind.OPERATOR:
            lines += [(Account.SPONSORS_DEPOSITS, spent_kobo), (Account.SPONSORED_REVENUE, -spent_kobo)]
    if not lines:
        return
    reference = f"free_data:{grant.session_id}:{in_all_kobo}"
    post(connection, reference=reference, kind="free_data_used", lines=lines, at=at)


def read_grant(row: Row[*tuple[Any, ...]]) -> FreeGrant:
    """Return a row as a grant."""
    return FreeGrant(
        session_id=row.session_id,
        user_id=row.user_id,
        octets=row.octets,
        used_octets=row.used_octets,
        released_octets=row.released_octets,
        tranche_octets=row.tranche_octets,
        cost_kobo_per_gb=row.cost_kobo_per_gb,
        budget_id=row.budget_id,
        reserved_kobo=row.reserved_kobo,
        spent_kobo=row.spent_kobo,
        ordered_on=row.ordered_on,
        most_kobo=row.most_kobo,
        ended_at=row.ended_at,
        bundle_kobo=row.bundle_kobo,
    )
