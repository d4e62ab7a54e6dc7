"""Profiles that others made, over ES9+ and TLS, from the server's folder onto the card: unchanged, both curves."""

from collections.abc import Iterator

import pytest

from kswifi.esim.model import ProfileState
from kswifi.euicc.card import Euicc
from kswifi.euicc.profiles import installing
from kswifi.euicc.profiles.loader import build_profile_state
from kswifi.euicc.state import Profile
from kswifi.kernel.numbers import Iccid
from kswifi.lab.phone.activation_code import ActivationCode
from kswifi.lab.phone.es9 import Es9RefusedError, HttpEs9
from kswifi.lab.phone.lpa import DownloadRefusedError, Lpa
from kswifi.lab.phone.sim import SimCard
from kswifi.rsp import pki
from kswifi.rsp.curves import Curve
from kswifi.rsp.saip.build import MINIMUM_SECURITY_LEVEL
from kswifi.scp80.packets import encode_command
from tests.support.cards import iccid, needing, profile_package, signed_record
from tests.support.memory_storage import MemoryStorage
from tests.support.packets import KEYS, hand_over, packet, update_script
from tests.support.rsp import new_card, sgp26_files
from tests.support.smdp import ADDRESS, SGP26, TS48, RunningSmdp, client_context, order, order_now, running_smdp

SAMPLES = sorted(path.stem for path in TS48.glob("*.der"))
K = bytes(range(16))
ICCID = Iccid("89000123456789012341")


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningSmdp]:
    """SGP.26's certificates of both curves; GSMA's profiles, one of ours, and two that need what our card lacks."""
    folder = tmp_path_factory.mktemp("profiles")
    for name in SAMPLES:
        (folder / f"{name}.der").write_bytes((TS48 / f"{name}.der").read_bytes())
    (folder / "own.der").write_bytes(profile_package(1))
    (folder / "java.der").write_bytes(needing("javacard", 2))
    (folder / "tuak.der").write_bytes(needing("tuak128", 2))
    with running_smdp(tmp_path_factory.mktemp("smdp"), pki_dir=SGP26, profiles_dir=folder) as running:
        yield running


@pytest.fixture
def arrived(monkeypatch: pytest.MonkeyPatch) -> list[bytes]:
    """The packages that cards opened, as they came to be installed."""
    came: list[bytes] = []

    def watching(octets: bytes, *arguments: object, **options: object) -> Profile:
        came.append(octets)
        return build_profile_state(octets, *arguments, **options)  # type: ignore[arg-type]

    monkeypatch.setattr(installing, "build_profile_state", watching)
    return came


def card_of(curve: Curve) -> Euicc:
    """A card that knows the CI of one curve alone."""
    return new_card(pki.load_pki(sgp26_files(curve)), MemoryStorage())


def download(server: RunningSmdp, euicc: Euicc, matching_id: str) -> None:
    with HttpEs9(client_context(server.pki), f"127.0.0.1:{server.smdp.port}") as es9:
        lpa = Lpa(euicc, es9)
        try:
            lpa.download(ActivationCode(ADDRESS, matching_id))
        finally:
            assert [done.failure for done in lpa.process_notifications()] == [None]


def challenge(sqn: int, rand: bytes) -> tuple[bytes, bytes]:
    """RAND and AUTN as TS 34.108, 8.1.2 has the network make them."""
    mixed = bytes(a ^ b for a, b in zip(K, rand, strict=True))
    counted = sqn.to_bytes(6, "big") + b"\x80\x00"
    hidden = bytes(a ^ b for a, b in zip(counted[:6], mixed[3:9], strict=True))
    return rand, hidden + counted[6:] + bytes(a ^ b for a, b in zip(mixed[:8], counted, strict=True))


@pytest.mark.parametrize("curve", list(Curve))
@pytest.mark.parametrize("sample", SAMPLES)
def test_a_profile_that_others_made_takes_the_whole_road(
    server: RunningSmdp, arrived: list[bytes], sample: str, curve: Curve
) -> None:
    placed = order(server, package_name=sample)
    euicc = card_of(curve)
    download(server, euicc, placed.matching_id or "")
    assert arrived == [(TS48 / f"{sample}.der").read_bytes()]
    assert order_now(server, placed).profile_state is ProfileState.INSTALLED
    sim = SimCard(euicc)
    assert [(it.iccid, it.enabled) for it in sim.profiles()] == [(ICCID, False)]
    sim.enable(ICCID)
    assert sim.imsi() == "001010123456063"
    rand = bytes(range(16, 32))
    assert sim.authenticate(*challenge(32, rand)).res == bytes(a ^ b for a, b in zip(K, rand, strict=True))


@pytest.mark.parametrize("curve", list(Curve))
def test_our_own_profile_with_its_session_record_takes_it_too(
    server: RunningSmdp, arrived: list[bytes], curve: Curve
) -> None:
    """And a later record by a secured packet, on the card that came to it by this curve."""
    placed = order(server, package_name="own", iccid=str(iccid(1)))
    euicc = card_of(curve)
    download(server, euicc, placed.matching_id or "")
    assert arrived == [profile_package(1)]
    assert order_now(server, placed).profile_state is ProfileState.INSTALLED
    sim = SimCard(euicc)
    sim.enable(iccid(1))
    assert [record.rstrip(b"\xff") for record in sim.read_session_records()] == [signed_record(1)]
    command = packet(1, update_script(2, signed_record(2)))
    assert command.spi.reaches(MINIMUM_SECURITY_LEVEL)
    assert hand_over(euicc, encode_command(command, KEYS)).script().status == 0x9000
    assert [record.rstrip(b"\xff") for record in sim.read_session_records()] == [signed_record(1), signed_record(2)]


@pytest.mark.parametrize("curve", list(Curve))
def test_what_the_card_refuses_by_pe_status_ends_in_error(server: RunningSmdp, curve: Curve) -> None:
    placed = order(server, package_name="tuak", iccid=str(iccid(2)))
    euicc = card_of(curve)
    with pytest.raises(DownloadRefusedError, match="feature not supported"):
        download(server, euicc, placed.matching_id or "")
    assert order_now(server, placed).profile_state is ProfileState.ERROR
    assert SimCard(euicc).profiles() == []


def test_what_the_card_says_that_it_lacks_is_not_even_offered(server: RunningSmdp) -> None:
    placed = order(server, package_name="java", iccid=str(iccid(2)))
    euicc = card_of(Curve.NIST_P256)
    with (
        HttpEs9(client_context(server.pki), f"127.0.0.1:{server.smdp.port}") as es9,
        pytest.raises(Es9RefusedError, match=r"8\.2\.5/4\.3"),
    ):
        Lpa(euicc, es9).download(ActivationCode(ADDRESS, placed.matching_id or ""))
    assert order_now(server, placed).profile_state is ProfileState.RELEASED
