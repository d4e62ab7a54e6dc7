"""The messages of the load generator are valid, of every kind, and differ from each other."""

from pathlib import Path

import pytest

from kswifi.bench.gy_load.messages import load_templates, session_parts
from kswifi.diameter.constants import CcRequestType
from kswifi.diameter.messages.credit_control import CreditControlRequest
from tests.support.diameter_samples import SAMPLES, sample

PACKAGE = Path("src/kswifi/bench/gy_load")
KINDS = {"initial": CcRequestType.INITIAL, "update": CcRequestType.UPDATE, "termination": CcRequestType.TERMINATION}


@pytest.mark.parametrize("name", KINDS)
def test_each_kind_of_message_holds_the_values_it_was_filled_with(name: str) -> None:
    templates = getattr(load_templates(), name)
    messages = [it.fill(session_parts(77, 4_321), 9, 5, 1_800_000_000, 123_456) for it in templates]
    assert len(messages) == 4
    assert len(set(map(len, messages))) > 2
    for message in messages:
        request = CreditControlRequest.decode(message)
        assert request.cc_request_type is KINDS[name]
        assert (request.hop_by_hop, request.end_to_end, request.cc_request_number) == (9, 9, 5)
        assert request.session_id == "smf.localdomain;0000000077;2;app_gy"
        assert request.imsi == "001010000004321"
        assert request.event_timestamp == 1_800_000_000
        assert request.ps_information is not None
        assert request.ps_information.charging_id == 77
        assert request.ps_information.pdp_addresses == ("10.0.16.225",)
        assert request.services[0].used_octets == (0 if name == "initial" else 163_456)


@pytest.mark.parametrize(
    ("name", "captured"), [("initial", "initial"), ("update", "update-1"), ("termination",) * 2]
)
def test_the_first_template_is_the_captured_message(name: str, captured: str) -> None:
    assert (PACKAGE / f"{name}.hex").read_bytes() == (SAMPLES / f"ccr-{captured}.hex").read_bytes()
    message = getattr(load_templates(), name)[0].fill(session_parts(1, 1), 1, 0, 1_800_000_000, 1)
    assert len(message) == len(sample(f"ccr-{captured}"))
