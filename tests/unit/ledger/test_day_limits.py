"""Pauses that end by themselves, and limits that people set for each day."""

from pathlib import Path

import pytest

from kswifi.ledger import commands as do
from kswifi.ledger.commands import OutcomeCode
from kswifi.ledger.errors import InvalidCommandError
from kswifi.ledger.limits import JITTER_SECONDS, jitter_seconds
from kswifi.ledger.storage.journal import Head
from kswifi.ledger.storage.snapshot import SnapshotStore
from tests.support.small_ledger import NOW, Ledger

DAY = 86_400
MORNING = NOW - 8 * 3600
ENDS_AT = MORNING + DAY + jitter_seconds("w")


@pytest.fixture
def limited(ledger: Ledger) -> Ledger:
    """A ledger whose wallet may spend 100 octets a day, and has 1000."""
    ledger.credit("a", 1_000)
    assert ledger.do(do.LimitDay(ledger.id(), "w", 100, MORNING)).code is OutcomeCode.DONE
    return ledger


def hold(ledger: Ledger) -> str | None:
    return ledger.state.wallets["w"].hold


def end(ledger: Ledger, reason: do.HoldReason, ends_at: int) -> OutcomeCode:
    return ledger.do(do.EndHold(ledger.id(), "w", reason, ends_at)).code


def test_a_limit_stops_the_line_at_its_last_octet(limited: Ledger) -> None:
    first = limited.reserve(60, whole=0)
    assert (first.granted_octets, first.final) == (60, False)
    last = limited.commit(60, ask=60)
    assert (last.granted_octets, last.final) == (40, True)
    after = limited.commit(40, ask=60)
    assert (after.code, after.granted_octets, after.committed_octets) == (OutcomeCode.ON_HOLD, 0, 40)
    assert "HeldUntil" in limited.kinds()
    assert hold(limited) == "limited"
    assert limited.state.hold_ends == {("w", "limited"): ENDS_AT}
    assert limited.octets("a") == (100, 0, 900)


def test_two_bearers_together_do_not_pass_the_limit(limited: Ledger) -> None:
    assert limited.reserve(70, name="s", whole=0).granted_octets == 70
    other = limited.reserve(70, name="t", whole=0)
    assert (other.granted_octets, other.final, other.shared) == (30, False, True)
    third = limited.reserve(70, name="u", whole=0)
    assert (third.code, third.shared) == (OutcomeCode.NOTHING_USABLE, True)
    limited.commit(70, close=True, name="s")
    assert hold(limited) is None
    limited.commit(30, close=True, name="t")
    assert hold(limited) == "limited"


def test_the_line_comes_back_after_the_day_and_not_before(limited: Ledger) -> None:
    limited.reserve(100)
    limited.commit(100, close=True)
    assert MORNING + DAY <= ENDS_AT < MORNING + DAY + JITTER_SECONDS
    limited.at = ENDS_AT - 1
    assert end(limited, "limited", ENDS_AT) is OutcomeCode.NOT_DUE
    limited.at = ENDS_AT
    assert end(limited, "limited", ENDS_AT - 1) is OutcomeCode.DONE
    assert hold(limited) == "limited"
    assert end(limited, "limited", ENDS_AT) is OutcomeCode.DONE
    assert (hold(limited), limited.state.hold_ends) == (None, {})
    assert limited.reserve(200, name="t").granted_octets == 100


def test_a_line_below_its_limit_begins_the_next_day_at_zero(limited: Ledger) -> None:
    limited.reserve(90)
    limited.commit(90, close=True)
    limited.at = MORNING + DAY
    assert limited.reserve(200, name="t").granted_octets == 100


def test_switching_the_line_on_does_not_lift_a_limit(limited: Ledger) -> None:
    limited.do(do.HoldWallet(limited.id(), "w", "paused"))
    limited.reserve(100)
    limited.do(do.LiftHold(limited.id(), "w"))
    limited.reserve(100)
    limited.commit(100, close=True)
    limited.do(do.PauseUntil(limited.id(), "w", NOW + 60))
    assert hold(limited) == "paused+limited"
    limited.do(do.LiftHold(limited.id(), "w", "a"))
    assert hold(limited) == "limited"
    assert limited.state.hold_ends == {("w", "limited"): ENDS_AT}


