"""Answers from templates are octet by octet those of the encoder."""

from hypothesis import given, settings
from hypothesis import strategies as st

from kswifi.charging.answers import ChargingAnswer
from kswifi.charging.policy import ChargingPolicy
from kswifi.diameter.constants import (
    CcFailureHandling,
    CcRequestType,
    CheckBalanceResult,
    FinalUnitAction,
    ResultCode,
)
from kswifi.diameter.messages.credit_control import CreditControlRequest
from kswifi.diameter.messages.units import FinalUnitIndication, ServiceCreditControl, ServiceUnit
from kswifi.servers.diameter.application import NodeIdentity
from kswifi.servers.diameter.gy_answers import MAX_TEMPLATES, GyAnswers

IDENTITY = NodeIdentity("ocs%s.localdomain", "local%domain", 1)
POLICY = ChargingPolicy(failure_handling=CcFailureHandling.CONTINUE)
WARM = GyAnswers(IDENTITY, POLICY)

few = st.integers(0, 2)
u32 = st.integers(0, 2**32 - 1)
services = st.builds(
    ServiceCreditControl,
    rating_group=st.none() | few,
    service_identifiers=st.lists(few, max_size=2).map(tuple),
    granted=st.none()
    | st.builds(ServiceUnit, cc_total_octets=st.none() | st.integers(0, 2**64 - 1), cc_time=st.none() | few),
    validity_seconds=st.none() | few,
    final_unit=st.none()
    | st.builds(FinalUnitIndication, action=st.sampled_from(FinalUnitAction), filter_ids=st.just(("a%b",))),
    result_code=st.none() | st.sampled_from([2001, 4012]),
    quota_holding_seconds=st.none() | few,
    threshold_octets=st.none() | u32,
)
answers = st.builds(
    ChargingAnswer,
    result_code=st.sampled_from([ResultCode.SUCCESS, ResultCode.SUCCESS, ResultCode.CREDIT_LIMIT_REACHED]),
    services=st.lists(services, max_size=2).map(tuple),
    direct=st.none() | st.none() | services,
    error_message=st.none() | st.none() | st.just("100 % no"),
    failed_avp=st.sampled_from([b"", b"", b"12345678"]),
    check_balance_result=st.none() | st.none() | st.sampled_from(CheckBalanceResult),
    cost_kobo=st.none() | st.none() | few,
)
requests = st.builds(
    CreditControlRequest,
    session_id=st.sampled_from(["a;1;2", "a;1;%b", "b;1;22", "é;1"]),
    origin_host=st.just("smf"),
    origin_realm=st.just("r"),
    destination_realm=st.just("r"),
    cc_request_type=st.sampled_from(CcRequestType),
    cc_request_number=u32,
    proxy_infos=st.sampled_from([(), (), (b"info",)]),
    hop_by_hop=u32,
    end_to_end=u32,
    proxiable=st.booleans(),
)


@settings(deadline=None, max_examples=400)
@given(requests, answers)
def test_a_template_says_what_the_encoder_says(request: CreditControlRequest, answer: ChargingAnswer) -> None:
    assert WARM.write(request, answer) == GyAnswers(IDENTITY, POLICY)._encode(request, answer)


def test_templates_are_bounded() -> None:
    writer = GyAnswers(IDENTITY, POLICY)
    request = CreditControlRequest(
        session_id="s",
        origin_host="smf",
        origin_realm="r",
        destination_realm="r",
        cc_request_type=CcRequestType.UPDATE,
        cc_request_number=1,
    )
    for number in range(MAX_TEMPLATES + 10):
        service = ServiceCreditControl(rating_group=number, granted=ServiceUnit(cc_total_octets=1))
        writer.write(request, ChargingAnswer(result_code=ResultCode.SUCCESS, services=(service,)))
    assert len(writer._templates) == 10
