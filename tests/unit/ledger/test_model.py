"""Each verb by example: what it does, what it refuses, and that what is asked twice happens once."""

import pytest

from kswifi.ledger import commands as do
from kswifi.ledger import effects as fx
from kswifi.ledger.commands import Outcome, OutcomeCode
from kswifi.ledger.grants import RESERVATIONS_PER_WALLET
from kswifi.ledger.state import AccountStatus
from tests.support.small_ledger import LATER, MB, NOW, Ledger


def test_a_session_is_spent_to_the_last_octet(ledger: Ledger) -> None:
    ledger.credit("a", 25 * MB)
    assert ledger.reserve() == Outcome(OutcomeCode.DONE, 10 * MB, account_id="a")
    assert ledger.commit(10 * MB) == Outcome(OutcomeCode.DONE, 10 * MB, False, "a", 0, 10 * MB)
    last = ledger.commit(10 * MB)
    assert (last.granted_octets, last.final) == (5 * MB, True)
    over = ledger.commit(5 * MB)
    assert over == Outcome(OutcomeCode.EXHAUSTED, 0, False, "a", 0, 5 * MB)
    assert ledger.kinds() == ["Committed", "Exhausted", "WalletHeld"]
    assert ledger.octets("a") == (25 * MB, 0, 0)
    assert ledger.status("a") is AccountStatus.EXHAUSTED
    assert ledger.reserve(name="t").code is OutcomeCode.ON_HOLD


def test_nothing_is_reserved_without_the_cards_proof(ledger: Ledger) -> None:
    ledger.do(do.Credit("credit", "w", "a", MB, LATER))
    assert ledger.reserve().code is OutcomeCode.NOT_PROVEN
    assert ledger.octets("a") == (0, 0, MB)
    assert ledger.effects == ()
    ledger.do(do.ProveStorage("prove", "a", "install_result"))
    assert ledger.reserve().granted_octets == MB


def test_a_refused_command_is_judged_anew_under_its_own_id(ledger: Ledger) -> None:
    early = do.Credit("credit", "w2", "a2", MB, LATER)
    assert ledger.do(early).code is OutcomeCode.UNKNOWN_WALLET
    ledger.do(do.OpenWallet("open2", "w2", "621990000000002"))
    assert ledger.do(early).code is OutcomeCode.DONE


@pytest.mark.parametrize(
    ("left", "amount", "whole", "granted", "final"),
    [
        (100, 10, 10, 10, False),
        (10, 10, 10, 10, True),
        (11, 10, 10, 10, False),
        (11, 10, 11, 11, True),
        (7, 10, 0, 7, True),
        (100, 10, 100, 100, True),
    ],
)
def test_the_whole_is_granted_where_it_fits(
    ledger: Ledger, left: int, amount: int, whole: int, granted: int, final: bool
) -> None:
    ledger.credit("a", left)
    outcome = ledger.reserve(amount, whole=whole)
    assert (outcome.granted_octets, outcome.final) == (granted, final)


def test_less_than_reserved_gives_the_rest_back_and_more_draws_from_what_is_available(ledger: Ledger) -> None:
    ledger.credit("a", 100)
    ledger.reserve(40)
    assert ledger.commit(15, None).committed_octets == 15
    assert ledger.octets("a") == (15, 0, 85)
    ledger.commit(0, 40)
    assert ledger.commit(60, None).committed_octets == 60
    assert ledger.octets("a") == (75, 0, 25)


def test_usage_that_nothing_is_left_for_is_booked_apart(ledger: Ledger) -> None:
    ledger.credit("a", 100)
    ledger.reserve(40)
    outcome = ledger.commit(130)
    assert (outcome.code, outcome.committed_octets, outcome.overrun_octets) == (OutcomeCode.EXHAUSTED, 100, 30)
    assert ledger.octets("a") == (100, 0, 0)
    assert ledger.state.accounts["a"].overrun == 30
    assert ledger.commit(7, None).overrun_octets == 7
    assert ledger.state.accounts["a"].overrun == 37


def test_a_new_grant_is_no_smaller_than_what_was_left_of_the_old(ledger: Ledger) -> None:
    ledger.credit("a", 200)
    ledger.reserve(100, whole=0)
    assert ledger.commit(20, 10).granted_octets == 80
    assert ledger.commit(75, 10).granted_octets == 10


def test_an_account_becomes_active_with_its_first_octet(ledger: Ledger) -> None:
    ledger.credit("a", 100)
    ledger.reserve(10)
    ledger.commit(0, 10)
    assert ledger.state.accounts["a"].first_used_at == 0
    assert ledger.state.wallets["w"].active_account_id is None
    ledger.commit(1, 10)
    assert [it.first for it in ledger.effects if isinstance(it, fx.Committed)] == [True]
    ledger.commit(1, 10)
    assert [it.first for it in ledger.effects if isinstance(it, fx.Committed)] == [False]
    assert ledger.state.wallets["w"].active_account_id == "a"


