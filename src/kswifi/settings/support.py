"""The settings of the contact that people reach for help."""

from typing import Annotated

from pydantic import Field
from pydantic_settings import BaseSettings


class SupportSettings(BaseSettings):
    """Settings of the support contact, which the app shows; ``kswifi.settings`` has the others."""

    support_whatsapp: Annotated[
        str | None,
        Field(
            pattern=r"^[1-9][0-9]{7,14}$",
            description="WhatsApp number of your support, digits with the country code: 2348031234567.",
        ),
    ] = None
    support_phone: Annotated[
        str | None,
        Field(pattern=r"^\+?[0-9][0-9 ]{2,20}$", description="Telephone number of your support, as dialled."),
    ] = None
    support_email: Annotated[
        str | None,
        Field(max_length=254, pattern=r"^[^@\s/?#]+@[^@\s/?#]+$", description="Email address of your support."),
    ] = None
