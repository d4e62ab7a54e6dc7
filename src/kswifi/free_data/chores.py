"""What is done now and then: alerts at a budget's levels, the waiting list, and marks that have had their time."""

from typing import Final

import structlog
from sqlalchemy import select, update

from kswifi.database.engine import Database, transaction_instant
from kswifi.free_data.budgets import budgets, note_alert
from kswifi.free_data.rules import FreeDataRules
from kswifi.free_data.sql import free_grant
from kswifi.free_data.waiting import tell_some
from kswifi.kernel.quantities import format_naira

MARKS_AT_ONCE: Final = 500

_log = structlog.get_logger(__name__)
_t = free_grant.c


async def tell_alerts(database: Database, rules: FreeDataRules) -> int:
    """Warn of each budget that has reached a further level, once a level; return how many were told of."""
    told = 0
    async with database.transaction() as connection:
        for budget in await budgets(connection):
            level = max((it for it in rules.alert_percents if it <= budget.committed_percent), default=0)
            if level > budget.alert_percent:
                _log.warning(
                    "free_budget_level",
                    budget_id=budget.budget_id,
                    percent=level,
                    left=format_naira(budget.left_kobo),
                )
                told += 1
            if level != budget.alert_percent:  # money was put in: the level may be reached again
                await note_alert(connection, budget.budget_id, level)
    return told


async def tell_waiting(database: Database, rules: FreeDataRules) -> int:
    """Tell who waits, as far as there is money; return how many."""
    async with database.transaction() as connection:
        return await tell_some(connection, rules)


async def forget_marks(database: Database, rules: FreeDataRules) -> int:
    """Forget who had the free data that no limit counts any more; return of how many grants."""
    async with database.transaction() as connection:
        over = transaction_instant(connection) - max(rules.allowance_period, rules.cool_down)
        marks = (_t.account_mark, _t.phone_mark, _t.device_mark, _t.card_mark)
        old = select(_t.session_id).where(
            _t.ended_at.is_not(None), _t.ordered_at <= over, _t.account_mark.is_not(None)
        )
        nothing = {mark.name: None for mark in marks}
        query = update(free_grant).where(_t.session_id.in_(old.limit(MARKS_AT_ONCE))).values(**nothing)
        return (await connection.execute(query)).rowcount
