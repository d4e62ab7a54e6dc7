"""The simulated standing orders: seeds that hold, and faults of ours that they find."""

import json
from collections.abc import Callable, Iterator
from dataclasses import replace

import pytest
import structlog
from structlog.testing import capture_logs
from typer.testing import CliRunner

from kswifi.cli.main import app
from kswifi.people import standing_order_watch, standing_orders
from kswifi.people.standing_order_model import StandingOrder
from kswifi.simulation.errors import SimulationFailedError
from kswifi.simulation.people import standing_orders as simulated
from kswifi.simulation.people.standing_orders import StandingOrderScenario

SEEDS = 16


@pytest.fixture(autouse=True)
def _quiet() -> Iterator[None]:
    """Crashes are logged, and here they are many."""
    with capture_logs():
        yield
    structlog.reset_defaults()


def test_the_rules_hold() -> None:
    figures = [StandingOrderScenario(seed).run() for seed in range(SEEDS)]
    named = ("faults", "due", "refused_networks", "refused_orders", "waited")
    assert min(sum(getattr(it, name) for it in figures) for name in named) > 0
    assert sum(it.ordered for it in figures) > SEEDS  # one in the calm of each seed, others in the storms


@pytest.mark.soak
@pytest.mark.parametrize("block", range(100))
def test_many_seeds(block: int) -> None:
    for seed in range(1000 * (block + 1), 1000 * (block + 2)):
        StandingOrderScenario(seed).run()


def _run_seeds(count: int) -> None:
    for seed in range(count):
        StandingOrderScenario(seed).run()


async def _asks_nobody(*_args: object, **_more: object) -> None:
    """Take every network for WiFi."""


def _always(*_args: object) -> bool:
    """Find every session needed, also one that is ahead."""
    return True


def _one_more(order: StandingOrder, due_number: int) -> str:
    """Give the session of a due date the key of the next one."""
    return f"standing:{order.standing_order_id}:{due_number + 1}"


@pytest.mark.parametrize(
    ("where", "name", "fault", "found"),
    [
        ([simulated], "require_certain_wifi", _asks_nobody, "not certain"),
        ([standing_orders, standing_order_watch], "is_needed", _always, "ahead already"),
        ([StandingOrder], "key_of", _one_more, "never due|was due|asked for"),
    ],
)
def test_a_fault_of_ours_is_found(
    monkeypatch: pytest.MonkeyPatch, where: list[object], name: str, fault: Callable[..., object], found: str
) -> None:
    for one in where:
        monkeypatch.setattr(one, name, fault)
    with pytest.raises(SimulationFailedError, match=found):
        _run_seeds(60)


def test_a_session_beyond_the_allowance_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(simulated, "_ALLOWANCE", 10**9)
    wide = StandingOrderScenario.rules_of

    def widened(random: object) -> object:
        return replace(wide(random), allowance_octets=10**12)  # type: ignore[arg-type]

    monkeypatch.setattr(StandingOrderScenario, "rules_of", staticmethod(widened))
    with pytest.raises(SimulationFailedError, match="beyond the allowance"):
        _run_seeds(60)


def test_the_command_prints_a_line_for_each_seed_and_the_sums() -> None:
    printed = CliRunner().invoke(app, ["simulate", "standing-orders", "--seeds", "2", "--json"])
    assert printed.exit_code == 0, printed.output
    *lines, sums = [json.loads(line) for line in printed.stdout.splitlines()]
    assert [it["seed"] for it in lines] == [0, 1]
    assert sums["ordered"] == sum(it["ordered"] for it in lines)
