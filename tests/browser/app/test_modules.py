"""The app's modules by themselves, in a browser without a server: figures, events, alerts, and the verifier.

The verifier is held against the server's own codec on packages that are whole, changed, cut, foreign and old.
"""

import base64
import random
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from joserfc.jwk import ECKey, KeySet
from playwright.sync_api import Browser, Page

from kswifi.kernel.numbers import Iccid
from kswifi.session_package import PackageContents, PackageError, build_package, verify_package
from tests.support.app_modules import files_as_sent, opened_with_modules

NOW = datetime(2026, 11, 23, 12, tzinfo=UTC)
ICCID = "8999901000000000013"
LINE = {"esim_id": "019ab0de-0000-7000-8000-000000000002", "kind": "own_line"}
SESSION = "019ab0de-0000-7000-8000-000000000001"


@pytest.fixture(scope="module")
def page(browser: Browser) -> Iterator[Page]:
    with opened_with_modules(browser, files_as_sent()) as opened:
        yield opened


def run(page: Page, module: str, expression: str, argument: object = None) -> Any:
    """Evaluate an expression with a module's exports as `m` and an argument as `a`."""
    return page.evaluate(
        f"async (a) => {{ const m = await import('/app/js/{module}.js'); return {expression}; }}", argument
    )


@pytest.fixture(scope="module")
def key() -> ECKey:
    return ECKey.generate_key("P-256", auto_kid=True)


def contents(**changed: Any) -> PackageContents:
    given: dict[str, Any] = {
        "session_id": SESSION,
        "offer_id": "free-1gb",
        "allowance_octets": 10**9,
        "valid_from": NOW,
        "valid_until": NOW + timedelta(days=30),
        "iccid": Iccid(ICCID),
        "session_record": b"\x01" * 123,
        "activation": {"activation_code": "LPA:1$rsp.example$ABC", "qr_code_svg": "<svg/>", "manual_setup": {}},
        "terms": "Terms: ₦0.",
    }
    return PackageContents(**given | changed)


def in_browser(page: Page, package: bytes, key: ECKey, now: datetime = NOW, iccid: str | None = ICCID) -> Any:
    jwk = key.as_dict(private=False) | {"kid": key.thumbprint()}
    argument = [base64.b64encode(package).decode(), {"keys": [jwk]}, now.timestamp() * 1000, iccid]
    return run(
        page,
        "package",
        """await m.verifyPackage(Uint8Array.from(atob(a[0]), (one) => one.charCodeAt(0)), a[1],
          { now: a[2], iccid: a[3] }).then((good) => good, (error) => error.code ?? String(error))""",
        argument,
    )


def on_server(package: bytes, key: ECKey, now: datetime = NOW, iccid: str | None = ICCID) -> str | None:
    public = ECKey.import_key(key.as_dict(private=False) | {"kid": key.thumbprint()})
    try:
        verify_package(package, KeySet([public]), iccid, now)
    except PackageError as error:
        return error.code
    return None


def test_a_whole_package_is_read(page: Page, key: ECKey) -> None:
    found = in_browser(page, build_package(contents(), key), key)
    assert found["manifest"]["allowance_octets"] == 10**9
    assert found["activation"]["activation_code"] == "LPA:1$rsp.example$ABC"
    assert found["terms"] == "Terms: ₦0."
    assert found["kid"] == key.thumbprint()


def test_the_package_of_a_provider_s_line_is_read_and_a_changed_one_is_refused(page: Page, key: ECKey) -> None:
    package = build_package(contents(iccid=None, session_record=None, activation=None, line=LINE), key)
    assert package[7] == 2
    found = in_browser(page, package, key, iccid=None)
    assert (found["manifest"]["allowance_octets"], found["activation"], found["terms"]) == (
        10**9,
        None,
        "Terms: ₦0.",
    )
    for place in (7, 20, len(package) - 40):
        changed = bytearray(package)
        changed[place] ^= 3
        assert in_browser(page, bytes(changed), key, iccid=None) == on_server(bytes(changed), key, iccid=None)


def test_every_changed_octet_is_refused_as_the_server_refuses_it(page: Page, key: ECKey) -> None:
    package = build_package(contents(), key)
    places = [*range(14), *random.Random(5).sample(range(14, len(package)), 60), len(package) - 1]
    for place in places:
        changed = bytearray(package)
        changed[place] ^= 1 << (place % 8)
        expected = on_server(bytes(changed), key)
        assert expected is not None
        assert in_browser(page, bytes(changed), key) == expected, f"octet {place}"


