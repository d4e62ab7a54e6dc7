"""What becomes of ChargingSessions: control-only access, second bearers, orphans, silence and restarts."""

import pytest

from kswifi.charging.answers import ChargingAnswer
from kswifi.charging.model import Access
from kswifi.charging.policy import CONTROL_ONLY_FILTER_ID, ChargingPolicy
from kswifi.diameter.constants import FinalUnitAction, ReportingReason
from kswifi.diameter.messages.units import ServiceUnit
from kswifi.ledger.commands import HoldWallet, LiftHold, Release
from tests.support.charging import (
    CORE,
    GATEWAY,
    IMSI,
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


def is_control_only(answer: ChargingAnswer) -> bool:
    (service,) = answer.services
    return (
        answer.result_code == 2001
        and service.granted == ServiceUnit(cc_total_octets=0)
        and service.final_unit is not None
        and service.final_unit.action is FinalUnitAction.RESTRICT_ACCESS
        and service.final_unit.filter_ids == (CONTROL_ONLY_FILTER_ID,)
        and service.validity_seconds == 15
    )


def test_control_only_from_exhaustion_to_the_lifted_hold() -> None:
    charging = Charging()
    charging.credit("a", 3 * MB)
    charging.credit("b", 3 * MB, days=31)
    first = charging.ask(request(INITIAL, 0, units(), host=GATEWAY))
    assert granted(first) == 3 * MB
    assert first.services[0].final_unit is not None
    assert first.services[0].final_unit.action is FinalUnitAction.RESTRICT_ACCESS
    # Its final report need not ask: that it restricts says so.
    final = request(UPDATE, 1, units(3 * MB, wants=False, reason=ReportingReason.FINAL), host=GATEWAY)
    assert is_control_only(charging.ask(final))
    (view,) = charging_sessions_of(charging.service, WALLET)
    assert view.access is Access.CONTROL_ONLY
    poll = units(0, reason=ReportingReason.VALIDITY_TIME)
    charging.pass_seconds(15)
    assert is_control_only(charging.ask(request(UPDATE, 2, poll, host=GATEWAY)))
    charging.restart()
    (view,) = charging_sessions_of(charging.service, WALLET)
    assert view.access is Access.CONTROL_ONLY
    charging.ledger.do(LiftHold("lift", WALLET, "b"))
    assert granted(charging.ask(request(UPDATE, 3, poll, host=GATEWAY))) == 3 * MB
    assert charging_sessions_of(charging.service, WALLET)[0].access is Access.FULL
    charging.ask(request(TERMINATION, 4, units(1, wants=False), host=GATEWAY))
    assert (charging.balances("a"), charging.balances("b")) == ((3 * MB, 0, 0), (1, 0, 3 * MB - 1))
    assert charging.changed == [WALLET] * 4  # opened, control-only, full again, ended; a restart changes nothing


def test_control_only_from_the_attach_on_survives_a_restart() -> None:
    charging = Charging()
    charging.credit("a", 3 * MB)
    charging.ledger.do(HoldWallet("hold", WALLET, "paused"))
    assert is_control_only(charging.ask(request(INITIAL, 0, units(), host=GATEWAY)))
    assert charging_sessions_of(charging.service, WALLET)[0].access is Access.CONTROL_ONLY
    poll = units(0, reason=ReportingReason.VALIDITY_TIME)
    assert is_control_only(charging.ask(request(UPDATE, 1, poll, host=GATEWAY)))
    charging.restart()
    (view,) = charging_sessions_of(charging.service, WALLET)
    assert view.access is Access.CONTROL_ONLY
    assert is_control_only(charging.ask(request(UPDATE, 2, poll, host=GATEWAY)))
    assert charging.service.open_sessions == 1
    charging.ledger.do(LiftHold("lift", WALLET))
    lifted = request(UPDATE, 3, poll, host=GATEWAY)
    answer = charging.ask(lifted)
    assert granted(answer) == 3 * MB
    assert charging.ask(lifted) == answer
    assert charging.ask(request(TERMINATION, 4, units(0, wants=False), host=GATEWAY)).result_code == 2001
    assert charging.balances("a") == (0, 0, 3 * MB)


def test_control_only_session_without_reservation_ends_quietly() -> None:
    charging = Charging()
    charging.ask(request(INITIAL, 0, units(), host=GATEWAY))
    assert charging.ask(request(TERMINATION, 1, units(0, wants=False), host=GATEWAY)).result_code == 2001
    assert charging.service.open_sessions == 0
    assert list(charging.ledger.state.open_reservations()) == []


def test_second_bearer_makes_grants_short_lived_and_not_final() -> None:
    charging = Charging()
    charging.credit("a", 5 * MB)
    first = charging.ask(request(INITIAL, 0, units(), session="one", apn="internet"))
    assert first.services[0].final_unit is not None
    second = charging.ask(request(INITIAL, 0, units(), session="two", apn="ims", charging_id=2))
    assert second.result_code == 4012
    charging.ask(request(TERMINATION, 1, units(MB, wants=False), session="one"))
    assert charging.ask(request(INITIAL, 0, units(), session="two", apn="ims", charging_id=2)) == second
    second = charging.ask(request(INITIAL, 0, units(), session="two again", apn="ims", charging_id=2))
    assert granted(second) == 4 * MB
    charging.credit("b", 30 * MB, days=40)
    charging.ask(request(TERMINATION, 1, units(4 * MB, wants=False), session="two again"))
    charging.ledger.do(LiftHold("lift", WALLET, "b"))
    charging.ask(request(INITIAL, 0, units(), session="three"))
    fourth = charging.ask(request(INITIAL, 0, units(), session="four", apn="ims", charging_id=2))
    assert granted(fourth) == MB
    assert (fourth.services[0].final_unit, fourth.services[0].validity_seconds) == (None, 30)


def test_orphan_is_settled_and_takes_late_usage() -> None:
    charging = Charging()
    charging.credit("a", 50 * MB)
    charging.ask(request(INITIAL, 0, units(), session="old", charging_id=1))
    other = charging.ask(request(INITIAL, 0, units(), session="other", apn="ims", charging_id=2))
    assert granted(other) == MB
    charging.ask(request(INITIAL, 0, units(), session="new", charging_id=3))
    assert charging.service.counters.orphans == 1
    assert {it.session_id for it in charging_sessions_of(charging.service, WALLET)} == {"other", "new"}
    assert charging.balances("a") == (0, 2 * MB, 48 * MB)
    # The old INITIAL comes again: it must not settle its successor.
    assert granted(charging.ask(request(INITIAL, 0, units(), session="old", charging_id=1))) == MB
    assert charging.service.counters.orphans == 1
    assert charging.ask(request(UPDATE, 1, units(5), session="old", charging_id=1)).result_code == 5002
    assert (
        charging.ask(request(TERMINATION, 2, units(6, wants=False), session="old", charging_id=1)).result_code
        == 2001
    )
    assert charging.balances("a") == (11, 2 * MB, 48 * MB - 11)
    assert charging.service.open_sessions == 2


@pytest.mark.parametrize("change", [{"apn": "ims"}, {"host": GATEWAY}, {"charging_id": None}, {"apn": None}])
def test_other_bearers_are_no_orphans(change: dict[str, str | None]) -> None:
    charging = Charging()
    charging.credit("a", 50 * MB)
    charging.ask(request(INITIAL, 0, units(), session="old", charging_id=1))
    new: dict[str, str | int | None] = {"charging_id": 2, **change}
    charging.ask(request(INITIAL, 0, units(), session="new", **new))  # type: ignore[arg-type]
    assert charging.service.open_sessions == 2


def test_silence_is_settled_after_validity_and_grace() -> None:
    charging = Charging()
    charging.credit("a", 50 * MB)
    charging.ask(request(INITIAL, 0, units()))
    charging.ask(request(INITIAL, 0, units(), session="lively", apn="ims"))
    charging.pass_seconds(600)
    charging.ask(request(UPDATE, 1, units(9), session="lively", apn="ims"))
    charging.pass_seconds(119)
    assert charging.service.sweep() == 0
    charging.pass_seconds(1)
    assert charging.service.sweep() == 1
    assert [it.session_id for it in charging_sessions_of(charging.service, WALLET)] == ["lively"]
    used, reserved, _ = charging.balances("a")
    assert (used, reserved) == (9, MB)
    charging.ask(request(UPDATE, 1, units(400)))
    assert charging.balances("a")[0] == 409
    charging.pass_seconds(10_000)
    assert charging.service.sweep() == 1
    assert charging.service.sweep() == 0


def test_sweep_goes_on_when_the_ledger_was_busy() -> None:
    charging = Charging()
    charging.credit("a", 50 * MB)
    charging.ask(request(INITIAL, 0, units()))
    charging.pass_seconds(1000)
    charging.ledger.busy_after = 0
    assert charging.service.sweep() == 0
    charging.ledger.busy_after = None
    assert charging.service.sweep() == 1
    assert charging.balances("a") == (0, 0, 50 * MB)


def test_restart_gives_the_grace_before_it_settles() -> None:
    charging = Charging()
    charging.credit("a", 50 * MB)
    charging.ask(request(INITIAL, 0, units(group=1), units(group=2), session="s#1"))
    charging.pass_seconds(5000)
    charging.restart()
    (view,) = charging_sessions_of(charging.service, WALLET)
    assert (view.session_id, view.bearer.imsi, view.bearer.peer, view.bearer.apn) == ("s#1", IMSI, CORE, "internet")
    charging.pass_seconds(119)
    assert charging.service.sweep() == 0
    charging.pass_seconds(1)
    assert charging.service.sweep() == 1
    charging.ledger.flush()
    assert charging.balances("a") == (0, 0, 50 * MB)


def test_reservations_of_others_are_left_alone() -> None:
    charging = Charging(ChargingPolicy())
    charging.credit("a", 5 * MB)
    charging.ask(request(INITIAL, 0, units()))
    charging.ledger.do(Release("by-hand", "s;1"))
    charging.restart()
    assert charging.service.open_sessions == 0
