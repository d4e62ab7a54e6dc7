import secrets

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kswifi.accounts.errors import InvalidIdentifierError, WeakPasswordError
from kswifi.accounts.model import (
    Identifier,
    check_password,
    csrf_token,
    hash_recovery_code,
    hash_token,
    new_recovery_code,
    new_token,
    parse_identifier,
)


@pytest.mark.parametrize(
    "written",
    [
        "08031234567",
        "0803 123 4567",
        " 0803-123-4567 ",
        "(0803) 123.4567",
        "0803\u2011123\u00a04567",
        "8031234567",
        "2348031234567",
        "+2348031234567",
        "+234 803 123 4567",
        "+234 (0) 803 123 4567",
        "002348031234567",
        "23408031234567",
    ],
)
def test_a_nigerian_number_has_one_form_however_it_is_written(written: str) -> None:
    assert parse_identifier(written) == Identifier(phone_number="+2348031234567")


@pytest.mark.parametrize("written", ["+447911123456", "+1 202 555 0123"])
def test_numbers_of_other_countries_start_with_plus(written: str) -> None:
    assert str(parse_identifier(written)).startswith(written[:2])


@pytest.mark.parametrize(
    "written",
    [
        "", " ", "0803", "080312345678", "06031234567", "+2346031234567", "+23480312345", "447911123456",
        "+0123456789", "0803123456x", "++2348031234567", "a@b", "a b@c.de", "@c.de", "a@@c.de",
        "a@c..de", ".a@c.de", "a..b@c.de", "a@-c.de", "a@c.1", "ä@c.de", "a@" + "c" * 250 + ".de",
        "a" * 65 + "@c.de", "a@c.de\n.x",
    ],
)  # fmt: skip
def test_what_is_neither_is_refused(written: str) -> None:
    with pytest.raises(InvalidIdentifierError):
        parse_identifier(written)


def test_an_email_address_has_one_form() -> None:
    assert parse_identifier(" Ada.Obi+wifi@Example.NG ") == Identifier(email="ada.obi+wifi@example.ng")


@settings(deadline=None, max_examples=300)
@given(st.text(max_size=40))
def test_any_text_is_parsed_or_refused_and_a_form_is_its_own_form(text: str) -> None:
    try:
        found = parse_identifier(text)
    except InvalidIdentifierError:
        return
    assert parse_identifier(str(found)) == found


@pytest.mark.parametrize(
    "password",
    [
        "",
        "eleven char",
        "x" * 129,
        "aaaaaaaaaaaa",
        "abababababab",
        "+2348031234567",
        "123123qweqwe",
        "123123QweQwe",
        "passwordpassword",
        "godisgood2026!",
        "1234 blessing1",
        "abc12345abc12345",
    ],
)
def test_a_password_that_protects_nothing_is_refused(password: str) -> None:
    with pytest.raises(WeakPasswordError):
        check_password(password, Identifier(phone_number="+2348031234567"))


def test_the_address_is_no_password() -> None:
    with pytest.raises(WeakPasswordError):
        check_password("Adaobi.wifi.ng", Identifier(email="adaobi.wifi.ng@example.ng"))


@pytest.mark.parametrize(
    "password",
    ["three warm rivers", "ọmọ ayọ̀ dára", "739201846650", "x1" * 5 + "y2", "tall door 77", "pq" * 63 + "rs"],
)
def test_any_other_will_do(password: str) -> None:
    check_password(password, Identifier(phone_number="+2348031234567"))


def test_a_recovery_code_is_read_back_however_it_was_written() -> None:
    code = new_recovery_code(lambda count: bytes(range(count)))
    assert len(code) == 29
    assert not set(code) & set("ILOU")
    for written in (
        code,
        code.lower(),
        code.replace("-", " "),
        code.replace("-", ""),
        code.replace("0", "O").replace("1", "l"),
    ):
        assert hash_recovery_code(written) == hash_recovery_code(code)
    assert hash_recovery_code(code[:-1] + ("0" if code[-1] != "0" else "2")) != hash_recovery_code(code)


def test_codes_and_tokens_carry_all_their_random_bits() -> None:
    assert len({new_recovery_code(secrets.token_bytes) for _ in range(200)}) == 200
    assert len(new_token(secrets.token_bytes)) == 43


def test_the_stored_hash_and_the_csrf_token_belong_to_one_token_alone() -> None:
    one, other = new_token(secrets.token_bytes), new_token(secrets.token_bytes)
    assert len({csrf_token(one), csrf_token(other), one, hash_token(one).hex(), hash_token(other).hex()}) == 5
