"""Every rule of free data in one place; ``kswifi.settings.free_data`` reads them from the environment.

Sizes, prices and days of what is offered are the operator's ``offers.toml``; here is what of it is given for free,
to whom, and at whose cost.
"""

from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum
from typing import Final
from zoneinfo import ZoneInfo

from kswifi.catalogue.model import LAGOS
from kswifi.kernel.quantities import GIGABYTE

HIGHEST_KYC_LEVEL: Final = 3


class Requirement(StrEnum):
    """What somebody has to show before a free order."""

    NOTHING = "nothing"
    PHONE = "phone"
    VOUCHER = "voucher"
    PHONE_OR_VOUCHER = "phone_or_voucher"


class WhenBudgetGone(StrEnum):
    """What somebody is offered when nobody's money is left."""

    REFUSE = "refuse"
    WAITING_LIST = "waiting_list"


@dataclass(frozen=True, slots=True)
class FreeDataRules:
    """The operator's rules. None: no such limit."""

    allowance_octets: int = 5 * GIGABYTE
    """For one account, and one verified phone number, in any ``allowance_days``."""
    allowance_days: int = 30
    device_allowance_octets: int | None = None
    card_allowance_octets: int | None = None
    """For one eUICC, by its EID, which is known from its first install on."""
    unspent_octets: int = 5 * GIGABYTE
    """An account may hold so much that is not used up."""
    cool_down: timedelta = timedelta(0)
    """Between two free orders of an account."""
    tranche_octets: int | None = None
    """A free session is released in such parts: the next once half of the last is really used, while there is
    money for it. None: all at once."""
    largest_octets: int | None = None
    longest_days: int | None = None
    """Larger and longer free offers of the catalogue are not given."""
    required: Requirement = Requirement.NOTHING
    one_account_per_phone: bool = True
    kyc_level: int = 0
    """That every order needs, paid ones too: 0 nothing, up to HIGHEST_KYC_LEVEL as the operator defines them."""

    cost_kobo_per_gb: int = 0
    """What 10^9 octets cost the operator."""
    daily_kobo: int | None = None
    monthly_kobo: int | None = None
    """Ceilings of all budgets together, by local days and months."""
    when_budget_gone: WhenBudgetGone = WhenBudgetGone.REFUSE
    alert_percents: tuple[int, ...] = (50, 75, 90, 100)
    zone: ZoneInfo = LAGOS
    """In whose days and months ceilings are counted."""

    @property
    def allowance_period(self) -> timedelta:
        """The rolling days as a duration."""
        return timedelta(days=self.allowance_days)
