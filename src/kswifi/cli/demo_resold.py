"""`kswifi demo --mode resold`: a data provider delivers the session. Everything runs in a fresh directory."""

import json
import secrets
import shutil
import sqlite3
import sys
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit

import stamina
from rich.console import Console
from rich.table import Table

from kswifi.bootstrap.provider_rehearsal import network_environment
from kswifi.cli.demo import PORTS, address_of
from kswifi.cli.up import SUPPLY_REHEARSAL, Interrupted, System, interrupt_on_signals
from kswifi.data_directory.layout import Installation
from kswifi.kernel.errors import KswifiError
from kswifi.lab.demo.app import PhoneApp
from kswifi.lab.demo.resold import EsimRoad, ProviderControl, VendedRoad
from kswifi.lab.demo.road import Teller
from kswifi.lab.demo.telling import SilentTeller, TerminalTeller
from kswifi.lab.phone.modem import Modem
from kswifi.lab.phone.network import Network
from kswifi.lab.phone.servers import ProfileServers
from kswifi.lab.ports import free_ports
from kswifi.providers.data.registry import PROVIDERS, capabilities_of
from kswifi.settings import Settings
from kswifi.supply.ports import Delivery

_NETWORK_PORTS_APART: Final = 10
LINES: Final = {"esim": Delivery.PROFILE, "vended": Delivery.ONTO_LINE}
_DEFAULTS: Final = {"esim": ("esim_go", "free-1gb"), "vended": ("vtpass", "free-3gb")}
_SERVER_PORTS: Final = ("api", "metrics", "console", "rehearsal_provider")
_HOSTS: Final = ("HOST", "API_HOST", "RSP_HOST", "ES2_HOST", "DIAMETER_HOST", "METRICS_HOST")
_LOOPBACK: Final = {f"KSWIFI_{name}": "127.0.0.1" for name in _HOSTS}


def run_resold_demo(offer_id: str | None, *, line: str | None, provider: str | None, as_json: bool) -> int:
    """Run all steps; return the exit status: 0 only if every step succeeded."""
    line = line or ("esim" if provider is None else _line_of(provider))
    if line not in LINES:
        print("kswifi demo: --line is esim or vended", file=sys.stderr)
        return 2
    provider = provider or _DEFAULTS[line][0]
    if provider not in PROVIDERS or capabilities_of(provider).delivers is not LINES[line]:
        print(f"kswifi demo: {provider} does not deliver a line of the kind {line}", file=sys.stderr)
        return 2
    console = Console(quiet=as_json, highlight=False)
    teller: Teller = SilentTeller() if as_json else TerminalTeller(console)
    folder = Path(tempfile.mkdtemp(prefix="kswifi-demo-"))
    interrupt_on_signals()
    stamina.instrumentation.set_on_retry_hooks(())  # the teller reports retries
    identity = f"demo-{secrets.token_hex(4)}@example.ng", secrets.token_urlsafe(16)
    try:
        with (
            resold_system(folder, provider, line) as system,
            resold_phone(system, folder / "phone", teller) as road,
        ):
            console.print(
                f"[bold cyan]KSWiFi[/]: a session through {provider} (data in {folder})\n", soft_wrap=True
            )
            offer = offer_id or _DEFAULTS[line][1]
            if line == "esim":
                road.walk_line(offer, *identity)
            else:
                control = ProviderControl(str(system.children["provider"].ready["provider"]))
                VendedRoad(road.app, control, road, teller).walk_line(offer, *identity)
                control.close()
            facts = _facts(road, line, provider, Path(system.environment["KSWIFI_DATA_DIR"]))
    except KswifiError as error:
        print(f"kswifi demo: {error.message}", file=sys.stderr)
        return 1
    except Interrupted:
        print("kswifi demo: interrupted", file=sys.stderr)
        return 130
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    missing = failings(facts)
    if as_json:
        print(json.dumps(facts))
    else:
        console.print()
        console.print(_table(facts))
    for words in missing:
        print(f"kswifi demo: {words}", file=sys.stderr)
    return 1 if missing else 0


def rehearsal_of(settings: Settings) -> tuple[tuple[str, ...], Mapping[str, str]]:
    """Return the processes of the rehearsal for `kswifi up`, and the settings of the provider's network.

    The network needs ports of its own for the API and the metrics; the others belong to no other process here.
    """
    if capabilities_of(settings.rehearsal_provider).delivers is Delivery.ONTO_LINE:
        return ("server", "provider"), {}
    ports = {
        "KSWIFI_API_PORT": _next_to(settings.api_port),
        "KSWIFI_METRICS_PORT": _next_to(settings.metrics_port),
        "KSWIFI_CONSOLE_PORT": _next_to(settings.console_port),
    }
    folder = settings.data_dir.resolve() / "network"
    return SUPPLY_REHEARSAL, {**network_environment(folder, settings.rehearsal_provider), **ports}


def _next_to(port: int) -> str:
    return str(port + _NETWORK_PORTS_APART if port else 0)


def failings(facts: dict[str, Any]) -> list[str]:
    """Return the failed checks in words; an empty list if the run succeeded."""
    most_overrun = facts["bundle_octets"] - facts["allowance_octets"]
    checks = {
        "the session is not used up": facts["state"] == "exhausted",
        "the delivered octets are not those of the bundles": facts["delivered_octets"] == facts["bundle_octets"],
        "the reported octets are not the delivered ones": facts["reported_octets"] == facts["delivered_octets"],
        "more was used than the bundles hold": 0 <= facts["overrun_octets"] <= most_overrun,
        "no bundle was bought": facts["bundles_bought"] > 0,
        "the provider did not confirm the cut-off": facts["cut_off_confirmed"],
        "the purchase is not in the books": facts["cost_minor"] > 0 and facts["cost_kobo"] > 0,
        "the books do not sum to zero": facts["books_sum"] == 0,
    }
    return [words for words, holds in checks.items() if not holds]


