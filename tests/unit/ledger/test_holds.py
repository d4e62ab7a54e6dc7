"""A wallet is held for a set of reasons, and each reason ends by itself."""

from pathlib import Path

import pytest

from kswifi.ledger import commands as do
from kswifi.ledger import effects as fx
from kswifi.ledger.apply_effects import replay
from kswifi.ledger.commands import Outcome, OutcomeCode
from kswifi.ledger.state import LedgerState, reasons_of
from kswifi.ledger.storage.journal import Head
from kswifi.ledger.storage.snapshot import SnapshotStore
from tests.support.small_ledger import LATER, Ledger


def hold(ledger: Ledger) -> str | None:
    return ledger.state.wallets["w"].hold


def use_up(ledger: Ledger, account: str = "a", name: str = "s") -> None:
    ledger.credit(account, 10)
    ledger.reserve(10, name=name)
    ledger.commit(10, close=True, name=name)


def prove(ledger: Ledger, account: str, ordered_at: int) -> Outcome:
    return ledger.do(do.ProveStorage(ledger.id(), account, "por", ordered_at))


def credit_unproven(ledger: Ledger, account: str = "b") -> int:
    """Credit an account a minute later, and return the instant of its order."""
    ledger.at += 60
    assert ledger.do(do.Credit(ledger.id(), "w", account, 10, LATER)).code is OutcomeCode.DONE
    return ledger.at


def test_a_pause_and_an_exhaustion_stand_side_by_side(ledger: Ledger) -> None:
    use_up(ledger)
    assert hold(ledger) == "exhausted"
    assert ledger.do(do.HoldWallet(ledger.id(), "w", "paused")).code is OutcomeCode.DONE
    assert hold(ledger) == "paused+exhausted"
    ledger.do(do.LiftHold(ledger.id(), "w"))
    assert hold(ledger) is None


def test_usage_reported_late_does_not_end_a_pause(ledger: Ledger) -> None:
    ledger.credit("a", 10)
    ledger.reserve(10)
    ledger.do(do.HoldWallet(ledger.id(), "w", "paused"))
    ledger.commit(10, close=True)
    assert hold(ledger) == "paused+exhausted"


def test_the_proof_of_a_session_ordered_after_the_exhaustion_ends_its_hold(ledger: Ledger) -> None:
    use_up(ledger)
    ordered_at = credit_unproven(ledger)
    assert ledger.reserve(10, name="t").code is OutcomeCode.ON_HOLD
    prove(ledger, "b", ordered_at)
    assert ledger.kinds() == ["StorageProved", "HoldLifted"]
    assert ledger.reserve(10, name="t").granted_octets == 10


@pytest.mark.parametrize("continues", [False, True])
def test_a_session_ordered_before_the_exhaustion_waits_for_its_owner(ledger: Ledger, continues: bool) -> None:
    """Unless the owner has said that the next one follows by itself."""
    ordered_at = ledger.at
    assert ledger.do(do.Credit(ledger.id(), "w", "b", 10, LATER)).code is OutcomeCode.DONE
    ledger.at += 60
    use_up(ledger)
    ledger.do(do.ContinueWithNext(ledger.id(), "w", continues))
    prove(ledger, "b", ordered_at)
    assert hold(ledger) == (None if continues else "exhausted")


def test_a_proof_leaves_a_pause_alone(ledger: Ledger) -> None:
    use_up(ledger)
    ledger.do(do.HoldWallet(ledger.id(), "w", "paused"))
    prove(ledger, "b", credit_unproven(ledger))
    assert hold(ledger) == "paused"
    assert ledger.reserve(10, name="t").code is OutcomeCode.ON_HOLD


def test_only_a_proof_that_says_when_its_session_was_ordered_ends_a_hold(ledger: Ledger) -> None:
    """Proofs by another provider's word, and proofs where the operator has switched this off, do not."""
    use_up(ledger)
    credit_unproven(ledger)
    prove(ledger, "b", 0)
    assert hold(ledger) == "exhausted"


def test_a_proof_repeated_in_a_later_exhaustion_ends_nothing(ledger: Ledger) -> None:
    use_up(ledger)
    ordered_at = credit_unproven(ledger)
    first = do.ProveStorage("prove", "b", "por", ordered_at)
    ledger.do(first)
    ledger.do(do.HoldWallet(ledger.id(), "w", "paused"))
    ledger.do(do.LiftHold(ledger.id(), "w"))
    ledger.reserve(10, name="t")
    ledger.commit(10, close=True, name="t")
    assert ledger.do(first).code is OutcomeCode.DONE
    # The settings may have changed between two attempts of one outbox entry.
    assert ledger.do(do.ProveStorage("prove", "b", "por")).code is OutcomeCode.DONE
    assert ledger.do(do.ProveStorage("prove", "b", "other")).code is OutcomeCode.CONFLICT
    prove(ledger, "b", ledger.at + 99)
    assert hold(ledger) == "exhausted"


def test_a_cut_off_is_needless_once_a_session_can_be_used(ledger: Ledger) -> None:
    use_up(ledger)
    ledger.do(do.LiftHold(ledger.id(), "w"))
    credit_unproven(ledger)
    prove(ledger, "b", 0)
    assert ledger.do(do.HoldWallet("cut-off", "w", "exhausted")).code is OutcomeCode.DONE
    assert hold(ledger) is None
    ledger.do(do.Revoke(ledger.id(), "b", "fraud"))
    assert ledger.do(do.HoldWallet("cut-off-2", "w", "exhausted")).code is OutcomeCode.DONE
    assert hold(ledger) == "exhausted"


def test_a_snapshot_keeps_since_when_a_wallet_is_exhausted(ledger: Ledger, tmp_path: Path) -> None:
    use_up(ledger)
    since = ledger.at
    ordered_at = credit_unproven(ledger)
    store = SnapshotStore(tmp_path)
    store.write(ledger.state, Head(1, b"x" * 32))
    ledger.state, _ = store.load(store.paths()[0])
    assert ledger.state.exhausted_since == {"w": since}
    prove(ledger, "b", ordered_at)
    assert hold(ledger) is None
    assert ledger.state.exhausted_since == {}


def test_an_older_snapshot_dates_an_exhaustion_by_the_account_that_ended(ledger: Ledger, tmp_path: Path) -> None:
    use_up(ledger)
    since = ledger.at
    ledger.state.exhausted_since.clear()  # what older snapshots do not have
    store = SnapshotStore(tmp_path)
    store.write(ledger.state, Head(1, b"x" * 32))
    state, _ = store.load(store.paths()[0])
    assert state.exhausted_since == {"w": since}


def test_a_journal_in_which_an_exhaustion_replaced_a_pause_is_replayed() -> None:
    """Before a wallet had several reasons, the second one took the place of the first."""
    state = LedgerState()
    for effect in (
        fx.WalletOpened("w", "62199", 1),
        fx.WalletHeld("w", "paused", 2),
        fx.WalletHeld("w", "exhausted", 3),
    ):
        replay(state, effect)
    assert reasons_of(state.wallets["w"].hold) == {"paused", "exhausted"}
    assert state.exhausted_since == {"w": 3}
    replay(state, fx.HoldLifted("w", None, 4))
    assert state.exhausted_since == {}
    assert reasons_of(state.wallets["w"].hold) == set()
