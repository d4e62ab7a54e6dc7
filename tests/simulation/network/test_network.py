"""The simulated network: seeds that hold, faults of ours that it finds, and the table it yields."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import structlog
from structlog.testing import capture_logs
from typer.testing import CliRunner

from kswifi.charging.policy import ChargingPolicy
from kswifi.charging.service import ChargingService
from kswifi.cli.main import app
from kswifi.ledger import usage_commands
from kswifi.ledger.client import LedgerClient
from kswifi.simulation.disk import SimulatedDisk
from kswifi.simulation.errors import SimulationFailedError
from kswifi.simulation.profiles import PROFILES, Profile
from kswifi.simulation.scenario import Scenario
from kswifi.simulation.server import SimulatedServer
from kswifi.simulation.table import measure, render

SEEDS = 30
CHARGING_PAGE = Path(__file__).resolve().parents[3] / "docs" / "charging.md"


@pytest.fixture(autouse=True)
def _quiet() -> Iterator[None]:
    """Crashes are logged, and here they are many."""
    with capture_logs():
        yield
    structlog.reset_defaults()


def _run_seeds(count: int) -> None:
    for seed in range(count):
        Scenario(seed).run()


@pytest.mark.parametrize("profile", PROFILES, ids=lambda profile: profile.name)
def test_seeds_hold(profile: Profile) -> None:
    figures = [Scenario(seed, profile).run() for seed in range(SEEDS // len(PROFILES))]
    assert sum(it.requests for it in figures) > 100
    assert sum(it.octets for it in figures) > 10_000_000
    assert sum(it.crashes for it in figures) > 0


@pytest.mark.soak
def test_thousands_of_seeds_hold() -> None:
    _run_seeds(5_000)


def test_a_seed_decides_everything() -> None:
    once, again = Scenario(7), Scenario(7)
    assert once.run() == again.run()
    assert once.reference == again.reference
    assert once.server.disk.octets == again.server.disk.octets


def test_a_failure_names_its_seed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ChargingPolicy, "final_unit", lambda *_: None)
    with pytest.raises(SimulationFailedError, match=r"^seed 0 \(gateway\), at .* without a final unit"):
        Scenario(0).run()


def _answer_before_durable(monkeypatch: pytest.MonkeyPatch) -> None:
    hand_over = LedgerClient._hand_over

    def early(self: LedgerClient, batch: object) -> None:
        self._answer(batch)  # type: ignore[arg-type]
        batch.waiting = []  # type: ignore[attr-defined]
        hand_over(self, batch)  # type: ignore[arg-type]

    monkeypatch.setattr(LedgerClient, "_hand_over", early)


def _forget_releases(monkeypatch: pytest.MonkeyPatch) -> None:
    def settle(self: ChargingService, charging_session: object, cause: object) -> bool:
        self._end(charging_session)  # type: ignore[arg-type]
        return True

    monkeypatch.setattr(ChargingService, "_settle", settle)


def _apply_twice(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(usage_commands, "_kept", lambda *_: None)


def _never_answer_terminations(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ChargingService, "_terminate", lambda *_: None)


def _forget_last(disk: SimulatedDisk) -> None:
    """Lose a record that was acknowledged, which no disk may do."""
    place = end = 0
    while end < len(disk.octets):
        place, (_, end) = end, disk._read(end)
    del disk.octets[place:]


def _lose_what_was_acknowledged(monkeypatch: pytest.MonkeyPatch) -> None:
    crash = SimulatedServer.crash

    def lossy(self: SimulatedServer, kept: float, failure: Exception | None = None) -> None:
        was_up = self.is_up
        crash(self, 0.0, failure)
        if was_up:
            _forget_last(self.disk)

    monkeypatch.setattr(SimulatedServer, "crash", lossy)


@pytest.mark.parametrize(
    ("break_it", "words"),
    [
        (_answer_before_durable, r"answers got lost|was answered .* and when it came again"),
        (_forget_releases, r"still reserved"),
        (_apply_twice, r"only .* were ever reported|and when it came again|are booked"),
        (_never_answer_terminations, r"was never answered|NoneType"),
        (_lose_what_was_acknowledged, r"is known to have been written"),
    ],
)
def test_a_fault_of_ours_is_found(
    break_it: Callable[[pytest.MonkeyPatch], None], words: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    break_it(monkeypatch)
    with pytest.raises(SimulationFailedError, match=words):
        _run_seeds(SEEDS)


def test_the_command_runs_seeds() -> None:
    result = CliRunner().invoke(app, ["simulate", "--seeds", "2", "--first", "5"])
    assert result.exit_code == 0, result.output
    assert "2 seeds from 5" in result.output
    assert "every octet accounted for" in result.output


def test_every_core_stays_within_its_bounds_and_nothing_is_stranded() -> None:
    rows = list(measure())
    assert render(rows) in CHARGING_PAGE.read_text(), "docs/charging.md: `kswifi simulate --table` makes it anew"
    for row in rows:
        assert row.stranded_octets == 0, row
        assert row.overrun_octets <= row.overrun_bound_octets, row
        assert row.revoke_seconds <= row.revoke_bound_seconds, row
