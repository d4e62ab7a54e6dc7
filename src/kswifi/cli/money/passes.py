"""`kswifi plan --pass`: what a pass brings and costs through data providers, and whether it is sold."""

import asyncio
import json
from dataclasses import asdict
from typing import TYPE_CHECKING, Any, Final

from kswifi.kernel.quantities import format_naira, format_octets

if TYPE_CHECKING:
    from kswifi.catalogue.model import Offer
    from kswifi.supply.passes import SaleCost
    from kswifi.supply.records import Mapping

_USED_PERCENTS: Final = (100, 60, 30)


def plan_passes(*, as_json: bool) -> int:
    """Print the plan; return the exit status: 1 where no pass is sold."""
    found = asyncio.run(_planned())
    print(json.dumps(found) if as_json else _text(found))
    return 0 if found["obstacle"] is None else 1


def sale_costs(offers: "list[Offer]", mappings: "list[Mapping]") -> "list[SaleCost]":
    """Return what a sale of each mapped offer brings and costs, by the settings."""
    from kswifi.settings import load_settings
    from kswifi.supply.passes import sale_cost

    settings = load_settings()
    by_id = {offer.id: offer for offer in offers}
    rates, economics = settings.exchange_rates(), settings.pass_economics
    return [sale_cost(by_id[it.offer_id], it, rates, economics) for it in mappings if it.offer_id in by_id]


async def _planned() -> dict[str, Any]:
    from kswifi.catalogue.service import Catalogue
    from kswifi.cli.money.budget import open_control_database
    from kswifi.settings import load_settings
    from kswifi.supply import store
    from kswifi.supply.passes import pass_obstacle

    settings = load_settings()
    offers = [it for it in Catalogue.load(settings.offers_file).offers() if not it.free]
    async with open_control_database() as database:
        mappings = await database.read(store.mappings)
    economics = settings.pass_economics
    return {
        "fair_use_octets": economics.fair_use_octets,
        "fee_basis_points": economics.fee_basis_points,
        "obstacle": pass_obstacle(offers, mappings, settings.exchange_rates(), economics),
        "passes": [asdict(it) | {"rows": _rows(it)} for it in sale_costs(offers, mappings)],
    }


def _rows(sale: "SaleCost") -> list[dict[str, int]]:
    """Return the margin where only a part of the bundles is bought."""
    if sale.cost_kobo is None:
        return []
    each = sale.cost_kobo // sale.bundles
    bought = [(percent, -(-sale.bundles * percent // 100)) for percent in _USED_PERCENTS]
    return [
        {"used_percent": percent, "bundles": bundles, "margin_kobo": sale.income_kobo - bundles * each}
        for percent, bundles in bought
    ]


def _text(found: dict[str, Any]) -> str:
    limit = found["fair_use_octets"]
    lines = [f"fair use of a pass: {'not set' if limit is None else format_octets(limit)}"]
    for it in found["passes"]:
        lines.append(
            f"{it['offer_id']} through {it['provider']} {it['network'] or 'eSIM'}: brings "
            f"{format_naira(it['income_kobo'])} after the fee, {it['bundles']} x {it['bundle_id']}"
        )
        if it["cost_kobo"] is None:
            lines.append("  no exchange rate: KSWIFI_FX_RATES")
        for row in it["rows"]:
            margin = format_naira(row["margin_kobo"])
            lines.append(f"  {row['used_percent']:>3} % used: {row['bundles']:>4} bundles, margin {margin:>14}")
    lines.append("Passes are sold." if found["obstacle"] is None else f"NO PASS IS SOLD: {found['obstacle']}")
    return "\n".join(lines)
