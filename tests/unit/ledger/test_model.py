"""Each verb by example: what it does, what it refuses, and that what is asked twice happens once."""

import pytest

from kswifi.ledger import commands as do
from kswifi.ledger import effects as fx
from kswifi.ledger.commands import Ask, Command, Outcome, OutcomeCode
from kswifi.ledger.errors import InvalidCommandError
from kswifi.ledger.grants import RESERVATIONS_PER_WALLET
from kswifi.ledger.model import apply, forget_due
from kswifi.ledger.state import AccountStatus, LedgerState, Retention
from kswifi.ledger.verify import verify

NOW = 1_800_000_000
LATER = NOW + 30 * 86_400
MB = 1_000_000


class Ledger:
    """A ledger with a clock, and ids that count up."""

    def __init__(self) -> None:
        self.state, self.at, self.count = LedgerState(Retention()), NOW, 0
        self.effects: tuple[fx.Effect, ...] = ()

    def do(self, command: Command) -> Outcome:
        outcome, self.effects = apply(self.state, command, self.at)
        assert verify(self.state) == []
        return outcome

    def id(self, prefix: str = "c") -> str:
        self.count += 1
        return f"{prefix}#{self.count}"

    def credit(self, account: str, octets: int | None, expires_at: int = LATER, wallet: str = "w") -> None:
        assert self.do(do.Credit(self.id(), wallet, account, octets, expires_at)).code == "done"
        assert self.do(do.ProveStorage(self.id(), account, "por")).code == "done"

    def reserve(self, octets: int = 10 * MB, name: str = "s", whole: int | None = None) -> Outcome:
        ask = Ask(octets, octets if whole is None else whole, self.at + 60)
        return self.do(do.Reserve(self.id(name), name, "w", ask))

    def commit(self, used: int, ask: int | None = 10 * MB, name: str = "s", *, close: bool = False) -> Outcome:
        asked = None if ask is None or close else Ask(ask, ask, self.at + 60)
        return self.do(do.Commit(self.id(name), name, used, asked, close))

    def octets(self, account: str) -> tuple[int, int, int]:
        it = self.state.accounts[account]
        return it.used, it.reserved, it.available

    def order(self) -> tuple[str, ...]:
        return self.state.wallets["w"].account_ids

    def status(self, account: str) -> AccountStatus:
        return self.state.accounts[account].status

    def kinds(self) -> list[str]:
        return [type(it).__name__ for it in self.effects if not isinstance(it, fx.Answered)]


@pytest.fixture
def ledger() -> Ledger:
    it = Ledger()
    it.do(do.OpenWallet("open", "w", "621990000000001"))
    return it


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


def test_an_uncapped_account_is_credited_with_what_it_reserves(ledger: Ledger) -> None:
    ledger.credit("a", None)
    assert ledger.reserve(100, whole=10**9) == Outcome(OutcomeCode.DONE, 100, False, "a")
    assert ledger.state.accounts["a"].credited == 100
    assert ledger.commit(250, 100).committed_octets == 250
    assert (ledger.state.accounts["a"].credited, ledger.octets("a")) == (350, (250, 100, 0))
    ledger.commit(30, close=True)
    assert (ledger.state.accounts["a"].credited, ledger.octets("a")) == (280, (280, 0, 0))
    ledger.reserve(50, name="t")
    ledger.do(do.Release(ledger.id("t"), "t"))
    assert ledger.state.accounts["a"].credited == 280
    ledger.at = LATER
    assert ledger.reserve(50, name="u").code is OutcomeCode.EXPIRED
    assert ledger.do(do.Expire(ledger.id(), "a")).code is OutcomeCode.DONE
    assert ledger.commit(9, None, name="t").overrun_octets == 9


def test_a_released_reservation_takes_late_usage_and_grants_nothing(ledger: Ledger) -> None:
    ledger.credit("a", 100)
    ledger.reserve(40)
    assert ledger.do(do.Release("release", "s")).code is OutcomeCode.DONE
    assert ledger.kinds() == ["Released", "ReservationClosed"]
    assert ledger.octets("a") == (0, 0, 100)
    late = ledger.commit(35)
    assert (late.code, late.committed_octets) == (OutcomeCode.UNKNOWN_RESERVATION, 35)
    assert ledger.commit(80, close=True).overrun_octets == 15
    assert ledger.do(do.Release("again", "s")).code is OutcomeCode.DONE
    assert ledger.effects == ()
    ledger.at += ledger.state.retention.settled_seconds
    assert "ReservationForgotten" in {type(it).__name__ for it in forget_due(ledger.state, ledger.at)}
    assert verify(ledger.state) == []
    assert ledger.commit(1).code is OutcomeCode.UNKNOWN_RESERVATION
    assert ledger.effects == ()


