"""`kswifi simulate`: run the simulated network, or print the table of what its cores cost."""

import json
from dataclasses import asdict
from typing import Annotated, Any

import typer


def simulate(
    seeds: Annotated[int, typer.Option(min=1, help="How many seeds to run.")] = 100,
    first: Annotated[int, typer.Option(min=0, help="The first of them; to see one again, with --seeds 1.")] = 0,
    table: Annotated[bool, typer.Option("--table", help="Print the table of docs/charging.md instead.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object for each seed.")] = False,
) -> None:
    """Run the charging server against simulated cores, crashes and networks; stop at the first wrong seed."""
    import structlog

    from kswifi.simulation.scenario import Scenario
    from kswifi.simulation.table import measure, render

    structlog.configure(processors=[_say_nothing])
    if table:
        print(render(measure()))
        return
    requests = crashes = 0
    for seed in range(first, first + seeds):
        figures = Scenario(seed).run()
        requests, crashes = requests + figures.requests, crashes + figures.crashes
        if as_json:
            print(json.dumps(asdict(figures)))
    if not as_json:
        print(f"{seeds} seeds from {first}: {requests} requests, {crashes} crashes, every octet accounted for")


def _say_nothing(_logger: Any, _method: str, _event: Any) -> Any:
    """Drop the ledger's log lines: a simulation contains many crashes."""
    import structlog

    raise structlog.DropEvent
