import os
from pathlib import Path

import pytest
from pydantic import SecretStr

from kswifi.kernel.errors import KswifiError
from kswifi.settings import PREFIX, Settings, SettingsInvalidError, load_settings
from kswifi.settings.listing import as_lines, as_markdown, list_settings
from kswifi.settings.secret_files import LARGEST_SECRET_OCTETS, secret_settings

KEY = "sk_live_0123456789abcdef"


@pytest.fixture(autouse=True)
def _clean(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in list(os.environ):
        if name.upper().startswith(PREFIX):
            monkeypatch.delenv(name)
    monkeypatch.delenv("CREDENTIALS_DIRECTORY", raising=False)
    monkeypatch.setenv("KSWIFI_PAYMENTS_EMAIL", "pay@example.ng")


def secret_of(settings: Settings, name: str) -> str:
    value: SecretStr = getattr(settings, name)
    return value.get_secret_value()


VALUES = {
    "paystack_secret_key": {},
    "payment_secret_key": {"payment_gateway": "paystack"},
}


def test_every_secret_may_come_from_a_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    secrets = secret_settings(Settings.model_fields)
    assert {"paystack_secret_key", "payment_secret_key", "sms_api_key", "email_password"} <= set(secrets)
    for name in secrets:
        file = tmp_path / name
        file.write_text(f"{KEY}\n")
        with monkeypatch.context() as only:
            only.setenv(f"KSWIFI_{name.upper()}_FILE", str(file))
            assert secret_of(load_settings(**VALUES.get(name, {})), name) == KEY, name


def test_a_secret_comes_from_the_credentials_of_systemd(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "kswifi_paystack_secret_key").write_text(KEY)
    (tmp_path / "another_service").write_text("its own")
    monkeypatch.setenv("CREDENTIALS_DIRECTORY", str(tmp_path))
    assert secret_of(load_settings(), "paystack_secret_key") == KEY
    assert load_settings().sms_api_key is None


def test_a_named_file_counts_before_a_credential(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "kswifi_sms_api_key").write_text("credential")
    (tmp_path / "named").write_text("named")
    monkeypatch.setenv("CREDENTIALS_DIRECTORY", str(tmp_path))
    monkeypatch.setenv("KSWIFI_SMS_API_KEY_FILE", str(tmp_path / "named"))
    assert secret_of(load_settings(), "sms_api_key") == "named"


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (None, "cannot be read: No such file"),
        (b"", "is empty"),
        (b"\n", "is empty"),
        (b"\xff\xfe", "not UTF-8"),
        (b"a" * (LARGEST_SECRET_OCTETS + 1), "more than"),
    ],
)
def test_a_file_that_holds_no_secret_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, content: bytes | None, words: str
) -> None:
    file = tmp_path / "key"
    if content is not None:
        file.write_bytes(content)
    monkeypatch.setenv("KSWIFI_SMS_API_KEY_FILE", str(file))
    with pytest.raises(KswifiError, match=f"KSWIFI_SMS_API_KEY_FILE: .*{words}"):
        load_settings()


def test_a_secret_that_is_set_twice_is_refused_without_showing_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "key"
    file.write_text("in the file")
    monkeypatch.setenv("KSWIFI_SMS_API_KEY_FILE", str(file))
    monkeypatch.setenv("KSWIFI_SMS_API_KEY", "in the environment")
    with pytest.raises(KswifiError, match="keep one of them") as refused:
        load_settings()
    assert "in the" not in str(refused.value)


def test_only_secrets_come_from_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KSWIFI_API_PORT_FILE", str(tmp_path / "port"))
    with pytest.raises(SettingsInvalidError, match="KSWIFI_API_PORT_FILE is no setting"):
        load_settings()


def test_the_list_names_each_setting_with_its_source_and_hides_secrets(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "sms"
    file.write_text("from the file")
    monkeypatch.setenv("KSWIFI_SMS_API_KEY_FILE", str(file))
    monkeypatch.setenv("KSWIFI_PAYSTACK_SECRET_KEY", KEY)
    monkeypatch.setenv("KSWIFI_API_PORT", "9000")
    listed = list_settings(os.environ)
    assert [it.variable for it in listed] == [f"KSWIFI_{name.upper()}" for name in Settings.model_fields]
    by_name = {it.variable: it for it in listed}
    port = by_name["KSWIFI_API_PORT"]
    assert (port.value, port.default, port.unit, port.source) == ("9000", "8080", "port", "environment")
    assert by_name["KSWIFI_SMS_API_KEY"].source == str(file)
    assert by_name["KSWIFI_PAYSTACK_SECRET_KEY"].source == "environment"
    assert by_name["KSWIFI_RSP_PORT"].source == "default"
    for text in (as_lines(listed), as_markdown(listed)):
        assert KEY not in text
        assert "from the file" not in text
        for name in Settings.model_fields:
            assert text.count(f"KSWIFI_{name.upper()}") >= 1