def test_what_comes_back_to_an_account_that_is_over_goes_where_its_rest_went(ledger: Ledger) -> None:
    for account in ("a", "b", "c"):
        ledger.credit(account, 100, NOW + 50)
    ledger.do(do.LiftHold(ledger.id(), "w", "a"))
    ledger.reserve(40)
    ledger.do(do.LiftHold(ledger.id(), "w", "b"))
    ledger.reserve(40, name="t")
    ledger.do(do.LiftHold(ledger.id(), "w", "c"))
    ledger.reserve(40, name="u")
    assert ledger.do(do.Expire(ledger.id(), "a")).code is OutcomeCode.NOT_DUE
    ledger.do(do.Revoke(ledger.id(), "c", "fraud"))
    ledger.at = NOW + 50
    ledger.do(do.Expire(ledger.id(), "a"))
    ledger.do(do.Expire(ledger.id(), "b"))
    ledger.commit(10, close=True)
    ledger.do(do.Release(ledger.id("t"), "t"))
    ledger.do(do.Release(ledger.id("u"), "u"))
    accounts = ledger.state.accounts
    assert (accounts["a"].used, accounts["a"].expired, accounts["a"].available) == (10, 90, 0)
    assert (accounts["b"].expired, accounts["b"].available) == (100, 0)
    assert (accounts["c"].revoked, accounts["c"].available) == (100, 0)


def test_a_transfer_moves_all_or_nothing(ledger: Ledger) -> None:
    ledger.credit("a", 100)
    ledger.credit("b", 10)
    assert ledger.do(do.Transfer(ledger.id(), "a", "b", 101)).code is OutcomeCode.INSUFFICIENT
    move = do.Transfer("move", "a", "b", 30)
    assert ledger.do(move).code is OutcomeCode.DONE
    assert ledger.do(move).code is OutcomeCode.DONE
    assert (ledger.octets("a")[2], ledger.octets("b")[2]) == (70, 40)
    ledger.reserve(50, whole=0)
    assert ledger.do(do.Transfer(ledger.id(), "a", "b", 20)).code is OutcomeCode.DONE
    assert ledger.status("a") is AccountStatus.OPEN
    ledger.do(do.Release(ledger.id("s"), "s"))
    assert ledger.do(do.Transfer(ledger.id(), "a", "b", 50)).code is OutcomeCode.DONE
    assert ledger.status("a") is AccountStatus.EXHAUSTED
    assert ledger.state.wallets["w"].hold is None
    assert ledger.do(do.Transfer(ledger.id(), "b", "a", 5)).code is OutcomeCode.EXHAUSTED


def test_opening_and_crediting_twice_is_done_once_however_late(ledger: Ledger) -> None:
    opening, credit = do.OpenWallet("o", "w2", "62199"), do.Credit("c", "w2", "a2", 100, LATER)
    for _ in range(2):
        assert (ledger.do(opening).code, ledger.do(credit).code) == ("done", "done")
        ledger.at += 29 * 86_400
        forget_due(ledger.state, ledger.at)
    assert ledger.octets("a2") == (0, 0, 100)
    assert ledger.do(do.Credit("c", "w2", "a2", 200, LATER)).code is OutcomeCode.CONFLICT
    assert ledger.do(do.OpenWallet("o2", "w2", "62198")).code is OutcomeCode.CONFLICT
    assert ledger.do(do.OpenWallet("o3", "w3", "62199")).code is OutcomeCode.CONFLICT


def test_a_hold_that_was_lifted_is_not_set_again_by_a_retry(ledger: Ledger) -> None:
    hold = do.HoldWallet("hold", "w", "paused")
    ledger.do(hold)
    ledger.do(do.LiftHold("lift", "w"))
    ledger.at += 30 * 86_400
    forget_due(ledger.state, ledger.at)
    assert ledger.do(hold).code is OutcomeCode.DONE
    assert ledger.state.wallets["w"].hold is None
    assert ledger.do(do.HoldWallet("hold", "w", "exhausted")).code is OutcomeCode.CONFLICT


def test_a_pause_does_not_hide_that_the_wallet_was_exhausted(ledger: Ledger) -> None:
    ledger.credit("a", 10)
    ledger.reserve(10)
    ledger.commit(10)
    assert ledger.do(do.HoldWallet(ledger.id(), "w", "paused")).code is OutcomeCode.DONE
    assert ledger.state.wallets["w"].hold == "exhausted"


