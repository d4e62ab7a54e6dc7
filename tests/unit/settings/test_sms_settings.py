"""The settings of who sends codes: whole, or refused by name."""

import pytest

from kswifi.free_data.rules import Requirement
from kswifi.settings import SettingsInvalidError, load_settings


@pytest.mark.parametrize(
    "given",
    [
        {"SMS_PROVIDER": "termii", "SMS_API_KEY": "a-key"},
        {"SMS_PROVIDER": "africas_talking", "SMS_USERNAME": "shop"},
        {"FREE_REQUIRES": "phone", "MODE": "own-core"},
        {"FREE_REQUIRES": "letter"},
    ],
)
def test_half_a_provider_is_refused(monkeypatch: pytest.MonkeyPatch, given: dict[str, str]) -> None:
    for name, value in given.items():
        monkeypatch.setenv(f"KSWIFI_{name}", value)
    with pytest.raises(SettingsInvalidError):
        load_settings()


def test_a_verified_phone_is_asked_for_and_the_key_is_not_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in {"FREE_REQUIRES": "phone", "SMS_PROVIDER": "termii", "SMS_API_KEY": "secret-key"}.items():
        monkeypatch.setenv(f"KSWIFI_{name}", value)
    settings = load_settings(sms_sender="KSWiFi")
    assert settings.free_data_rules().required is Requirement.PHONE
    assert "secret-key" not in repr(settings)
