"""Learnt layouts against the strict way: the same request, or the same refusal, whatever the octets."""

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kswifi.bench.gy_load.messages import load_templates, session_parts
from kswifi.diameter import dictionary as d
from kswifi.diameter import learnt
from kswifi.diameter.avp import Avp
from kswifi.diameter.constants import CcRequestType, ReportingReason, RequestedAction, SubscriptionIdType
from kswifi.diameter.errors import DiameterError
from kswifi.diameter.learnt import LAYOUTS_PER_LENGTH, LearntReader
from kswifi.diameter.messages.credit_control import CreditControlRequest
from kswifi.diameter.messages.units import PsInformation, ServiceCreditControl, ServiceUnit, SubscriptionId
from kswifi.diameter.reader import AvpSet
from kswifi.diameter.schema import REQUEST, Field, Group
from tests.support.diameter_samples import CCR_NAMES, sample

FULL = CreditControlRequest(
    session_id="smf;1;2",
    origin_host="smf",
    origin_realm="r",
    destination_realm="r",
    cc_request_type=CcRequestType.UPDATE,
    cc_request_number=3,
    destination_host="ocs",
    event_timestamp=1_800_000_000,
    subscription_ids=(
        SubscriptionId(SubscriptionIdType.IMSI, "001010000000001"),
        SubscriptionId(SubscriptionIdType.E164, "2348030000001"),
    ),
    requested_action=RequestedAction.DIRECT_DEBITING,
    termination_cause=1,
    multiple_services_indicator=1,
    services=(
        ServiceCreditControl(
            rating_group=7,
            service_identifiers=(1, 2, 3),
            requested=ServiceUnit(cc_total_octets=5, cc_time=9),
            used=(
                ServiceUnit(cc_input_octets=1, cc_output_octets=2, reporting_reason=ReportingReason.THRESHOLD),
                ServiceUnit(cc_total_octets=4),
            ),
            reporting_reason=ReportingReason.FINAL,
            validity_seconds=30,
        ),
        ServiceCreditControl(rating_group=8, requested=ServiceUnit()),
    ),
    ps_information=PsInformation(
        charging_id=77,
        pdp_addresses=("10.1.2.3", "2001:db8::1"),
        sgsn_addresses=("10.0.0.1",),
        ggsn_addresses=("10.0.0.2",),
        called_station_id="internet",
        sgsn_mcc_mnc="00101",
        user_location_info=b"\x82\x00\xf1\x10",
        rat_type=6,
    ),
    origin_state_id=12,
    proxy_infos=(b"one", b"two"),
    hop_by_hop=5,
    end_to_end=6,
)
DIRECT = CreditControlRequest(
    session_id="smf;1;3",
    origin_host="smf",
    origin_realm="r",
    destination_realm="r",
    cc_request_type=CcRequestType.EVENT,
    cc_request_number=0,
    direct=ServiceCreditControl(requested=ServiceUnit(cc_total_octets=9), used=(ServiceUnit(cc_total_octets=1),)),
)
TEMPLATES = load_templates()
PARTS = session_parts(3, 5)
BASES = (
    *map(sample, CCR_NAMES),
    *(kind.fill(PARTS, 1, 2, 1_800_000_000, 3) for kinds in TEMPLATES for kind in kinds),
    FULL.encode(),
    DIRECT.encode(),
)


def outcome(read: Any, message: bytes) -> Any:
    try:
        return read(message)
    except DiameterError as error:
        return error.result_code, error.message, error.failed_avp


def taught() -> LearntReader:
    """Return a reader to which every place of the base messages has differed."""
    reader = LearntReader()
    for message in BASES:
        reader.read(message)
        for position in range(20, len(message)):
            outcome(reader.read, _flipped(message, position, 1))
    return reader


def _flipped(message: bytes, position: int, bits: int) -> bytes:
    return message[:position] + bytes([message[position] ^ bits]) + message[position + 1 :]


READER = taught()
BASE = st.sampled_from(BASES)


