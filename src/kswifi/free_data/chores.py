"""Periodic work of free data: budget alerts, the waiting list, and deletion of old marks."""

from typing import Final

import structlog
from sqlalchemy import Connection, delete, select, update

from kswifi.database.engine import Database, transaction_instant
from kswifi.free_data.budgets import budgets, note_alert
from kswifi.free_data.model import Budget
from kswifi.free_data.rules import FreeDataRules
from kswifi.free_data.sql import account_device, free_grant
from kswifi.free_data.waiting import tell_some
from kswifi.kernel.quantities import format_naira

MARKS_AT_ONCE: Final = 500

_log = structlog.get_logger(__name__)
_t = free_grant.c


async def tell_alerts(database: Database, rules: FreeDataRules) -> int:
    """Log a warning for each budget that has reached a further alert level; return their number."""

    def note_levels(connection: Connection) -> list[tuple[Budget, int]]:
        """Store the alert level of each budget; return the budgets whose level has risen, with the level."""
        risen = []
        for budget in budgets(connection):
            level = max((it for it in rules.alert_percents if it <= budget.committed_percent), default=0)
            if level > budget.alert_percent:
                risen.append((budget, level))
            if level != budget.alert_percent:  # money was added: the level may be reached again
                note_alert(connection, budget.budget_id, level)
        return risen

    risen = await database.write(note_levels)
    for budget, level in risen:
        _log.warning(
            "free_budget_level", budget_id=budget.budget_id, percent=level, left=format_naira(budget.left_kobo)
        )
    return len(risen)


async def tell_waiting(database: Database, rules: FreeDataRules) -> int:
    """Notify the users on the waiting list for whom there is money; return their number."""
    return await database.write(lambda connection: tell_some(connection, rules))


async def forget_marks(database: Database, rules: FreeDataRules) -> int:
    """Delete the marks of grants and sign-ups that no limit counts any more; return the number of rows."""

    def change(connection: Connection) -> int:
        over = transaction_instant(connection) - max(rules.allowance_period, rules.cool_down)
        marks = (_t.account_mark, _t.phone_mark, _t.device_mark, _t.card_mark)
        old = select(_t.session_id).where(
            _t.ended_at.is_not(None), _t.ordered_at <= over, _t.account_mark.is_not(None)
        )
        nothing = {mark.name: None for mark in marks}
        query = update(free_grant).where(_t.session_id.in_(old.limit(MARKS_AT_ONCE))).values(**nothing)
        forgotten = connection.execute(query).rowcount
        devices = select(account_device.c.device_mark).where(account_device.c.seen_at <= over).limit(MARKS_AT_ONCE)
        seen = account_device.c.seen_at <= over, account_device.c.device_mark.in_(devices)
        return forgotten + connection.execute(delete(account_device).where(*seen)).rowcount

    return await database.write(change)
