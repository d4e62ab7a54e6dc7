"""Random requests and answers: what we write, python-diameter reads alike; what it writes again, we read alike."""

import warnings
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    from diameter.message import Message

from kswifi.diameter.constants import (
    CcRequestType,
    FinalUnitAction,
    ReportingReason,
    RequestedAction,
    SubscriptionIdType,
)
from kswifi.diameter.messages.credit_control import CreditControlAnswer, CreditControlRequest
from kswifi.diameter.messages.units import (
    FinalUnitIndication,
    PsInformation,
    ServiceCreditControl,
    ServiceUnit,
    SubscriptionId,
)

EXAMPLES = 60
octets = st.integers(0, 2**64 - 1)
small = st.integers(0, 2**32 - 1)
LAST_INSTANT = 4_233_462_143  # as Unix seconds: a Time is 32 bits wide (RFC 6733, 4.3.1)
names = st.text(st.characters(codec="utf-8", exclude_characters="\0"), min_size=1, max_size=40)
digits = st.text("0123456789", min_size=6, max_size=15)


def maybe(strategy: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    return st.none() | strategy


units = st.builds(
    ServiceUnit,
    cc_total_octets=maybe(octets),
    cc_input_octets=maybe(octets),
    cc_output_octets=maybe(octets),
    cc_time=maybe(small),
)
# python-diameter knows no CC-Output-Octets in what is requested or granted.
amount = st.builds(ServiceUnit, cc_total_octets=maybe(octets), cc_input_octets=maybe(octets), cc_time=maybe(small))
groups = st.builds(
    ServiceCreditControl,
    rating_group=maybe(small),
    service_identifiers=st.lists(small, max_size=3).map(tuple),
    requested=maybe(amount),
    used=st.lists(units, max_size=3).map(tuple),
    reporting_reason=maybe(st.sampled_from(ReportingReason)),
)
requests = st.builds(
    CreditControlRequest,
    session_id=names,
    origin_host=names,
    origin_realm=names,
    destination_realm=names,
    cc_request_type=st.sampled_from(CcRequestType),
    cc_request_number=small,
    event_timestamp=maybe(st.integers(0, LAST_INSTANT)),
    subscription_ids=st.lists(
        st.builds(SubscriptionId, st.sampled_from(SubscriptionIdType), digits), max_size=2
    ).map(tuple),
    requested_action=maybe(st.sampled_from(RequestedAction)),
    termination_cause=maybe(st.integers(1, 8)),
    multiple_services_indicator=maybe(st.integers(0, 1)),
    services=st.lists(groups, max_size=3).map(tuple),
    ps_information=maybe(
        st.builds(
            PsInformation,
            charging_id=maybe(small),
            called_station_id=maybe(names),
            user_location_info=maybe(st.binary(min_size=1, max_size=13)),
        )
    ),
    hop_by_hop=small,
    end_to_end=small,
)
answered = st.builds(
    ServiceCreditControl,
    rating_group=maybe(small),
    granted=maybe(amount),
    validity_seconds=maybe(small),
    final_unit=maybe(st.builds(FinalUnitIndication, action=st.sampled_from(FinalUnitAction))),
    result_code=maybe(st.sampled_from((2001, 4012, 5031))),
)
answers = st.builds(
    CreditControlAnswer,
    session_id=names,
    result_code=st.sampled_from((2001, 4012, 5002, 5030)),
    origin_host=names,
    origin_realm=names,
    cc_request_type=st.sampled_from(CcRequestType),
    cc_request_number=small,
    services=st.lists(answered, max_size=3).map(tuple),
    hop_by_hop=small,
    end_to_end=small,
)
_OCTETS = ("cc_total_octets", "cc_input_octets", "cc_output_octets", "cc_time")


def amounts(unit: Any) -> tuple[int | None, ...]:
    """Return the four amounts of a unit, ours or theirs."""
    return tuple(getattr(unit, name, None) for name in _OCTETS)


@settings(max_examples=EXAMPLES, deadline=None)
@given(requests)
def test_requests_mean_the_same_to_both(mine: CreditControlRequest) -> None:
    theirs = Message.from_bytes(mine.encode())
    assert (theirs.header.hop_by_hop_identifier, theirs.header.end_to_end_identifier) == (
        mine.hop_by_hop,
        mine.end_to_end,
    )
    assert (theirs.session_id, theirs.origin_host.decode()) == (mine.session_id, mine.origin_host)
    assert (theirs.cc_request_type, theirs.cc_request_number) == (mine.cc_request_type, mine.cc_request_number)
    assert getattr(theirs, "requested_action", None) == mine.requested_action
    read = theirs.multiple_services_credit_control or []
    assert len(read) == len(mine.services)
    for one, other in zip(mine.services, read, strict=True):
        assert getattr(other, "rating_group", None) == one.rating_group
        assert tuple(other.service_identifier or ()) == one.service_identifiers
        assert [amounts(it) for it in other.used_service_unit or []] == [amounts(it) for it in one.used]
        requested = getattr(other, "requested_service_unit", None)
        assert (requested is None) == (one.requested is None)
        assert requested is None or amounts(requested) == amounts(one.requested)
    assert CreditControlRequest.decode(theirs.as_bytes()) == mine


@settings(max_examples=EXAMPLES, deadline=None)
@given(answers)
def test_answers_mean_the_same_to_both(mine: CreditControlAnswer) -> None:
    theirs = Message.from_bytes(mine.encode())
    assert (theirs.session_id, theirs.result_code) == (mine.session_id, mine.result_code)
    read = theirs.multiple_services_credit_control or []
    for one, other in zip(mine.services, read, strict=True):
        assert getattr(other, "result_code", None) == one.result_code
        assert getattr(other, "validity_time", None) == one.validity_seconds
        granted = getattr(other, "granted_service_unit", None)
        assert (granted is None) == (one.granted is None)
        assert granted is None or amounts(granted) == amounts(one.granted)
        final = getattr(other, "final_unit_indication", None)
        assert (None if final is None else final.final_unit_action) == (
            None if one.final_unit is None else one.final_unit.action
        )
    assert CreditControlAnswer.decode(theirs.as_bytes()) == mine
