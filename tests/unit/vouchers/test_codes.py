"""Codes: typed as people type, and not to be made without the key."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kswifi.vouchers.codes import SERIALS, VoucherCodes
from kswifi.vouchers.errors import UNKNOWN_VOUCHER
from tests.support.refusals import refused

CODES = VoucherCodes(bytes(range(32)))
DIGITS = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
SERIAL = st.integers(0, SERIALS - 1)


@given(SERIAL)
def test_a_code_is_read_as_people_type_it(serial: int) -> None:
    code = CODES.code(serial)
    assert len(code) == 14
    for typed in (code, code.lower(), code.replace("-", ""), f" {code.replace('-', ' ')} "):
        assert CODES.serial(typed) == serial
    assert CODES.serial(code.replace("0", "O").replace("1", "l")) == serial


@given(SERIAL, st.integers(0, 11), st.sampled_from(DIGITS))
def test_one_wrong_sign_is_noticed(serial: int, at: int, digit: str) -> None:
    text = CODES.code(serial).replace("-", "")
    forged = text[:at] + digit + text[at + 1 :]
    if forged != text:
        with refused(UNKNOWN_VOUCHER):
            CODES.serial(forged)


@given(st.text(max_size=40))
def test_nothing_that_is_typed_is_taken_or_breaks(text: str) -> None:
    with refused(UNKNOWN_VOUCHER):
        CODES.serial(text)


def test_another_installations_codes_are_not_ours() -> None:
    with refused(UNKNOWN_VOUCHER):
        CODES.serial(VoucherCodes(bytes(32)).code(7))
    with pytest.raises(ValueError, match="no serial"):
        CODES.code(SERIALS)


def test_the_codes_of_a_printed_sheet_stay_what_they_are() -> None:
    assert CODES.code(100) == "0003-4HQQ-VJBR"