@settings(deadline=None, max_examples=400)
@given(BASE, st.data())
def test_mutated_messages_read_alike(message: bytes, data: st.DataObject) -> None:
    changed = bytearray(message)
    for _ in range(data.draw(st.integers(0, 6))):
        position = data.draw(st.integers(0, len(message) - 1))
        changed[position] = data.draw(st.integers(0, 255))
    if data.draw(st.booleans()):  # cut off or grown, with a header that says so or not
        length = data.draw(st.integers(0, len(changed) + 40))
        changed = changed[:length].ljust(length, b"\0")
        if data.draw(st.booleans()) and len(changed) >= 4:
            changed[1:4] = len(changed).to_bytes(3, "big")
    octets = bytes(changed)
    assert outcome(READER.read, octets) == outcome(CreditControlRequest.decode, octets)


@pytest.mark.parametrize("message", [BASES[0], BASES[2], FULL.encode(), DIRECT.encode()])
def test_every_octet_read_alike_whatever_it_becomes(message: bytes) -> None:
    for position in range(len(message)):
        for bits in (0x01, 0x80, 0xFF):
            changed = _flipped(message, position, bits)
            assert outcome(READER.read, changed) == outcome(CreditControlRequest.decode, changed), position


def test_what_differs_gets_a_place_and_is_learnt_no_more() -> None:
    reader = LearntReader()
    template = TEMPLATES.update[0]
    for number in range(50):
        message = template.fill(session_parts(number, number), number, number, 1_800_000_000 + number, number)
        assert reader.read(message) == CreditControlRequest.decode(message)
    assert reader.layouts == 1
    assert reader.lessons < 6


def test_a_text_that_is_none_is_refused_as_ever() -> None:
    reader = LearntReader()
    for name in (b"one", b"two", b"six"):
        reader.read(_named(name))
    lessons = reader.lessons
    assert outcome(reader.read, _named(b"\xff\xff\xff"))[0] == 5004
    assert outcome(reader.read, _named(b"ten")).session_id == "tentttt"
    assert reader.lessons == lessons


def _named(session_id: bytes) -> bytes:
    return FULL.encode().replace(b"smf;1;2", session_id.ljust(7, session_id[:1]), 1)


def test_kinds_without_end_are_forgotten_and_cost_little() -> None:
    reader = LearntReader()
    for number in range(20_000):
        request = CreditControlRequest(
            session_id="s" * (number % 300 + 1),
            origin_host="h" * (number % 7 + 1),
            origin_realm="r",
            destination_realm="r",
            cc_request_type=CcRequestType.UPDATE,
            cc_request_number=1,
            proxy_infos=(b"p" * (number // 300 % 40),) * (number % 3),
        )
        message = request.encode()
        assert reader.read(message) == CreditControlRequest.decode(message)
    assert reader.layouts <= learnt.MAX_LAYOUTS
    assert reader.layouts == sum(map(len, reader._by_length.values()))
    assert max(map(len, reader._by_length.values())) <= LAYOUTS_PER_LENGTH
    assert reader.lessons < 256 + 20_000 // 16 + 1


def test_the_tables_name_every_avp_that_reading_looks_at(monkeypatch: pytest.MonkeyPatch) -> None:
    looked_at: set[int] = set()

    def spied(name: str) -> Any:
        real = getattr(AvpSet, name)

        def method(self: AvpSet, avp: Avp[Any]) -> Any:
            looked_at.add(avp.key)
            return real(self, avp)

        return method

    for name in ("get", "need", "every", "has"):
        monkeypatch.setattr(AvpSet, name, spied(name))
    for message in BASES:
        CreditControlRequest.decode(message)
    inside_final_unit = {d.FINAL_UNIT_ACTION.key, d.REDIRECT_SERVER.key}  # a place is never within that group
    assert looked_at - inside_final_unit == _seen(REQUEST)


def _seen(group: Group) -> set[int]:
    found = set(group.seen)
    for it in group.fields:
        found |= {it.through.key} if it.through is not None else set()
        found |= _seen(it.group) if it.group is not None else set()
    return found


def test_the_tables_have_every_field() -> None:
    of_the_header = {"hop_by_hop", "end_to_end", "retransmitted", "proxiable", "direct"}
    of_answers = {"granted", "final_unit", "result_code", "quota_holding_seconds", "threshold_octets"}

    def check(group: Group, left_out: set[str]) -> None:
        names = {it.name for it in group.fields}
        assert set(group.record.__struct_fields__) - names <= left_out, group.record
        for it in group.fields:
            _check_inner(it)

    def _check_inner(it: Field) -> None:
        if it.group is not None:
            check(it.group, of_answers)

    check(REQUEST, of_the_header)
