"""Against python-diameter, an implementation that is not ours: the same names, the same octets."""

import datetime as dt
import warnings

import pytest

with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    from diameter.message import Message
    from diameter.message.avp import avp as theirs
    from diameter.message.avp.dictionary import AVP_DICTIONARY, AVP_VENDOR_DICTIONARY
    from diameter.message.commands import CreditControlRequest as TheirCreditControlRequest

from kswifi.diameter import avp as ours
from kswifi.diameter import dictionary as d
from kswifi.diameter.messages.credit_control import CreditControlRequest
from tests.support.diameter_samples import CCR_NAMES, sample

_SAME_TYPES: dict[type, tuple[str, ...]] = {
    ours.OctetString: ("AvpOctetString",),
    ours.Grouped: ("AvpGrouped",),
    ours.Utf8String: ("AvpUtf8String", "AvpOctetString"),
    ours.Unsigned32: ("AvpUnsigned32", "AvpInteger32", "AvpEnumerated"),
    ours.Unsigned64: ("AvpUnsigned64",),
    ours.Integer32: ("AvpInteger32", "AvpEnumerated"),
    ours.Integer64: ("AvpInteger64",),
    ours.Enumerated: ("AvpInteger32", "AvpEnumerated"),
    ours.Time: ("AvpTime",),
    ours.Address: ("AvpAddress",),
}


@pytest.mark.parametrize("avp", d.DICTIONARY.values(), ids=str)
def test_dictionary_agrees(avp: ours.Avp[object]) -> None:
    table = AVP_VENDOR_DICTIONARY[avp.vendor_id] if avp.vendor_id else AVP_DICTIONARY
    entry = table[avp.code]
    assert entry["name"] == avp.name
    assert entry["type"].__name__ in _SAME_TYPES[type(avp)]


@pytest.mark.parametrize("name", CCR_NAMES)
def test_both_read_the_captured_requests_alike(name: str) -> None:
    mine = CreditControlRequest.decode(sample(name))
    other = Message.from_bytes(sample(name))
    assert isinstance(other, TheirCreditControlRequest)
    assert other.session_id == mine.session_id
    assert other.origin_host == mine.origin_host.encode()
    assert other.cc_request_type == mine.cc_request_type
    assert other.cc_request_number == mine.cc_request_number
    assert [it.subscription_id_data for it in other.subscription_id] == [it.data for it in mine.subscription_ids]
    group = other.multiple_services_credit_control[0]
    used = sum((unit.cc_input_octets or 0) + (unit.cc_output_octets or 0) for unit in group.used_service_unit)
    assert used == mine.services[0].used_octets
    assert mine.ps_information is not None
    information = other.service_information.ps_information
    assert information.called_station_id == mine.ps_information.called_station_id
    assert information.tgpp_user_location_info == mine.ps_information.user_location_info


@pytest.mark.parametrize("name", CCR_NAMES)
def test_what_we_write_reads_the_same_there(name: str) -> None:
    mine = CreditControlRequest.decode(sample(name))
    other = Message.from_bytes(mine.encode())
    assert isinstance(other, TheirCreditControlRequest)
    assert other.header.hop_by_hop_identifier == mine.hop_by_hop
    assert other.session_id == mine.session_id
    assert mine.ps_information is not None
    assert other.service_information.ps_information.pdp_address == [(1, "10.45.0.2")]
    assert mine.event_timestamp is not None
    their_time = other.event_timestamp.replace(tzinfo=dt.UTC)
    assert abs(their_time.timestamp() - mine.event_timestamp) < 86_400  # theirs is in local time
    assert CreditControlRequest.decode(other.as_bytes()).services == mine.services


def test_value_types_agree() -> None:
    for mine, value in ((d.CC_TOTAL_OCTETS, 2**40), (d.CC_TIME, 5), (d.ORIGIN_STATE_ID, 2**31)):
        assert theirs.Avp.new(mine.code, mine.vendor_id, value=value).as_bytes() == mine.encode(value)
    assert theirs.Avp.new(d.SESSION_ID.code, value="ärger").as_bytes() == d.SESSION_ID.encode("ärger")
    assert theirs.Avp.new(d.PDP_ADDRESS.code, 10415, value="10.0.0.1", is_mandatory=True).as_bytes() == (
        d.PDP_ADDRESS.encode("10.0.0.1")
    )
