"""No package is signed with a name that leads each phone to itself."""

import os

import pytest

from kswifi.bootstrap.checks import check_names
from kswifi.settings import PREFIX, SettingsInvalidError, load_settings

PUBLIC = {"public_origin": "https://kswifi.example.org"}
SMDP = {"smdp_address": "smdp.example.org:8443"}
GY_OUTSIDE = {"diameter_host": "10.0.0.5", "diameter_peers": "smf@10.0.0.0/24"}


@pytest.fixture(autouse=True)
def _clean(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in list(os.environ):
        if name.upper().startswith(PREFIX):
            monkeypatch.delenv(name)
    monkeypatch.setenv("KSWIFI_DATA_DIR", "/srv/kswifi")  # own-core has no default


@pytest.mark.parametrize(
    ("given", "missing"),
    [
        ({}, None),  # every bind is loopback and no public origin: a server for tests
        ({"host": "::1"}, None),
        ({**PUBLIC, **SMDP}, None),
        ({"host": "0.0.0.0", **PUBLIC, **SMDP}, None),
        ({"host": "0.0.0.0"}, "KSWIFI_SMDP_ADDRESS.*KSWIFI_PUBLIC_ORIGIN"),
        ({"host": "::", **PUBLIC}, "KSWIFI_SMDP_ADDRESS"),
        ({"rsp_host": "192.0.2.1", **PUBLIC}, "KSWIFI_SMDP_ADDRESS"),
        ({**GY_OUTSIDE}, "KSWIFI_SMDP_ADDRESS"),
        ({**GY_OUTSIDE, **SMDP}, "KSWIFI_PUBLIC_ORIGIN"),
        ({**GY_OUTSIDE, **SMDP, **PUBLIC}, None),
        ({**PUBLIC}, "KSWIFI_SMDP_ADDRESS"),  # all behind a reverse proxy on this machine
        ({**PUBLIC, "smdp_address": "localhost:8443"}, "KSWIFI_SMDP_ADDRESS"),
        ({**PUBLIC, "smdp_address": "127.0.0.1"}, "KSWIFI_SMDP_ADDRESS"),
        ({"host": "0.0.0.0", **SMDP, "public_origin": "http://localhost:8080"}, "KSWIFI_PUBLIC_ORIGIN"),
        ({"host": "192.0.2.1", **SMDP}, None),
        ({"mode": "embedded", **PUBLIC}, None),
    ],
)
def test_names_of_loopback_are_refused_where_phones_elsewhere_get_them(
    given: dict[str, str], missing: str | None
) -> None:
    settings = load_settings(**{"mode": "own-core", **given})
    if missing is None:
        check_names(settings, settings.smdp_name, page=True)
        return
    with pytest.raises(SettingsInvalidError, match=missing):
        check_names(settings, settings.smdp_name, page=True)


def test_an_smdp_alone_needs_no_page() -> None:
    settings = load_settings(mode="own-core", rsp_host="0.0.0.0", **SMDP)
    check_names(settings, settings.smdp_name, page=False)
    with pytest.raises(SettingsInvalidError, match="KSWIFI_SMDP_ADDRESS"):
        check_names(settings, "localhost:8443", page=False)
