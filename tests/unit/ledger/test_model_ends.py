"""How accounts, reservations and answers end, by example, and what is remembered of them."""

import pytest

from kswifi.ledger import commands as do
from kswifi.ledger.commands import Ask, Outcome, OutcomeCode
from kswifi.ledger.errors import InvalidCommandError
from kswifi.ledger.model import forget_due
from kswifi.ledger.state import AccountStatus
from kswifi.ledger.verify import verify
from tests.support.small_ledger import LATER, NOW, Ledger


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


def test_octets_are_sent_and_received_all_or_nothing(ledger: Ledger) -> None:
    ledger.credit("a", 100)
    ledger.credit("b", 10)
    assert ledger.do(do.Send(ledger.id(), "a", 101, "gift")).code is OutcomeCode.INSUFFICIENT
    send, receive = do.Send("send", "a", 30, "gift"), do.Receive("receive", "b", 30, "gift")
    for _ in range(2):
        assert (ledger.do(send).code, ledger.do(receive).code) == ("done", "done")
    assert (ledger.octets("a")[2], ledger.octets("b")[2]) == (70, 40)
    assert ledger.do(do.Receive("receive", "b", 31, "gift")).code is OutcomeCode.CONFLICT
    ledger.reserve(50, whole=0)
    assert ledger.do(do.Send(ledger.id(), "a", 21, "gift")).code is OutcomeCode.INSUFFICIENT
    assert ledger.do(do.Send(ledger.id(), "a", 20, "gift")).code is OutcomeCode.DONE
    assert ledger.commit(50, close=True).committed_octets == 50
    assert ledger.status("a") is AccountStatus.EXHAUSTED
    assert ledger.do(do.Send(ledger.id(), "a", 1, "gift")).code is OutcomeCode.EXHAUSTED


def test_an_account_that_sent_everything_stays_open_and_takes_octets_back(ledger: Ledger) -> None:
    ledger.credit("a", 100)
    ledger.do(do.Send("send", "a", 100, "gift"))
    assert (ledger.status("a"), ledger.octets("a")[2]) == (AccountStatus.OPEN, 0)
    assert ledger.reserve(10, name="early").code is not OutcomeCode.DONE
    ledger.do(do.Receive("return", "a", 100, "gift"))
    assert ledger.reserve(10).granted_octets == 10


@pytest.mark.parametrize("how", ["exhausted", "expired", "revoked"])
def test_octets_received_on_an_ended_account_lapse(ledger: Ledger, how: str) -> None:
    ledger.credit("a", 100, NOW + 50)
    if how == "exhausted":
        ledger.reserve(100)
        ledger.commit(100, close=True)
    elif how == "expired":
        ledger.at = NOW + 50
        ledger.do(do.Expire("expire", "a"))
    else:
        ledger.do(do.Revoke("revoke", "a", "fraud"))
    before = ledger.state.accounts["a"]
    lapsed = before.expired + before.revoked
    assert ledger.do(do.Receive("receive", "a", 40, "gift")).code is OutcomeCode.DONE
    account = ledger.state.accounts["a"]
    assert (account.status, account.available) == (how, 0)
    assert account.expired + account.revoked == lapsed + 40
    assert verify(ledger.state) == []


def test_a_refusal_to_receive_is_remembered(ledger: Ledger) -> None:
    """The caller returns the octets after a refusal, so a late copy must not book them as well."""
    receive = do.Receive("receive", "later", 40, "gift")
    assert ledger.do(receive).code is OutcomeCode.UNKNOWN_ACCOUNT
    ledger.credit("later", 100)
    assert ledger.do(receive).code is OutcomeCode.UNKNOWN_ACCOUNT
    assert ledger.octets("later")[2] == 100


def test_a_refusal_to_send_is_remembered(ledger: Ledger) -> None:
    ledger.credit("a", 100)
    ledger.do(do.Freeze("freeze", "w", True))
    gift = do.Send("gift", "a", 40, "gift")
    assert ledger.do(gift).code is OutcomeCode.FROZEN
    ledger.do(do.Freeze("thaw", "w", False))
    assert ledger.do(gift).code is OutcomeCode.FROZEN
    assert ledger.octets("a")[2] == 100


def test_a_move_takes_octets_out_of_a_frozen_wallet_and_a_return_comes_back_into_it(ledger: Ledger) -> None:
    ledger.credit("a", 100)
    ledger.do(do.Freeze("freeze", "w", True))
    assert ledger.do(do.Send("move", "a", 40, "move", from_frozen=True)).code is OutcomeCode.DONE
    assert ledger.do(do.Receive("return", "a", 40, "move")).code is OutcomeCode.DONE
    assert ledger.octets("a")[2] == 100


def test_an_uncapped_account_neither_sends_nor_receives(ledger: Ledger) -> None:
    ledger.credit("a", None)
    assert ledger.do(do.Send("send", "a", 1, "gift")).code is OutcomeCode.CONFLICT
    assert ledger.do(do.Receive("receive", "a", 1, "gift")).code is OutcomeCode.CONFLICT


def test_an_account_opened_empty_is_spendable_once_it_received_octets(ledger: Ledger) -> None:
    ledger.credit("a", 0)
    assert ledger.reserve(5, name="early").code is not OutcomeCode.DONE
    ledger.do(do.Receive("receive", "a", 40, "gift"))
    outcome = ledger.reserve(100, whole=100)
    assert (outcome.granted_octets, outcome.final) == (40, True)


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
    assert ledger.at >= LATER  # it has expired, too
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
        lambda: do.Credit("c", "w", "a", -1, LATER),
        lambda: do.Send("c", "a", 0, "gift"),
        lambda: do.Receive("c", "a", -1, "gift"),
        lambda: do.OrderWallet("c", "w", ("a", "a")),
        lambda: do.Reserve("c", "s", "w", Ask(1, 1, 1), "n" * 1025),
    ],
)
def test_a_command_that_nobody_should_make_cannot_be_made(make: object) -> None:
    assert callable(make)
    with pytest.raises(InvalidCommandError):
        make()
