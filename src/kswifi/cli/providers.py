"""`kswifi providers ...`: check data providers, list what they sell with its price in naira, and rehearse them."""

import json
from dataclasses import asdict
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer

from kswifi.cli.running import run_async
from kswifi.kernel.errors import Refusal

if TYPE_CHECKING:
    from kswifi.settings import Settings
    from kswifi.supply.model import Money
    from kswifi.supply.ports import Bundle, DataProvider

providers_app = typer.Typer(
    help="Data providers: credentials, catalogue, balance, rehearsal.", no_args_is_help=True
)

AsJson = Annotated[bool, typer.Option("--json", help="Print one JSON object on one line.")]
Name = Annotated[str | None, typer.Argument(help="A provider of KSWIFI_DATA_PROVIDERS; all if not given.")]

NO_PROVIDER = Refusal("no_data_provider", "The provider is not configured.")
PROVIDER_SILENT = Refusal("data_provider_silent", "The provider refused the call or did not answer.")
NO_USSD = Refusal("no_ussd", "There is no USSD code to dial.")
NO_REHEARSAL = Refusal("no_rehearsal", "There is no rehearsal of this provider.")
_NONE_CONFIGURED: Final = "No data provider is configured: set KSWIFI_DATA_PROVIDERS (docs/reselling.md)."


@providers_app.command("check")
def check(as_json: AsJson = False) -> None:
    """Show each provider, whether it accepts our credentials, and its unconfirmed details; exit status 1 if not."""
    from kswifi.settings import load_settings

    settings = load_settings()
    found = run_async(_checked(settings))
    if as_json:
        print(json.dumps({"providers": found}))
    else:
        _show_checked(found, settings)
    if any(it["wrong"] for it in found):
        raise SystemExit(1)


@providers_app.command("balance")
def balance(name: Name = None, as_json: AsJson = False) -> None:
    """Show the prepaid balance at each provider, and what it is in naira."""
    from kswifi.settings import load_settings

    settings = load_settings()
    rates = settings.exchange_rates()
    found = {}
    for one in provider_names(settings, name):
        amount = run_async(ask_provider(settings, one, lambda it: it.balance()))
        found[one] = {**asdict(amount), "kobo": rates.kobo(amount)}
        if not as_json:
            print(f"{one:<12} {format_money(amount)}{_in_naira(rates.kobo(amount), amount.currency)}")
    if as_json:
        print(json.dumps(found))
    elif not found:
        print(_NONE_CONFIGURED)


@providers_app.command("catalogue")
def catalogue(
    name: Name = None,
    country: Annotated[str | None, typer.Option(help="Only bundles for this country: NG.")] = None,
    network: Annotated[str | None, typer.Option(help="Only bundles for this network: mtn.")] = None,
    as_json: AsJson = False,
) -> None:
    """List what providers sell, the cheapest gigabyte first: price, naira for 10^9 octets, days."""
    from kswifi.settings import load_settings

    settings = load_settings()
    rows = []
    for one in provider_names(settings, name):
        bundles = run_async(ask_provider(settings, one, lambda it: it.catalogue()))
        rows += [
            _row(settings, one, it)
            for it in bundles
            if (country is None or country.upper() in it.countries) and (network is None or it.network == network)
        ]
    rows.sort(key=lambda it: (it["kobo_per_gb"] is None, it["kobo_per_gb"] or 0, it["provider"], it["bundle_id"]))
    if as_json:
        print(json.dumps({"bundles": rows, "fx_rates_on": _day(settings)}))
        return
    if not settings.data_providers:
        print(_NONE_CONFIGURED)
        return
    _show_rows(rows)
    _show_rates(settings, rows)


