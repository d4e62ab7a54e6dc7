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


@pytest.mark.parametrize(
    ("given", "required", "guarded"),
    [
        ({}, Requirement.NOTHING, False),
        ({"mode": "own-core"}, Requirement.VOUCHER, True),  # no provider sends codes
        ({"mode": "own-core", "sms_provider": "termii"}, Requirement.PHONE_OR_VOUCHER, True),
        ({"mode": "own-core", "free_requires": "nothing"}, Requirement.NOTHING, True),
        ({"mode": "own-core", "free_without_safeguards": True}, Requirement.NOTHING, False),
        ({"mode": "resold"}, Requirement.NOTHING, False),  # a rehearsal gives no real octets
    ],
)
def test_outside_embedded_mode_the_defaults_of_free_data_are_safe(
    given: dict[str, object], required: Requirement, guarded: bool
) -> None:
    more = {"sms_api_key": "key", "sms_sender": "KSWiFi"} if "sms_provider" in given else {}
    settings = load_settings(data_dir="/var/lib/kswifi", **given, **more)
    rules = settings.free_rules
    limits = (rules.device_allowance_octets, rules.card_allowance_octets)
    assert (rules.required, rules.guarded) == (required, guarded)
    assert limits == ((10_000_000_000, 5_000_000_000) if guarded else (None, None))
    assert bool(settings.fraud_rules) == (given.get("mode") == "own-core")