def _line_of(provider: str) -> str:
    if provider not in PROVIDERS:
        return "esim"
    delivers = capabilities_of(provider).delivers
    return next(name for name, kind in LINES.items() if kind is delivers)


@contextmanager
def resold_system(folder: Path, provider: str, line: str) -> Iterator[System]:
    """Yield the running processes on free ports, with their data in the folder; stop them afterwards."""
    ports = {f"KSWIFI_{name.upper()}_PORT": str(port) for name, port in free_ports(_SERVER_PORTS).items()}
    of_network = {f"KSWIFI_{name.upper()}_PORT": str(port) for name, port in free_ports(PORTS).items()}
    environment = {
        "KSWIFI_MODE": "resold",
        "KSWIFI_DATA_DIR": str(folder / "var"),
        "KSWIFI_REHEARSAL_PROVIDER": provider,
        "KSWIFI_DATA_PROVIDERS": "",
        **_LOOPBACK,
        **ports,
    }
    system = System(
        environment=environment,
        log_dir=folder / "var" / "log",
        names=SUPPLY_REHEARSAL if line == "esim" else ("server", "provider"),
        network_environment={**network_environment(folder / "network", provider), **of_network},
    )
    system.start()
    try:
        yield system
    finally:
        system.stop()


@contextmanager
def resold_phone(system: System, folder: Path, teller: Teller) -> Iterator[EsimRoad]:
    """Yield a phone with an empty eSIM that reaches the provider's network, where there is one."""
    app = PhoneApp(str(system.children["server"].ready["origin"]))
    lab, network_server = system.children.get("lab"), system.children.get("network")
    here = ("127.0.0.1", 0)
    attach = proxy = content = rsp = here
    pki_dir = None
    if lab is not None and network_server is not None:
        attach, proxy = address_of(lab.ready["attach"]), address_of(lab.ready["proxy"])
        content = address_of(urlsplit(lab.ready["content"]).netloc)
        rsp = address_of(str(network_server.ready["rsp"]))
        pki_dir = Installation(Path(system.network_environment["KSWIFI_DATA_DIR"])).pki_dir
    network = Network(folder, (attach, proxy))
    servers, modem = ProfileServers(pki_dir, rsp), Modem(network, attach)
    try:
        with servers.take_card(folder / "card") as card:
            yield EsimRoad(app, card, network, modem, servers, content, folder, teller)
    finally:
        modem.detach()
        app.close()


def _facts(road: EsimRoad, line: str, provider: str, data_dir: Path) -> dict[str, Any]:
    """Return the result: what the phone counted, what the provider reported, and what is in the books."""
    balance = road.walked.usage["balance"]
    portions = [it for it in road.delivered.portions["portions"] if it["delivered_at"] is not None]
    cost_minor, currency, cost_kobo, books_sum = _money(data_dir)
    return {
        "mode": "resold",
        "line": line,
        "provider": provider,
        "allowance_octets": road.walked.offer["allowance_octets"],
        "bundle_octets": sum(it["bundle_octets"] for it in portions),
        "delivered_octets": road.delivered.delivered_octets,
        "reported_octets": balance["used"] + balance["overrun"],
        "overrun_octets": balance["overrun"],
        "bundles_bought": len(portions),
        "pause_confirmed": road.delivered.paused_confirmed,
        "cut_off_confirmed": road.delivered.confirmed,
        "state": road.walked.final["state"],
        "stages": [{"name": stage.name, "seconds": round(stage.seconds, 3)} for stage in road.walked.stages],
        "cost_minor": cost_minor,
        "currency": currency,
        "cost_kobo": cost_kobo,
        "books_sum": books_sum,
    }


def _money(data_dir: Path) -> tuple[int, str, int, int]:
    """Return price and currency of what was bought, its cost in the books, and the sum of all their accounts."""
    database = sqlite3.connect(f"file:{Installation(data_dir).control_database}?mode=ro", uri=True)
    try:
        cost_minor, currency = database.execute(
            "SELECT sum(price_minor), max(currency) FROM provider_order WHERE booked_kobo > 0"
        ).fetchone()
        kobo = "SELECT coalesce(sum(amount_kobo), 0) FROM book_line"
        (cost_kobo,) = database.execute(f"{kobo} WHERE account = 'cost_of_data'").fetchone()
        (books_sum,) = database.execute(kobo).fetchone()
    finally:
        database.close()
    return int(cost_minor or 0), str(currency or ""), int(cost_kobo), int(books_sum)


def _table(facts: dict[str, Any]) -> Table:
    table = Table(title=f"A session through {facts['provider']}", title_style="bold cyan")
    table.add_column("")
    table.add_column("octets", justify="right")
    table.add_column("", style="dim")
    for name, octets, remark in (
        ("allowance", facts["allowance_octets"], "of the offer"),
        ("bundles", facts["bundle_octets"], f"{facts['bundles_bought']} bought"),
        ("delivered", facts["delivered_octets"], "counted by the phone, or loaded onto the line"),
        ("reported", facts["reported_octets"], "by the provider, late, in the ledger"),
        ("overrun", facts["overrun_octets"], "beyond the allowance, within the bundle"),
    ):
        table.add_row(name, f"{octets:,}", remark)
    table.add_section()
    table.add_row("cost", f"{facts['cost_minor'] / 100:,.2f} {facts['currency']}", "REHEARSAL: no money moved")
    table.add_row("state", str(facts["state"]), "cut-off confirmed" if facts["cut_off_confirmed"] else "")
    return table
