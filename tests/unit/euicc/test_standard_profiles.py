"""Profiles that others made: the whole road on both curves, every file where it belongs, and the test algorithm."""

from pathlib import Path

import pytest

from kswifi.euicc.card import Euicc
from kswifi.euicc.errors import ProfileRefusedError
from kswifi.euicc.profiles import installing
from kswifi.euicc.profiles.loader import build_profile_state
from kswifi.euicc.state import Profile, file_at
from kswifi.lab.phone.activation_code import ActivationCode
from kswifi.lab.phone.es10 import Es10
from kswifi.lab.phone.lpa import Lpa
from kswifi.rsp import pki
from kswifi.rsp.curves import Curve
from kswifi.rsp.messages.metadata import ProfileClass, ProfileMetadata
from kswifi.rsp.messages.profiles import ProfileId
from kswifi.rsp.saip import elements
from kswifi.rsp.saip.files import Fcp, TemplateFiles
from kswifi.rsp.saip.package import ElementHeader, ElementKind, read_package
from kswifi.rsp.saip.templates import FileTemplate, FileType, templates
from tests.support.cards import EID, enable, profile_package, send
from tests.support.memory_storage import MemoryStorage
from tests.support.rsp import ADDRESS, SGP26, SmallSmdp, metadata, new_card, sgp26_files

TS48 = Path(__file__).parents[2] / "data" / "ts48"
SAMPLES = sorted(path.stem for path in TS48.glob("*.der"))
PACKAGE = (TS48 / "TS48v5_SAIP2.1A_NoBERTLV.der").read_bytes()
HEADER = elements.ProfileHeader.decode(read_package(PACKAGE)[0].value)
ICCID = HEADER.iccid.to_bytes()
USIM, ISIM, CSIM = "A0000000871002", "A0000000871004", "A0000003431002"
K = bytes(range(16))
CODE = ActivationCode(ADDRESS, "TS48")


def of_class(profile_class: ProfileClass) -> bytes:
    return metadata(iccid=ICCID, profile_name="TS.48", profile_class=profile_class).encode()


def loaded(package: bytes = PACKAGE) -> Euicc:
    euicc = Euicc.create(MemoryStorage(), EID)
    euicc.load_profile_package(package)
    assert enable(euicc, HEADER.iccid) == 0
    return euicc


