"""Settings of supply: who delivers sessions in resold mode, exchange rates, and limits."""

import re
from datetime import date
from decimal import Decimal, InvalidOperation
from typing import Annotated, Final

from pydantic import Field, SecretStr, field_validator
from pydantic_settings import BaseSettings, NoDecode

from kswifi.providers.data.registry import PROVIDERS, ProviderOptions
from kswifi.supply.money import ExchangeRate, ExchangeRates

_RATE: Final = re.compile(r"([A-Z]{3})=([0-9]{1,7}(?:\.[0-9]{1,6})?)@([0-9]{4}-[0-9]{2}-[0-9]{2})")


class SupplySettings(BaseSettings):
    """How sessions are bought from data providers (``KSWIFI_MODE=resold``)."""

    data_providers: Annotated[
        tuple[str, ...],
        NoDecode,
        Field(
            description=f"Who delivers sessions in resold mode, the first one new ones: {', '.join(PROVIDERS)}. "
            "If not set, resold mode rehearses with a provider of its own, which delivers nothing."
        ),
    ] = ()
    rehearsal_provider: Annotated[
        str, Field(description="Whose API the rehearsal's provider has, while data_providers is not set.")
    ] = "esim_go"
    rehearsal_provider_port: Annotated[
        int, Field(ge=0, le=65535, description="Where the rehearsal's provider listens, on this machine.")
    ] = 8086
    rehearsal_provider_lag_seconds: Annotated[
        int, Field(ge=0, le=86_400, description="How late the rehearsal's provider counts.")
    ] = 2
    data_provider_key: Annotated[
        SecretStr | None, Field(description="The key at the provider: eSIM Access's access code.")
    ] = None
    data_provider_public_key: Annotated[
        SecretStr | None, Field(description="VTpass's key for calls that only read.")
    ] = None
    data_provider_secret_key: Annotated[
        SecretStr | None,
        Field(description="VTpass's key for calls that buy; eSIM Access's key for signatures."),
    ] = None
    exchange_rates: Annotated[
        str,
        Field(
            max_length=400,
            pattern=r"^[A-Z0-9=.@, -]*$",
            description="Naira for one unit of a provider's currency, each with its day: USD=1612.5@2026-12-01.",
        ),
    ] = ""
    exchange_margin_percent: Annotated[
        int, Field(ge=0, le=100, description="Reserved on top of a bundle's price in another currency.")
    ] = 5
    line_bundles_per_day: Annotated[
        int, Field(ge=1, le=1_000, description="Bundles that one line may buy within 24 hours.")
    ] = 10

    @field_validator("data_providers", mode="before")
    @classmethod
    def _names(cls, value: object) -> object:
        if isinstance(value, str):
            return tuple(part.strip() for part in value.split(",") if part.strip())
        return value

    @field_validator("data_providers")
    @classmethod
    def _known(cls, names: tuple[str, ...]) -> tuple[str, ...]:
        for name in names:
            if name not in PROVIDERS:
                raise ValueError(f"there is no data provider {name!r}: choose {', '.join(PROVIDERS)}")
        return names

    @field_validator("rehearsal_provider")
    @classmethod
    def _one_known(cls, name: str) -> str:
        return cls._known((name,))[0]

    @field_validator("exchange_rates")
    @classmethod
    def _readable(cls, text: str) -> str:
        _rates_of(text)
        return text

    def provider_options(self, _name: str) -> ProviderOptions:
        """Return the keys of a configured provider."""
        keys = (self.data_provider_key, self.data_provider_public_key, self.data_provider_secret_key)
        api, public, secret = ("" if key is None else key.get_secret_value() for key in keys)
        return ProviderOptions(api_key=api, public_key=public, secret_key=secret)

    @property
    def exchange(self) -> ExchangeRates:
        """The exchange rates with the margin."""
        return ExchangeRates(_rates_of(self.exchange_rates), self.exchange_margin_percent)


def _rates_of(text: str) -> dict[str, ExchangeRate]:
    """Return the rates of the setting by their currency.

    Raises:
        ValueError: one is not written as CURRENCY=naira@day.
    """
    rates: dict[str, ExchangeRate] = {}
    for part in (it.strip() for it in text.split(",")):
        if not part:
            continue
        found = _RATE.fullmatch(part)
        try:
            naira, day = Decimal(found[2] if found else ""), date.fromisoformat(found[3] if found else "")
        except (InvalidOperation, ValueError):
            raise ValueError(f"{part!r} is not a rate with its day: write USD=1612.5@2026-12-01") from None
        if found is None or naira <= 0 or found[1] in rates:
            raise ValueError(f"{part!r}: one rate above zero for each currency")
        rates[found[1]] = ExchangeRate(found[1], naira, day)
    return rates
