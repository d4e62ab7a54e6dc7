"""Passes through data providers: what the fair use of one costs in bundles, and whether it may be sold. Pure."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from kswifi.catalogue.model import Offer
from kswifi.kernel.quantities import format_naira
from kswifi.supply.exchange import ExchangeRates
from kswifi.supply.records import Mapping

_WHOLE: Final = 10_000


@dataclass(frozen=True, slots=True)
class PassEconomics:
    """The rules of passes in resold mode.

    Attributes:
        fair_use_octets: what one pass gives at most; None: not set, and no pass is sold.
        fee_basis_points: the part of a payment that the payment gateway keeps, in hundredths of a per cent.
        sells_at_a_loss: whether passes are sold although their fair use costs more than they bring.
    """

    fair_use_octets: int | None
    fee_basis_points: int = 0
    sells_at_a_loss: bool = False


@dataclass(frozen=True, slots=True)
class SaleCost:
    """What one sale of an offer brings and costs through one mapping, wholly used; amounts are kobo.

    ``cost_kobo`` and ``margin_kobo`` are None without an exchange rate.
    """

    offer_id: str
    provider: str
    network: str
    bundle_id: str
    bundles: int
    octets: int
    income_kobo: int
    cost_kobo: int | None
    margin_kobo: int | None


def sale_cost(offer: Offer, mapping: Mapping, rates: ExchangeRates, economics: PassEconomics) -> SaleCost:
    """Return what a sale brings and costs: the price less the fee, and bundles for the allowance or the fair use.

    Prices are converted at the rate of the day with its margin.
    """
    octets = offer.allowance_octets or economics.fair_use_octets or mapping.bundle_octets
    bundles = max(1, -(-octets // mapping.bundle_octets))
    income = offer.price_kobo - -(-offer.price_kobo * economics.fee_basis_points // _WHOLE)
    bundle_kobo = rates.kobo(mapping.price)
    cost = None if bundle_kobo is None else bundle_kobo * bundles
    return SaleCost(
        offer_id=offer.id,
        provider=mapping.provider,
        network=mapping.network,
        bundle_id=mapping.bundle_id,
        bundles=bundles,
        octets=octets,
        income_kobo=income,
        cost_kobo=cost,
        margin_kobo=None if cost is None else income - cost,
    )


def pass_obstacle(
    offers: Iterable[Offer], mappings: Iterable[Mapping], rates: ExchangeRates, economics: PassEconomics
) -> str | None:
    """Return why no pass may be sold now; None if passes may be sold.

    The dearest mapping of an offer counts: nobody knows before the sale on which network it is used.
    """
    if economics.fair_use_octets is None:
        return "a pass through data providers needs a limit (KSWIFI_PASS_FAIR_USE_OCTETS)"
    mapped = list(mappings)
    for offer in offers:
        if offer.free:
            continue
        mine = [it for it in mapped if it.offer_id == offer.id]
        if not any(it.in_stock for it in mine):
            return "no data provider delivers a pass at present"
        costs = [sale_cost(offer, it, rates, economics) for it in mine]
        worst = min((it.margin_kobo for it in costs if it.margin_kobo is not None), default=None)
        if worst is None or any(it.margin_kobo is None for it in costs):
            return "the cost of a pass is not known: an exchange rate is missing"
        if worst < 0 and not economics.sells_at_a_loss:
            return f"a pass that is wholly used costs {format_naira(-worst)} more than it brings"
    return None
