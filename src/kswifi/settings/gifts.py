"""The settings of gifts: who may give, and how much one account receives."""

from datetime import timedelta
from typing import Annotated

from pydantic import Field
from pydantic_settings import BaseSettings

from kswifi.kernel.quantities import GIGABYTE
from kswifi.people.rules import GiftRules


class GiftSettings(BaseSettings):
    """Settings of gifts; all other settings are in ``kswifi.settings``."""

    gifts: Annotated[bool, Field(description="Whether people may give octets to other accounts.")] = True
    gift_giver_verified: Annotated[
        bool | None,
        Field(
            description="Whether a giver needs a verified phone number. If not set: yes, but in embedded mode no."
        ),
    ] = None
    gift_giver_days: Annotated[
        int | None,
        Field(ge=0, le=366, description="Days a giver's account must exist. If not set: 7, in embedded mode 0."),
    ] = None
    gift_open_at_once: Annotated[int, Field(ge=1, le=1000, description="Open gifts of one giver.")] = 10
    gift_receiver_octets: Annotated[
        int, Field(ge=0, le=10**15, description="Octets one account receives as gifts in gift_receiver_days.")
    ] = GIGABYTE
    gift_receiver_givers: Annotated[
        int, Field(ge=1, le=1000, description="Accounts from which one account receives gifts in those days.")
    ] = 2
    gift_receiver_days: Annotated[int, Field(ge=1, le=366, description="The days of these two limits.")] = 30
    gift_hours: Annotated[
        int, Field(ge=1, le=720, description="Hours after which a gift goes back that nobody claimed or stored.")
    ] = 48

    def gift_rules(self, *, embedded: bool) -> GiftRules:
        """Return the rules of gifts; two defaults depend on whether the server runs in embedded mode."""
        verified, days = self.gift_giver_verified, self.gift_giver_days
        return GiftRules(
            enabled=self.gifts,
            giver_verified=not embedded if verified is None else verified,
            giver_age=timedelta(days=(0 if embedded else 7) if days is None else days),
            open_at_once=self.gift_open_at_once,
            receiver_octets=self.gift_receiver_octets,
            receiver_givers=self.gift_receiver_givers,
            receiver_period=timedelta(days=self.gift_receiver_days),
            claim_period=timedelta(hours=self.gift_hours),
        )