@providers_app.command("rehearse")
def rehearse(
    name: Annotated[str, typer.Argument(help="The provider whose API it has: vtpass, esim_go or esim_access.")],
    port: Annotated[int, typer.Option(min=0, max=65535, help="Where it listens, on this machine alone.")] = 8087,
    key: Annotated[str, typer.Option(help="The key that the server shows it.")] = "rehearsal-key-0001",
    webhook: Annotated[str | None, typer.Option(help="Where it sends webhooks; none if not given.")] = None,
    file: Annotated[Path | None, typer.Option(help="Where it keeps its book; else in memory.")] = None,
) -> None:
    """Serve a provider that answers as the real one does, until Ctrl-C. No money moves, no data is delivered."""
    from kswifi.lab.process import stop_on_signals
    from kswifi.lab.rehearsal.providers.server import FACES, ProviderConfig, serving_provider

    if name not in FACES:
        raise NO_REHEARSAL(f"there is no rehearsal of {name!r}: choose {', '.join(FACES)}")

    async def work() -> None:
        stop = stop_on_signals()
        config = ProviderConfig(face=name, key=key, webhook_url=webhook, file=file, port=port)
        async with serving_provider(config) as running:
            lines = [f"KSWIFI_DATA_PROVIDERS={name}", f"KSWIFI_{name.upper()}_URL={running.url}"]
            lines += [f"KSWIFI_{name.upper()}_SANDBOX=true", f"KSWIFI_{name.upper()}_API_KEY={key}"]
            if name == "vtpass":
                lines += [f"KSWIFI_VTPASS_{it.upper()}_KEY={key}-{it}-key" for it in ("public", "secret")]
            print(f"REHEARSAL of {name}: no money moves, no data is delivered. Use it with", flush=True)
            print("".join(f"  {it}\n" for it in lines) + "Stop with Ctrl-C.", flush=True)
            await stop.wait()

    run_async(work())


@providers_app.command("dial")
def dial(
    number: Annotated[str, typer.Argument(help="Who dials, in E.164: +2348031234567.")],
    answers: Annotated[list[str] | None, typer.Option("--answer", help="An input; give it again for more.")] = None,
    network_code: Annotated[
        str, typer.Option(help="Africa's Talking's code of the network; 62130: MTN.")
    ] = "62130",
    url: Annotated[str | None, typer.Option(help="The callback; that of this server if not given.")] = None,
) -> None:
    """Dial the operator's USSD code through a rehearsal of the aggregator; `--answer 1` sends a portion."""
    from kswifi.bootstrap.parts.supply import ussd_rules
    from kswifi.data_directory.layout import installation_of
    from kswifi.esim.lines.vault import SubscriberVault
    from kswifi.lab.rehearsal import ussd
    from kswifi.settings import load_settings

    settings = load_settings()
    key = installation_of(settings).subscriber_key
    rules = ussd_rules(settings, SubscriberVault(key.read_bytes())) if key.is_file() else None
    if rules is None:
        raise NO_USSD("set KSWIFI_USSD_SERVICE_CODE, and start the server once")
    address = url or f"{settings.origin}/webhooks/ussd/{rules.secret_path}"
    print(f"callback: {address}")
    for screen in ussd.dial(address, number, rules.service_code, answers or [], network_code):
        print(screen)


def provider_names(settings: "Settings", name: str | None) -> tuple[str, ...]:
    """Return the named provider, or all that are configured.

    Raises:
        NO_PROVIDER: it is not configured.
    """
    if name is None:
        return settings.data_providers
    if name not in settings.data_providers:
        raise NO_PROVIDER(f"{name} is not in KSWIFI_DATA_PROVIDERS")
    return (name,)


def _open(settings: "Settings", name: str) -> "DataProvider":
    from kswifi.kernel.clock import SystemClock
    from kswifi.providers.data.registry import open_provider

    return open_provider(name, settings.provider_options(name), SystemClock())


async def ask_provider(settings: "Settings", name: str, call: Any) -> Any:
    """Make one call to a provider and return its answer.

    Raises:
        PROVIDER_SILENT: it refused, or did not answer.
    """
    from kswifi.supply.ports import Refused, Unknown

    provider = _open(settings, name)
    try:
        found = await call(provider)
    finally:
        await provider.close()
    if isinstance(found, (Refused, Unknown)):
        raise PROVIDER_SILENT(f"{name}: {found.words}")
    return found


async def _checked(settings: "Settings") -> list[dict[str, Any]]:
    from kswifi.providers.data.registry import unconfirmed_details

    found = []
    for name in settings.data_providers:
        provider = _open(settings, name)
        try:
            wrong = await provider.probe()
        finally:
            await provider.close()
        found.append(
            {
                "provider": name,
                "money_moves": not provider.sandbox,
                "works": wrong is None,
                "wrong": wrong,
                "capabilities": asdict(provider.capabilities),
                "unconfirmed": list(unconfirmed_details(name)),
            }
        )
    return found


