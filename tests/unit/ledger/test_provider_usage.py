"""Usage from a provider's counter: late, as a total, without a reservation."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kswifi.ledger import commands as do
from kswifi.ledger.commands import OutcomeCode
from kswifi.ledger.errors import InvalidCommandError
from kswifi.ledger.state import AccountStatus
from kswifi.ledger.verify import verify
from tests.support.small_ledger import LATER, MB, NOW, Ledger


def proven(ledger: Ledger, octets: int | None, account: str = "a") -> None:
    ledger.do(do.Credit(ledger.id(), "w", account, octets, LATER))
    ledger.do(do.ProveStorage(ledger.id(), account, "first_use"))


def report(ledger: Ledger, total: int, account: str = "a") -> do.Outcome:
    return ledger.do(do.ReportUsage(f"usage:{account}:{total}", account, total, NOW))


def test_the_growth_of_the_counter_is_booked_once(ledger: Ledger) -> None:
    proven(ledger, 10 * MB)
    assert report(ledger, 4 * MB).committed_octets == 4 * MB
    assert report(ledger, 4 * MB).committed_octets == 4 * MB  # the stored answer
    assert report(ledger, 3 * MB).committed_octets == 0  # a counter that goes back
    assert report(ledger, 6 * MB).committed_octets == 2 * MB
    assert ledger.octets("a") == (6 * MB, 0, 4 * MB)


def test_the_same_total_under_another_command_id_books_nothing(ledger: Ledger) -> None:
    proven(ledger, 10 * MB)
    report(ledger, 4 * MB)
    assert ledger.do(do.ReportUsage("another", "a", 4 * MB, NOW)).committed_octets == 0
    assert ledger.octets("a") == (4 * MB, 0, 6 * MB)


def test_usage_beyond_the_allowance_overruns_and_exhausts(ledger: Ledger) -> None:
    proven(ledger, 10 * MB)
    outcome = report(ledger, 11 * MB)
    assert (outcome.committed_octets, outcome.overrun_octets) == (10 * MB, MB)
    assert ledger.status("a") is AccountStatus.EXHAUSTED
    assert ledger.state.wallets["w"].hold == "exhausted"


def test_late_usage_of_an_ended_account_is_overrun(ledger: Ledger) -> None:
    proven(ledger, 10 * MB)
    report(ledger, MB)
    ledger.do(do.Revoke("revoke", "a", "lost"))
    assert report(ledger, 3 * MB).overrun_octets == 2 * MB
    account = ledger.state.accounts["a"]
    assert (account.used, account.overrun, account.revoked) == (MB, 2 * MB, 9 * MB)


def test_a_refund_is_not_booked_again_by_the_next_report(ledger: Ledger) -> None:
    proven(ledger, 10 * MB)
    report(ledger, 4 * MB)
    ledger.do(do.Refund("refund", "w", 4 * MB))
    report(ledger, 5 * MB)
    assert ledger.octets("a") == (MB, 0, 9 * MB)


def test_usage_before_a_proof_of_storage_is_refused(ledger: Ledger) -> None:
    ledger.do(do.Credit(ledger.id(), "w", "a", 10 * MB, LATER))
    assert report(ledger, MB).code is OutcomeCode.NOT_PROVEN
    assert report(ledger, MB, "nothing").code is OutcomeCode.UNKNOWN_ACCOUNT


def test_a_negative_total_is_not_a_command() -> None:
    with pytest.raises(InvalidCommandError):
        do.ReportUsage("c", "a", -1, NOW)


@given(st.lists(st.integers(0, 40), max_size=30), st.one_of(st.none(), st.integers(1, 30)))
def test_used_and_overrun_are_the_highest_total(totals: list[int], allowance: int | None) -> None:
    ledger = Ledger()
    ledger.do(do.OpenWallet("open", "w", "line-1"))
    proven(ledger, allowance)
    used_before = 0
    for number, total in enumerate(totals):
        ledger.do(do.ReportUsage(f"c{number}", "a", total, NOW))
        account = ledger.state.accounts["a"]
        assert account.used >= used_before
        used_before = account.used
        highest = max(totals[: number + 1])
        assert account.used + account.overrun == highest
        assert account.used == (highest if allowance is None else min(highest, allowance))
        assert verify(ledger.state) == []
