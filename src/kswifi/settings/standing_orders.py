"""The settings of standing orders: how early the next session is ordered, and when one pauses by itself."""

from datetime import timedelta
from typing import Annotated

from pydantic import Field
from pydantic_settings import BaseSettings

from kswifi.people.rules import StandingOrderRules


class StandingOrderSettings(BaseSettings):
    """Settings of standing orders; all other settings are in ``kswifi.settings``."""

    standing_orders: Annotated[bool, Field(description="Whether people may have standing orders.")] = True
    standing_order_percent: Annotated[
        int,
        Field(
            ge=1, le=99, description="The most of a session that may be left when the next one is ordered, in %."
        ),
    ] = 50
    standing_order_days: Annotated[
        int, Field(ge=1, le=30, description="Days before a session's end at which the next one may be ordered.")
    ] = 7
    standing_order_ignored: Annotated[
        int, Field(ge=1, le=100, description="Due dates ignored in a row after which a standing order is paused.")
    ] = 3
    standing_order_hours: Annotated[
        int, Field(ge=1, le=720, description="Hours after which a due date that nobody carried out was ignored.")
    ] = 24

    def standing_order_rules(self) -> StandingOrderRules:
        """Return the rules of standing orders."""
        return StandingOrderRules(
            enabled=self.standing_orders,
            largest_percent=self.standing_order_percent,
            largest_days=self.standing_order_days,
            ignored_limit=self.standing_order_ignored,
            ignored_after=timedelta(hours=self.standing_order_hours),
        )