def test_a_change_that_unpacks_just_as_well_is_refused_by_its_digest(page: Page, key: ECKey) -> None:
    changed = bytearray(build_package(contents(), key))
    first_chunk = 12 + int.from_bytes(changed[8:12], "big")
    changed[first_chunk + 9] ^= 1  # gzip's "operating system": no checksum of its own covers it
    assert on_server(bytes(changed), key) == "package_chunk_damaged"
    assert in_browser(page, bytes(changed), key) == "package_chunk_damaged"


@pytest.mark.parametrize("cut", [0, 3, 9, 11, 200, -1])
def test_a_cut_package_is_refused(page: Page, key: ECKey, cut: int) -> None:
    package = build_package(contents(), key)[:cut]
    assert in_browser(page, package, key) == on_server(package, key)


def test_what_follows_another_key_another_card_and_an_old_package_are_refused(page: Page, key: ECKey) -> None:
    package = build_package(contents(), key)
    assert in_browser(page, package + b"x", key) == "package_surplus_octets"
    assert in_browser(page, package, ECKey.generate_key("P-256")) == "package_unknown_key"
    assert in_browser(page, package, key, iccid="8999901000000000021") == "package_for_another_card"
    assert in_browser(page, package, key, now=NOW + timedelta(days=31)) == "package_expired"


@pytest.mark.parametrize(
    ("octets", "said"),
    [
        (0, "0 B"),
        (999, "999 B"),
        (1000, "1 KB"),
        (2_189, "2.18 KB"),
        (99_990_000, "99.9 MB"),
        (999_999_999, "999 MB"),
        (10**9, "1 GB"),
        (1_239_999_999, "1.23 GB"),
        (29_990_000_000, "29.9 GB"),
    ],
)
def test_octets_are_cut_off_never_rounded_up(page: Page, octets: int, said: str) -> None:
    assert run(page, "format", "m.formatOctets(a)", octets) == said


def test_money_days_and_pace(page: Page) -> None:
    assert run(page, "format", "m.formatNaira(a)", 80_000) == "₦800"
    assert run(page, "format", "m.formatNaira(a)", 123_456_05) == "₦123,456.05"
    until = datetime(2026, 12, 23, 23, tzinfo=UTC).timestamp() * 1000  # midnight in Lagos
    assert "23 December" in run(page, "format", "m.lastDay(a)", until)
    used = {"left_octets": 600, "used_octets": 400, "as_of": 200_000, "seen": {"at": 100_000, "used_octets": 200}}
    assert run(page, "format", "m.runsOutAt(a)", used) == 200_000 + 300_000
    assert run(page, "format", "m.runsOutAt(a)", used | {"left_octets": None}) is None
    assert run(page, "format", "m.runsOutAt(a)", used | {"used_octets": 200}) is None


def test_a_stream_is_cut_into_events_wherever_it_is_torn(page: Page) -> None:
    stream = 'id: 1\r\nevent: hello\ndata: {}\n\n: comment\n\nid: 2\nevent: x\ndata: {"a":\ndata: 1}\n\nid: 3\nda'
    for tear in range(len(stream)):
        found = run(
            page,
            "live",
            """(() => { const one = m.parseEvents(a[0]); const two = m.parseEvents(one.rest + a[1]);
            return [[...one.events, ...two.events], two.rest]; })()""",
            [stream[:tear], stream[tear:]],
        )
        if "\r" in stream[tear - 1 : tear]:
            continue  # a CR at the very end of a piece may be half a CRLF; the server sends LF
        assert found == [
            [{"event": "hello", "id": "1", "data": "{}"}, {"event": "x", "id": "2", "data": '{"a":\n1}'}],
            "id: 3\nda",
        ]


def test_alerts_come_at_their_thresholds_and_before_the_end(page: Page) -> None:
    def alerts(before: int, after: int, state: str = "active", until: int = 10**12) -> Any:
        one = {"allowance_octets": 1000, "state": "active", "valid_until": until}
        change = [one | {"used_octets": before}, one | {"used_octets": after, "state": state}]
        return run(page, "alerts", "m.alertsOf(a[0], a[1], 0).map((one) => [one.what, one.values.percent])", change)

    assert alerts(100, 499) == []
    assert alerts(100, 500) == [["share", 50]]
    assert alerts(100, 960) == [["share", 95]]
    assert alerts(960, 1000, "exhausted") == [["finished", None]]
    assert alerts(1, 2, until=1000) == [["ends", None]]
