"""Every code, number and name that people paste is read whatever its script, and with unseen characters in it."""

import unicodedata
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st
from typer import Typer
from typer.testing import CliRunner

from kswifi.accounts.common_passwords import is_common
from kswifi.accounts.model import hash_recovery_code, parse_identifier
from kswifi.cli.cdr import OfImsi
from kswifi.cli.inspect import package_app
from kswifi.cli.provisioning.rsp import IccidArgument
from kswifi.cli.provisioning.subscribers import OneImsi
from kswifi.kernel.pasted import clean_digits, clean_pasted
from kswifi.lab.phone.activation_code import ActivationCode
from kswifi.phone_verification.model import parse_phone_number
from kswifi.vouchers.codes import VoucherCodes

FORMAT = [chr(one) for one in range(0x110000) if unicodedata.category(chr(one)) == "Cf"]
ZEROS = [
    chr(one)
    for one in range(0x110000)
    if unicodedata.category(chr(one)) == "Nd" and unicodedata.decimal(chr(one)) == 0
]
VOUCHERS = VoucherCodes(bytes(32))


def _by_cli(annotation: object) -> Callable[[str], str]:
    """Return what a command is given for an argument that was pasted."""
    app, given_ = Typer(), []

    def command(value) -> None:  # type: ignore[no-untyped-def] # annotated below
        given_.append(value)

    command.__annotations__["value"] = annotation
    if annotation is not IccidArgument:
        command.__defaults__ = (None,)
    app.command()(command)

    def read(text: str) -> str:
        arguments = (
            [text] if annotation is IccidArgument else ["--imsi" if annotation is OfImsi else "--value", text]
        )
        result = CliRunner().invoke(app, arguments)
        assert result.exit_code == 0, result.output
        return str(given_[-1])

    return read


ENTRY_POINTS: dict[str, tuple[Callable[[str], object], str]] = {
    "phone number": (parse_identifier, "0803 123 4567"),
    "phone number abroad": (parse_phone_number, "+44 7700 900123"),
    "email address": (parse_identifier, "ada.1815@example.ng"),
    "recovery code": (hash_recovery_code, "7K2M-9QXA-T4WE-1D5H-8PZC-3RVB"),
    "voucher": (VOUCHERS.serial, VOUCHERS.code(12345)),
    "activation code": (ActivationCode.parse, "LPA:1$rsp.example.ng$AB12-CD34"),
    "code of digits": (clean_digits, "042 137"),
    "IMSI of cdr": (_by_cli(OfImsi), "621990000000001"),
    "IMSI of subscribers": (_by_cli(OneImsi), "621990000000001"),
    "ICCID of lpa": (_by_cli(IccidArgument), "8923499000000000015"),
}


@st.composite
def pasted(draw: st.DrawFn, text: str) -> str:
    """Write a text as a contact list might: format characters anywhere, its digits in any script."""
    zero = draw(st.sampled_from(ZEROS))
    marks = st.text(st.sampled_from(FORMAT), max_size=2)
    written = (chr(ord(zero) + int(one)) if one in "0123456789" else one for one in text)
    return "".join(draw(marks) + one for one in written) + draw(marks)


@pytest.mark.parametrize("name", ENTRY_POINTS)
def test_pasted_text_is_read_as_what_it_shows(name: str) -> None:
    read, plain = ENTRY_POINTS[name]
    expected = read(plain)

    @given(pasted(plain))
    def check(text: str) -> None:
        assert read(text) == expected

    check()


def test_the_package_command_reads_a_pasted_iccid() -> None:
    callback = package_app.registered_commands[0].callback
    assert callback is not None
    assert callback.__annotations__["iccid"].__metadata__[0].parser is clean_digits


@given(st.text())
def test_cleaning_again_changes_nothing(text: str) -> None:
    once = clean_pasted(text)
    assert clean_pasted(once) == once
    assert not any(unicodedata.category(one) == "Cf" for one in once)


@pytest.mark.parametrize("password", ["PassWord1", "iloveyou", "12345678", "١٢٣٤٥٦٧٨", "Kswifi123", "qwertyuiop"])
def test_common_passwords_are_known_in_any_case_and_script(password: str) -> None:
    assert is_common(password)
    assert not is_common(password + " but three warm rivers")
