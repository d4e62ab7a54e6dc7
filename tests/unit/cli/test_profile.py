"""`kswifi profile lint|show|diff`: findings, exit codes, and never a key."""

import contextlib
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from typer.testing import CliRunner

from kswifi.cli.main import app
from kswifi.euicc.errors import ProfileRefusedError
from kswifi.euicc.profiles.loader import build_profile_state
from kswifi.kernel.errors import KswifiError
from kswifi.rsp.saip.describe import describe_element, differences
from kswifi.rsp.saip.elements import ProfileHeader
from kswifi.rsp.saip.package import read_package
from tests.support.cards import ADM_KEY, OPC, K, needing, profile_package

STANDARD = Path(__file__).parents[2] / "data" / "ts48" / "TS48v5_SAIP2.1A_NoBERTLV.der"


def profile(*arguments: object) -> tuple[int, str]:
    done = CliRunner().invoke(app, ["profile", *map(str, arguments)])
    return done.exit_code, done.output


@pytest.fixture
def own(tmp_path: Path) -> Path:
    file = tmp_path / "own.der"
    file.write_bytes(profile_package())
    return file


def test_our_own_profile_has_nothing_against_it(own: Path) -> None:
    assert profile("lint", own) == (0, f"{own}: nothing to say against it\n")


def test_what_lint_reports_about_a_standard_profile() -> None:
    code, told = profile("lint", STANDARD)
    assert code == 0
    assert "which protects nothing" in told
    assert "TAR B00140 may be replayed" in told


def test_a_profile_that_our_card_would_refuse(own: Path) -> None:
    own.write_bytes(needing("javacard"))
    code, told = profile("lint", own)
    assert code == 1
    assert "mandatory services javacard: feature_not_supported" in told


def test_a_template_that_the_header_forgets_is_found(own: Path) -> None:
    header, *others = read_package(profile_package())
    short = replace(ProfileHeader.decode(header.value), mandatory_templates=("2.23.143.1.2.1",))
    own.write_bytes(short.encode() + b"".join(element.raw for element in others))
    code, told = profile("lint", own)
    assert (code, told) == (
        0, "warning  the header does not list the template 2.23.143.1.2.4, which an element uses\n"
    )  # fmt: skip


def test_showing_tells_the_elements_and_no_secret(own: Path) -> None:
    code, told = profile("show", own)
    assert code == 0
    assert "Milenage" in told
    assert "template 2.23.143.1.2.4" in told
    assert "TAR B00011" in told
    for secret in (K, OPC, ADM_KEY):
        assert secret.hex() not in told.lower()
        assert secret not in told.encode()
    code, told = profile("show", STANDARD)
    assert code == 0
    assert told.count("the USIM test algorithm") == 2


def test_differences_are_named(own: Path, tmp_path: Path) -> None:
    other = tmp_path / "other.der"
    other.write_bytes(profile_package(2))
    assert profile("diff", own, own) == (0, "")
    code, told = profile("diff", own, other)
    assert code == 1
    assert "EF.ICCID: another content or form" in told
    assert "EF.IMSI: another content or form" in told
    assert "~ genericFileManagement" in told
    assert "akaParameter" not in told
    code, told = profile("diff", own, STANDARD)
    assert "+ isim\n" in told
    assert "version    2.1" not in told


def test_what_is_no_package_ends_with_2(own: Path, tmp_path: Path) -> None:
    broken = tmp_path / "broken.der"
    broken.write_bytes(profile_package()[:-3])
    for arguments in (("lint", broken), ("show", broken), ("diff", own, broken)):
        assert profile(*arguments)[0] == 2


@settings(deadline=None, max_examples=150)
@given(st.lists(st.tuples(st.integers(0, 20_000), st.integers(0, 255)), min_size=1, max_size=4))
def test_an_altered_standard_profile_is_described_loaded_or_refused(changes: list[tuple[int, int]]) -> None:
    octets = bytearray(STANDARD.read_bytes())
    for offset, value in changes:
        octets[offset % len(octets)] = value
    try:
        package = read_package(bytes(octets))
    except KswifiError:
        package = ()
    for element in package:
        try:
            describe_element(element)
        except KswifiError:
            continue
    assert loading_of(bytes(octets)) in ("loaded", "malformed", "unsupported")
    with contextlib.suppress(KswifiError):
        list(differences(read_package(STANDARD.read_bytes()), package))


def loading_of(octets: bytes) -> str:
    try:
        build_profile_state(octets, b"")
    except ProfileRefusedError as error:
        return error.reason
    return "loaded"
