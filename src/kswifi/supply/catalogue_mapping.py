"""Choose the bundle of each offer from a provider's catalogue. Pure."""

from collections.abc import Iterable
from functools import partial

from kswifi.catalogue.model import Offer
from kswifi.supply.ports import Bundle, Capabilities, Delivery, StartsAt
from kswifi.supply.records import Mapping

_STARTS_TOO_EARLY = (StartsAt.ORDER, StartsAt.INSTALL)


def best_mappings(
    provider: str,
    capabilities: Capabilities,
    offers: Iterable[Offer],
    bundles: Iterable[Bundle],
    country: str,
    fair_use_octets: int | None = None,
) -> list[Mapping]:
    """Return the cheapest fitting bundle of each offer: one for a profile, one for each network of own lines.

    A bundle for a profile holds the whole allowance, in the country. Onto a line that a person has, smaller bundles
    are loaded as portions. An undrawn session keeps the offer's days; once bought, the bundle's days hold. A free
    offer never gets a bundle whose days begin with the order or the installation: phones here attach at once, and
    the days of a person who waits would run out unused.

    An uncapped offer is served by several bundles up to the fair use of a pass: a session has one of them on a
    profile, and draws portions on a person's line. Without a fair use it has no bundle.
    """
    onto_line = capabilities.delivers is Delivery.ONTO_LINE
    found: list[Mapping] = []
    for offer in offers:
        allowance = offer.allowance_octets or fair_use_octets
        if allowance is None:
            continue
        fitting = [it for it in bundles if _fits(it, offer, allowance, capabilities, country)]
        for network in sorted({it.network or "" for it in fitting}) if onto_line else [""]:
            mine = [it for it in fitting if not onto_line or (it.network or "") == network]
            best = min(mine, key=partial(_cost, allowance_octets=allowance), default=None)
            if best is not None and best.octets is not None:
                found.append(
                    Mapping(offer.id, provider, network, best.bundle_id, best.octets, best.days, best.price)
                )
    return found


def _fits(bundle: Bundle, offer: Offer, allowance: int, capabilities: Capabilities, country: str) -> bool:
    if bundle.octets is None or bundle.unlimited or bundle.top_up_only:
        return False
    if country not in bundle.countries:
        return False
    if capabilities.delivers is Delivery.ONTO_LINE:
        return bundle.octets <= allowance
    starts_at = bundle.starts_at or capabilities.starts_at
    if offer.free and starts_at in _STARTS_TOO_EARLY:
        return False
    return bundle.octets <= allowance if offer.allowance_octets is None else bundle.octets >= allowance


def _cost(bundle: Bundle, allowance_octets: int) -> tuple[int, int]:
    """Return the price of all bundles that cover the allowance, then their number."""
    octets = bundle.octets or 1
    number = -(-allowance_octets // octets)
    return bundle.price.amount_minor * number, number
