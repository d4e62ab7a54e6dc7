"""The settings of the disk: what is kept free for the time when it is full."""

from typing import Annotated

from pydantic import Field
from pydantic_settings import BaseSettings


class DiskSettings(BaseSettings):
    """Settings of the disk (docs/limits.md); all other settings are in ``kswifi.settings``."""

    ballast_octets: Annotated[
        int,
        Field(
            ge=0,
            le=10**11,
            description="A file that is deleted when the disk is full, so that usage can still be booked; 0: none.",
        ),
    ] = 64_000_000
