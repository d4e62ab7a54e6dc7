"""What is looked at regularly: the catalogue (mapping and stock) and the balance at each provider."""

import asyncio
from collections.abc import Callable, Sequence
from contextlib import suppress
from datetime import datetime, timedelta
from typing import Final

import structlog
from sqlalchemy import Connection

from kswifi.catalogue.model import Offer
from kswifi.supply import store
from kswifi.supply.catalogue_mapping import best_mappings
from kswifi.supply.context import Supply
from kswifi.supply.model import Money
from kswifi.supply.ports import Bundle

_log = structlog.get_logger(__name__)

CATALOGUE_LIFE: Final = timedelta(hours=6)
BALANCE_LIFE: Final = timedelta(minutes=10)
RETRY: Final = timedelta(seconds=2)
LONGEST_RETRY: Final = timedelta(minutes=5)


class Upkeep:
    """Keeps mappings, stock and balances up to date.

    Args:
        supply: the providers.
        offers: returns the operator's offers.
        country: where the offers shall work, as ISO 3166-1 alpha-2 code.
        fair_use_octets: what one pass gives at most.
    """

    def __init__(
        self,
        supply: Supply,
        offers: Callable[[], Sequence[Offer]],
        country: str = "NG",
        fair_use_octets: int | None = None,
    ) -> None:
        self._supply = supply
        self._offers = offers
        self._country = country
        self._fair_use_octets = fair_use_octets
        self.balances: dict[str, Money] = {}
        """The newest balance at each provider that answered."""
        self._next_catalogue: dict[str, datetime] = {}
        self._next_balance: dict[str, datetime] = {}
        self._stopping = asyncio.Event()

    async def run(self) -> None:
        """Read what is due until ``stop``."""
        while not self._stopping.is_set():
            await self.look()
            with suppress(TimeoutError):
                await asyncio.wait_for(self._stopping.wait(), RETRY.total_seconds())

    def stop(self) -> None:
        """Make ``run`` return."""
        self._stopping.set()

    async def look(self) -> int:
        """Read what is due; return how many calls that took."""
        now, calls = self._supply.database.clock.now(), 0
        for name, provider in self._supply.providers.items():
            if now >= self._next_catalogue.get(name, now):
                calls += 1
                bundles = await provider.catalogue()
                known = isinstance(bundles, tuple)
                self._next_catalogue[name] = now + (
                    CATALOGUE_LIFE if known else LONGEST_RETRY if name in self.balances else RETRY
                )
                if isinstance(bundles, tuple):
                    await self.map_offers(name, bundles)
                else:
                    _log.warning("catalogue_not_read", provider=name, words=bundles.words)
            if now >= self._next_balance.get(name, now):
                calls += 1
                balance = await provider.balance()
                self._next_balance[name] = now + (
                    BALANCE_LIFE
                    if isinstance(balance, Money)
                    else LONGEST_RETRY
                    if name in self.balances
                    else RETRY
                )
                if isinstance(balance, Money):
                    self.balances[name] = balance
        return calls

    async def map_offers(self, name: str, bundles: tuple[Bundle, ...]) -> None:
        """Map offers that have no bundle yet, and refresh price and stock of those that have one."""
        provider = self._supply.providers[name]
        best = best_mappings(
            name, provider.capabilities, self._offers(), bundles, self._country, self._fair_use_octets
        )
        by_id = {bundle.bundle_id: bundle for bundle in bundles}

        def change(connection: Connection) -> None:
            known = {(it.offer_id, it.network): it for it in store.mappings(connection)}
            for mapping in best:
                if (mapping.offer_id, mapping.network) not in known:
                    store.put_mapping(connection, mapping)
            for mapping in known.values():
                if mapping.provider == name:
                    store.refresh_mapping(connection, mapping, by_id.get(mapping.bundle_id))

        await self._supply.database.write(change)

    def catalogue_changed(self, name: str) -> None:
        """Read the catalogue of a provider at the next look: its webhook reported a change."""
        self._next_catalogue.pop(name, None)
