import os
from datetime import timedelta
from pathlib import Path

import pytest

from kswifi.api.edge.forwarded import ForwardedHeader
from kswifi.settings import PREFIX, Settings, SettingsInvalidError, load_settings


@pytest.fixture(autouse=True)
def _clean(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in list(os.environ):
        if name.upper().startswith(PREFIX):
            monkeypatch.delenv(name)


def test_the_defaults_run_on_this_machine_alone() -> None:
    settings = load_settings()
    assert settings.host == "127.0.0.1"
    assert settings.origin == "http://localhost:8080"
    assert settings.lab_origin == "http://127.0.0.1:8081"
    assert settings.hosts == {"127.0.0.1", "localhost", "::1"}
    assert settings.login_lifetime == timedelta(days=30)
    assert settings.grant_cap_octets == 10_000_000


def test_the_environment_is_read_and_what_is_given_goes_first(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KSWIFI_API_PORT", "9000")
    monkeypatch.setenv("KSWIFI_LAB_PORT", "9001")
    monkeypatch.setenv("KSWIFI_ALLOWED_HOSTS", "wifi.example.ng, [fd00::1]")
    monkeypatch.setenv("KSWIFI_WIFI_NETWORKS", "10.0.0.0/8,fd00::/8")
    monkeypatch.setenv("KSWIFI_PUBLIC_ORIGIN", "https://kswifi.example.ng")
    settings = load_settings(lab_port=9002)
    assert (settings.api_port, settings.lab_port) == (9000, 9002)
    assert {"wifi.example.ng", "fd00::1", "kswifi.example.ng"} <= settings.hosts
    assert [str(network) for network in settings.wifi_networks] == ["10.0.0.0/8", "fd00::/8"]
    assert settings.origin == "https://kswifi.example.ng"


@pytest.mark.parametrize(
    ("variable", "value", "words"),
    [
        ("KSWIFI_API_PRT", "1", "did you mean KSWIFI_API_PORT"),
        ("KSWIFI_API_PORT", "70000", "KSWIFI_API_PORT: .*65535"),
        ("KSWIFI_API_PORT", "http", "KSWIFI_API_PORT: .*integer"),
        ("KSWIFI_LAB_PORT", "8080", "lab_port and api_port are both 8080"),
        ("KSWIFI_PUBLIC_ORIGIN", "https://kswifi.example/app", "without anything after it"),
        ("KSWIFI_PUBLIC_ORIGIN", "https://me@kswifi.example", "no user"),
        ("KSWIFI_ALLOWED_HOSTS", "kswifi.example:80", "without a port"),
        ("KSWIFI_WIFI_NETWORKS", "10.0.0.1/8", "KSWIFI_WIFI_NETWORKS: .*network"),
        ("KSWIFI_TIME_ZONE", "Africa/Abeokuta", "no time zone"),
        ("KSWIFI_OFFERS_FILE", "/absent/offers.toml", "no file"),
        ("KSWIFI_FREE_UNSPENT_OCTETS", "6000000000", "cannot be more than"),
        ("KSWIFI_FREE_TRANCHE_OCTETS", "39999999", "at least 40000000"),
        ("KSWIFI_FREE_DAILY_KOBO", "1", "free_daily_kobo limits nothing while free_cost_kobo_per_gb is 0"),
        ("KSWIFI_FREE_MONTHLY_KOBO", "0", "free_monthly_kobo limits nothing"),
        ("KSWIFI_GRANT_CAP_OCTETS", "0", "KSWIFI_GRANT_CAP_OCTETS"),
        ("KSWIFI_MODE", "magic", "KSWIFI_MODE"),
        ("KSWIFI_DIAMETER_REALM", "a realm", "KSWIFI_DIAMETER_REALM"),
        ("KSWIFI_SHARED_VALIDITY_SECONDS", "601", "more than validity_seconds"),
        ("KSWIFI_FINAL_UNIT_ACTION", "stop", "KSWIFI_FINAL_UNIT_ACTION"),
        ("KSWIFI_REDIRECT_URL", "javascript:1", "KSWIFI_REDIRECT_URL"),
        ("KSWIFI_METRICS_NETWORKS", "10.0.0.1/8", "KSWIFI_METRICS_NETWORKS"),
        (
            "KSWIFI_METRICS_PORT",
            "8080",
            "metrics_port and api_port are both 8080|api_port and metrics_port are both 8080",
        ),
        ("KSWIFI_TRUSTED_PROXIES", "10.0.0.1/8", "KSWIFI_TRUSTED_PROXIES"),
        ("KSWIFI_TRUSTED_PROXIES", "127.0.0.1,0.0.0.0/0", "lets every client name any address"),
        ("KSWIFI_TRUSTED_PROXIES", "::ffff:0:0/96", "lets every client name any address"),
        ("KSWIFI_FORWARDED_HEADER", "X-Real-IP", "KSWIFI_FORWARDED_HEADER"),
        ("KSWIFI_VENUE_RATE_FACTOR", "0", "KSWIFI_VENUE_RATE_FACTOR"),
    ],
)
def test_a_setting_that_cannot_be_used_is_refused_by_name(
    monkeypatch: pytest.MonkeyPatch, variable: str, value: str, words: str
) -> None:
    monkeypatch.setenv(variable, value)
    with pytest.raises(SettingsInvalidError, match=words):
        load_settings()


def test_free_ports_may_be_asked_for_more_than_once() -> None:
    assert load_settings(api_port=0, lab_port=0).api_port == 0


def test_all_addresses_are_reached_by_loopback() -> None:
    settings = load_settings(host="0.0.0.0", mode="own-core", data_dir="/srv/kswifi")
    assert settings.origin == "http://localhost:8080"
    assert "0.0.0.0" not in settings.hosts


def test_every_setting_is_described() -> None:
    assert [name for name, field in Settings.model_fields.items() if not field.description] == []


def test_proxies_may_stand_in_a_wifi_network_and_may_not_be_its_phones() -> None:
    settings = load_settings(
        trusted_proxies="10.0.0.1", wifi_networks="10.0.0.0/8,fd00::/8", forwarded_header="Forwarded"
    )
    assert settings.forwarded_header is ForwardedHeader.FORWARDED
    assert settings.venues.include("10.9.9.9")
    with pytest.raises(SettingsInvalidError, match=r"10\.0\.0\.0/8 contains 10\.1\.0\.0/16"):
        load_settings(trusted_proxies="10.0.0.0/8", wifi_networks="192.0.2.0/24,10.1.0.0/16")
    with pytest.raises(SettingsInvalidError, match="contains"):
        load_settings(trusted_proxies="10.1.0.0/16", wifi_networks="::ffff:10.1.2.0/120")


@pytest.mark.parametrize(
    ("given", "hides"),
    [
        ({}, False),
        ({"public_origin": "http://wifi.example.ng"}, False),
        ({"public_origin": "https://wifi.example.ng"}, True),
        ({"public_origin": "https://wifi.example.ng", "trusted_proxies": "127.0.0.1"}, False),
    ],
)
def test_an_https_origin_without_a_trusted_proxy_hides_the_clients(given: dict[str, str], hides: bool) -> None:
    assert load_settings(**given).hides_clients is hides


@pytest.mark.parametrize(
    "path", ["/", "/var", "/var/lib", "/usr/../var/", "/etc", "/tmp", "/usr/share", "/bin", "/var/run"]
)
def test_a_directory_of_the_system_is_refused_as_data_directory(path: str) -> None:
    with pytest.raises(
        SettingsInvalidError, match=r"KSWIFI_DATA_DIR: .* is the system directory .*/var/lib/kswifi"
    ):
        load_settings(data_dir=path)


def test_the_default_data_directory_is_refused_in_the_root_directory(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir("/")
    with pytest.raises(SettingsInvalidError, match="KSWIFI_DATA_DIR: 'var' is the system directory /"):
        load_settings()


@pytest.mark.parametrize("path", ["var", "/var/lib/kswifi", "/srv/kswifi", "/opt/kswifi/var", "/data"])
def test_a_directory_for_kswifi_alone_is_accepted(
    path: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert load_settings(data_dir=path).data_dir == Path(path)


@pytest.mark.parametrize("given", [{}, {"data_dir": "var"}, {"data_dir": "./kswifi"}])
def test_outside_embedded_mode_the_data_directory_is_an_absolute_path(given: dict[str, str]) -> None:
    with pytest.raises(SettingsInvalidError, match="set KSWIFI_DATA_DIR to an absolute path"):
        load_settings(mode="own-core", **given)
    assert load_settings(**given).mode == "embedded"
