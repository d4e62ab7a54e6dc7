"""The settings of fraud: how many accounts with one mark are held for review."""

from datetime import timedelta
from typing import Annotated, Final

from pydantic import Field
from pydantic_settings import BaseSettings

from kswifi.desk.fraud.model import Link, VelocityRule

_DAY: Final = timedelta(days=1)
_WEEK: Final = timedelta(days=7)


class FraudSettings(BaseSettings):
    """Settings of fraud; all other settings are in ``kswifi.settings``."""

    fraud_holds: Annotated[
        bool | None,
        Field(
            description="Whether the server holds free data of accounts that meet a rule, until staff has reviewed "
            "them. If not set: yes, but in embedded mode no."
        ),
    ] = None
    fraud_device_accounts: Annotated[
        int, Field(ge=3, le=10_000, description="So many accounts on one device in 24 hours are held.")
    ] = 5
    fraud_card_accounts: Annotated[
        int, Field(ge=3, le=10_000, description="So many accounts with one eUICC in 7 days are held.")
    ] = 4
    fraud_payment_accounts: Annotated[
        int, Field(ge=3, le=10_000, description="So many accounts paid by one instrument in 24 hours are held.")
    ] = 5
    fraud_series_accounts: Annotated[
        int,
        Field(
            ge=10,
            le=10_000,
            description="So many accounts of one block of 100 phone numbers with a first free order in 24 hours "
            "are held.",
        ),
    ] = 20

    def velocity_rules(self, *, real_octets: bool) -> tuple[VelocityRule, ...]:
        """Return the rules by which accounts are held; none if nobody is held automatically.

        ``real_octets``: the default, if the operator has not chosen.
        """
        if not (real_octets if self.fraud_holds is None else self.fraud_holds):
            return ()
        return (
            VelocityRule(Link.DEVICE, self.fraud_device_accounts, _DAY),
            VelocityRule(Link.CARD, self.fraud_card_accounts, _WEEK),
            VelocityRule(Link.PAYMENT, self.fraud_payment_accounts, _DAY),
            VelocityRule(Link.SERIES, self.fraud_series_accounts, _DAY),
        )
