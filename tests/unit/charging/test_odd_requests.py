"""Requests that another gateway, an old copy or an odd client sends."""

import pytest
from msgspec.structs import replace

from kswifi.charging.journal_notes import Bearer
from kswifi.charging.late_requests import TX_SECONDS
from kswifi.charging_records.model import ChargingDataRecord
from kswifi.diameter.constants import CcRequestType, RequestedAction
from kswifi.diameter.errors import DiameterError
from kswifi.diameter.messages.credit_control import CreditControlRequest
from kswifi.diameter.messages.units import ServiceCreditControl, ServiceUnit
from kswifi.ledger.verify import verify
from tests.support.charging import EVENT, INITIAL, TERMINATION, UPDATE, WALLET, Charging, granted, request, units

MB = 1_000_000
OTHER = "smf2.localdomain"


def opened() -> Charging:
    charging = Charging()
    charging.credit("a", 20 * MB)
    charging.ask(request(INITIAL, 0, units()))
    return charging


@pytest.mark.parametrize("kind", [INITIAL, UPDATE, TERMINATION])
@pytest.mark.parametrize("is_open", [True, False])
def test_only_the_gateway_that_opened_a_session_sends_its_requests(kind: CcRequestType, is_open: bool) -> None:
    charging = opened()
    if not is_open:
        charging.ask(request(TERMINATION, 1, units(1, wants=False)))
    before = charging.balances("a")
    with pytest.raises(DiameterError) as caught:
        charging.send(request(kind, 2, units(9), host=OTHER))
    assert caught.value.result_code == 5002
    assert charging.balances("a") == before


def test_the_name_of_a_gateway_ignores_case() -> None:
    charging = opened()
    assert granted(charging.ask(request(UPDATE, 1, units(MB), host="SMF.localdomain"))) is not None


def replaced(happened: int | None) -> Charging:
    """Return charging with an UPDATE that was granted, and whose session another one replaced since."""
    charging = opened()
    charging.ask(request(UPDATE, 1, units(MB), happened=happened))
    charging.ask(request(INITIAL, 0, units(), session="new", charging_id=2))
    return charging


@pytest.mark.parametrize("told", [True, False])
def test_a_late_copy_confirms_usage_without_the_grant_that_was_given_back(told: bool) -> None:
    happened = Charging().now if told else None
    charging = replaced(happened)
    before = charging.balances("a")
    copy = request(UPDATE, 1, units(MB), happened=happened)
    assert granted(charging.ask(copy)) is not None  # within Tx
    charging.pass_seconds(TX_SECONDS + 1)
    answer = charging.ask(copy)
    assert (answer.result_code, answer.grants) == (5002, False)
    assert charging.balances("a") == before
    assert before[0] == MB


@pytest.mark.parametrize("asked", [ServiceUnit(cc_service_specific_units=5), ServiceUnit(cc_money=b"")])
def test_units_that_have_no_tariff_here_get_no_octets(asked: ServiceUnit) -> None:
    charging = Charging()
    charging.credit("a", 20 * MB)
    service = ServiceCreditControl(requested=asked)
    answer = charging.ask(request(INITIAL, 0, service))
    assert (answer.result_code, answer.grants) == (5031, False)
    assert charging.service.open_sessions == 0
    assert charging.balances("a") == (0, 0, 20 * MB)
    with pytest.raises(DiameterError) as caught:
        charging.send(
            replace(request(EVENT, 0, service, session="event"), requested_action=RequestedAction.DIRECT_DEBITING)
        )
    assert caught.value.result_code == 5031


def test_usage_is_booked_where_other_units_are_asked_for() -> None:
    charging = opened()
    service = ServiceCreditControl(
        requested=ServiceUnit(cc_service_specific_units=5), used=(ServiceUnit(cc_total_octets=MB),)
    )
    assert charging.ask(request(UPDATE, 1, service)).result_code == 5031
    assert charging.balances("a") == (MB, 0, 19 * MB)
    assert verify(charging.ledger.state) == []


@pytest.mark.parametrize("context", ["32251@3GPP.ORG", "15.32251@3gpp.org", "32251@3gpp.org"])
def test_the_domain_of_a_service_context_ignores_case(context: str) -> None:
    charging = Charging()
    charging.credit("a", 20 * MB)
    message = replace(request(INITIAL, 0, units()), service_context_id=context)
    assert granted(charging.ask(message)) == MB
    assert charging.service._sessions.of_wallet(WALLET)


def test_an_ipv4v6_bearer_keeps_both_addresses_and_its_prefix() -> None:
    charging = opened()
    message = request(INITIAL, 0, units(), session="v4v6", apn="ims")
    assert message.ps_information is not None
    both = replace(message.ps_information, pdp_addresses=("10.45.0.2", "2001:db8:cafe::"), pdp_prefix_length=64)
    decoded = CreditControlRequest.decode(replace(message, ps_information=both).encode())
    charging.ask(decoded)
    reservation = charging.ledger.state.reservation("v4v6")
    assert reservation is not None
    bearer = Bearer.from_note(reservation.note)[1]
    assert (bearer.pdp_address, bearer.pdp_ipv6_address, bearer.pdp_prefix_length) == (
        "10.45.0.2", "2001:db8:cafe::", 64
    )  # fmt: skip
    record = ChargingDataRecord.opened("v4v6", bearer, 1)
    assert (record.pdp_address, record.pdp_ipv6_address, record.pdp_prefix_length) == (
        "10.45.0.2", "2001:db8:cafe::", 64
    )  # fmt: skip
