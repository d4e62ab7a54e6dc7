"""The captured messages of a real core, and messages of our own, there and back."""

import dataclasses
from typing import Any

import pytest
from msgspec.structs import replace

from kswifi.diameter import dictionary as d
from kswifi.diameter.avp import PADDING, Grouped
from kswifi.diameter.constants import (
    CcRequestType,
    Command,
    DisconnectCause,
    FinalUnitAction,
    ReportingReason,
    RequestedAction,
    ResultCode,
    SubscriptionIdType,
)
from kswifi.diameter.messages.base import (
    Capabilities,
    CapabilitiesExchangeAnswer,
    CapabilitiesExchangeRequest,
    DeviceWatchdogRequest,
    DisconnectPeerRequest,
    PeerAnswer,
    VendorApplication,
)
from kswifi.diameter.messages.credit_control import CreditControlAnswer, CreditControlRequest
from kswifi.diameter.messages.s6a import (
    AuthenticationInformationAnswer,
    AuthenticationInformationRequest,
    EutranVector,
)
from kswifi.diameter.messages.units import (
    FinalUnitIndication,
    PsInformation,
    ServiceCreditControl,
    ServiceUnit,
    SubscriptionId,
)
from tests.support.diameter_samples import CCR_NAMES, IMSI, sample


@pytest.mark.parametrize("name", ["cer-1", "cer-2"])
def test_captured_cer_reads_and_is_written_back_identically(name: str) -> None:
    message = sample(name)
    request = CapabilitiesExchangeRequest.decode(message)
    theirs = request.capabilities
    assert (theirs.origin_host, theirs.origin_realm) == ("smf.localdomain", "localdomain")
    assert theirs.host_ip_addresses == ("127.0.0.4",)
    assert (theirs.product_name, theirs.firmware_revision, theirs.vendor_id) == ("freediameter", 10500, 0)
    assert theirs.application_ids == {4, 16777238, 16777272}
    assert theirs.supported_vendor_ids == (5535, 10415, 13019)
    assert theirs.origin_state_id == 1795405056
    assert request.encode() == message


def test_captured_initial_reads_to_its_fields() -> None:
    request = CreditControlRequest.decode(sample("ccr-initial"))
    assert request == CreditControlRequest(
        session_id="smf.localdomain;1795405056;2;app_gy",
        origin_host="smf.localdomain",
        origin_realm="localdomain",
        destination_realm="localdomain",
        cc_request_type=CcRequestType.INITIAL,
        cc_request_number=0,
        service_context_id="32251@3gpp.org",
        event_timestamp=1795405056,
        subscription_ids=(
            SubscriptionId(SubscriptionIdType.IMSI, IMSI),
            SubscriptionId(SubscriptionIdType.E164, "46700000001"),
        ),
        requested_action=RequestedAction.DIRECT_DEBITING,
        multiple_services_indicator=0,
        services=(ServiceCreditControl(requested=ServiceUnit(cc_total_octets=1_000_000)),),
        ps_information=PsInformation(
            charging_id=1,
            pdp_addresses=("10.45.0.2",),
            sgsn_addresses=("10.98.0.2",),
            ggsn_addresses=("10.98.0.1",),
            called_station_id="internet",
            sgsn_mcc_mnc="00101",
            user_location_info=bytes.fromhex("8200f110000100f1100001a201"),
            rat_type=6,
        ),
        hop_by_hop=0x556F648B,
        end_to_end=0x5006B9F1,
    )
    assert request.imsi == IMSI


