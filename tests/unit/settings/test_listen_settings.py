"""Where ports listen: one setting each, nothing open by accident, and no rehearsal taken for the real thing."""

import os
from pathlib import Path

import pytest

from kswifi.settings import PREFIX, SettingsInvalidError, load_settings

HOSTS = ("host", "api_host", "rsp_host", "es2_host", "diameter_host", "diameter_tls_host")
LOOPBACK = ("127.0.0.1", "127.8.9.10", "::1", "::ffff:127.0.0.1", "localhost", "LocalHost", "kswifi.localhost")
OPEN = (
    "0.0.0.0",
    "::",
    "10.0.0.5",
    "192.0.2.1",
    "fd00::5",
    "fe80::1%eth0",
    "::ffff:10.0.0.5",
    "kswifi.example.org",
)


@pytest.fixture(autouse=True)
def _clean(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in list(os.environ):
        if name.upper().startswith(PREFIX):
            monkeypatch.delenv(name)
    monkeypatch.setenv("KSWIFI_DATA_DIR", "/srv/kswifi")  # own-core has no default


@pytest.fixture
def files(tmp_path: Path) -> dict[str, Path]:
    """Return settings of files that exist: their content is looked at when the server starts."""
    made = {f"diameter_tls_{name}": tmp_path / f"{name}.pem" for name in ("certificate", "key", "ca")}
    for path in made.values():
        path.write_text("-")
    return made


@pytest.mark.parametrize("name", HOSTS)
@pytest.mark.parametrize("address", OPEN)
def test_embedded_mode_refuses_every_open_bind(name: str, address: str, files: dict[str, Path]) -> None:
    with pytest.raises(SettingsInvalidError, match=f"KSWIFI_{name.upper()} is .*--lan.*KSWIFI_MODE=own-core"):
        load_settings(**{name: address, **(files if name == "diameter_tls_host" else {})})


@pytest.mark.parametrize("name", HOSTS[:-1])
@pytest.mark.parametrize("address", LOOPBACK)
def test_embedded_mode_takes_every_loopback(name: str, address: str) -> None:
    assert load_settings(**{name: address}).is_on_loopback


@pytest.mark.parametrize("address", OPEN)
def test_ports_follow_host_but_diameter_does_not(address: str) -> None:
    settings = load_settings(mode="own-core", host=address)
    assert (settings.api_bind, settings.rsp_bind, settings.es2_bind) == (address, address, address)
    assert settings.diameter_bind in {"127.0.0.1", "::1"}
    assert not settings.is_on_loopback


def test_each_port_has_a_setting_of_its_own() -> None:
    settings = load_settings(
        mode="own-core",
        host="192.0.2.1",
        api_host="127.0.0.1",
        rsp_host="192.0.2.3",
        es2_host="192.0.2.4",
        diameter_host="10.0.0.5",
        diameter_peers="smf@10.0.0.0/24",
    )
    assert settings.api_bind == "127.0.0.1"
    assert settings.rsp_bind == "192.0.2.3"
    assert settings.es2_bind == "192.0.2.4"
    assert settings.diameter_bind == "10.0.0.5"


@pytest.mark.parametrize(
    ("host", "origin"),
    [
        ("127.0.0.1", "http://localhost:8080"),
        ("0.0.0.0", "http://localhost:8080"),
        ("::", "http://localhost:8080"),
        ("::1", "http://[::1]:8080"),
        ("fd00::5", "http://[fd00::5]:8080"),
        ("192.0.2.1", "http://192.0.2.1:8080"),
        ("kswifi.example.org", "http://kswifi.example.org:8080"),
    ],
)
def test_origins_are_valid_for_every_kind_of_address(host: str, origin: str) -> None:
    assert load_settings(mode="own-core", host=host).origin == origin


def test_origins_of_the_lab_are_valid_for_ipv6() -> None:
    settings = load_settings(host="::1")
    assert settings.lab_origin == "http://[::1]:8081"
    assert settings.sandbox_origin == "http://[::1]:8085"


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"diameter_host": "10.0.0.5"}, "diameter_peers names the cores"),
        ({"host": "192.0.2.1", "diameter_peers": "smf"}, "diameter_host is needed too"),
        ({"diameter_host": "10.0.0.5", "diameter_peers": "smf"}, "no peer may connect from another machine"),
        ({"diameter_host": "10.0.0.5", "diameter_peers": "*"}, "no peer may connect from another machine"),
        ({"diameter_host": "::", "diameter_peers": "smf@127.0.0.1"}, "no peer may connect from another machine"),
        ({"diameter_peers": "*@10.0.0.0/24"}, "write \\* alone"),
        ({"diameter_peers": "smf@10.0.0.1/24"}, "host bits set"),
        ({"diameter_peers": "smf@somewhere"}, "smf@somewhere"),
        ({"diameter_peers": "smf@"}, "smf@"),
        ({"diameter_peers": "@10.0.0.0/24"}, "is not name@network"),
        ({"diameter_trusted_networks": "10.0.0.1/24"}, "KSWIFI_DIAMETER_TRUSTED_NETWORKS"),
    ],
)
def test_peers_that_cannot_be_meant_are_refused(given: dict[str, str], words: str) -> None:
    with pytest.raises(SettingsInvalidError, match=words):
        load_settings(mode="own-core", **given)


