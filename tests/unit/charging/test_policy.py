"""What an operator sets about answers: thresholds, times, final units, refusals in the group."""

import pytest

from kswifi.charging.policy import ChargingPolicy
from kswifi.diameter.constants import CcRequestType, FinalUnitAction
from kswifi.diameter.messages.credit_control import CreditControlAnswer
from kswifi.diameter.messages.units import FinalUnitIndication, ServiceCreditControl, ServiceUnit
from kswifi.ledger.commands import HoldWallet
from tests.support.charging import INITIAL, UPDATE, WALLET, Charging, request, units

MB = 1_000_000


def asks(octets: int | None = None, seconds: int | None = None, used: int | None = None) -> ServiceCreditControl:
    return ServiceCreditControl(
        requested=ServiceUnit(cc_total_octets=octets, cc_time=seconds),
        used=() if used is None else (ServiceUnit(cc_total_octets=used),),
    )


def test_thresholds_holding_times_and_seconds_never_come_with_a_final_unit() -> None:
    policy = ChargingPolicy(threshold_percent=20, quota_holding_seconds=90, time_quota_seconds=300)
    charging = Charging(policy)
    charging.credit("a", 12 * MB)
    (service,) = charging.ask(request(INITIAL, 0, asks(MB))).services
    assert service.granted == ServiceUnit(cc_total_octets=MB, cc_time=300)
    assert (service.threshold_octets, service.quota_holding_seconds) == (MB // 5, 90)
    assert service.final_unit is None
    charging.pass_seconds(0.01)
    charging.ask(request(UPDATE, 1, asks(used=MB)))
    (service,) = charging.ask(request(UPDATE, 2, asks(MB, 60, used=10 * MB))).services
    assert service.granted == ServiceUnit(cc_total_octets=MB)
    assert service.final_unit is not None
    assert (service.threshold_octets, service.quota_holding_seconds) == (None, 90)


@pytest.mark.parametrize(
    ("limit", "asked", "granted"),
    [(None, None, None), (None, 60, 60), (None, 9_999, 600), (None, 0, 600), (300, None, 300), (300, 60, 60)],
)
def test_time_is_granted_together_with_octets_where_it_is_asked_for_or_set(
    limit: int | None, asked: int | None, granted: int | None
) -> None:
    charging = Charging(ChargingPolicy(time_quota_seconds=limit))
    charging.credit("a", 100 * MB)
    (service,) = charging.ask(request(INITIAL, 0, asks(seconds=asked))).services
    assert service.granted == ServiceUnit(cc_total_octets=MB, cc_time=granted)


def test_redirect_leads_to_the_page_and_what_is_on_hold_stays_there() -> None:
    url = "https://kswifi.example.ng"
    charging = Charging(ChargingPolicy(final_unit_action=FinalUnitAction.REDIRECT, redirect_url=url))
    charging.credit("a", MB)
    last = FinalUnitIndication(action=FinalUnitAction.REDIRECT, redirect_url=url)
    (service,) = charging.ask(request(INITIAL, 0, units())).services
    assert (service.granted, service.final_unit) == (ServiceUnit(cc_total_octets=MB), last)
    (service,) = charging.ask(request(UPDATE, 1, units(MB))).services
    assert (service.granted, service.final_unit) == (ServiceUnit(cc_total_octets=0), last)
    assert service.validity_seconds == 15
    assert ServiceCreditControl.decode(service.encode()[8:]) == service


def test_refusals_stand_in_the_group_where_that_is_set() -> None:
    charging = Charging(ChargingPolicy(refuse_in_group=True))
    charging.credit("a", MB)
    charging.ledger.do(HoldWallet("hold", WALLET, "paused"))
    answer = charging.ask(request(INITIAL, 0, units(group=5)))
    assert (answer.result_code, answer.services[0].result_code, answer.services[0].rating_group) == (2001, 4012, 5)
    assert charging.ask(request(INITIAL, 0, direct=units())).result_code == 4012


def test_reporting_only_updates_are_booked_and_granted_nothing() -> None:
    charging = Charging()
    charging.credit("a", 50 * MB)
    service = ServiceCreditControl(
        rating_group=5, service_identifiers=(7, 8), requested=ServiceUnit(cc_input_octets=0, cc_output_octets=0)
    )
    (first,) = charging.ask(request(INITIAL, 0, service)).services
    assert (first.rating_group, first.service_identifiers) == (5, (7, 8))
    told = ServiceCreditControl(rating_group=5, used=(ServiceUnit(cc_input_octets=3, cc_output_octets=4),))
    (second,) = charging.ask(request(UPDATE, 1, told)).services
    assert (second.result_code, second.granted, second.final_unit) == (2001, None, None)
    assert charging.balances("a") == (7, 0, 50 * MB - 7)


def test_failure_handling_survives_the_wire() -> None:
    from kswifi.diameter.constants import CcFailureHandling, DirectDebitingFailureHandling

    told = CreditControlAnswer(
        session_id="s",
        result_code=2001,
        origin_host="ocs",
        origin_realm="r",
        cc_request_type=CcRequestType.INITIAL,
        cc_request_number=0,
        failure_handling=CcFailureHandling.RETRY_AND_TERMINATE,
        direct_debiting_failure_handling=DirectDebitingFailureHandling.CONTINUE,
    )
    assert CreditControlAnswer.decode(told.encode()) == told
