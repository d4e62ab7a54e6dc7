"""The `kswifi` command, its top-level commands, and the printing of refusals."""

import os
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any, NoReturn

import typer

import kswifi
from kswifi.cli import provider_orders
from kswifi.cli.accounts import accounts_app
from kswifi.cli.backups import backup, restore
from kswifi.cli.bench import bench_app
from kswifi.cli.cdr import cdr_app
from kswifi.cli.clock import clock_app
from kswifi.cli.config import config, doctor
from kswifi.cli.copying import copy, restore_drill
from kswifi.cli.demo_clock import demo_clock
from kswifi.cli.desk.audit import audit_app
from kswifi.cli.desk.customers import customers_app
from kswifi.cli.desk.disputes import disputes_app
from kswifi.cli.desk.figures import figures_app
from kswifi.cli.desk.fraud import fraud_app
from kswifi.cli.desk.jobs import jobs_app
from kswifi.cli.desk.lines import lines_app
from kswifi.cli.desk.sessions import sessions_app
from kswifi.cli.desk.staff import staff_app
from kswifi.cli.inspect import ledger_app, package_app
from kswifi.cli.keys import keys_app
from kswifi.cli.lab import lab_app
from kswifi.cli.money.books import books_app
from kswifi.cli.money.budget import budget_app, plan
from kswifi.cli.money.payments import payments_app
from kswifi.cli.money.venues import venues_app
from kswifi.cli.money.vouchers import vouchers_app
from kswifi.cli.moving import move_app
from kswifi.cli.output import AsChild, end_of_input, ready, write_any_text
from kswifi.cli.providers import providers_app
from kswifi.cli.provisioning.card import card_app
from kswifi.cli.provisioning.delivery import delivery_app
from kswifi.cli.provisioning.operators import operators_app
from kswifi.cli.provisioning.pki import pki_app
from kswifi.cli.provisioning.profile import profile_app
from kswifi.cli.provisioning.rsp import euicc_app, lpa_app
from kswifi.cli.provisioning.subscribers import subscribers_app
from kswifi.cli.running import importing_many, run_async
from kswifi.cli.simulate import simulate
from kswifi.kernel.errors import KswifiError

