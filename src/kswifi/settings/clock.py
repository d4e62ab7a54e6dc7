"""The settings of the clock: which jumps of the machine's clock are believed, and who confirms others."""

from typing import Annotated

from pydantic import Field
from pydantic_settings import BaseSettings


class ClockSettings(BaseSettings):
    """Settings of the clock (docs/clock.md); all other settings are in ``kswifi.settings``."""

    clock_jump_seconds: Annotated[
        int,
        Field(
            ge=0,
            le=86_400,
            description="A larger jump of the machine's clock is not believed until it is confirmed; 0: any is.",
        ),
    ] = 300
    clock_off_days: Annotated[
        int,
        Field(ge=1, le=3_650, description="For so long the machine may be switched off without a confirmation."),
    ] = 35
    time_server: Annotated[
        str | None,
        Field(
            max_length=253,
            pattern=r"^[A-Za-z0-9]([A-Za-z0-9.-]*[A-Za-z0-9])?(:[0-9]{1,5})?$",
            description="NTP server that confirms a jump if it agrees with the clock for 10 minutes; host[:port].",
        ),
    ] = None
