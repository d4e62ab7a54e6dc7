"""Two bearers of one line: an idle one does not keep the other from what is left."""

import pytest

from kswifi.charging.re_auth import Told
from tests.support.charging import CORE, INITIAL, UPDATE, Charging, granted, request, units

MB = 1_000_000
TENTH = MB // 10


class Deaf:
    """A peer that answers a Re-Auth-Request and does nothing, as Open5GS does."""

    def __init__(self) -> None:
        self.asked: list[str] = []

    def re_authorise(self, session_id: str, peer: str, told: Told) -> bool:
        self.asked.append(session_id)
        told(2001)
        return True

    def abort(self, session_id: str, peer: str, told: Told) -> bool:
        return False


def two_bearers(octets: int) -> tuple[Charging, Deaf]:
    charging, peer = Charging(), Deaf()
    charging.service.notices.network = peer
    charging.credit("a", octets)
    charging.ask(request(INITIAL, 0, units(), session="idle", apn="ims", charging_id=1))
    charging.pass_seconds(5)
    charging.ask(request(INITIAL, 0, units(), session="busy", charging_id=2))
    return charging, peer


def test_an_idle_bearer_gives_back_what_the_other_one_lacks() -> None:
    charging, peer = two_bearers(20 * MB)
    charging.pass_seconds(0.1)
    number, used, answer = 1, MB, charging.ask(request(UPDATE, 1, units(MB), session="busy", charging_id=2))
    while not peer.asked:
        assert answer.grants
        number, used = number + 1, granted(answer) or 0
        charging.pass_seconds(0.3)
        answer = charging.ask(request(UPDATE, number, units(used), session="busy", charging_id=2))
    assert peer.asked == ["idle"]  # while the busy one still holds its last grant
    assert answer.grants
    idle = charging.ask(request(UPDATE, 1, units(0), session="idle", apn="ims", charging_id=1))
    assert (granted(idle), idle.services[0].validity_seconds) == (TENTH, 30)
    answer = charging.ask(request(UPDATE, number + 1, units(granted(answer)), session="busy", charging_id=2))
    assert granted(answer) == MB - TENTH
    used_up, held, left = charging.balances("a")
    assert (used_up + held + left, held) == (20 * MB, MB)


def test_an_idle_bearer_is_called_in_once_in_a_while() -> None:
    charging, peer = two_bearers(2 * MB)
    for number in range(1, 6):
        charging.pass_seconds(1)
        charging.ask(request(INITIAL, 0, units(), session=f"more{number}", apn=f"apn{number}", charging_id=9))
    assert peer.asked.count("idle") == 1


def test_a_second_bearer_that_was_refused_finds_something_when_it_comes_again() -> None:
    """Its core does not serve Re-Auth: what the idle bearer holds comes back with its short Validity-Time."""
    charging, _ = two_bearers(5 * MB)  # the first one was granted all of it
    assert charging.service.open_sessions == 1
    charging.pass_seconds(25)
    answer = charging.ask(request(UPDATE, 1, units(0), session="idle", apn="ims", charging_id=1))
    assert granted(answer) == TENTH
    assert granted(charging.ask(request(INITIAL, 0, units(), session="again", charging_id=3))) == MB


@pytest.mark.parametrize(("octets", "seconds"), [(50 * MB, 600), (11 * MB, 30), (5 * MB, 30)])
def test_a_grant_that_leaves_little_is_valid_for_a_short_time(octets: int, seconds: int) -> None:
    charging = Charging()
    charging.credit("a", octets)
    answer = charging.ask(request(INITIAL, 0, units(), host=CORE))
    assert answer.services[0].validity_seconds == seconds


def test_a_bearer_alone_is_granted_as_before() -> None:
    charging = Charging()
    charging.credit("a", 5 * MB)
    charging.ask(request(INITIAL, 0, units()))
    charging.pass_seconds(30)
    answer = charging.ask(request(UPDATE, 1, units(0)))
    assert (granted(answer), answer.is_final) == (5 * MB, True)