def test_captured_reports_read_to_what_was_used() -> None:
    requests = [CreditControlRequest.decode(sample(name)) for name in CCR_NAMES]
    assert [it.cc_request_number for it in requests] == [0, 1, 2, 3, 4, 5]
    used = [it.services[0].used_octets for it in requests]
    assert used == [0, 1_001_000, 1_001_000, 1_001_000, 1_001_000, 996_800]
    assert requests[1].services[0].used[0].cc_time == 1795405058  # absurd: nothing here believes it
    assert requests[1].services[0].used[0].reporting_reason is ReportingReason.QUOTA_EXHAUSTED
    assert requests[5].services[0].is_final_report
    assert requests[5].services[0].requested is None
    assert requests[5].termination_cause == 1
    assert all(it.destination_host == "ocs.localdomain" for it in requests[1:])


def encoded_again(octets: bytes) -> bytes:
    """Decode every AVP by the dictionary, groups too, and encode its value with the flags it came with."""
    out = bytearray()
    offset = 0
    while offset < len(octets):
        code = int.from_bytes(octets[offset : offset + 4], "big")
        flags = octets[offset + 4]
        length = int.from_bytes(octets[offset + 5 : offset + 8], "big")
        start = offset + (12 if flags & 0x80 else 8)
        vendor = int.from_bytes(octets[offset + 8 : start], "big")
        avp: Any = d.DICTIONARY[vendor << 32 | code]
        value = octets[start : offset + length]
        value = encoded_again(value) if isinstance(avp, Grouped) else value
        whole = bytearray(avp.encode(avp.decode(value)))
        whole[4] = flags
        out += whole
        offset += length + len(PADDING[length & 3])
    return bytes(out)


@pytest.mark.parametrize("name", [*CCR_NAMES, "cer-1", "cer-2"])
def test_every_captured_avp_is_known_and_is_written_back_identically(name: str) -> None:
    message = sample(name)
    assert encoded_again(message[20:]) == message[20:]


@pytest.mark.parametrize("name", CCR_NAMES)
def test_captured_request_survives_our_own_encoding(name: str) -> None:
    request = CreditControlRequest.decode(sample(name))
    assert CreditControlRequest.decode(request.encode()) == request


def test_full_request_survives() -> None:
    request = replace(
        CreditControlRequest.decode(sample("ccr-update-1")),
        services=(
            ServiceCreditControl(
                rating_group=10,
                service_identifiers=(1, 2),
                requested=ServiceUnit(cc_time=60, cc_total_octets=1, cc_input_octets=2, cc_output_octets=3),
                used=(
                    ServiceUnit(cc_total_octets=2**63, reporting_reason=ReportingReason.THRESHOLD),
                    ServiceUnit(cc_output_octets=5),
                ),
                reporting_reason=ReportingReason.VALIDITY_TIME,
            ),
            ServiceCreditControl(rating_group=0),
        ),
        direct=None,
        ps_information=PsInformation(pdp_addresses=("10.0.0.1", "2001:db8::1")),
        proxy_infos=(d.DESTINATION_HOST.encode("agent"),),
        origin_state_id=7,
        retransmitted=True,
        proxiable=False,
    )
    assert CreditControlRequest.decode(request.encode()) == request
    assert request.services[0].used_octets == 2**63 + 5
    assert request.services[1].used_octets == 0


def test_units_in_the_message_itself() -> None:
    request = replace(
        CreditControlRequest.decode(sample("ccr-update-1")),
        services=(),
        direct=ServiceCreditControl(
            requested=ServiceUnit(), used=(ServiceUnit(cc_input_octets=1, cc_output_octets=2),)
        ),
    )
    again = CreditControlRequest.decode(request.encode())
    assert again == request
    assert again.direct is not None
    assert again.direct.used_octets == 3


