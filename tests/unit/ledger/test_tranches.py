"""An account of which a part is withheld: it is spent tranche by tranche, and ends with its last octet alone."""

import pytest

from kswifi.ledger import commands as do
from kswifi.ledger.commands import Outcome, OutcomeCode
from kswifi.ledger.errors import InvalidCommandError
from kswifi.ledger.state import AccountStatus
from tests.support.small_ledger import LATER, MB, Ledger


def given(ledger: Ledger, octets: int, withheld: int, account: str = "a", expires_at: int = LATER) -> None:
    ledger.do(do.Credit(ledger.id(), "w", account, octets, expires_at, withheld))
    ledger.do(do.ProveStorage(ledger.id(), account, "por"))


def test_the_end_of_a_tranche_is_not_the_end(ledger: Ledger) -> None:
    given(ledger, 30 * MB, 20 * MB)
    assert ledger.reserve() == Outcome(OutcomeCode.DONE, 10 * MB, False, "a")
    dry = ledger.commit(10 * MB)
    assert (dry.code, dry.granted_octets, dry.committed_octets) == (OutcomeCode.NOTHING_USABLE, 0, 10 * MB)
    assert ledger.status("a") is AccountStatus.OPEN
    assert ledger.state.wallets["w"].hold is None
    ledger.do(do.Disburse("d1", "a", 30 * MB))
    assert ledger.octets("a") == (10 * MB, 0, 20 * MB)
    ledger.commit(0)
    last = ledger.commit(10 * MB)
    assert (last.granted_octets, last.final) == (10 * MB, True)
    assert ledger.commit(10 * MB).code is OutcomeCode.EXHAUSTED
    assert ledger.status("a") is AccountStatus.EXHAUSTED
    assert ledger.state.wallets["w"].hold == "exhausted"


def test_a_credit_from_before_there_were_tranches_is_known_again() -> None:
    """A server that stops between the credit and the package, and starts as this one, goes on where it was."""
    whole = do.Credit("credit:s", "w", "s", 10**9, 1_800_000_000)
    assert do.fingerprint(whole) == 40917009673244306  # what is remembered of it
    assert do.fingerprint(do.Credit("credit:s", "w", "s", 10**9, 1_800_000_000, 1)) != do.fingerprint(whole)


def test_disbursing_twice_or_less_changes_nothing_and_more_than_withheld_is_refused(ledger: Ledger) -> None:
    given(ledger, 30 * MB, 20 * MB)
    for command_id, octets in (("1", 20 * MB), ("1", 20 * MB), ("2", 20 * MB), ("3", 15 * MB)):
        assert ledger.do(do.Disburse(command_id, "a", octets)).code is OutcomeCode.DONE
        assert ledger.octets("a") == (0, 0, 20 * MB)
    assert ledger.do(do.Disburse("4", "a", 30 * MB + 1)).code is OutcomeCode.INSUFFICIENT
    assert ledger.do(do.Disburse("5", "b", MB)).code is OutcomeCode.UNKNOWN_ACCOUNT
    ledger.do(do.Revoke("6", "a", "fraud"))
    assert ledger.do(do.Disburse("7", "a", 30 * MB)).code is OutcomeCode.ENDED
    assert ledger.state.accounts["a"].revoked == 20 * MB


def test_the_same_credit_again_is_known_however_much_was_disbursed(ledger: Ledger) -> None:
    given(ledger, 30 * MB, 20 * MB)
    ledger.do(do.Disburse("1", "a", 25 * MB))
    again = do.Credit("another id", "w", "a", 30 * MB, LATER, 20 * MB)
    assert ledger.do(again) == Outcome(OutcomeCode.DONE, account_id="a")
    assert ledger.octets("a") == (0, 0, 25 * MB)
    assert ledger.do(do.Credit("other", "w", "a", 31 * MB, LATER, 20 * MB)).code is OutcomeCode.CONFLICT


def test_another_session_is_not_spent_while_the_active_one_waits_unless_it_follows_by_itself(
    ledger: Ledger,
) -> None:
    given(ledger, 30 * MB, 20 * MB)
    given(ledger, 5 * MB, 0, "b", LATER + 1)
    ledger.reserve()
    assert ledger.commit(10 * MB).code is OutcomeCode.NOTHING_USABLE
    ledger.do(do.ContinueWithNext("n", "w", enabled=True))
    following = ledger.commit(0)
    assert (following.account_id, following.granted_octets, following.final) == ("b", 5 * MB, False)
    ledger.do(do.Disburse("d", "a", 30 * MB))
    back = ledger.commit(5 * MB)
    assert (back.account_id, back.granted_octets) == ("a", 10 * MB)


@pytest.mark.parametrize(("amount", "withheld"), [(10, 11), (10, -1), (None, 1)])
def test_a_credit_withholds_no_more_than_it_gives(amount: int | None, withheld: int) -> None:
    with pytest.raises(InvalidCommandError):
        do.Credit("c", "w", "a", amount, LATER, withheld)
