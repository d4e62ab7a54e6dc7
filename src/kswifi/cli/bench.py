"""`kswifi bench ...`: speed, as figures."""

import json
from typing import Annotated

import typer

bench_app = typer.Typer(help="Speed, as figures.", no_args_is_help=True)


@bench_app.callback()
def benches() -> None:
    """Speed, as figures, measured here and now."""


@bench_app.command("rsp")
def rsp(
    clients: Annotated[int, typer.Option(min=1, max=64, help="Client processes.")] = 2,
    downloads: Annotated[int, typer.Option(min=1, help="Downloads of each client.")] = 100,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object on one line.")] = False,
) -> None:
    """Full profile downloads with their install notification over TLS, against one server process."""
    from kswifi.lab.rsp_load import LoadPlan, run_load

    figures = run_load(LoadPlan(clients, downloads, 3 * downloads))
    if as_json:
        print(json.dumps(figures))
        return
    for name, value in figures.items():
        print(f"{name:28} {value}")
