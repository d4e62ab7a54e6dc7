"""Free data: the operator's rules, checked at start; warns about settings that leave the cost unlimited."""

from dataclasses import replace

import structlog

from kswifi.bootstrap.context import Context
from kswifi.bootstrap.metrics.free_data import FreeDataMetrics
from kswifi.bootstrap.part import Part
from kswifi.catalogue.service import Catalogue
from kswifi.database.engine import Database
from kswifi.free_data.budgets import budgets
from kswifi.free_data.chores import forget_marks, tell_alerts, tell_waiting
from kswifi.free_data.errors import BUDGET_UNPRICED
from kswifi.free_data.pseudonyms import Marks
from kswifi.free_data.rules import FreeDataRules
from kswifi.free_data.safeguards import missing_safeguards
from kswifi.free_data.service import FreeData, octets_are_paid
from kswifi.free_data.unlimited_cost_warnings import left_open
from kswifi.settings import Settings
from kswifi.supply.lines import SuppliedLines

_log = structlog.get_logger(__name__)


async def open_free_data(context: Context) -> Part:
    """Open free data with the operator's rules.

    Raises:
        BUDGET_UNPRICED: a budget is set but a free GB has no cost price.
    """
    settings, database = context.settings, context.database
    rules = settings.free_rules
    await _check(settings, rules, database, context.need(Catalogue))
    lines = context.find(SuppliedLines)
    cost = octets_are_paid if lines is None else lines.bundle_cost
    free_data = FreeData(database, context.need(Marks), rules, cost)
    context.offer(free_data)
    return Part(
        chores={"free_data_marks": lambda: forget_marks(database, rules)},
        watches={
            "free_data_alerts": lambda: tell_alerts(database, rules),
            "free_data_waiting": lambda: tell_waiting(database, rules),
        },
        metrics=(FreeDataMetrics(database, free_data).text,),
    )


async def _check(settings: Settings, rules: FreeDataRules, database: Database, catalogue: Catalogue) -> None:
    """Warn about settings that leave the cost of free data unlimited, where real octets are given."""
    if settings.mode == "embedded" or not any(offer.free for offer in catalogue.offers()):
        return
    found = await database.read(budgets)
    if found and not rules.cost_kobo_per_gb:
        raise BUDGET_UNPRICED(
            f"the budget {found[0].budget_id} would never be used up, because the cost price of a free GB is 0: "
            "set KSWIFI_FREE_COST_KOBO_PER_GB",
            budget_id=found[0].budget_id,
        )
    for words in left_open(rules, found):
        _log.warning("free_data_left_open", words=words)
    for words in missing_safeguards(replace(rules, guarded=True), found):
        _log.warning("free_data_waits_for" if rules.guarded else "free_data_without_safeguard", words=words)