def test_an_account_is_closed_only_long_after_its_end(ledger: Ledger) -> None:
    ledger.credit("a", 100)
    ledger.reserve(10)
    ledger.do(do.Revoke(ledger.id(), "a", "fraud"))
    ledger.commit(0, close=True)
    close = do.Close("close", "a")
    assert ledger.do(close).code is OutcomeCode.NOT_DUE
    ledger.at += ledger.state.retention.ended_seconds
    assert ledger.do(close).code is OutcomeCode.NOT_DUE  # its reservation is still remembered
    forget_due(ledger.state, ledger.at)
    assert ledger.do(close).code is OutcomeCode.DONE
    assert ledger.do(close).code is OutcomeCode.DONE
    assert ledger.state.account("a") is None


def test_a_replay_has_the_first_answer_and_another_content_is_a_conflict(ledger: Ledger) -> None:
    ledger.credit("a", 100)
    first = do.Commit("s#1", "s", 5, Ask(10, 10, NOW + 60))
    ledger.reserve(10)
    answer = ledger.do(first)
    later = do.Commit("s#1", "s", 5, Ask(20, 0, NOW + 99))  # a replay is given the limits of its own moment
    assert ledger.do(later) == answer
    assert ledger.effects == ()
    for other in (do.Commit("s#1", "s", 6, Ask(10, 10, NOW)), do.Commit("s#1", "s", 5), do.Release("s#1", "s")):
        assert ledger.do(other).code is OutcomeCode.CONFLICT
    assert ledger.do(do.Reserve("x", "s", "w2", Ask(1, 1, NOW))).code is OutcomeCode.CONFLICT
    assert ledger.octets("a")[0] == 5


def test_ids_within_and_without_their_reservations_prefix_are_different(ledger: Ledger) -> None:
    ledger.credit("a", 100)
    ledger.reserve(10)
    assert ledger.do(do.Commit("s#7", "s", 1)).committed_octets == 1
    assert ledger.do(do.Commit("#7", "s", 1)).committed_octets == 1
    assert ledger.do(do.Commit("~#7", "s", 1)).committed_octets == 1
    assert ledger.octets("a")[0] == 3


def test_overdue_reservations_are_found_the_oldest_first(ledger: Ledger) -> None:
    ledger.credit("a", 1000)
    for name, expires_at in (("s", 50), ("t", 40), ("u", 90)):
        ledger.do(do.Reserve(ledger.id(name), name, "w", Ask(1, 0, NOW + expires_at)))
    ledger.do(do.Commit(ledger.id("s"), "s", 0, Ask(1, 0, NOW + 70)))
    ledger.do(do.Commit(ledger.id("u"), "u", 0, Ask(1, 0, NOW + 30)))  # sooner than before

    def overdue(after: int, limit: int = 9) -> list[str]:
        return [it.reservation_id for it in ledger.state.overdue(NOW + after, limit)]

    assert overdue(29) == []
    assert overdue(60) == ["u", "t"]
    assert overdue(60, 1) == ["u"]
    assert overdue(70) == ["u", "t", "s"]
    ledger.do(do.Release(ledger.id("u"), "u"))
    ledger.do(do.Commit(ledger.id("t"), "t", 0, Ask(1, 0, NOW + 500)))
    assert overdue(70) == ["s"]
    assert overdue(500) == ["s", "t"]


def test_a_note_is_found_again(ledger: Ledger) -> None:
    ledger.credit("a", 100)
    ledger.do(do.Reserve("s#0", "s", "w", Ask(1, 1, NOW), note="internet|10.0.0.1|77"))
    view = ledger.state.reservation("s")
    assert view is not None
    assert (view.note, view.reserved_octets, view.closed) == ("internet|10.0.0.1|77", 1, False)


@pytest.mark.parametrize(
    "make",
    [
        lambda: do.Commit("c", "s", -1),
        lambda: do.Commit("c", "s", 1 << 63),
        lambda: do.Commit("c", "s", 1, Ask(1, 1, 1), True),
        lambda: Ask(0, 0, 0),
        lambda: Ask(1, -1, 0),
        lambda: do.Commit("", "s", 1),
        lambda: do.Commit("c" * 321, "s", 1),
        lambda: do.Commit("c", "\ud800", 1),
        lambda: do.Credit("c", "w", "a", 0, LATER),
        lambda: do.Transfer("c", "a", "a", 1),
        lambda: do.OrderWallet("c", "w", ("a", "a")),
        lambda: do.Reserve("c", "s", "w", Ask(1, 1, 1), "n" * 1025),
    ],
)
def test_a_command_that_nobody_should_make_cannot_be_made(make: object) -> None:
    assert callable(make)
    with pytest.raises(InvalidCommandError):
        make()
