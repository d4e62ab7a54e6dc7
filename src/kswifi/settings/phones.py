"""The settings of codes to phones: who sends them, and how many."""

from typing import Annotated, Self

from pydantic import Field, SecretStr, field_validator, model_validator
from pydantic_settings import BaseSettings

from kswifi.phone_verification.model import CODES_IN_ALL
from kswifi.providers.sms.registry import SENDERS, SenderOptions, missing_option


class PhoneSettings(BaseSettings):
    """Settings of phone verification; ``kswifi.settings`` has the others."""

    sms_provider: Annotated[
        str,
        Field(
            description=f"Who sends text messages: {', '.join(SENDERS)}, or none: embedded mode then keeps "
            "messages in the lab's outbox, own-core verifies no numbers."
        ),
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

    @field_validator("sms_provider")
    @classmethod
    def _known_sms_provider(cls, name: str) -> str:
        if name != "none" and name not in SENDERS:
            raise ValueError(f"there is no SMS sender {name!r}: choose one of {', '.join(('none', *SENDERS))}")
        return name

    @model_validator(mode="after")
    def _whole_sms_provider(self) -> Self:
        missing = None if self.sms_provider == "none" else missing_option(self.sms_provider, self.sms_options)
        if missing is not None:
            raise ValueError(f"sms_{missing} is needed too, for {self.sms_provider}")
        return self

    @property
    def sms_options(self) -> SenderOptions:
        """The options of the SMS sender."""
        key = "" if self.sms_api_key is None else self.sms_api_key.get_secret_value()
        return SenderOptions(key, self.sms_username, self.sms_sender, self.sms_url)
