"""Settings of supply: the rehearsal's provider, and limits. Credentials and rates: ``data_providers``."""

from typing import Annotated

from pydantic import Field, field_validator
from pydantic_settings import BaseSettings

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

    @field_validator("rehearsal_provider")
    @classmethod
    def _known_provider(cls, name: str) -> str:
        if name not in PROVIDERS:
            raise ValueError(f"there is no data provider {name!r}: choose {', '.join(PROVIDERS)}")
        return name
