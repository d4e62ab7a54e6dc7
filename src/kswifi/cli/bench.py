"""`kswifi bench ...`: measure performance."""

import json
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any

import typer

from kswifi.cli.running import run_async

bench_app = typer.Typer(help="Speed, as figures.", no_args_is_help=True)

AsJson = Annotated[bool, typer.Option("--json", help="Print one JSON object on one line.")]
Versus = Annotated[
    str | None,
    typer.Option(
        "--vs",
        metavar="REF",
        help="Also measure another commit of this checkout, in turns, and print medians and ratios.",
    ),
]
Rounds = Annotated[int, typer.Option(min=1, max=99, help="With --vs: how often each of both runs.")]


@bench_app.callback()
def benches() -> None:
    """Measure performance on this machine."""


@bench_app.command("rsp")
def rsp(
    clients: Annotated[int, typer.Option(min=1, max=64, help="Client processes.")] = 2,
    downloads: Annotated[int, typer.Option(min=1, help="Downloads of each client.")] = 100,
    cards: Annotated[
        int, typer.Option(min=1, max=1_000, help="Cards that take a secured packet for each record.")
    ] = 50,
    vs: Versus = None,
    rounds: Rounds = 3,
    as_json: AsJson = False,
) -> None:
    """Measure profile downloads with install notifications over TLS, and secured packets with their proofs.

    Downloads run against one server process. Packets run through the service in this process, with its database on
    disk.
    """

    def run() -> Mapping[str, float | int | str]:
        from kswifi.bench.packets import run_packets
        from kswifi.bench.rsp_load import LoadPlan, run_load

        return {**run_load(LoadPlan(clients, downloads, 3 * downloads)), **run_packets(cards)}

    options = ["--clients", str(clients), "--downloads", str(downloads), "--cards", str(cards)]
    _measure(run, ["rsp", *options], vs, rounds, as_json=as_json)


@bench_app.command("charging")
def charging(
    outstanding: Annotated[
        int, typer.Option(min=1, max=4096, help="Requests under way at any moment, on four connections.")
    ] = 256,
    seconds: Annotated[float, typer.Option(min=1, max=3600, help="Measured, after three to warm up.")] = 10.0,
    subscribers: Annotated[
        int, typer.Option(min=2, max=1_000_000, help="Credited before; each session is another one's.")
    ] = 100_000,
    folder: Annotated[
        Path, typer.Option(exists=True, file_okay=False, writable=True, help="Where the data lies: on a real disk.")
    ] = Path(),
    whole: Annotated[
        bool, typer.Option("--whole", help="Load `kswifi serve` whole, with a stored session for each subscriber.")
    ] = False,
    vs: Versus = None,
    rounds: Rounds = 3,
    as_json: AsJson = False,
) -> None:
    """Measure Gy requests answered per second, each durable first, their latency and the server's CPU time.

    One server process with all parts of charging, one load generator, ChargingSessions of 1 INITIAL, 8 UPDATEs and
    1 TERMINATION like those of a real core, a tenth of the messages in another order and size. Linux only.
    """

    def run() -> Mapping[str, float | int | str]:
        from kswifi.bench.charging import ChargingBench, run_bench

        plan = ChargingBench(outstanding, seconds, subscribers, folder)
        if whole:
            from kswifi.bench.charging_whole import run_whole_bench

            return run_whole_bench(plan)
        return run_bench(plan)

    options = ["--outstanding", str(outstanding), "--seconds", str(seconds), "--subscribers", str(subscribers)]
    options += ["--folder", str(folder.absolute()), *(["--whole"] if whole else [])]
    _measure(run, ["charging", *options], vs, rounds, as_json=as_json)


@bench_app.command("http")
def http(
    python: Annotated[
        Path | None,
        typer.Option(exists=True, dir_okay=False, help="Interpreter that runs the server."),
    ] = None,
    streams: Annotated[int, typer.Option(min=1, max=2_000, help="Event streams open at the same time.")] = 200,
    vs: Versus = None,
    rounds: Rounds = 3,
    as_json: AsJson = False,
) -> None:
    """Measure the server's CPU time for one HTTP request of each common kind, in about a minute.

    One server process in embedded mode, its data in a temporary folder; one client that sends one request at a
    time. Each row is the median of several rounds, in milliseconds of CPU time. Linux only.
    """

    def run() -> Mapping[str, float | int | str]:
        from kswifi.bench.http import HttpBench, run_bench

        return run_bench(HttpBench(python=python or Path(sys.executable), streams=streams))

    if vs is not None and python is not None:
        raise typer.BadParameter("--vs runs both commits with this interpreter: leave --python out")
    _measure(run, ["http", "--streams", str(streams)], vs, rounds, as_json=as_json)


@bench_app.command("desk")
def desk(
    accounts: Annotated[int, typer.Option(min=1_000, max=10_000_000, help="Customers.")] = 1_000_000,
    searches: Annotated[int, typer.Option(min=9, max=100_000, help="Searches, of nine kinds in turn.")] = 450,
    folder: Annotated[
        Path | None,
        typer.Option(exists=True, file_okay=False, writable=True, help="Where the data lies meanwhile."),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object on one line.")] = False,
) -> None:
    """Measure a search, today's page and the page about fraud at a desk with many customers.

    The console serves real requests in this process, over a database that is filled for it and then removed: about
    1 GB and two minutes for a million customers.
    """
    from kswifi.bench.desk import DeskBench, run_desk_bench

    _say(run_desk_bench(DeskBench(accounts=accounts, searches=searches, folder=folder)), as_json=as_json)


@bench_app.command("charging-server", hidden=True)
def charging_server(subscribers: Annotated[int, typer.Option(min=2, max=1_000_000)]) -> None:
    """Run the server of `kswifi bench charging` in the configured data directory."""
    from kswifi.bench.charging_alone import run_charging_alone
    from kswifi.settings import load_settings

    def ready(what: Mapping[str, Any]) -> None:
        print(json.dumps(what), flush=True)

    run_async(run_charging_alone(load_settings(), subscribers, ready, sys.stdin.fileno()))


def _measure(
    run: Callable[[], Mapping[str, float | int | str]],
    arguments: Sequence[str],
    vs: str | None,
    rounds: int,
    *,
    as_json: bool,
) -> None:
    """Run the bench here, or with ``vs`` the command line ``arguments`` of both commits; print the figures."""
    if vs is None:
        _say(run(), as_json=as_json)
        return
    from kswifi.bench.versus import run_versus

    figures = run_versus(vs, rounds, arguments)
    if as_json:
        print(json.dumps(figures))
        return
    print(f"{'vs ' + figures.pop('vs')[:12]:36} {'vs':>12} {'here':>12} ratio")
    print(f"{'rounds':36} {figures.pop('rounds'):>12}")
    for name, row in figures.items():
        print(f"{name:36} {row['vs']:>12g} {row['here']:>12g} {'-' if row['ratio'] is None else row['ratio']}")


def _say(figures: Mapping[str, float | int | str], *, as_json: bool) -> None:
    if as_json:
        print(json.dumps(figures))
        return
    for name, value in figures.items():
        print(f"{name:36} {value}")
