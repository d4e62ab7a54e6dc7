"""The settings of free data: limits for each user, and prices.

Budgets and the kill switch are not settings: an operator changes them while the server runs (`kswifi budget`).
"""

from datetime import timedelta
from typing import Annotated, Self

from pydantic import Field, field_validator, model_validator
from pydantic_settings import BaseSettings, NoDecode

from kswifi.free_data.rules import HIGHEST_KYC_LEVEL, FreeDataRules, Requirement, WhenBudgetGone
from kswifi.kernel.quantities import GIGABYTE

OctetCount = Annotated[int, Field(ge=0, le=10**15)]
KoboCount = Annotated[int, Field(ge=0, le=10**15)]
_DEVICE_PEOPLE = 2
"""Two people of a household may share a device; a card belongs to one."""
_SAME_NAME = (
    "tranche_octets",
    "largest_octets",
    "longest_days",
    "kyc_level",
    "cost_kobo_per_gb",
    "daily_kobo",
    "monthly_kobo",
    "when_budget_gone",
    "alert_percents",
)


class FreeDataSettings(BaseSettings):
    """Settings of free data; all other settings are in ``kswifi.settings``. An unset limit does not apply."""

    free_allowance_octets: Annotated[
        OctetCount, Field(description="Free octets for one account in any free_allowance_days.")
    ] = 5 * GIGABYTE
    free_allowance_days: Annotated[int, Field(ge=1, le=366, description="The days of the free allowance.")] = 30
    free_unspent_octets: Annotated[OctetCount, Field(description="Free octets an account may hold unspent.")] = (
        5 * GIGABYTE
    )
    free_device_allowance_octets: Annotated[
        OctetCount | None,
        Field(
            description="Free octets for one device in those days (a signed cookie). If not set: no limit in "
            "embedded mode, else twice free_allowance_octets."
        ),
    ] = None
    free_card_allowance_octets: Annotated[
        OctetCount | None,
        Field(
            description="Free octets for one eUICC in those days, by its EID. If not set: no limit in embedded "
            "mode, else free_allowance_octets."
        ),
    ] = None
    free_cool_down_minutes: Annotated[
        int, Field(ge=0, le=527_040, description="Minutes between two free orders of an account.")
    ] = 0
    free_tranche_octets: Annotated[
        int | None,
        Field(
            ge=1_000_000,
            le=10**15,
            description="Release free sessions in such parts, each for the use of the one before.",
        ),
    ] = None
    free_largest_octets: Annotated[
        OctetCount | None, Field(description="Larger free offers of the catalogue are not given.")
    ] = None
    free_longest_days: Annotated[
        int | None, Field(ge=1, le=366, description="Longer free offers of the catalogue are not given.")
    ] = None
    free_requires: Annotated[
        Requirement | None,
        Field(
            description="What somebody shows before a free order: a verified phone, a venue's voucher. If not set: "
            "nothing in embedded mode, else phone_or_voucher, or voucher while no provider sends codes."
        ),
    ] = None
    free_without_safeguards: Annotated[
        bool,
        Field(
            description="Give free data outside embedded mode although a safeguard is missing: a requirement, "
            "limits by device and eUICC, a priced budget with ceilings. Each start logs what is missing."
        ),
    ] = False
    free_kyc_level: Annotated[
        int, Field(ge=0, le=HIGHEST_KYC_LEVEL, description="The KYC level that any order needs, paid ones too.")
    ] = 0
    free_cost_kobo_per_gb: Annotated[
        int, Field(ge=0, le=10**9, description="What 10^9 octets cost you; budgets and ceilings count by it.")
    ] = 0
    free_daily_kobo: Annotated[
        KoboCount | None, Field(description="What all free orders of a local day may commit.")
    ] = None
    free_monthly_kobo: Annotated[
        KoboCount | None, Field(description="What all free orders of a local month may commit.")
    ] = None
    free_when_budget_gone: Annotated[
        WhenBudgetGone, Field(description="Refuse, or offer a waiting list, while there is no money.")
    ] = WhenBudgetGone.REFUSE
    free_alert_percents: Annotated[
        tuple[int, ...],
        NoDecode,
        Field(max_length=10, description="Levels of a budget at which a warning is logged."),
    ] = (50, 75, 90, 100)

    @field_validator("free_alert_percents", mode="before")
    @classmethod
    def _split_percents(cls, value: object) -> object:
        if isinstance(value, str):
            return tuple(int(part) for part in value.split(",") if part.strip())
        return value

    @field_validator("free_alert_percents")
    @classmethod
    def _are_percents(cls, levels: tuple[int, ...]) -> tuple[int, ...]:
        if any(not 1 <= level <= 100 for level in levels):
            raise ValueError("alert levels are percents, 1 to 100")
        return tuple(sorted(set(levels)))

    @model_validator(mode="after")
    def _whole_free_offer(self) -> Self:
        if self.free_unspent_octets > self.free_allowance_octets:
            raise ValueError("free_unspent_octets cannot be more than free_allowance_octets")
        return self

    @model_validator(mode="after")
    def _priced_ceilings(self) -> Self:
        for name in ("free_daily_kobo", "free_monthly_kobo"):
            if getattr(self, name) is not None and not self.free_cost_kobo_per_gb:
                raise ValueError(
                    f"{name} limits nothing while free_cost_kobo_per_gb is 0: set what 10^9 octets cost you"
                )
        return self

    def free_data_rules(self, *, guarded: bool = False, sends_codes: bool = True) -> FreeDataRules:
        """Return the rules of free data; the time zone is a setting elsewhere, so the caller adds it.

        ``guarded``: free data starts only with all safeguards, and unset limits have safe defaults.
        ``sends_codes``: phone numbers can be verified.
        """
        device, card, required = (
            self.free_device_allowance_octets,
            self.free_card_allowance_octets,
            self.free_requires,
        )
        if guarded:
            device = _DEVICE_PEOPLE * self.free_allowance_octets if device is None else device
            card = self.free_allowance_octets if card is None else card
            safe = Requirement.PHONE_OR_VOUCHER if sends_codes else Requirement.VOUCHER
            required = safe if required is None else required
        return FreeDataRules(
            guarded=guarded,
            device_allowance_octets=device,
            card_allowance_octets=card,
            allowance_octets=self.free_allowance_octets,
            allowance_days=self.free_allowance_days,
            unspent_octets=self.free_unspent_octets,
            cool_down=timedelta(minutes=self.free_cool_down_minutes),
            required=Requirement.NOTHING if required is None else required,
            **{name: getattr(self, f"free_{name}") for name in _SAME_NAME},
        )
