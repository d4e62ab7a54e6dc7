"""The settings of codes to phones: who sends them, and how many."""

from typing import Annotated, Literal, Self

from pydantic import Field, SecretStr, model_validator
from pydantic_settings import BaseSettings

from kswifi.phone_verification.model import CODES_IN_ALL


class PhoneSettings(BaseSettings):
    """Settings of phone verification; ``kswifi.settings`` has the others."""

    sms_provider: Annotated[
        Literal["none", "termii", "africas_talking"],
        Field(description="none: embedded mode keeps messages in the lab's outbox, own-core verifies no numbers."),
    ] = "none"
    sms_api_key: Annotated[SecretStr | None, Field(description="The provider's API key.")] = None
    sms_username: Annotated[
        str | None, Field(min_length=1, max_length=80, description="Your app's name at Africa's Talking.")
    ] = None
    sms_sender: Annotated[
        str | None, Field(min_length=3, max_length=11, description="The sender ID that the provider registered.")
    ] = None
    sms_url: Annotated[
        str | None, Field(pattern=r"^https?://[^/?#]+$", description="Termii tells each account its own address.")
    ] = None
    sms_codes_a_day: Annotated[
        int, Field(ge=1, le=10**6, description="Codes sent in a day to all numbers together: each costs you money.")
    ] = CODES_IN_ALL

    @model_validator(mode="after")
    def _whole_sms_provider(self) -> Self:
        needed = {"termii": ("api_key", "sender"), "africas_talking": ("api_key", "username")}
        for name in needed.get(self.sms_provider, ()):
            if not getattr(self, f"sms_{name}"):
                raise ValueError(f"sms_{name} is needed too, for {self.sms_provider}")
        return self
