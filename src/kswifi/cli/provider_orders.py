"""`kswifi providers map | orders | reconcile | deposit`: which bundle serves which offer, and what was bought."""

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer

from kswifi.cli.providers import AsJson, ask_provider, format_money, provider_names
from kswifi.cli.running import run_async
from kswifi.kernel.errors import Refusal

if TYPE_CHECKING:
    from kswifi.database.engine import Database
    from kswifi.supply.ports import Bundle
    from kswifi.supply.records import Mapping, ProviderOrder

NOTHING_BOUGHT_HERE = Refusal("nothing_bought_here", "The data directory has no database.")
BUNDLE_UNFIT = Refusal("bundle_unfit", "The bundle cannot serve the offer.")
_SHOWN: Final = 200


def map_offer(
    offer: Annotated[str | None, typer.Option(help="The offer to map; all mappings are listed without it.")] = None,
    bundle: Annotated[str | None, typer.Option(help="The provider's bundle for it.")] = None,
    provider: Annotated[
        str | None, typer.Option(help="The provider; the first configured one if not given.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """List which bundle is bought for each offer, its price in naira and the margin of one sale; or set one."""
    if (offer is None) is not (bundle is None):
        raise SystemExit("kswifi: give --offer and --bundle together")
    found = run_async(_mapped(offer, bundle, provider))
    if as_json:
        print(json.dumps({"mappings": found}))
        return
    if not found:
        print(
            "No offer is mapped yet: the server maps the cheapest fitting bundles when it first reads a catalogue."
        )
    for it in found:
        stock = "" if it["in_stock"] else "  SOLD OUT"
        print(
            f"{it['offer_id']:<14} {it['network'] or '-':<10} {it['provider']} {it['bundle_id']}  "
            f"{it['bundle_octets']:,} octets, {it['price']}, margin {_naira(it['margin_kobo'])}{stock}"
        )


def orders(
    everything: Annotated[bool, typer.Option("--all", help="Also those that were delivered or refused.")] = False,
    as_json: AsJson = False,
) -> None:
    """List orders at providers: those whose result is open, or all; the newest first, 200 at most."""
    found = run_async(_orders(everything))
    if as_json:
        print(json.dumps({"orders": found}))
        return
    if not found:
        print("No order is open." if not everything else "Nothing was bought yet.")
    for it in found:
        print(
            f"{it['created_at']}  {it['state']:<10} {it['provider']} {it['bundle_id']}  {it['price']}  "
            f"{it['reference']}{'  ' + it['words'] if it['words'] else ''}"
        )


def reconcile(as_json: AsJson = False) -> None:
    """Compare the balance at each provider with the books; exit status 1 where a person has to look."""
    found = run_async(_reconciled())
    if as_json:
        print(json.dumps(found))
    else:
        print(f"prepaid in the books  {found['prepaid_kobo'] / 100:,.2f} naira")
        print(f"prepaid at providers  {found['at_providers_kobo'] / 100:,.2f} naira at the rate of the day")
        print(
            f"difference            {found['difference_kobo'] / 100:,.2f} naira (exchange, commissions, deposits)"
        )
        print(f"for a person: {found['ambiguous']} orders with candidates, {found['policy']} suspended lines")
    if found["ambiguous"] or found["policy"]:
        raise SystemExit(1)


def deposit(
    provider: Annotated[str, typer.Argument(help="The provider that was paid.")],
    paid_kobo: Annotated[int, typer.Option(min=1, help="What left your bank, in kobo.")],
    amount_minor: Annotated[int, typer.Option(min=1, help="What the provider credited, in cents or kobo.")],
    currency: Annotated[str, typer.Option(help="Of what it credited: USD, NGN.")],
    reference: Annotated[str, typer.Option(help="Your bank's reference: the same one is booked once.")],
) -> None:
    """Book money that you paid in at a provider; what the exchange cost goes to its own account."""
    kobo = run_async(_deposited(provider, paid_kobo, amount_minor, currency.upper(), reference))
    print(f"booked: {kobo / 100:,.2f} naira are prepaid at {provider} by {reference}")


def add_commands(app: typer.Typer) -> None:
    """Add these commands to `kswifi providers`."""
    for name, command in (("map", map_offer), ("orders", orders), ("reconcile", reconcile), ("deposit", deposit)):
        app.command(name)(command)


async def _mapped(offer: str | None, bundle: str | None, provider: str | None) -> list[dict[str, Any]]:
    from kswifi.catalogue.service import Catalogue
    from kswifi.cli.money.passes import sale_costs
    from kswifi.settings import load_settings
    from kswifi.supply import store

    settings = load_settings()
    if offer is not None and bundle is not None:
        names = provider_names(settings, provider)
        if not names:
            raise BUNDLE_UNFIT("no data provider is configured: set KSWIFI_DATA_PROVIDERS")
        bundles = await ask_provider(settings, names[0], lambda it: it.catalogue())
        mapping = _fitting(settings, names[0], offer, bundle, bundles)
        async with _opened() as database:
            await database.write(lambda connection: store.put_mapping(connection, mapping))
    async with _opened() as database:
        found = await database.read(store.mappings)
    offers = list(Catalogue.load(settings.offers_file).offers())
    margins = {(it.offer_id, it.network): it.margin_kobo for it in sale_costs(offers, found)}
    return [_shown_mapping(it) | {"margin_kobo": margins.get((it.offer_id, it.network))} for it in found]


def _fitting(
    settings: Any, provider: str, offer_id: str, bundle_id: str, bundles: "tuple[Bundle, ...]"
) -> "Mapping":
    from kswifi.catalogue.service import Catalogue
    from kswifi.providers.data.registry import capabilities_of
    from kswifi.supply.catalogue_mapping import best_mappings

    offer = Catalogue.load(settings.offers_file).offer(offer_id)
    chosen = [it for it in bundles if it.bundle_id == bundle_id]
    fair_use = settings.pass_fair_use_octets
    found = best_mappings(provider, capabilities_of(provider), [offer], chosen, "NG", fair_use)
    if not found:
        raise BUNDLE_UNFIT(
            f"{provider} has no bundle {bundle_id} that serves {offer_id}: it needs a stated volume, this country, "
            "and days that do not begin with the order or the installation of a free session"
        )
    return found[0]


def _naira(kobo: int | None) -> str:
    from kswifi.kernel.quantities import format_naira

    return "unknown" if kobo is None else format_naira(kobo)


async def _orders(everything: bool) -> list[dict[str, Any]]:
    from kswifi.supply import store
    from kswifi.supply.orders import OPEN_STATES, OrderState

    states = tuple(OrderState) if everything else OPEN_STATES
    async with _opened() as database:
        found = await database.read(lambda connection: store.list_orders(connection, states, _SHOWN))
    return [_shown_order(it) for it in found]


async def _reconciled() -> dict[str, Any]:
    from dataclasses import replace

    from kswifi.books.model import Account
    from kswifi.books.service import balances
    from kswifi.settings import load_settings
    from kswifi.supply.standing import standing_of

    settings = load_settings()
    rates = replace(settings.exchange_rates(), margin_percent=0)
    at_providers = 0
    for name in settings.data_providers:
        balance = await ask_provider(settings, name, lambda it: it.balance())
        at_providers += rates.kobo(balance) or 0
    async with _opened() as database:
        prepaid = (await database.read(balances))[Account.PREPAID_AT_PROVIDER]
        standing = await database.read(standing_of)
    return {
        "prepaid_kobo": prepaid,
        "at_providers_kobo": at_providers,
        "difference_kobo": at_providers - prepaid,
        "ambiguous": standing.ambiguous,
        "policy": standing.suspended_by_policy,
    }


async def _deposited(provider: str, paid_kobo: int, amount_minor: int, currency: str, reference: str) -> int:
    from sqlalchemy import Connection

    from kswifi.books.service import post
    from kswifi.database.engine import transaction_instant
    from kswifi.settings import load_settings
    from kswifi.supply.model import Money
    from kswifi.supply.money import cost_kobo, deposit_lines

    settings = load_settings()
    provider_names(settings, provider)
    worth = cost_kobo(settings.exchange_rates(), Money(amount_minor, currency))

    def book(connection: Connection) -> None:
        post(
            connection,
            reference=f"provider_deposit:{provider}:{reference}",
            kind="provider_paid",
            lines=deposit_lines(paid_kobo, worth),
            at=transaction_instant(connection),
        )

    async with _opened() as database:
        await database.write(book)
    return worth


def _shown_mapping(mapping: "Mapping") -> dict[str, Any]:
    return {
        "offer_id": mapping.offer_id,
        "provider": mapping.provider,
        "network": mapping.network,
        "bundle_id": mapping.bundle_id,
        "bundle_octets": mapping.bundle_octets,
        "days": mapping.days,
        "price_minor": mapping.price.amount_minor,
        "currency": mapping.price.currency,
        "price": format_money(mapping.price),
        "in_stock": mapping.in_stock,
    }


def _shown_order(order: "ProviderOrder") -> dict[str, Any]:
    return {
        "reference": order.reference,
        "session_id": order.session_id,
        "provider": order.provider,
        "bundle_id": order.bundle_id,
        "state": str(order.state),
        "words": order.words,
        "price": format_money(order.price),
        "price_minor": order.price.amount_minor,
        "currency": order.price.currency,
        "booked_kobo": order.booked_kobo,
        "created_at": order.created_at.isoformat(),
        "provider_ref": order.provider_ref,
    }


@asynccontextmanager
async def _opened() -> AsyncIterator["Database"]:
    from kswifi.data_directory.layout import installation_of
    from kswifi.database.engine import Database
    from kswifi.settings import load_settings

    installation = installation_of(load_settings())
    if not installation.has_database:
        raise NOTHING_BOUGHT_HERE(
            f"there is no {installation.control_database}: name the data directory by KSWIFI_DATA_DIR"
        )
    database = Database(installation.database_url)
    try:
        yield database
    finally:
        await database.close()
