"""Card numbers: their check digits, and their encoding in the card's files."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kswifi.kernel.numbers import Eid, Iccid, Imsi, InvalidNumberError, luhn_digit


def test_iccid_octets_are_swapped_nibbles_padded_with_f() -> None:
    assert Iccid("8944500000000000014").to_bytes().hex() == "984405000000000010f4"


def test_iccid_with_a_wrong_check_digit_is_refused() -> None:
    with pytest.raises(InvalidNumberError, match="check digit") as refusal:
        Iccid("8944500000000000015")
    assert refusal.value.facts == {"iccid": "8944500000000000015"}


@pytest.mark.parametrize("digits", ["", "123", "89445000000000000x4", "8" * 21, "٨" * 19])
def test_malformed_iccids_are_refused(digits: str) -> None:
    with pytest.raises(InvalidNumberError):
        Iccid(digits)


@given(st.text("0123456789", min_size=18, max_size=18))
def test_iccid_survives_encoding_for_its_file(body: str) -> None:
    iccid = Iccid(body + luhn_digit(body))
    assert Iccid.from_bytes(iccid.to_bytes()) == iccid


def test_imsi_octets_follow_ts_31_102() -> None:
    assert Imsi("001010000000001").to_bytes().hex() == "080910100000000010"


@given(st.text("0123456789", min_size=6, max_size=15))
def test_imsi_survives_encoding_for_its_file(digits: str) -> None:
    octets = Imsi(digits).to_bytes()
    assert len(octets) == 9
    assert Imsi.from_bytes(octets) == digits


def test_eid_check_digits_match_the_example_of_the_specification() -> None:
    assert Eid.with_check_digits("890490321234512345123456789012") == "89049032123451234512345678901235"
    with pytest.raises(InvalidNumberError, match="check digits"):
        Eid("89049032123451234512345678901236")


@given(st.binary(min_size=10, max_size=10))
def test_any_octets_of_ef_iccid_survive_decoding_and_encoding(octets: bytes) -> None:
    assert Iccid.from_bytes(octets).to_bytes() == octets


@pytest.mark.parametrize("digits", ["898600B5012345678901", "8923401000000000010", "89012345678901234567"])
def test_numbers_of_other_issuers_are_kept_unchanged(digits: str) -> None:
    assert Iccid.as_read(digits) == digits
    assert Iccid.as_read(digits.lower().ljust(20, "f")) == digits
    assert Eid.as_read("890490321234512345123456789012ab") == "890490321234512345123456789012AB"


@pytest.mark.parametrize("digits", ["", "x", "8" * 21, "89 86", "898600Z5012345678901"])
def test_numbers_that_do_not_fit_a_card_are_refused(digits: str) -> None:
    with pytest.raises(InvalidNumberError, match="hexadecimal"):
        Iccid.as_read(digits)
    with pytest.raises(InvalidNumberError, match="32 digits"):
        Eid.as_read(digits)
