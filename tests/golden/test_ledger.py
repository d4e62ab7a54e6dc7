"""Journals and a snapshot that were written before: today's code reads them alike and answers alike.

See test_surface for how the golden files are made. Two journals of one history: the early one, where every answer
is still remembered, and the whole one, 40 days later.
"""

import asyncio
from pathlib import Path
from typing import Any, Final

import pytest

from tests.golden import dumps, ledger_history, surface

EXPECTED: Final[dict[str, Any]] = dumps.read_dump("ledger")
JOURNALS: Final = ("early", "whole")
SNAPSHOT: Final[int] = EXPECTED["snapshot_sequence"]


def test_the_history_uses_every_command_and_every_effect() -> None:
    types = surface.ledger_types()
    assert {f"command {it[0]}" for _, it in ledger_history.history()} == {it for it in types if "command" in it}
    used = {it["number"] for it in (*EXPECTED["effects"], *EXPECTED["effects_of_old_journal"])}
    assert {f"number {number}" for number in used} == {it for it in types if it.startswith("number")}


def test_the_effects_of_the_journal_are_read_as_they_were_written(tmp_path: Path) -> None:
    folder = ledger_history.lay_out(tmp_path / "ledger", "whole")
    assert dumps.as_json(list(ledger_history.effects_in(folder))) == EXPECTED["effects"]


def test_a_journal_with_transferred_octets_is_still_read(tmp_path: Path) -> None:
    old = ledger_history.OLD_JOURNAL
    folder = ledger_history.lay_out(tmp_path / "effects", old)
    assert dumps.as_json(list(ledger_history.effects_in(folder))) == EXPECTED["effects_of_old_journal"]
    found = _recovered(ledger_history.lay_out(tmp_path / "ledger", old), "whole")
    assert found["state"] == EXPECTED["state_of_old_journal"]
    accounts = found["state"]["accounts"]
    assert (accounts["a"]["transferred_out"], accounts["b"]["transferred_in"]) == (2_000_000, 2_000_000)


@pytest.mark.parametrize("which", JOURNALS)
def test_a_journal_is_replayed_to_the_same_state(tmp_path: Path, which: str) -> None:
    found = _recovered(ledger_history.lay_out(tmp_path / "ledger", which), which)
    assert found["state"] == EXPECTED["asked_again"][which]["state_before"]
    assert found["from_snapshot"] is None
    assert found["records"] == found["sequence"]


@pytest.mark.parametrize("which", JOURNALS)
def test_a_snapshot_and_the_rest_of_the_journal_give_the_same_state(tmp_path: Path, which: str) -> None:
    found = _recovered(ledger_history.lay_out(tmp_path / "ledger", which, SNAPSHOT), which)
    assert found["state"] == EXPECTED["asked_again"][which]["state_before"]
    assert found["from_snapshot"] == SNAPSHOT
    assert found["records"] == found["sequence"] - SNAPSHOT


@pytest.mark.parametrize("which", JOURNALS)
def test_commands_asked_again_are_answered_as_they_were(tmp_path: Path, which: str) -> None:
    folder = ledger_history.lay_out(tmp_path / "ledger", which)
    assert dumps.as_json(asyncio.run(ledger_history.ask_again(folder, which))) == EXPECTED["asked_again"][which]


def test_what_is_remembered_has_its_first_answer() -> None:
    """The golden answers are not accepted as they are: those that are remembered must be the first ones."""
    first = EXPECTED["outcomes"][: ledger_history.EARLY]
    again = EXPECTED["asked_again"]["early"]["outcomes"]
    same = [number for number, outcome in enumerate(first) if outcome == again[number]]
    refused = [number for number, outcome in enumerate(first) if outcome[0] not in ("done", "exhausted")]
    assert set(range(len(first))) - set(same) <= set(refused)
    assert len(same) > 30


def test_the_history_executed_today_has_the_same_outcomes(tmp_path: Path) -> None:
    assert asyncio.run(ledger_history.write(tmp_path, lambda _: None)) == EXPECTED["outcomes"]
    assert dumps.as_json(list(ledger_history.effects_in(tmp_path))) == EXPECTED["effects"]


def _recovered(folder: Path, which: str) -> dict[str, Any]:
    found: dict[str, Any] = dumps.as_json(asyncio.run(ledger_history.recovered(folder, which)))
    return found
