"""The simulated people: seeds that hold, and faults of ours that they find."""

import json
from collections.abc import Callable, Iterator

import pytest
import structlog
from structlog.testing import capture_logs
from typer.testing import CliRunner

from kswifi.cli.main import app
from kswifi.ledger import account_commands
from kswifi.ledger.command_context import Work
from kswifi.ledger.commands import Command, Outcome
from kswifi.people import job_handlers
from kswifi.simulation.errors import SimulationFailedError
from kswifi.simulation.people.scenario import PeopleScenario

SEEDS, BLOCKS = 60, 6


@pytest.fixture(autouse=True)
def _quiet() -> Iterator[None]:
    """Crashes are logged, and here they are many."""
    with capture_logs():
        yield
    structlog.reset_defaults()


@pytest.mark.parametrize("block", range(BLOCKS))
def test_octets_and_kobo_are_conserved(block: int) -> None:
    each = SEEDS // BLOCKS
    figures = [PeopleScenario(seed).run() for seed in range(block * each, (block + 1) * each)]
    assert sum(it.octets_sent for it in figures) == sum(it.octets_received for it in figures)
    assert min(sum(getattr(it, name) for it in figures) for name in ("received", "returned", "faults", "kobo")) > 0


def test_moves_happen_among_few_seeds() -> None:
    assert sum(PeopleScenario(seed).run().moves for seed in range(10)) > 0


@pytest.mark.soak
@pytest.mark.parametrize("block", range(100))
def test_many_seeds(block: int) -> None:
    for seed in range(1000 * (block + 1), 1000 * (block + 2)):
        PeopleScenario(seed).run()


def _run_seeds(count: int) -> None:
    for seed in range(count):
        PeopleScenario(seed).run()


def _forgets_refusals(work: Work, command: Command, outcome: Outcome) -> Outcome:
    """Remember nothing: a command that is asked again is executed again."""
    return outcome


def _keeps_money(*_args: object, **_more: object) -> int:
    """Move no money with the octets."""
    return 0


@pytest.mark.parametrize(
    ("where", "name", "fault"),
    [
        (account_commands, "_remember_long", _forgets_refusals),
        (job_handlers, "fund_received", _keeps_money),
        (job_handlers, "take_back_octets", _keeps_money),
    ],
)
def test_a_fault_of_ours_is_found(
    monkeypatch: pytest.MonkeyPatch, where: object, name: str, fault: Callable[..., object]
) -> None:
    monkeypatch.setattr(where, name, fault)
    found = r"kobo|in transit|sent twice|sent and not received|not_over_released"
    with pytest.raises(SimulationFailedError, match=found):
        _run_seeds(150)


def test_octets_that_come_before_the_proof_are_found(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(PeopleScenario, "_is_proved", lambda *_: False)
    with pytest.raises(SimulationFailedError, match="before"):
        _run_seeds(50)


def test_the_command_prints_a_line_for_each_seed_and_the_sums() -> None:
    printed = CliRunner().invoke(app, ["simulate", "people", "--seeds", "3", "--json"])
    assert printed.exit_code == 0, printed.output
    *lines, sums = [json.loads(line) for line in printed.stdout.splitlines()]
    assert [it["seed"] for it in lines] == [0, 1, 2]
    assert sums["offered"] == sum(it["offered"] for it in lines)
