"""Gateways that restarted: their Origin-State-Id rose, and what their sessions hold comes back."""

import pytest
from msgspec.structs import replace

from kswifi.charging.re_auth import Told
from kswifi.diameter.messages.credit_control import CreditControlRequest
from tests.support.charging import CORE, INITIAL, TERMINATION, UPDATE, WALLET, Charging, granted, request, units

MB = 1_000_000
RISEN = frozenset({8})


def under(state_id: int, message: CreditControlRequest) -> CreditControlRequest:
    """Return a request that a gateway in this state sends."""
    return replace(message, origin_state_id=state_id)


def opened(octets: int = 20 * MB) -> Charging:
    """Return a charging service with one bearer that has used 1 MB."""
    charging = Charging()
    charging.credit("a", octets)
    charging.service.peer_changed(CORE, frozenset({7}))
    charging.ask(under(7, request(INITIAL, 0, units(), session="old")))
    charging.ask(under(7, request(UPDATE, 1, units(MB), session="old")))
    return charging


def open_ids(charging: Charging) -> set[str]:
    return {it.session_id for it in charging.service._sessions.of_wallet(WALLET)}


def test_a_restarted_gateway_that_counts_its_charging_ids_anew_gets_everything() -> None:
    charging = opened()
    charging.service.peer_changed(CORE, RISEN)
    answer = charging.ask(under(8, request(INITIAL, 0, units(), session="new", charging_id=1)))
    assert granted(answer) == MB
    assert open_ids(charging) == {"new"}
    assert charging.balances("a") == (MB, MB, 18 * MB)


@pytest.mark.parametrize("charging_id", [1, None])
def test_a_marked_session_makes_room_for_the_next_of_its_subscriber_and_apn(charging_id: int | None) -> None:
    charging = opened()
    charging.service.peer_changed(CORE, RISEN)
    charging.ask(under(8, request(INITIAL, 0, units(), session="ims", apn="ims", charging_id=2)))
    assert open_ids(charging) == {"old", "ims"}
    elsewhere = request(INITIAL, 0, units(), session="new", charging_id=charging_id, host="smf2.localdomain")
    charging.ask(elsewhere)
    assert open_ids(charging) == {"ims", "new"}
    assert charging.service.counters.lost == 1


def test_usage_reported_late_is_booked_on_a_settled_session() -> None:
    charging = opened()
    charging.service.peer_changed(CORE, RISEN)
    charging.ask(under(8, request(INITIAL, 0, units(), session="new")))
    late = charging.ask(under(7, request(TERMINATION, 2, units(MB // 2, wants=False), session="old")))
    assert late.result_code == 2001
    assert charging.balances("a")[0] == MB + MB // 2


def test_nothing_is_marked_while_the_old_connection_is_open() -> None:
    charging = opened()
    charging.service.peer_changed(CORE, frozenset({7, 8}))
    charging.ask(under(8, request(INITIAL, 0, units(), session="new", charging_id=None)))
    assert open_ids(charging) == {"old", "new"}
    charging.service.peer_changed(CORE, RISEN)
    charging.ask(under(8, request(INITIAL, 0, units(), session="newer", charging_id=None)))
    assert open_ids(charging) == {"new", "newer"}


def test_an_update_clears_the_marks_of_its_origin() -> None:
    charging = opened(40 * MB)
    charging.ask(under(7, request(INITIAL, 0, units(), session="ims", apn="ims", charging_id=2)))
    charging.service.peer_changed(CORE, RISEN)
    charging.ask(under(7, request(UPDATE, 1, units(1), session="ims", apn="ims", charging_id=2)))
    charging.pass_seconds(130)
    assert charging.service.sweep() == 0
    assert open_ids(charging) == {"old", "ims"}
    charging.service.peer_changed(CORE, frozenset({9}))
    charging.pass_seconds(121)
    assert charging.service.sweep() == 2


def test_the_sweep_settles_marked_sessions_after_the_grace_alone() -> None:
    charging = opened()
    charging.service.peer_changed(CORE, RISEN)
    charging.pass_seconds(119)
    assert charging.service.sweep() == 0
    charging.pass_seconds(1)
    assert charging.service.sweep() == 1
    assert charging.balances("a") == (MB, 0, 19 * MB)
    assert charging.service.counters.lost == 1
    assert charging.service.sweep() == 0


@pytest.mark.parametrize("state_id", [7, None])
def test_a_state_that_did_not_rise_marks_nothing(state_id: int | None) -> None:
    charging = opened()
    charging.service.peer_changed(CORE, frozenset())
    charging.service.peer_changed(CORE, frozenset() if state_id is None else frozenset({state_id}))
    charging.pass_seconds(200)
    assert charging.service.sweep() == 0


def test_the_state_of_a_session_survives_a_restart_of_this_server() -> None:
    charging = opened()
    charging.restart()
    charging.service.peer_changed(CORE, RISEN)
    charging.ask(under(8, request(INITIAL, 0, units(), session="new", charging_id=None)))
    assert open_ids(charging) == {"new"}


class Peer:
    """A peer that answers every Re-Auth-Request at once."""

    def __init__(self, result_code: int) -> None:
        self.result_code = result_code
        self.asked: list[str] = []

    def re_authorise(self, session_id: str, peer: str, told: Told) -> bool:
        self.asked.append(session_id)
        told(self.result_code)
        return True

    def abort(self, session_id: str, peer: str, told: Told) -> bool:
        return False


@pytest.mark.parametrize(("risen", "is_settled"), [(True, True), (False, False)])
def test_a_re_auth_that_is_answered_5002_settles_a_marked_session(risen: bool, is_settled: bool) -> None:
    charging = opened(2 * MB)  # 1 MB used, 1 MB held by the idle bearer
    charging.service.notices.network = Peer(5002)
    if risen:
        charging.service.peer_changed(CORE, RISEN)
    charging.pass_seconds(10)
    charging.ask(under(8, request(INITIAL, 0, units(), session="ims", apn="ims", charging_id=2)))
    assert ("old" not in open_ids(charging)) is is_settled


@pytest.mark.parametrize(("retransmitted", "expected"), [(False, {"new"}), (True, {"old", "new"})])
def test_a_new_session_of_the_same_bearer_replaces_the_old_one(retransmitted: bool, expected: set[str]) -> None:
    charging = Charging()
    charging.credit("a", 20 * MB)
    charging.ask(request(INITIAL, 0, units(), session="old"))
    message = replace(request(INITIAL, 0, units(), session="new"), retransmitted=retransmitted)
    charging.ask(message)
    assert open_ids(charging) == expected