def test_the_earliest_expiry_is_used_first_unless_ordered_and_the_active_one_stays(ledger: Ledger) -> None:
    for account, days in (("a", 3), ("b", 1), ("c", 2)):
        ledger.credit(account, 100, NOW + days * 86_400)
    assert ledger.order() == ("b", "c", "a")
    assert ledger.do(do.OrderWallet(ledger.id(), "w", ("a",))).code is OutcomeCode.DONE
    ledger.credit("d", 100, NOW + 90_000)
    assert ledger.order() == ("a", "b", "d", "c")
    assert ledger.do(do.OrderWallet(ledger.id(), "w", ("c",))).code is OutcomeCode.DONE
    assert ledger.order() == ("c", "b", "d", "a")
    assert ledger.reserve(10).account_id == "c"
    ledger.commit(5, 10)
    ledger.do(do.OrderWallet(ledger.id(), "w", ("b",)))
    assert ledger.commit(5, 10).account_id == "c"
    assert ledger.do(do.OrderWallet(ledger.id(), "w", ("b", "x"))).code is OutcomeCode.UNKNOWN_ACCOUNT


def test_the_next_account_waits_for_the_hold_to_be_lifted(ledger: Ledger) -> None:
    ledger.credit("a", 10, NOW + 100)
    ledger.credit("b", 10, NOW + 200)
    ledger.credit("c", 10, NOW + 300)
    assert ledger.reserve(10).final
    assert ledger.commit(10).code is OutcomeCode.EXHAUSTED
    assert ledger.commit(0).code is OutcomeCode.ON_HOLD
    assert ledger.do(do.LiftHold(ledger.id(), "w", "c")).code is OutcomeCode.DONE
    assert ledger.commit(0).account_id == "c"


def test_with_continue_with_next_one_follows_the_other(ledger: Ledger) -> None:
    ledger.do(do.ContinueWithNext(ledger.id(), "w", True))
    ledger.credit("a", 10, NOW + 100)
    ledger.credit("b", 5, NOW + 200)
    assert not ledger.reserve(10).final
    outcome = ledger.commit(10, 10)
    assert (outcome.code, outcome.granted_octets, outcome.final) == (OutcomeCode.DONE, 5, True)
    assert outcome.account_id == "b"
    assert ledger.commit(5, 10).code is OutcomeCode.EXHAUSTED
    assert ledger.state.wallets["w"].hold is None
    ledger.credit("c", 5)
    assert ledger.commit(0, 10).account_id == "c"


def test_a_paused_wallet_grants_nothing_but_books_what_was_used(ledger: Ledger) -> None:
    ledger.credit("a", 100)
    ledger.reserve(40)
    ledger.do(do.HoldWallet(ledger.id(), "w", "paused"))
    outcome = ledger.commit(30)
    assert (outcome.code, outcome.committed_octets, outcome.granted_octets) == (OutcomeCode.ON_HOLD, 30, 0)
    assert ledger.octets("a") == (30, 0, 70)
    ledger.do(do.LiftHold(ledger.id(), "w"))
    assert ledger.commit(0).granted_octets == 70


def test_a_hold_is_lifted_only_for_an_account_that_can_be_used(ledger: Ledger) -> None:
    ledger.credit("a", 10)
    ledger.do(do.Credit(ledger.id(), "w", "unproven", 10, LATER))
    ledger.do(do.HoldWallet(ledger.id(), "w", "paused"))
    for account, code in (("x", "unknown_account"), ("unproven", "not_proven")):
        assert ledger.do(do.LiftHold(ledger.id(), "w", account)).code == code
    ledger.do(do.Revoke(ledger.id(), "a", "fraud"))
    assert ledger.do(do.LiftHold(ledger.id(), "w", "a")).code is OutcomeCode.ENDED
    assert ledger.state.wallets["w"].hold == "paused"


def test_a_frozen_wallet_is_refused_everything(ledger: Ledger) -> None:
    ledger.credit("a", 100)
    ledger.reserve(40)
    ledger.do(do.Freeze(ledger.id(), "w", True))
    assert ledger.reserve(name="t").code is OutcomeCode.FROZEN
    assert ledger.commit(40).code is OutcomeCode.FROZEN
    assert ledger.octets("a") == (40, 0, 60)
    ledger.do(do.Freeze(ledger.id(), "w", False))
    assert ledger.commit(0).granted_octets == 60


def test_two_charging_sessions_share_a_wallet_without_a_final_grant(ledger: Ledger) -> None:
    ledger.credit("a", 30)
    first = ledger.reserve(10)
    assert (first.final, first.shared) == (False, False)
    second = ledger.reserve(20, name="t")
    assert (second.granted_octets, second.final, second.shared) == (20, False, True)
    waiting = ledger.commit(10)
    assert (waiting.code, waiting.shared) == (OutcomeCode.NOTHING_USABLE, True)
    assert ledger.status("a") is AccountStatus.OPEN
    ledger.commit(5, None, name="t", close=True)
    again = ledger.commit(0)
    assert (again.granted_octets, again.final, again.shared) == (15, True, False)


def test_a_wallet_has_a_limit_of_open_reservations(ledger: Ledger) -> None:
    ledger.credit("a", 10_000)
    for number in range(RESERVATIONS_PER_WALLET):
        assert ledger.reserve(1, name=f"s{number}").code is OutcomeCode.DONE
    assert ledger.reserve(1, name="one more").code is OutcomeCode.TOO_MANY
