"""The settings of data providers: which are used, their credentials, their webhooks, and exchange rates."""

import ipaddress
import re
from datetime import date
from decimal import Decimal
from typing import Annotated, Final, Self

from pydantic import Field, SecretStr, field_validator, model_validator
from pydantic_settings import BaseSettings, NoDecode

from kswifi.providers.data.registry import PROVIDERS, ProviderOptions, missing_option
from kswifi.supply.exchange import RATE_SCALE, ExchangeRates

_RATE: Final = re.compile(r"([A-Z]{3})=([0-9]{1,7}(?:\.[0-9]{1,4})?)")
_URL: Final = r"^https?://[^?#\s]+$"
_PATH: Final = r"^[A-Za-z0-9_-]{16,64}$"

Networks = Annotated[
    tuple[str, ...],
    NoDecode,
    Field(
        max_length=50, description="Its webhooks are accepted from these networks; if empty, from the documented."
    ),
]
WebhookPath = Annotated[
    SecretStr | None,
    Field(description="Secret last part of the address for its webhooks: 16 to 64 letters, digits, - and _."),
]
Url = Annotated[str | None, Field(pattern=_URL, description="Its API with the path, if it is not its own address.")]


class DataProviderSettings(BaseSettings):
    """Settings of data providers (docs/reselling.md); all other settings are in ``kswifi.settings``."""

    data_providers: Annotated[
        tuple[str, ...],
        NoDecode,
        Field(max_length=10, description=f"From whom sessions are bought: {', '.join(PROVIDERS)}."),
    ] = ()

    vtpass_api_key: Annotated[SecretStr | None, Field(description="VTpass's api-key.")] = None
    vtpass_public_key: Annotated[SecretStr | None, Field(description="VTpass's public-key, which only reads.")] = (
        None
    )
    vtpass_secret_key: Annotated[SecretStr | None, Field(description="VTpass's secret-key, which buys.")] = None
    vtpass_sandbox: Annotated[bool, Field(description="Use VTpass's sandbox: no money moves.")] = False
    vtpass_url: Url = None
    vtpass_webhook_path: WebhookPath = None
    vtpass_webhook_networks: Networks = ()

    esim_go_api_key: Annotated[SecretStr | None, Field(description="eSIM Go's X-API-Key; it signs webhooks.")] = (
        None
    )
    esim_go_sandbox: Annotated[
        bool, Field(description="esim_go_url is a rehearsal: eSIM Go has no sandbox of its own.")
    ] = False
    esim_go_url: Url = None
    esim_go_refunds: Annotated[
        bool, Field(description="eSIM Go enabled refunds for your account; without it a revoked bundle is lost.")
    ] = False
    esim_go_webhook_path: WebhookPath = None
    esim_go_webhook_networks: Networks = ()

    esim_access_api_key: Annotated[SecretStr | None, Field(description="eSIM Access's RT-AccessCode.")] = None
    esim_access_secret_key: Annotated[
        SecretStr | None, Field(description="eSIM Access's SecretKey: requests are signed if it is set.")
    ] = None
    esim_access_sandbox: Annotated[
        bool, Field(description="esim_access_url is a rehearsal: eSIM Access has no sandbox of its own.")
    ] = False
    esim_access_url: Url = None
    esim_access_webhook_path: WebhookPath = None
    esim_access_webhook_networks: Networks = ()

    fx_rates: Annotated[
        tuple[str, ...],
        NoDecode,
        Field(max_length=10, description="Naira for one unit of a provider's currency, such as USD=1650.50."),
    ] = ()
    fx_rates_on: Annotated[
        date | None, Field(description="The day of fx_rates, such as 2026-12-01. Older than a day is reported.")
    ] = None
    fx_margin_percent: Annotated[
        int, Field(ge=0, le=100, description="Added to converted prices, because rates move.")
    ] = 5

    @field_validator(
        "data_providers",
        "fx_rates",
        "vtpass_webhook_networks",
        "esim_go_webhook_networks",
        "esim_access_webhook_networks",
        mode="before",
    )
    @classmethod
    def _parts(cls, value: object) -> object:
        if isinstance(value, str):
            return tuple(part.strip() for part in value.split(",") if part.strip())
        return value

    @field_validator("vtpass_webhook_networks", "esim_go_webhook_networks", "esim_access_webhook_networks")
    @classmethod
    def _are_networks(cls, networks: tuple[str, ...]) -> tuple[str, ...]:
        for network in networks:
            try:
                ipaddress.ip_network(network, strict=False)
            except ValueError:
                raise ValueError(f"{network!r} is no network: write it as 203.0.113.0/24") from None
        return networks

    @field_validator("vtpass_webhook_path", "esim_go_webhook_path", "esim_access_webhook_path")
    @classmethod
    def _is_path(cls, path: SecretStr | None) -> SecretStr | None:
        if path is not None and re.fullmatch(_PATH, path.get_secret_value()) is None:
            raise ValueError("it has 16 to 64 letters, digits, - and _")
        return path

    @field_validator("fx_rates")
    @classmethod
    def _are_rates(cls, rates: tuple[str, ...]) -> tuple[str, ...]:
        for rate in rates:
            found = _RATE.fullmatch(rate)
            if found is None or not Decimal(found[2]) or found[1] == "NGN":
                raise ValueError(f"{rate!r} is no rate: write it as USD=1650.50")
        return rates

    @model_validator(mode="after")
    def _whole_providers(self) -> Self:
        for name in self.data_providers:
            if name not in PROVIDERS:
                raise ValueError(f"there is no data provider {name!r}: choose {', '.join(PROVIDERS)}")
            absent = missing_option(name, self.provider_options(name))
            if absent is not None:
                raise ValueError(f"data_providers has {name}, which needs {name}_{absent}")
        if len(set(self.data_providers)) != len(self.data_providers):
            raise ValueError("data_providers names a provider twice")
        if self.fx_rates and self.fx_rates_on is None:
            raise ValueError("fx_rates_on is needed too: the day of the rates")
        return self

    def provider_options(self, name: str) -> ProviderOptions:
        """Return the options of a provider; an option that it has no setting for is empty."""

        def secret(option: str) -> str:
            value: SecretStr | None = getattr(self, f"{name}_{option}", None)
            return "" if value is None else value.get_secret_value()

        return ProviderOptions(
            api_key=secret("api_key"),
            public_key=secret("public_key"),
            secret_key=secret("secret_key"),
            sandbox=getattr(self, f"{name}_sandbox", False),
            url=getattr(self, f"{name}_url", None),
            webhook_senders=getattr(self, f"{name}_webhook_networks", ()),
            refunds=getattr(self, f"{name}_refunds", False),
        )

    def exchange_rates(self) -> ExchangeRates:
        """Return the rates for prices of providers."""
        rates = {}
        for rate in self.fx_rates:
            currency, _, naira = rate.partition("=")
            rates[currency] = int(Decimal(naira) * RATE_SCALE)
        return ExchangeRates(rates, self.fx_rates_on, self.fx_margin_percent)
