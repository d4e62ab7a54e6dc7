"""All rules of free data; ``kswifi.settings.free_data`` reads them from the environment.

The operator's ``offers.toml`` defines sizes, prices and days of offers. These rules define which of them are free,
for whom, and who pays.
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
    """What a user has to present for a free order."""

    NOTHING = "nothing"
    PHONE = "phone"
    VOUCHER = "voucher"
    PHONE_OR_VOUCHER = "phone_or_voucher"


class WhenBudgetGone(StrEnum):
    """What happens to a free order when no budget can pay."""

    REFUSE = "refuse"
    WAITING_LIST = "waiting_list"


@dataclass(frozen=True, slots=True)
class FreeDataRules:
    """The operator's rules. None means that there is no such limit."""

    allowance_octets: int = 5 * GIGABYTE
    """The limit for one account and one verified phone number, in any ``allowance_days``."""
    allowance_days: int = 30
    device_allowance_octets: int | None = None
    card_allowance_octets: int | None = None
    """The limit for one eUICC. Its EID is known after the first installation."""
    unspent_octets: int = 5 * GIGABYTE
    """The maximum of octets that an account may hold unspent."""
    cool_down: timedelta = timedelta(0)
    """The minimum time between two free orders of an account."""
    tranche_octets: int | None = None
    """The size of a tranche; None releases everything at once.

    The next tranche is released when half of the last one is used, if there is money for it.
    """
    largest_octets: int | None = None
    longest_days: int | None = None
    """Free offers of the catalogue that are larger or longer are refused."""
    required: Requirement = Requirement.NOTHING
    one_account_per_phone: bool = True
    kyc_level: int = 0
    """The KYC level that every order requires, also a paid one: 0 to HIGHEST_KYC_LEVEL."""

    cost_kobo_per_gb: int = 0
    """The cost of 10^9 octets for the operator, in kobo."""
    daily_kobo: int | None = None
    monthly_kobo: int | None = None
    """Ceilings of all budgets together, per local day and per local month."""
    when_budget_gone: WhenBudgetGone = WhenBudgetGone.REFUSE
    alert_percents: tuple[int, ...] = (50, 75, 90, 100)
    guarded: bool = False
    """Whether free data starts only with all safeguards (``safeguards.missing_safeguards``)."""
    bundles_priced: bool = False
    """Whether data providers' bundles, which have prices of their own, serve all sessions."""
    zone: ZoneInfo = LAGOS
    """The time zone of the days and months of ceilings."""

    @property
    def allowance_period(self) -> timedelta:
        """The rolling days as a duration."""
        return timedelta(days=self.allowance_days)
