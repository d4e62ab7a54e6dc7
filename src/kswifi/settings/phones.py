"""The settings of codes to phones and mailboxes: their senders, their rates, and whether a proof is required."""

from typing import Annotated, Final, Self

from pydantic import Field, SecretStr, field_validator, model_validator
from pydantic_settings import BaseSettings

from kswifi.phone_verification.code_limits import CodeRates
from kswifi.providers.email import registry as email_registry
from kswifi.providers.email.registry import EmailOptions, SmtpSecurity
from kswifi.providers.sms.registry import SENDERS, SenderOptions, missing_option

_RATES: Final = CodeRates()


class PhoneSettings(BaseSettings):
    """Settings of codes; all other settings are in ``kswifi.settings``."""

    identifier_proof: Annotated[
        bool | None,
        Field(
            description="Whether a code to the phone number or email address comes before an account. If not set: "
            "yes, but in embedded mode no. Text messages need sms_provider, e-mail email_provider: identifiers "
            "whose codes nothing sends cannot have accounts then."
        ),
    ] = None

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
    ] = _RATES.all_day
    sms_codes_number_hour: Annotated[
        int, Field(ge=1, le=1_000, description="Codes sent in an hour to one phone number or email address.")
    ] = _RATES.number_hour
    sms_codes_number_day: Annotated[
        int, Field(ge=1, le=1_000, description="Codes sent in a day to one phone number or email address.")
    ] = _RATES.number_day
    sms_codes_operator_hour: Annotated[
        int, Field(ge=1, le=10**6, description="Codes sent in an hour to numbers of one Nigerian operator prefix.")
    ] = _RATES.operator_hour
    sms_codes_operator_day: Annotated[
        int, Field(ge=1, le=10**6, description="Codes sent in a day to numbers of one Nigerian operator prefix.")
    ] = _RATES.operator_day
    sms_codes_abroad_hour: Annotated[
        int,
        Field(
            ge=1, le=10**6, description="Codes sent in an hour to numbers abroad of one prefix (+ and 3 digits)."
        ),
    ] = _RATES.abroad_hour
    sms_codes_abroad_day: Annotated[
        int,
        Field(ge=1, le=10**6, description="Codes sent in a day to numbers abroad of one prefix (+ and 3 digits)."),
    ] = _RATES.abroad_day

    sms_at_end_a_day: Annotated[
        int,
        Field(
            ge=0,
            le=10**6,
            description="Text messages in a day that tell people at their proved number that a session is used up; "
            "0: none. Push messages need data, which has just ended then. Each costs you money.",
        ),
    ] = 0

    email_provider: Annotated[
        str,
        Field(
            description=f"What sends e-mail: {', '.join(email_registry.SENDERS)}, or none: embedded mode then "
            "keeps messages in the lab's outbox, own-core sends no codes to email addresses."
        ),
    ] = "none"
    email_host: Annotated[str | None, Field(max_length=253, description="The mail server that takes messages.")] = (
        None
    )
    email_port: Annotated[int, Field(ge=1, le=65535, description="Its port for submission.")] = 587
    email_security: Annotated[SmtpSecurity, Field(description="How the connection to it is protected.")] = (
        SmtpSecurity.STARTTLS
    )
    email_username: Annotated[str | None, Field(max_length=254, description="Your login there, if it asks.")] = None
    email_password: Annotated[SecretStr | None, Field(description="The password of that login.")] = None
    email_sender: Annotated[
        str | None,
        Field(
            max_length=254,
            pattern=r"^[^@\s]+@[^@\s]+\.[^@\s]+$",
            description="The address that codes come from.",
        ),
    ] = None

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

    @field_validator("email_provider")
    @classmethod
    def _known_email_provider(cls, name: str) -> str:
        known = ("none", *email_registry.SENDERS)
        if name not in known:
            raise ValueError(f"there is no e-mail sender {name!r}: choose one of {', '.join(known)}")
        return name

    @model_validator(mode="after")
    def _whole_email_provider(self) -> Self:
        if self.email_provider == "none":
            return self
        missing = email_registry.missing_option(self.email_provider, self.email_options)
        if missing is not None:
            raise ValueError(f"email_{missing} is needed too, for {self.email_provider}")
        return self

    @property
    def code_rates(self) -> CodeRates:
        """The rate limits of codes."""
        return CodeRates(
            number_hour=self.sms_codes_number_hour,
            number_day=self.sms_codes_number_day,
            operator_hour=self.sms_codes_operator_hour,
            operator_day=self.sms_codes_operator_day,
            abroad_hour=self.sms_codes_abroad_hour,
            abroad_day=self.sms_codes_abroad_day,
            all_day=self.sms_codes_a_day,
        )

    @property
    def email_options(self) -> EmailOptions:
        """The options of the email sender."""
        return EmailOptions(
            self.email_sender or "",
            self.email_host or "",
            self.email_port,
            self.email_security,
            self.email_username,
            self.email_password.get_secret_value() if self.email_password else "",
        )

    @property
    def sms_options(self) -> SenderOptions:
        """The options of the SMS sender."""
        key = "" if self.sms_api_key is None else self.sms_api_key.get_secret_value()
        return SenderOptions(key, self.sms_username, self.sms_sender, self.sms_url)