def test_answer_survives() -> None:
    answer = CreditControlAnswer(
        session_id="s;1;2",
        result_code=ResultCode.SUCCESS,
        origin_host="ocs.localdomain",
        origin_realm="localdomain",
        cc_request_type=CcRequestType.UPDATE,
        cc_request_number=3,
        services=(
            ServiceCreditControl(
                rating_group=1,
                granted=ServiceUnit(cc_total_octets=0),
                validity_seconds=15,
                final_unit=FinalUnitIndication(
                    action=FinalUnitAction.RESTRICT_ACCESS,
                    restriction_filter_rules=("permit out ip from 10.0.0.1 to any",),
                    filter_ids=("kswifi-control-only",),
                ),
                result_code=ResultCode.SUCCESS,
            ),
        ),
        error_message="words",
        failed_avp=d.CC_TIME.example(),
        proxy_infos=(b"\0\0\1\x18\x40\0\0\x0dagent\0\0\0",),
        hop_by_hop=1,
        end_to_end=2,
    )
    assert CreditControlAnswer.decode(answer.encode()) == answer
    direct = replace(answer, services=(), direct=ServiceCreditControl(granted=ServiceUnit(cc_total_octets=5)))
    assert CreditControlAnswer.decode(direct.encode()) == direct
    busy = replace(answer, result_code=ResultCode.TOO_BUSY, cc_request_type=None, cc_request_number=None)
    assert CreditControlAnswer.decode(busy.encode()) == busy
    assert busy.encode()[4] == 0x60  # P and E: 3xxx is a protocol error (RFC 6733, 7.1.3)


def test_neighbours_messages_survive() -> None:
    capabilities = Capabilities(
        origin_host="ocs.localdomain",
        origin_realm="localdomain",
        host_ip_addresses=("127.0.0.1", "::1"),
        auth_application_ids=(4,),
        vendor_applications=(VendorApplication(vendor_id=10415, application_id=16777251),),
    )
    welcome = CapabilitiesExchangeAnswer(
        result_code=ResultCode.SUCCESS, capabilities=capabilities, hop_by_hop=1, end_to_end=2
    )
    assert CapabilitiesExchangeAnswer.decode(welcome.encode()) == welcome
    no_welcome = CapabilitiesExchangeAnswer(
        result_code=ResultCode.UNKNOWN_PEER, capabilities=None, error_message="who?", hop_by_hop=1, end_to_end=2
    )
    assert CapabilitiesExchangeAnswer.decode(no_welcome.encode()) == no_welcome
    watchdog = DeviceWatchdogRequest(
        origin_host="a", origin_realm="b", origin_state_id=1, hop_by_hop=3, end_to_end=4
    )
    assert DeviceWatchdogRequest.decode(watchdog.encode()) == watchdog
    farewell = DisconnectPeerRequest(
        origin_host="a", origin_realm="b", disconnect_cause=DisconnectCause.BUSY, hop_by_hop=3, end_to_end=4
    )
    assert DisconnectPeerRequest.decode(farewell.encode()) == farewell
    peer_answer = PeerAnswer(
        command_code=Command.DEVICE_WATCHDOG, result_code=2001, origin_host="a", origin_realm="b"
    )
    assert PeerAnswer.decode(peer_answer.encode()) == peer_answer


def test_authentication_information_survives() -> None:
    request = AuthenticationInformationRequest(
        session_id="gw;1;1",
        origin_host="gw",
        origin_realm="r",
        destination_realm="r",
        destination_host="hss",
        user_name=IMSI,
        visited_plmn_id=b"\x00\xf1\x10",
        re_synchronization_info=bytes(range(30)),
        hop_by_hop=1,
        end_to_end=2,
    )
    assert AuthenticationInformationRequest.decode(request.encode()) == request
    vector = EutranVector(rand=b"r" * 16, xres=b"x" * 8, autn=b"a" * 16, kasme=b"k" * 32)
    answer = AuthenticationInformationAnswer(
        session_id="gw;1;1", result_code=2001, origin_host="hss", origin_realm="r", vector=vector
    )
    assert AuthenticationInformationAnswer.decode(answer.encode()) == answer
    assert answer.is_success
    assert (b"k" * 32).hex() not in repr(answer)
    unknown = dataclasses.replace(answer, result_code=5001, experimental=True, vector=None)
    assert AuthenticationInformationAnswer.decode(unknown.encode()) == unknown
    assert not unknown.is_success
