"""Settings of supply: the rehearsal's provider, and limits. Credentials and rates: ``data_providers``."""

import ipaddress
import re
from typing import Annotated

from pydantic import Field, SecretStr, field_validator
from pydantic_settings import BaseSettings, NoDecode

from kswifi.providers.data.registry import PROVIDERS


class SupplySettings(BaseSettings):
    """How sessions are bought from data providers (``KSWIFI_MODE=resold``)."""

    rehearsal_provider: Annotated[
        str, Field(description="Whose API the rehearsal's provider has, while data_providers is not set.")
    ] = "esim_go"
    rehearsal_provider_port: Annotated[
        int, Field(ge=0, le=65535, description="Where the rehearsal's provider listens, on this machine.")
    ] = 8086
    rehearsal_provider_lag_seconds: Annotated[
        int, Field(ge=0, le=86_400, description="How late the rehearsal's provider counts.")
    ] = 2
    line_bundles_per_day: Annotated[
        int, Field(ge=1, le=1_000, description="Bundles that one line may buy within 24 hours.")
    ] = 10

    ussd_service_code: Annotated[
        str | None,
        Field(
            pattern=r"^\*[0-9][0-9*]{1,20}#$", description="Your USSD code, which sends the next portion: *384*1#."
        ),
    ] = None
    ussd_webhook_path: Annotated[
        SecretStr | None,
        Field(description="Secret last part of the address of its callback: 16 to 64 letters, digits, - and _."),
    ] = None
    ussd_networks: Annotated[
        tuple[str, ...],
        NoDecode,
        Field(max_length=50, description="Its callbacks are accepted from these networks; if empty, from any."),
    ] = ()
    ussd_portions_per_day: Annotated[
        int, Field(ge=1, le=100, description="The most portions in 24 hours of a line that asks by USSD.")
    ] = 3
    ussd_paid_by_operator: Annotated[
        bool, Field(description="The dial costs the caller nothing; otherwise it needs airtime.")
    ] = False

    @field_validator("ussd_networks", mode="before")
    @classmethod
    def _split_networks(cls, given: object) -> object:
        return tuple(it.strip() for it in given.split(",") if it.strip()) if isinstance(given, str) else given

    @field_validator("ussd_networks")
    @classmethod
    def _known_networks(cls, networks: tuple[str, ...]) -> tuple[str, ...]:
        for it in networks:
            ipaddress.ip_network(it)
        return networks

    @field_validator("ussd_webhook_path")
    @classmethod
    def _a_path(cls, path: SecretStr | None) -> SecretStr | None:
        if path is not None and re.fullmatch(r"[A-Za-z0-9_-]{16,64}", path.get_secret_value()) is None:
            raise ValueError("16 to 64 letters, digits, - and _")
        return path

    @field_validator("rehearsal_provider")
    @classmethod
    def _known_provider(cls, name: str) -> str:
        if name not in PROVIDERS:
            raise ValueError(f"there is no data provider {name!r}: choose {', '.join(PROVIDERS)}")
        return name
