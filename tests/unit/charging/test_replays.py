"""The same request has the same answer, whatever happened since; and usage that nobody expects has its place."""

import pytest
from msgspec.structs import replace

from kswifi.charging.unknown_sessions import LATE_SECONDS
from kswifi.diameter.messages.credit_control import CreditControlRequest
from kswifi.ledger.commands import NOBODY, Freeze, HoldWallet, LiftHold, OpenWallet
from kswifi.ledger.state import Retention
from kswifi.ledger.verify import verify
from tests.support.charging import (
    GATEWAY,
    INITIAL,
    TERMINATION,
    UPDATE,
    WALLET,
    Charging,
    charging_sessions_of,
    granted,
    request,
    units,
)

MB = 1_000_000
STORIES: dict[str, list[CreditControlRequest]] = {
    "no group at all": [
        request(INITIAL, 0, indicator=1),
        request(UPDATE, 1),
        request(UPDATE, 2, units(group=7)),
        request(UPDATE, 3),
        request(TERMINATION, 4),
    ],
    "a group, and a farewell without any": [
        request(INITIAL, 0, units(group=7)),
        request(UPDATE, 1, units(5, group=7)),
        request(TERMINATION, 2),
    ],
    "a farewell to a group that never was": [
        request(INITIAL, 0, units()),
        request(UPDATE, 1, units(9)),
        request(TERMINATION, 2, units(0, wants=False, group=9)),
    ],
    "a farewell with usage of a group that never was": [
        request(INITIAL, 0, units(group=1)),
        request(TERMINATION, 1, units(11, wants=False, group=9)),
    ],
    "never granted anything": [
        request(INITIAL, 0, units(), host=GATEWAY),
        request(UPDATE, 1, units(0), host=GATEWAY),
        request(TERMINATION, 2, units(0, wants=False), host=GATEWAY),
    ],
}


@pytest.mark.parametrize("name", STORIES)
@pytest.mark.parametrize("restarts", [False, True])
def test_every_answer_comes_again_the_same(name: str, restarts: bool) -> None:
    charging = Charging()
    charging.credit("a", 50 * MB)
    if name.startswith("never"):
        charging.ledger.do(HoldWallet("hold", WALLET, "paused"))
    story = STORIES[name]
    answers = []
    for place, message in enumerate(story):
        answers.append(charging.ask(message))
        assert charging.ask(message) == answers[-1], place
        if restarts:
            charging.restart()
    assert [it.result_code for it in answers] == [2001] * len(story)
    charging.ledger.do(LiftHold("lift", WALLET))
    assert [charging.ask(message) for message in story] == answers
    assert charging.balances("a")[1] == 0
    assert charging.service.open_sessions == 0
    assert list(charging.ledger.state.open_reservations()) == []
    assert verify(charging.ledger.state) == []


def test_an_initial_that_contradicts_an_open_session_does_it_no_harm() -> None:
    charging = Charging()
    charging.credit("a", 50 * MB)
    charging.ledger.do(OpenWallet("other", "wallet-2", "001010000000002"))
    first = charging.ask(request(INITIAL, 0, units()))
    assert charging.ask(request(INITIAL, 0, units(3))).result_code == 5012
    # The same Session-Id and number is the same request, even with another IMSI.
    assert charging.ask(request(INITIAL, 0, units(), imsi="001010000000002")) == first
    assert charging.balances("a") == (0, MB, 49 * MB)
    control_only = request(INITIAL, 0, units(), session="c", host=GATEWAY, imsi="001010000000002")
    first = charging.ask(control_only)
    assert charging.ask(request(INITIAL, 0, units(3), session="c", host=GATEWAY)).result_code == 5012
    assert charging.ask(control_only) == first
    assert {it.session_id for it in charging_sessions_of(charging.service, "wallet-2")} == {"c"}
    assert len(list(charging.ledger.state.open_reservations())) == 2


def test_an_update_without_groups_leaves_the_grant_alone() -> None:
    charging = Charging()
    charging.credit("a", 50 * MB)
    charging.ask(request(INITIAL, 0, units()))
    assert charging.ask(request(UPDATE, 1)).services == ()
    assert charging.balances("a") == (0, MB, 49 * MB)


