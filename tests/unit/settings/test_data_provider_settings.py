"""The settings of data providers: whole, or refused by name."""

from datetime import date

import pytest

from kswifi.settings import SettingsInvalidError, load_settings
from kswifi.supply.model import Money

VTPASS = {"VTPASS_API_KEY": "a-key-of-ours", "VTPASS_PUBLIC_KEY": "PK_ours", "VTPASS_SECRET_KEY": "SK_ours"}


def put(monkeypatch: pytest.MonkeyPatch, given: dict[str, str]) -> None:
    for name, value in given.items():
        monkeypatch.setenv(f"KSWIFI_{name}", value)


@pytest.mark.parametrize(
    ("given", "named"),
    [
        ({"DATA_PROVIDERS": "airtel"}, "airtel"),
        ({"DATA_PROVIDERS": "vtpass"}, "vtpass_api_key"),
        ({"DATA_PROVIDERS": "vtpass", "VTPASS_API_KEY": "k", "VTPASS_PUBLIC_KEY": "p"}, "vtpass_secret_key"),
        ({"DATA_PROVIDERS": "esim_go,esim_go", "ESIM_GO_API_KEY": "k"}, "twice"),
        ({"DATA_PROVIDERS": "esim_go", "ESIM_GO_API_KEY": "k", "ESIM_GO_SANDBOX": "true"}, "esim_go_url"),
        ({"FX_RATES": "USD=1650.50"}, "fx_rates_on"),
        ({"FX_RATES": "USD=0", "FX_RATES_ON": "2026-12-01"}, "USD=1650.50"),
        ({"FX_RATES": "NGN=1", "FX_RATES_ON": "2026-12-01"}, "USD=1650.50"),
        ({"FX_RATES": "USD=1e9", "FX_RATES_ON": "2026-12-01"}, "USD=1650.50"),
        ({"VTPASS_WEBHOOK_PATH": "short"}, "16 to 64"),
        ({"VTPASS_WEBHOOK_PATH": "with/a/slash/in/the/path"}, "16 to 64"),
        ({"ESIM_ACCESS_WEBHOOK_NETWORKS": "somewhere"}, "network"),
        ({"ESIM_GO_URL": "ftp://api.test"}, "ESIM_GO_URL"),
    ],
)
def test_half_a_provider_is_refused(monkeypatch: pytest.MonkeyPatch, given: dict[str, str], named: str) -> None:
    put(monkeypatch, given)
    with pytest.raises(SettingsInvalidError, match=named):
        load_settings()


def test_a_whole_provider_has_its_options_and_shows_no_key(monkeypatch: pytest.MonkeyPatch) -> None:
    put(monkeypatch, {"DATA_PROVIDERS": "vtpass, esim_go", "VTPASS_WEBHOOK_NETWORKS": "203.0.113.0/24", **VTPASS})
    put(monkeypatch, {"ESIM_GO_API_KEY": "another-key", "ESIM_GO_REFUNDS": "true", "VTPASS_SANDBOX": "true"})
    settings = load_settings()
    assert settings.data_providers == ("vtpass", "esim_go")
    options = settings.provider_options("vtpass")
    assert (options.api_key, options.public_key, options.secret_key) == ("a-key-of-ours", "PK_ours", "SK_ours")
    assert (options.sandbox, options.webhook_senders, options.refunds) == (True, ("203.0.113.0/24",), False)
    assert settings.provider_options("esim_go").refunds
    for shown in (repr(settings), repr(options)):
        assert not any(secret in shown for secret in ("a-key-of-ours", "SK_ours", "another-key"))


def test_rates_are_exact_and_dated(monkeypatch: pytest.MonkeyPatch) -> None:
    put(
        monkeypatch,
        {"FX_RATES": "USD=1650.5, EUR=1801.2345", "FX_RATES_ON": "2026-12-01", "FX_MARGIN_PERCENT": "0"},
    )
    rates = load_settings().exchange_rates()
    assert rates.rates == {"USD": 16_505_000, "EUR": 18_012_345}
    assert rates.dated == date(2026, 12, 1)
    assert rates.kobo(Money(10_000, "EUR")) == 18_012_345
