"""What all work with providers shares."""

from collections.abc import Mapping
from dataclasses import dataclass

from kswifi.database.engine import Database
from kswifi.esim.lines.vault import SubscriberVault
from kswifi.supply.exchange import ExchangeRates
from kswifi.supply.ports import DataProvider


@dataclass(frozen=True, slots=True)
class Supply:
    """The providers of this installation, by their names, with the operator's exchange rates."""

    database: Database
    vault: SubscriberVault
    providers: Mapping[str, DataProvider]
    rates: ExchangeRates