@pytest.mark.parametrize("sample", SAMPLES)
@pytest.mark.parametrize("curve", list(Curve))
def test_the_whole_road_unchanged(curve: Curve, sample: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Bound, loaded and installed octet by octet as GSMA publishes it, then listed, enabled and used."""
    package = (TS48 / f"{sample}.der").read_bytes()
    came: list[bytes] = []

    def watching(octets: bytes, *arguments: object, **options: object) -> Profile:
        came.append(octets)
        return build_profile_state(octets, *arguments, **options)  # type: ignore[arg-type]

    monkeypatch.setattr(installing, "build_profile_state", watching)
    certificates = pki.load_pki(sgp26_files(curve))
    server = SmallSmdp(certificates, profile=package, metadata=of_class(ProfileClass.TEST))
    euicc = new_card(certificates)
    lpa = Lpa(euicc, server)
    assert lpa.download(CODE).iccid == HEADER.iccid
    assert came == [package]
    assert [done.failure for done in lpa.process_notifications()] == [None]
    with Es10(euicc) as es10:
        (profile,) = es10.profiles()
        assert (profile.profile_name, profile.profile_class) == ("TS.48", ProfileClass.TEST)
        es10.enable(ProfileId.of_iccid(ICCID))
    for application in (USIM, ISIM, CSIM):
        assert send(euicc, f"00A4040C07{application}")[1] == "9000"


def test_files_lie_where_the_templates_say() -> None:
    profile = build_profile_state(PACKAGE, b"")
    found = {directory.file_id.hex().upper() for directory in profile.mf.walk()}
    assert found >= {"3F00", "7F10", "5F50", "5F3A", "5F3C", "7FD0", "5F3B", "7FC0", "7FB0", "7F66", "5F40"}
    for path in (
        "2FE2",
        "7F106F54",
        "7F105F504F20",
        "7F105F3A4F30",
        "7FD06F07",
        "7FD05F3B4F20",
        "7FB06F02",
        "7FC06F22",
    ):
        assert file_at(profile.mf, bytes.fromhex(path)) is not None, path
    usim = file_at(profile.mf, bytes.fromhex("7FD06F07"))
    assert usim is not None
    assert usim.content == bytes.fromhex("080910101032540636")
    assert ProfileMetadata.decode(profile.metadata).profile_class == ProfileClass.TEST


def test_a_linked_file_shows_and_changes_the_other() -> None:
    """DF.TELECOM's EF.ADN (6F3A) is a link to the phonebook's."""
    euicc = loaded()
    send(euicc, "0020000108" + "30303030FFFFFFFF")
    send(euicc, "00A4080C047F106F3A")
    before, status = send(euicc, "00B201041C")
    assert (status, before[:8]) == ("9000", b"Testnr.1")
    assert send(euicc, "00A40804047F106F3A")[0].find(bytes.fromhex("83026F3A")) > 0
    assert send(euicc, "00DC01041C" + "41" * 28)[1] == "9000"
    send(euicc, "00A4080C067F105F3A4F3A")
    assert send(euicc, "00B201041C") == (b"A" * 28, "9000")


def test_a_cyclic_file_begins_with_what_was_written_last() -> None:
    """DF.TELECOM's EF.LND (6F44)."""
    euicc = loaded()
    send(euicc, "0020000108" + "30303030FFFFFFFF")
    description = send(euicc, "00A40804047F106F44")[0]
    assert description.find(bytes.fromhex("82054621001A05")) > 0
    assert send(euicc, "00DC01041A" + "41" * 26)[1] == "6A86", "only the previous record, which is the oldest"
    for letter in ("41", "42"):
        assert send(euicc, "00DC00031A" + letter * 26)[1] == "9000"
    assert send(euicc, "00B201041A")[0] == b"B" * 26
    assert send(euicc, "00B202041A")[0] == b"A" * 26


def challenge(sqn: int, rand: bytes, amf: bytes = b"\x80\x00") -> bytes:
    """RAND and AUTN as TS 34.108, 8.1.2 has the network make them."""
    mixed = bytes(a ^ b for a, b in zip(K, rand, strict=True))
    number = sqn.to_bytes(6, "big")
    mac = bytes(a ^ b for a, b in zip(mixed[:8], number + amf, strict=True))
    autn = bytes(a ^ b for a, b in zip(number, mixed[3:9], strict=True)) + amf + mac
    return b"\x10" + rand + b"\x10" + autn


@pytest.mark.parametrize("sample", SAMPLES)
@pytest.mark.parametrize("application", [USIM, ISIM])
def test_the_test_algorithm_authenticates(application: str, sample: str) -> None:
    euicc = loaded((TS48 / f"{sample}.der").read_bytes())
    send(euicc, f"00A4040C07{application}")
    send(euicc, "0020000108" + "30303030FFFFFFFF")
    rand = bytes(range(16, 32))
    data, status = send(euicc, "0088008122" + challenge(32, rand).hex() + "00")
    mixed = b"\x10" * 16
    assert (status, data[:18]) == ("9000", b"\xdb\x10" + mixed)
    again, _ = send(euicc, "0088008122" + challenge(32, rand).hex() + "00")
    assert again[:2] == b"\xdc\x0e", "the same number again is out of order"
    sqn = bytes(a ^ b for a, b in zip(again[2:8], mixed[3:9], strict=True))
    assert int.from_bytes(sqn, "big") == 32
    wrong = bytearray(challenge(64, rand))
    wrong[-1] ^= 1
    assert send(euicc, "0088008122" + wrong.hex() + "00")[1] == "9862"


@pytest.mark.parametrize("sample", SAMPLES)
@pytest.mark.parametrize("profile_class", [ProfileClass.OPERATIONAL, ProfileClass.TEST])
def test_the_test_algorithm_is_installed_in_every_class_and_warned_of_outside_of_test(
    sample: str, profile_class: ProfileClass, caplog: pytest.LogCaptureFixture
) -> None:
    """Other servers call TS.48 profiles operational (SGP.22 has no clause against it)."""
    package = (TS48 / f"{sample}.der").read_bytes()
    card = new_card(SGP26)
    Lpa(card, SmallSmdp(SGP26, profile=package, metadata=of_class(profile_class))).download(CODE)
    with Es10(card) as es10:
        assert [profile.profile_class for profile in es10.profiles()] == [profile_class]
    warned = [record for record in caplog.records if "USIM test algorithm" in record.message]
    assert len(warned) == (profile_class is ProfileClass.OPERATIONAL)


@pytest.mark.parametrize(
    ("kind", "words"),
    [
        (ElementKind.AKA_PARAMETER, "keys"),
        (ElementKind.USIM, "application"),
        (ElementKind.MF, "MF|directory|profile has no"),
    ],
)
def test_a_standard_profile_without_an_element_is_refused(kind: ElementKind, words: str) -> None:
    package = b"".join(element.raw for element in read_package(PACKAGE) if element.kind is not kind)
    with pytest.raises(ProfileRefusedError, match=words):
        build_profile_state(package, b"")


OTHERS = {
    "2.23.143.1.2.2": ElementKind.CD,
    "2.23.143.1.2.3": ElementKind.TELECOM,
    "2.23.143.1.2.3.2": ElementKind.TELECOM,
    "2.23.143.1.2.5.3": ElementKind.OPT_USIM,
    "2.23.143.1.2.6": ElementKind.PHONEBOOK,
    "2.23.143.1.2.7": ElementKind.GSM_ACCESS,
    "2.23.143.1.2.12": ElementKind.EAP,
    "2.23.143.1.2.13.4": ElementKind.DF_5GS,
    "2.23.143.1.2.14": ElementKind.DF_SAIP,
    "2.23.143.1.2.15": ElementKind.DF_SNPN,
    "2.23.143.1.2.16": ElementKind.DF_5GPROSE,
}


@pytest.mark.parametrize("oid", list(OTHERS))
def test_every_file_of_every_template_can_be_made(oid: str) -> None:
    """All files of a template, added to one of our own profiles."""
    files = tuple((place, (parameters(row, place),)) for place, row in enumerate(templates()[oid]))
    element = TemplateFiles(OTHERS[oid], ElementHeader(90), oid, files).encode()
    *others, end = (each.raw for each in read_package(profile_package()))
    before = build_profile_state(profile_package(), b"")
    after = build_profile_state(b"".join((*others, element, end)), b"")
    assert count(after) - count(before) == len(files)


def count(profile: Profile) -> int:
    return sum(1 + len(directory.files) for directory in profile.mf.walk())


def parameters(row: FileTemplate, place: int) -> Fcp:
    """What a template leaves to the profile."""
    file_id = None if row.file_id is not None else bytes([0x5F, 0x80 + place])
    if row.file_type is FileType.DF:
        return Fcp(file_id=file_id, pin_status=b"\x01")
    if row.file_type in (FileType.TRANSPARENT, FileType.BER_TLV):
        return Fcp(file_id=file_id, file_size=None if row.size else b"\x05")
    octets = row.size or 7
    kind = b"\x46\x21" if row.file_type is FileType.CYCLIC else b"\x42\x21"
    return Fcp(file_id=file_id, file_descriptor=kind + octets.to_bytes(2, "big"), file_size=bytes([octets * 2]))


def test_a_file_in_a_directory_that_is_not_made_is_refused() -> None:
    element = TemplateFiles(
        ElementKind.TELECOM,
        ElementHeader(90),
        "2.23.143.1.2.3",
        ((0, (Fcp(pin_status=b"\x01"),)), (18, (Fcp(),))),
    ).encode()
    *others, end = (each.raw for each in read_package(profile_package()))
    with pytest.raises(ProfileRefusedError, match=r"EF\.PSC lies in a directory"):
        build_profile_state(b"".join((*others, element, end)), b"")