def _show_checked(found: list[dict[str, Any]], settings: "Settings") -> None:
    if not found:
        print(_NONE_CONFIGURED)
    for one in found:
        can = one["capabilities"]
        lag = can["usage_lag_seconds"]
        print(f"{one['provider']}  ({'LIVE: money moves' if one['money_moves'] else 'SANDBOX: no money moves'})")
        print(f"  works        {'yes' if one['works'] else 'NO: ' + str(one['wrong'])}")
        print(f"  delivers     {can['delivers'].replace('_', ' ')}; the days start at {can['starts_at']}")
        print(f"  usage        {'not reported' if lag is None else f'up to {lag // 60} minutes old'}")
        print(f"  switch off   {can['suspension']};  a second bundle: {can['stacking']}")
        print(f"  refunds      {'unused bundles' if can['cancels_unused'] else 'none'}")
        for words in one["unconfirmed"]:
            print(f"  unconfirmed  {words}")
    rates = settings.exchange_rates()
    if rates.is_old(datetime.now(settings.zone).date()):
        print(f"KSWIFI_FX_RATES are of {rates.dated}: set today's, and KSWIFI_FX_RATES_ON")


def _row(settings: "Settings", provider: str, bundle: "Bundle") -> dict[str, Any]:
    from kswifi.supply.exchange import kobo_per_gigabyte

    kobo = settings.exchange_rates().kobo(bundle.price)
    priced = kobo is not None and bundle.octets
    return {
        "provider": provider,
        "bundle_id": bundle.bundle_id,
        "name": bundle.name,
        "countries": list(bundle.countries),
        "network": bundle.network,
        "octets": bundle.octets,
        "unlimited": bundle.unlimited,
        "days": bundle.days,
        "starts_at": bundle.starts_at,
        "price_minor": bundle.price.amount_minor,
        "currency": bundle.price.currency,
        "kobo": kobo,
        "kobo_per_gb": kobo_per_gigabyte(kobo, bundle.octets) if priced and kobo and bundle.octets else None,
        "top_up_only": bundle.top_up_only,
    }


def _show_rows(rows: list[dict[str, Any]]) -> None:
    from kswifi.kernel.quantities import format_naira, format_octets
    from kswifi.supply.model import Money

    print(f"{'per GB':>12} {'price':>14} {'size':>10} {'days':>5}  bundle")
    for it in rows:
        size = "no limit" if it["unlimited"] else "?" if it["octets"] is None else format_octets(it["octets"])
        per_gb = "-" if it["kobo_per_gb"] is None else format_naira(it["kobo_per_gb"])
        price = format_money(Money(it["price_minor"], it["currency"]))
        days = "?" if it["days"] is None else it["days"]
        print(f"{per_gb:>12} {price:>14} {size:>10} {days:>5}  {it['provider']} {it['bundle_id']}  {it['name']}")


def _show_rates(settings: "Settings", rows: list[dict[str, Any]]) -> None:
    rates = settings.exchange_rates()
    missing = sorted({it["currency"] for it in rows if it["kobo"] is None})
    for currency in missing:
        print(f"No rate for {currency}: set KSWIFI_FX_RATES={currency}=... and KSWIFI_FX_RATES_ON")
    if rates.rates:
        print(f"Rates of {rates.dated}, with {rates.margin_percent} % margin.")
    if rates.is_old(datetime.now(settings.zone).date()):
        print("These rates are more than a day old.")


def _day(settings: "Settings") -> str | None:
    dated = settings.exchange_rates().dated
    return None if dated is None else dated.isoformat()


def format_money(amount: "Money") -> str:
    """Return an amount with its currency."""
    from kswifi.kernel.quantities import format_naira

    if amount.currency == "NGN":
        return format_naira(amount.amount_minor)
    return f"{amount.currency} {amount.amount_minor // 100:,}.{amount.amount_minor % 100:02d}"


def _in_naira(kobo: int | None, currency: str) -> str:
    from kswifi.kernel.quantities import format_naira

    return "" if kobo is None or currency == "NGN" else f"  ({format_naira(kobo)} with the margin)"
