"""An operator's own numbers and access point, from the settings to what is made of them."""

import pytest

from kswifi.settings import SettingsInvalidError, load_settings


def test_new_lines_have_the_operators_numbers_and_access_point(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in {"PLMN": "621990", "ICCID_PREFIX": "892340099", "APN": "kswifi.ng"}.items():
        monkeypatch.setenv(f"KSWIFI_{name}", value)
    settings = load_settings()
    assert str(settings.numbers.imsi(7)) == "621990000000007"
    assert str(settings.numbers.iccid(7))[:18] == "892340099000000007"
    line = settings.line_settings("rsp.example.ng")
    assert (line.smdp_address, line.apn, line.apn_user_name) == ("rsp.example.ng", "kswifi.ng", "kswifi")


@pytest.mark.parametrize(("name", "value"), [("PLMN", "6219"), ("ICCID_PREFIX", "1234567"), ("APN", "an apn")])
def test_numbers_that_cannot_be_are_refused(monkeypatch: pytest.MonkeyPatch, name: str, value: str) -> None:
    monkeypatch.setenv(f"KSWIFI_{name}", value)
    with pytest.raises(SettingsInvalidError, match=f"KSWIFI_{name}"):
        load_settings()
