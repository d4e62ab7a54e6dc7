"""The settings of limits that people set on their lines."""

from datetime import timedelta
from typing import Annotated

from pydantic import Field
from pydantic_settings import BaseSettings

from kswifi.people.rules import LimitRules


class LineLimitSettings(BaseSettings):
    """Settings of pauses with an end and of day limits; all other settings are in ``kswifi.settings``."""

    line_limits: Annotated[
        bool, Field(description="Whether people may limit the days of a line, and pause it until an instant.")
    ] = True
    line_limit_least_octets: Annotated[
        int, Field(ge=1_000, le=10**12, description="The smallest limit of a day.")
    ] = 10_000_000
    line_pause_hours: Annotated[int, Field(ge=1, le=8_784, description="The longest pause with an end.")] = 744

    def limit_rules(self, *, control_only_access: bool) -> LimitRules:
        """Return the rules of limits; ``control_only_access``: the network gives it to a stopped line."""
        return LimitRules(
            enabled=self.line_limits,
            control_only_access=control_only_access,
            least_octets=self.line_limit_least_octets,
            longest_pause=timedelta(hours=self.line_pause_hours),
        )
