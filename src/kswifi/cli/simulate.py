"""`kswifi simulate`: run the simulated network or the simulated people, or print the table of what cores cost."""

import json
from collections.abc import Callable
from dataclasses import asdict
from enum import StrEnum
from typing import Annotated, Any

import typer

_CUT_OFF_RUNS = 2_000
"""Runs of the cut-off, at most: its figure is a median, which more runs do not change."""


class Subject(StrEnum):
    """What is simulated."""

    NETWORK = "network"
    PEOPLE = "people"
    STANDING_ORDERS = "standing-orders"
    SUPPLY = "supply"


def simulate(
    subject: Annotated[
        Subject,
        typer.Argument(
            help="The charging of a network; people who pass octets on; standing orders; data providers."
        ),
    ] = Subject.NETWORK,
    seeds: Annotated[int, typer.Option(min=1, help="How many seeds to run.")] = 100,
    first: Annotated[int, typer.Option(min=0, help="The first of them; to see one again, with --seeds 1.")] = 0,
    table: Annotated[bool, typer.Option("--table", help="Print the table of docs/charging.md instead.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object for each seed.")] = False,
) -> None:
    """Run the product against simulated faults, one random history for each seed; stop at the first wrong seed.

    It is wrong if octets or kobo are lost, or if octets can be spent twice or before the card's proof, or
    if a standing order orders too often, over another network than WiFi or beyond the allowance. With
    `people`, `standing-orders` or `supply` and --json, the last line holds the sums of all seeds.
    """
    import structlog

    from kswifi.simulation.table import measure, render

    structlog.configure(processors=[_say_nothing])
    if table:
        print(render(measure()))
    elif subject is Subject.PEOPLE:
        _people(seeds, first, as_json=as_json)
    elif subject is Subject.STANDING_ORDERS:
        _standing_orders(seeds, first, as_json=as_json)
    elif subject is Subject.SUPPLY:
        _supply(seeds, first, as_json=as_json)
    else:
        _network(seeds, first, as_json=as_json)


def _network(seeds: int, first: int, *, as_json: bool) -> None:
    from kswifi.simulation.scenario import Scenario

    requests = crashes = 0
    for seed in range(first, first + seeds):
        figures = Scenario(seed).run()
        requests, crashes = requests + figures.requests, crashes + figures.crashes
        if as_json:
            print(json.dumps(asdict(figures)))
    if not as_json:
        print(f"{seeds} seeds from {first}: {requests} requests, {crashes} crashes, every octet accounted for")


def _people(seeds: int, first: int, *, as_json: bool) -> None:
    from kswifi.simulation.people.scenario import PeopleScenario

    sums = _summed(seeds, first, lambda seed: asdict(PeopleScenario(seed).run()), as_json=as_json)
    if not as_json:
        print(
            f"{seeds} seeds from {first}: {sums['received']} received, {sums['returned']} returned, "
            f"{sums['refused']} refused, {sums['faults']} faults; octets and kobo conserved"
        )


def _standing_orders(seeds: int, first: int, *, as_json: bool) -> None:
    from kswifi.simulation.people.standing_orders import StandingOrderScenario

    sums = _summed(seeds, first, lambda seed: asdict(StandingOrderScenario(seed).run()), as_json=as_json)
    if not as_json:
        print(
            f"{seeds} seeds from {first}: {sums['due']} due dates, {sums['ordered']} sessions, "
            f"{sums['refused_networks']} refused networks, {sums['faults']} faults; never two for one due date, "
            "never over a network that was not certain, never beyond the allowance"
        )


def _summed(seeds: int, first: int, run: Callable[[int], dict[str, int]], *, as_json: bool) -> dict[str, int]:
    """Run the seeds, print their figures and the sums as JSON if asked for, and return the sums."""
    sums: dict[str, int] = {}
    for seed in range(first, first + seeds):
        figures = run(seed)
        if as_json:
            print(json.dumps(figures))
        sums = {name: sums.get(name, 0) + value for name, value in figures.items() if name != "seed"}
    if as_json:
        print(json.dumps({"seeds": seeds, "first": first, **sums}))
    return sums


def _supply(seeds: int, first: int, *, as_json: bool) -> None:
    from kswifi.simulation.supply import run_supply_seeds
    from kswifi.simulation.supply_cut_off import run_cut_off_seeds

    found = run_supply_seeds(seeds, first)
    cut_off = run_cut_off_seeds(min(seeds, _CUT_OFF_RUNS), first)
    if as_json:
        print(json.dumps({"seeds": seeds, **asdict(found), **asdict(cut_off)}))
        return
    print(
        f"{seeds} seeds from {first}: {found.orders} orders, {found.lost_answers} lost answers; "
        "bought twice 0, lines left on 0, counters that fell 0, kobo missing 0; "
        f"off {cut_off.cut_off_median_seconds_beyond_lag:g} s after the provider's lag (median of "
        f"{cut_off.cut_off_runs})"
    )


def _say_nothing(_logger: Any, _method: str, _event: Any) -> Any:
    """Drop the ledger's log lines: a simulation contains many crashes."""
    import structlog

    raise structlog.DropEvent