@pytest.mark.parametrize(
    "given",
    [
        {"diameter_host": "10.0.0.5", "diameter_peers": "smf@10.0.0.0/24"},
        {"diameter_host": "fd00::5", "diameter_peers": "smf@fd00::7, mme"},
        {"diameter_host": "0.0.0.0", "diameter_peers": "*", "diameter_trusted_networks": "10.0.0.0/24,fd00::/64"},
        {"host": "192.0.2.1", "diameter_host": "127.0.0.1", "diameter_peers": "smf"},
        {"host": "::1"},
    ],
)
def test_peers_said_outright_are_taken(given: dict[str, str]) -> None:
    assert load_settings(mode="own-core", **given).diameter_bind == given.get("diameter_host", "::1")


def test_diameter_over_tls_is_whole_or_absent(files: dict[str, Path]) -> None:
    given = {"mode": "own-core", "diameter_tls_host": "10.0.0.5", "diameter_peers": "smf@10.0.0.0/24"}
    settings = load_settings(**given, **files)
    assert settings.diameter_bind == "127.0.0.1"
    assert not settings.is_on_loopback
    for missing in files:
        with pytest.raises(SettingsInvalidError, match=f"{missing} is needed too"):
            load_settings(**given, **{name: path for name, path in files.items() if name != missing})
    with pytest.raises(SettingsInvalidError, match="diameter_tls_host is needed too"):
        load_settings(mode="own-core", **files)
    with pytest.raises(SettingsInvalidError, match="no file"):
        load_settings(**given, **{**files, "diameter_tls_ca": Path("/absent.pem")})
    with pytest.raises(SettingsInvalidError, match="diameter_peers names the cores"):
        load_settings(mode="own-core", diameter_tls_host="10.0.0.5", **files)


@pytest.mark.parametrize(
    ("mode", "key", "rehearsal", "starts"),
    [
        ("own-core", "sk_test_0123456789", False, False),
        ("own-core", "sk_test_0123456789", True, True),
        ("own-core", "sk_live_0123456789", False, True),
        ("embedded", "sk_test_0123456789", False, True),
    ],
)
def test_a_rehearsal_outside_embedded_mode_is_said_outright(
    mode: str, key: str, rehearsal: bool, starts: bool
) -> None:
    given = {"mode": mode, "paystack_secret_key": key, "payments_email": "me@example.ng"}
    if starts:
        assert load_settings(**given, payments_rehearsal=rehearsal).payment_gateway_name == "paystack"
        return
    with pytest.raises(SettingsInvalidError, match="payments_rehearsal=true"):
        load_settings(**given, payments_rehearsal=rehearsal)
