"""What is done now and then: alerts at a budget's levels, the waiting list, and marks that have had their time."""

from typing import Final

import structlog
from sqlalchemy import Connection, select, update

from kswifi.database.engine import Database, transaction_instant
from kswifi.free_data.budgets import budgets, note_alert
from kswifi.free_data.model import Budget
from kswifi.free_data.rules import FreeDataRules
from kswifi.free_data.sql import free_grant
from kswifi.free_data.waiting import tell_some
from kswifi.kernel.quantities import format_naira

MARKS_AT_ONCE: Final = 500

_log = structlog.get_logger(__name__)
_t = free_grant.c


async def tell_alerts(database: Database, rules: FreeDataRules) -> int:
    """Warn of each budget that has reached a further level, once a level; return how many were told of."""

    def note_levels(connection: Connection) -> list[tuple[Budget, int]]:
        """Note the level of each budget; return those that have risen, with it."""
        risen = []
        for budget in budgets(connection):
            level = max((it for it in rules.alert_percents if it <= budget.committed_percent), default=0)
            if level > budget.alert_percent:
                risen.append((budget, level))
            if level != budget.alert_percent:  # money was put in: the level may be reached again
                note_alert(connection, budget.budget_id, level)
        return risen

    risen = await database.write(note_levels)
    for budget, level in risen:
        _log.warning(
            "free_budget_level", budget_id=budget.budget_id, percent=level, left=format_naira(budget.left_kobo)
        )
    return len(risen)


async def tell_waiting(database: Database, rules: FreeDataRules) -> int:
    """Tell who waits, as far as there is money; return how many."""
    return await database.write(lambda connection: tell_some(connection, rules))


async def forget_marks(database: Database, rules: FreeDataRules) -> int:
    """Forget who had the free data that no limit counts any more; return of how many grants."""

    def change(connection: Connection) -> int:
        over = transaction_instant(connection) - max(rules.allowance_period, rules.cool_down)
        marks = (_t.account_mark, _t.phone_mark, _t.device_mark, _t.card_mark)
        old = select(_t.session_id).where(
            _t.ended_at.is_not(None), _t.ordered_at <= over, _t.account_mark.is_not(None)
        )
        nothing = {mark.name: None for mark in marks}
        query = update(free_grant).where(_t.session_id.in_(old.limit(MARKS_AT_ONCE))).values(**nothing)
        return connection.execute(query).rowcount

    return await database.write(change)
