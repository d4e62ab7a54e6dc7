"""How supply stands: what waits for a provider's confirmation, and what waits for a person."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection, Select, func, select

from kswifi.supply.orders import OrderState
from kswifi.supply.ports import ServiceStatus
from kswifi.supply.sql import provider_line, provider_order, supply_offer


@dataclass(frozen=True, slots=True)
class SupplyStanding:
    """The figures of one moment.

    Attributes:
        unconfirmed_since: when the oldest unconfirmed cut-off was wanted; None without one.
        pending_since: when the oldest order that is neither delivered nor refused was made; None without one.
        ambiguous: orders that several orders at the provider could be.
        suspended_by_policy: lines that a provider suspended by its own rules, against our wish.
        sold_out: mappings whose bundle is not in the provider's catalogue.
        dearest: the highest price of a mapped bundle, by provider and currency.
    """

    unconfirmed_since: datetime | None
    pending_since: datetime | None
    ambiguous: int
    suspended_by_policy: int
    sold_out: int
    dearest: Mapping[tuple[str, str], int]


def standing_of(connection: Connection) -> SupplyStanding:
    """Return how supply stands."""
    line, order, offer = provider_line.c, provider_order.c, supply_offer.c
    waits = (OrderState.INTENDED, OrderState.UNKNOWN, OrderState.PLACED)
    prices = select(offer.provider, offer.currency, func.max(offer.price_minor)).group_by(
        offer.provider, offer.currency
    )
    return SupplyStanding(
        unconfirmed_since=connection.scalar(
            select(line.wanted_since)
            .where(line.wants_on.is_(False), line.next_try_at.is_not(None))
            .order_by(line.wanted_since)
            .limit(1)
        ),
        pending_since=connection.scalar(
            select(order.created_at).where(order.state.in_(waits)).order_by(order.created_at).limit(1)
        ),
        ambiguous=_count(
            connection,
            select(func.count()).where(order.state == OrderState.UNKNOWN, order.next_look_at.is_(None)),
        ),
        suspended_by_policy=_count(
            connection,
            select(func.count()).where(line.wants_on.is_(True), line.observed == ServiceStatus.POLICY_OFF),
        ),
        sold_out=_count(connection, select(func.count()).where(offer.in_stock.is_(False))),
        dearest={(row[0], row[1]): int(row[2]) for row in connection.execute(prices)},
    )


def _count(connection: Connection, query: Select[int]) -> int:
    return int(connection.scalar(query) or 0)
