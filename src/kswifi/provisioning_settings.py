"""The settings of operators' orders: ES2+ as it is served here, and as we call another's SM-DP+."""

from typing import Annotated

from pydantic import Field
from pydantic_settings import BaseSettings


class ProvisioningSettings(BaseSettings):
    """Settings of ES2+; ``kswifi.settings`` has the others."""

    es2_port: Annotated[
        int | None,
        Field(ge=0, le=65535, description="ES2+ for registered operators, over mutual TLS; unset: not served."),
    ] = None
    es2_on_rsp_port: Annotated[
        bool, Field(description="Serve ES2+ on the port of ES9+ too, to those who bring a registered certificate.")
    ] = False
