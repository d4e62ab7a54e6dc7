"""The settings of the disk: what is kept free for the time when it is full, and checks for damage."""

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
    integrity_check_hours: Annotated[
        int,
        Field(
            ge=0,
            le=8_760,
            description="How often the ledger's files and the last backup are checked for damage; 0: never.",
        ),
    ] = 24
    integrity_octets_per_second: Annotated[
        int,
        Field(ge=0, le=10**10, description="How fast the check reads the ledger's files; 0: as fast as it can."),
    ] = 8_000_000
