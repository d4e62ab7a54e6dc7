"""Answers of the charging server that are lost while its connection lives (RFC 8506, 5.7 and 13)."""

import time
from collections.abc import Callable
from pathlib import Path

import pytest

from kswifi.diameter.constants import CcFailureHandling, CcRequestType
from kswifi.diameter.messages.credit_control import CreditControlRequest
from tests.protocol.test_gateway_metering import read_all, stream
from tests.support.lab_network import lab_network
from tests.support.small_ocs import SmallOcs


def wait_until(is_so: Callable[[], bool]) -> None:
    until = time.monotonic() + 10
    while not is_so():
        assert time.monotonic() < until, "it did not come about"
        time.sleep(0.01)


def repeated(ocs: SmallOcs) -> list[CreditControlRequest]:
    return [request for request in ocs.requests if request.retransmitted]


@pytest.mark.parametrize("lost", [1, 2])
def test_a_lost_answer_is_asked_for_again_on_the_same_connection(tmp_path: Path, lost: int) -> None:
    ocs = SmallOcs(balance=50_000_000, grant=1_000_000)
    with lab_network(tmp_path, ocs, tx_seconds=0.2) as lab:
        lab.attach()
        ocs.lost_answers = lost
        received = read_all(stream(lab, 5_000_000))
        assert len(received.partition(b"\r\n\r\n")[2]) == 5_000_000
        lab.modem.detach()
    assert ocs.connections == 1
    assert len(repeated(ocs)) == lost
    first, *again = [it for it in ocs.requests if it.cc_request_number == repeated(ocs)[0].cc_request_number]
    assert not first.retransmitted
    assert {it.end_to_end for it in again} == {first.end_to_end}
    assert {it.services for it in again} == {first.services}
    assert ocs.overrun == 0
    assert ocs.used == sum(session.used for session in ocs.sessions.values())
    assert ocs.used - len(received) < 1_000  # the request alone


def test_a_connection_that_loses_every_answer_is_given_up(tmp_path: Path) -> None:
    ocs = SmallOcs(balance=50_000_000, grant=1_000_000)
    with lab_network(tmp_path, ocs, tx_seconds=0.1) as lab:
        lab.attach()
        ocs.lost_answers = 3
        assert len(read_all(stream(lab, 5_000_000)).partition(b"\r\n\r\n")[2]) == 5_000_000
    assert ocs.connections == 2
    assert ocs.overrun == 0


def test_without_a_word_about_failures_the_grant_is_used_and_nothing_beyond_it(tmp_path: Path) -> None:
    ocs = SmallOcs(balance=50_000_000, grant=1_000_000)
    with lab_network(tmp_path, ocs, tx_seconds=0.1) as lab:
        lab.attach()
        ocs.mute = True
        connection = stream(lab, 5_000_000)
        wait_until(lambda: len(repeated(ocs)) >= 3)
        (bearer,) = lab.gateway.status()["bearers"]
        assert (bearer["used_octets"], bearer["access"]) == (1_000_000, "full")
        ocs.mute = False
        assert len(read_all(connection).partition(b"\r\n\r\n")[2]) == 5_000_000
    assert ocs.overrun == 0


@pytest.mark.parametrize(
    ("handling", "repetitions"),
    [(CcFailureHandling.TERMINATE, range(2)), (CcFailureHandling.RETRY_AND_TERMINATE, range(1, 3))],
)
def test_a_charging_server_that_wants_no_service_without_it_ends_the_line(
    tmp_path: Path, handling: CcFailureHandling, repetitions: range
) -> None:
    ocs = SmallOcs(balance=50_000_000, grant=1_000_000, failure_handling=handling)
    with lab_network(tmp_path, ocs, tx_seconds=0.5) as lab:
        lab.attach()
        ocs.mute = True
        connection = stream(lab, 5_000_000)
        wait_until(lambda: lab.gateway.status()["bearers"][0]["access"] == "ended")
        assert len(repeated(ocs)) in repetitions
        received = read_all(connection)
        ocs.mute = False  # what was used is reported as soon as the server answers again
        wait_until(lambda: all(session.closed for session in ocs.sessions.values()))
        assert lab.modem.wait_for_access("ended", seconds=5)
    assert ocs.requests[-1].cc_request_type is CcRequestType.TERMINATION
    assert 0 <= ocs.used - len(received) < 1_000
    assert ocs.overrun == 0


def test_a_charging_server_that_wants_service_to_continue_keeps_the_line(tmp_path: Path) -> None:
    ocs = SmallOcs(balance=50_000_000, grant=1_000_000, failure_handling=CcFailureHandling.CONTINUE)
    with lab_network(tmp_path, ocs, tx_seconds=0.1) as lab:
        lab.attach()
        ocs.lost_answers = 2
        assert len(read_all(stream(lab, 3_000_000)).partition(b"\r\n\r\n")[2]) == 3_000_000
    assert ocs.overrun == 0
