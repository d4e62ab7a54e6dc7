"""Locations as networks send them, and octets that are none."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kswifi.diameter.messages.credit_control import CreditControlRequest
from kswifi.diameter.messages.location import describe_location
from tests.support.diameter_samples import sample


@pytest.mark.parametrize(
    ("octets", "words"),
    [
        ("8262f220bab262f2200012d602", "TAI 262-02 tac 47794, ECGI 262-02 enb 4822 cell 2"),
        ("8013001400ff", "TAI 310-410 tac 255"),
        ("8126f820f0bcd501", "ECGI 628-02 enb 48341 cell 1"),
        ("0062f22012340abc", "CGI 262-02 lac 4660 ci 2748"),
        ("0162f22012340abc", "SAI 262-02 lac 4660 sac 2748"),
        ("0262f220123407ff", "RAI 262-02 lac 4660 rac 7"),
    ],
)
def test_each_kind_is_read(octets: str, words: str) -> None:
    assert describe_location(bytes.fromhex(octets)) == words


def test_the_captured_location_is_read() -> None:
    information = CreditControlRequest.decode(sample("ccr-initial")).ps_information
    assert information is not None
    assert information.user_location_info is not None
    assert describe_location(information.user_location_info) == "TAI 001-01 tac 1, ECGI 001-01 enb 418 cell 1"


@pytest.mark.parametrize(
    "octets", ["", "80", "8062f220", "8062f22000010000", "80fff2200001", "0362f2200001", "8862f220000001"]
)
def test_what_is_no_known_location_is_not_guessed_at(octets: str) -> None:
    assert describe_location(bytes.fromhex(octets)) is None


@settings(max_examples=200, deadline=None)
@given(st.binary(max_size=20))
def test_no_octets_do_harm(octets: bytes) -> None:
    assert describe_location(octets) is None or octets[0] in (0, 1, 2, 128, 129, 130)
