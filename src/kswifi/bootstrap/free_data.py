"""Free data joined, and what is said of it before any is given: nobody shall learn of an open door from a bill."""

from dataclasses import replace

import structlog

from kswifi.catalogue.service import Catalogue
from kswifi.database.engine import Database
from kswifi.free_data.budgets import budgets
from kswifi.free_data.errors import BudgetUnpricedError
from kswifi.free_data.pseudonyms import Marks
from kswifi.free_data.rules import FreeDataRules
from kswifi.free_data.service import FreeData
from kswifi.free_data.unlimited_cost_warnings import left_open
from kswifi.settings import Settings

_log = structlog.get_logger(__name__)


async def open_free_data(settings: Settings, database: Database, marks: Marks, catalogue: Catalogue) -> FreeData:
    """Return free data with the operator's rules, once what they leave open was said.

    Raises:
        BudgetUnpricedError: as ``_check``.
    """
    rules = replace(settings.free_data_rules(), zone=settings.zone)
    await _check(settings, rules, database, catalogue)
    return FreeData(database, marks, rules)


async def _check(settings: Settings, rules: FreeDataRules, database: Database, catalogue: Catalogue) -> None:
    """Warn of what is left open, where real octets are given; nothing free on offer leaves nothing open.

    Raises:
        BudgetUnpricedError: somebody set a budget, and no octet would ever be counted against it.
    """
    if settings.mode == "embedded" or not any(offer.free for offer in catalogue.offers()):
        return
    found = await database.read(budgets)
    if found and not rules.cost_kobo_per_gb:
        raise BudgetUnpricedError(
            f"the budget {found[0].budget_id} would never be used up, because the cost price of a free GB is 0: "
            "set KSWIFI_FREE_COST_KOBO_PER_GB",
            budget_id=found[0].budget_id,
        )
    for words in left_open(rules, found):
        _log.warning("free_data_left_open", words=words)