app = typer.Typer(
    name="kswifi",
    help="Download an internet session over WiFi, store it on the eSIM, use it later like SIM data.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)
app.add_typer(package_app, name="package")
app.add_typer(keys_app, name="keys")
app.add_typer(pki_app, name="pki")
app.add_typer(operators_app, name="operators")
app.add_typer(delivery_app, name="delivery")
app.add_typer(bench_app, name="bench")
app.add_typer(card_app, name="card")
app.add_typer(ledger_app, name="ledger")
app.add_typer(cdr_app, name="cdr")
app.add_typer(clock_app, name="clock")
app.add_typer(books_app, name="books")
app.add_typer(move_app, name="move")
app.add_typer(budget_app, name="budget")
app.add_typer(vouchers_app, name="vouchers")
app.add_typer(venues_app, name="venues")
app.add_typer(accounts_app, name="accounts")
app.command()(plan)
app.add_typer(payments_app, name="payments")
provider_orders.add_commands(providers_app)
app.add_typer(providers_app, name="providers")
app.add_typer(euicc_app, name="euicc")
app.add_typer(lpa_app, name="lpa")
app.add_typer(profile_app, name="profile")
app.add_typer(subscribers_app, name="subscribers")
app.command()(backup)
app.command()(restore)
for desk_app, desk_name in (
    (customers_app, "customers"),
    (lines_app, "lines"),
    (sessions_app, "sessions"),
    (disputes_app, "disputes"),
    (fraud_app, "fraud"),
    (jobs_app, "jobs"),
    (figures_app, "figures"),
    (audit_app, "audit"),
    (staff_app, "staff"),
):
    app.add_typer(desk_app, name=desk_name)
app.command()(simulate)
app.add_typer(lab_app, name="lab")
app.command()(config)
app.command()(doctor)
app.command()(copy)
app.command("restore-drill")(restore_drill)


def main() -> None:
    """Run one command; print a refusal as one line on the error output, never as a traceback."""
    write_any_text()
    os.umask(0o077)  # all files that we make are for their owner only: keys, cards, logs with addresses
    with _refusals_in_one_line():
        app()


@app.command()
def version() -> None:
    """Print the version."""
    print(kswifi.__version__)


@app.command()
def up(
    lan: Annotated[
        bool,
        typer.Option("--lan", help="Also for phones in this network: the page by HTTPS, with a CA of its own."),
    ] = False,
) -> None:
    """Start the whole system on this machine until Ctrl-C: server and lab, or in own-core mode the server only."""
    from kswifi.cli.up import SERVER_ALONE, SERVER_AND_LAB, Interrupted, System, check_ports, interrupt_on_signals
    from kswifi.settings import load_settings

    environment = {}
    if lan:
        from kswifi.servers.lan import lan_address

        environment = {"KSWIFI_LAN_ADDRESS": os.environ.get("KSWIFI_LAN_ADDRESS") or str(lan_address())}
        os.environ.update(environment)
    settings = load_settings()
    check_ports(settings)
    names: tuple[str, ...] = SERVER_AND_LAB if settings.mode == "embedded" else SERVER_ALONE
    of_network: Mapping[str, str] = {}
    if settings.rehearses_supply:
        from kswifi.cli.demo_resold import rehearsal_of

        names, of_network = rehearsal_of(settings)
    system = System(
        environment=environment,
        log_dir=settings.data_dir / "log",
        names=names,
        network_environment=of_network,
    )
    print(f"KSWiFi {kswifi.__version__}: starting (data in {settings.data_dir.resolve()}) ...", flush=True)
    interrupt_on_signals()
    try:
        ready = system.start()
        _say_what_next(ready, settings.data_dir)
        system.watch(lambda words: print(words, flush=True))
    except Interrupted:
        print("\nStopping: what is under way is finished ...", flush=True)
    except RuntimeError as error:
        raise SystemExit(f"kswifi: {error}") from None
    finally:
        system.stop()
        print("Stopped. The next start carries on with what is there.", flush=True)


@app.command()
def serve(
    role: Annotated[str, typer.Option(help="all: the whole server; rsp: its SM-DP+ alone.")] = "all",
    host: Annotated[str | None, typer.Option(help="rsp: the address to listen on.")] = None,
    port: Annotated[int | None, typer.Option(help="rsp: the port of ES9+; 0 takes a free one.")] = None,
    pki: Annotated[Path | None, typer.Option(help="rsp: a folder of certificates laid out as SGP.26.")] = None,
    smdp_address: Annotated[str | None, typer.Option(help="rsp: its name in activation codes.")] = None,
    profiles: Annotated[Path | None, typer.Option(help="rsp: profile packages (*.der) anybody may order.")] = None,
    days_ahead: Annotated[int, typer.Option(hidden=True, min=0, max=366, help="Live so many days later.")] = 0,
    as_child: AsChild = False,
) -> None:
    """Run the server process only: API, charging, authentication centre, jobs; or one role of it."""
    with importing_many():
        from kswifi.settings import load_settings

    if role == "rsp":
        from kswifi.cli.provisioning.pki import rsp_options

        settings = load_settings(**({} if host is None else {"rsp_host": host}))
        with importing_many():
            from kswifi.bootstrap.rsp import run_rsp

        options = rsp_options(settings, host=host, port=port, pki=pki, name=smdp_address, profiles=profiles)
        run_async(run_rsp(settings, options, ready(as_child, "SM-DP+"), end_of_input(as_child)))
        return
    if role != "all" or any(given is not None for given in (host, port, pki, smdp_address, profiles)):
        raise SystemExit("kswifi: --role is all or rsp, and the other options belong to --role rsp")
    with importing_many():
        from kswifi.bootstrap.server import run_server

    settings = load_settings()
    clock = demo_clock(settings, days_ahead) if days_ahead else None
    run_async(run_server(settings, ready(as_child, "server"), end_of_input(as_child), clock))


@app.command("charging-records", hidden=True)
def charging_records() -> None:
    """Make charging data records for a running server, which starts this process and closes its input to end it."""
    from kswifi.bootstrap.records_process import make_records
    from kswifi.settings import load_settings

    run_async(make_records(load_settings(), sys.stdin.fileno()))


@app.command("sessions-projector", hidden=True)
def sessions_projector() -> None:
    """Project the ledger into the control plane while a server runs: its own child, which ends with its input."""
    from kswifi.bootstrap.projector_process import project_sessions
    from kswifi.settings import load_settings

    run_async(project_sessions(load_settings(), sys.stdin.fileno(), sys.stdout.fileno()))


@app.command("provider-rehearsal", hidden=True)
def provider_rehearsal(
    network: Annotated[
        str | None, typer.Option(help="The API of the KSWiFi that plays the provider's network.")
    ] = None,
    as_child: AsChild = False,
) -> None:
    """Serve the data provider of a rehearsal in resold mode: its API, and a control for this machine."""
    from kswifi.bootstrap.provider_rehearsal import run_provider_rehearsal
    from kswifi.settings import load_settings

    told, end = ready(as_child, "provider"), end_of_input(as_child)
    run_async(run_provider_rehearsal(load_settings(), network, told, end))


@app.command()
def demo(
    offer: Annotated[
        str | None, typer.Option(help="Which offer to walk the road with; free-1gb if not given.")
    ] = None,
    mode: Annotated[
        str, typer.Option(help="embedded: our own network; resold: a data provider delivers.")
    ] = "embedded",
    line: Annotated[
        str | None, typer.Option(help="resold: esim, the provider's profile; vended, the line the person has.")
    ] = None,
    provider: Annotated[
        str | None,
        typer.Option(help="resold: whose API the rehearsal's provider has: esim_go, esim_access, vtpass."),
    ] = None,
    sessions: Annotated[
        int, typer.Option(min=1, max=5, help="So many of the offer on one eSIM, spent in a changed order.")
    ] = 1,
    gift: Annotated[bool, typer.Option("--gift", help="Give half of the session to a second phone.")] = False,
    move: Annotated[
        bool, typer.Option("--move", help="Lose the phone in mid-use; the session moves to a second one.")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object on one line instead.")] = False,
) -> None:
    """Run all steps of one session, from WiFi download to cut-off, in a fresh data directory."""
    if mode == "resold":
        from kswifi.cli.demo_resold import run_resold_demo

        raise SystemExit(run_resold_demo(offer, line=line, provider=provider, as_json=as_json))
    if mode != "embedded" or line is not None or provider is not None:
        raise SystemExit("kswifi: --mode is embedded or resold; --line and --provider belong to --mode resold")
    from kswifi.cli.demo import run_demo
    from kswifi.cli.demo_people import run_gift_demo, run_move_demo

    if gift or move:
        raise SystemExit((run_gift_demo if gift else run_move_demo)(offer or "free-1gb", as_json=as_json))
    raise SystemExit(run_demo(offer or "free-1gb", sessions=sessions, as_json=as_json))


def _say_what_next(ready: Mapping[str, Any], data_dir: Path) -> None:
    if "provider" in ready:
        _say_rehearsal(ready, data_dir)
        return
    if "lab" not in ready:
        server = ready["server"]
        print(
            f"\n  The page is at {server['origin']}; Gy at {server['diameter']}; ES9+ at {server['rsp']}.\n"
            f"  The desk of the staff is at {server['console']} (first: `kswifi staff add NAME founder`).\n"
            f"  There is no lab in this mode. Logs are in {data_dir / 'log'}. Stop with Ctrl-C.\n",
            flush=True,
        )
        return
    print(
        f"\n  Open  {ready['server']['origin']}\n"
        f"{_say_what_is_open(ready)}"
        "  and walk the road by clicking: register, download a session, store it on the lab phone's eSIM,\n"
        "  leave the WiFi, switch the line on, and browse until the network cuts it off.\n\n"
        "  Through the access gateway with any client, once the line is on (it tells the command):\n"
        f"    curl -s -H 'X-KSWiFi-Lab: 1' {ready['lab']['control']}/phone/proxy\n\n"
        f"  The desk of the operator's staff (support, figures):  {ready['server']['console']}\n"
        f"  Metrics and health:  http://{ready['server']['metrics']}/metrics, /healthz, /readyz\n"
        f"  Logs are in {data_dir / 'log'}. Stop with Ctrl-C.\n",
        flush=True,
    )


def _say_rehearsal(ready: Mapping[str, Any], data_dir: Path) -> None:
    provider = ready["provider"]
    network = ready.get("network", {}).get("origin")
    print(
        f"\n  Open  {ready['server']['origin']}\n"
        f"  REHEARSAL: sessions are bought from {provider['name']} at {provider['url']}; no money moves.\n"
        + (f"  Its network is another KSWiFi at {network}, with its own lab phone.\n" if network else "")
        + "  With KSWIFI_DATA_PROVIDERS a real provider delivers (docs/reselling.md).\n"
        f"  Logs are in {data_dir / 'log'}. Stop with Ctrl-C.\n",
        flush=True,
    )


def _say_what_is_open(ready: Mapping[str, Any]) -> str:
    """Return the addresses that phones in this network reach with `--lan`: page, trust page, sandbox checkout."""
    server = ready["server"]
    if "trust" not in server:
        return ""
    checkout = ready["lab"].get("sandbox")
    return (
        f"  OPEN TO EVERYBODY IN THIS NETWORK: {server['origin']} (the page), {server['trust']} (how to trust it)"
        + (
            f"\n  and {checkout} (the sandbox's checkout: anybody can pay there, no money moves)"
            if checkout
            else ""
        )
        + ".\n  Everything else listens on this machine alone.\n"
        f"  On a phone in this network, first  {server['trust']}  which explains how to trust this machine.\n"
        f"  The certificate's SHA-256: {server['ca_sha256']}\n"
    )


@contextmanager
def _refusals_in_one_line() -> Iterator[None]:
    try:
        yield
    except KswifiError as error:
        _refuse(error.message)
    except OSError as error:
        _refuse(_in_words(error))


def _in_words(error: OSError) -> str:
    """Return the message of a system error without its number."""
    if error.filename is None:
        return str(error)
    if isinstance(error, FileNotFoundError):
        return f"there is no file {error.filename}"
    return f"{error.filename}: {(error.strerror or str(error)).lower()}"


def _refuse(words: str) -> NoReturn:
    print(f"kswifi: {words}", file=sys.stderr)
    raise SystemExit(1)