@pytest.mark.parametrize("kind", [UPDATE, TERMINATION])
def test_usage_of_an_unknown_session_is_paid_by_its_line_once(kind: int) -> None:
    charging = Charging()
    charging.credit("a", 50 * MB)
    late = request(kind, 3, units(700, wants=kind is UPDATE), happened=charging.now - LATE_SECONDS)  # type: ignore[arg-type]
    for _ in range(2):
        assert charging.ask(late).result_code == 5002
        assert charging.balances("a") == (700, 0, 50 * MB - 700)
        charging.restart()
    assert charging.service.open_sessions == 0
    assert charging.unbooked(NOBODY) == 0


def test_usage_that_may_have_been_paid_is_kept_for_the_operator() -> None:
    charging = Charging()
    charging.credit("a", 50 * MB)
    for number, happened in enumerate((None, charging.now - LATE_SECONDS - 1, charging.now + LATE_SECONDS + 1)):
        message = request(UPDATE, number, units(100), session=f"lost;{number}", happened=happened)
        assert charging.ask(message).result_code == 5002
        assert charging.ask(message).result_code == 5002
    message = replace(request(UPDATE, 8, units(3), session="again", happened=charging.now), retransmitted=True)
    assert [charging.ask(message).result_code for _ in range(2)] == [5002, 5002]
    strange = request(TERMINATION, 1, units(7, wants=False), session="x", imsi="9" * 15, happened=charging.now)
    charging.ask(strange)
    charging.ask(strange)
    assert charging.balances("a") == (0, 0, 50 * MB)
    assert charging.unbooked(NOBODY) == 310
    assert charging.service.counters.unbooked_octets >= 310
    assert verify(charging.ledger.state) == []


def test_late_means_before_a_closed_session_is_forgotten() -> None:
    assert Retention().closed_seconds >= LATE_SECONDS * 2


def test_usage_is_booked_whatever_the_line_is_held_for() -> None:
    charging = Charging()
    charging.credit("a", 100)
    charging.ledger.do(Freeze("freeze", WALLET, True))
    late = request(TERMINATION, 1, units(130, wants=False), session="one", happened=charging.now)
    assert charging.ask(late).result_code == 5002
    assert charging.balances("a") == (100, 0, 0)
    account = charging.ledger.state.account("a")
    assert account is not None
    assert account.balances.overrun == 30
    more = request(TERMINATION, 1, units(5, wants=False), session="two", happened=charging.now)
    assert charging.ask(more).result_code == 5002  # nothing of the line is left to book on
    assert charging.unbooked(WALLET) == 5


def test_usage_in_a_group_beyond_what_a_line_may_have_open_is_booked_all_the_same() -> None:
    charging = Charging()
    charging.credit("a", 500 * MB)
    for session in "abc":
        groups = [units(group=number) for number in range(21)]
        charging.ask(request(INITIAL, 0, *groups, session=session, apn=session))
    charging.ask(request(INITIAL, 0, units(), session="d", apn="d"))
    answer = charging.ask(request(UPDATE, 1, units(50, group=99), session="d", apn="d"))
    assert answer.result_code == 5002
    assert charging.balances("a")[0] == 50


def test_what_cannot_be_kept_is_refused_and_not_left_unanswered() -> None:
    charging = Charging()
    charging.credit("a", 500 * MB)
    charging.ask(request(INITIAL, 0, indicator=1))
    answer = charging.ask(request(UPDATE, 1, units(group=4), apn="x" * 2000))
    assert answer.result_code == 5004
    assert charging.service.waiting == 0


def test_a_group_opened_late_has_its_answer_after_the_end() -> None:
    charging = Charging()
    charging.credit("a", 50 * MB)
    charging.ask(request(INITIAL, 0, indicator=1))
    update = request(UPDATE, 1, units(group=4))
    first = charging.ask(update)
    assert granted(first) == MB
    charging.ask(request(TERMINATION, 2, units(1, wants=False, group=4)))
    assert charging.ask(update) == first
    assert charging.balances("a") == (1, 0, 50 * MB - 1)