@pytest.mark.parametrize("how", ["lift", "raise", "remove"])
def test_a_limit_is_lifted_for_the_day_raised_or_removed(limited: Ledger, how: str) -> None:
    limited.reserve(100)
    limited.commit(100, close=True)
    if how == "lift":
        limited.do(do.LiftLimit(limited.id(), "w"))
    else:
        limited.do(do.LimitDay(limited.id(), "w", 150 if how == "raise" else None, MORNING))
    assert hold(limited) is None
    assert limited.reserve(2_000, name="t").granted_octets == (50 if how == "raise" else 900)
    limited.at = MORNING + DAY
    limited.commit(0, close=True, name="t")
    assert limited.reserve(2_000, name="u").granted_octets == {"lift": 100, "raise": 150, "remove": 900}[how]


def test_a_lower_limit_stops_a_line_that_has_used_it(limited: Ledger) -> None:
    limited.reserve(80)
    limited.commit(80, close=True)
    limited.do(do.LimitDay(limited.id(), "w", 80, MORNING))
    assert hold(limited) == "limited"


def test_a_hold_whose_day_got_longer_is_kept_to_its_new_end(limited: Ledger) -> None:
    limited.reserve(100)
    limited.commit(100, close=True)
    limited.do(do.LimitDay(limited.id(), "w", 100, MORNING + 3600))
    limited.at = ENDS_AT
    assert end(limited, "limited", ENDS_AT) is OutcomeCode.DONE
    assert limited.state.hold_ends == {("w", "limited"): ENDS_AT + 3600}


def test_a_pause_ends_at_its_end_and_leaves_an_exhaustion(ledger: Ledger) -> None:
    ledger.credit("a", 10)
    assert ledger.do(do.PauseUntil(ledger.id(), "w", NOW)).code is OutcomeCode.EXPIRED
    ledger.do(do.PauseUntil(ledger.id(), "w", NOW + 60))
    assert ledger.reserve(10).code is OutcomeCode.ON_HOLD
    ledger.do(do.PauseUntil(ledger.id(), "w", NOW + 90))
    ledger.at = NOW + 90
    assert end(ledger, "paused", NOW + 60) is OutcomeCode.DONE
    assert hold(ledger) == "paused"
    assert end(ledger, "paused", NOW + 90) is OutcomeCode.DONE
    assert ledger.kinds() == ["HoldEnded"]
    ledger.reserve(10)
    ledger.commit(10, close=True)
    ledger.do(do.PauseUntil(ledger.id(), "w", NOW + 200))
    since = ledger.state.exhausted_since["w"]
    ledger.at = NOW + 200
    end(ledger, "paused", NOW + 200)
    assert (hold(ledger), ledger.state.exhausted_since["w"]) == ("exhausted", since)


def test_a_pause_without_an_end_replaces_one_with_an_end(ledger: Ledger) -> None:
    ledger.do(do.PauseUntil(ledger.id(), "w", NOW + 60))
    ledger.do(do.HoldWallet(ledger.id(), "w", "paused"))
    ledger.at = NOW + 60
    end(ledger, "paused", NOW + 60)
    assert hold(ledger) == "paused"


def test_a_snapshot_keeps_ends_and_limits(limited: Ledger, tmp_path: Path) -> None:
    limited.reserve(100)
    limited.commit(100, close=True)
    store = SnapshotStore(tmp_path)
    store.write(limited.state, Head())
    again, _ = store.load(store.paths()[0])
    assert (again.hold_ends, again.day_limits) == (limited.state.hold_ends, limited.state.day_limits)
    assert again.wallets["w"].hold == "limited"


def test_wrong_values_are_refused() -> None:
    with pytest.raises(InvalidCommandError):
        do.LimitDay("c", "w", 0, MORNING)
    with pytest.raises(InvalidCommandError):
        do.EndHold("c", "w", "exhausted", NOW)
    with pytest.raises(InvalidCommandError):
        do.PauseUntil("c", "w", 0)
