"""Profiles on the card: loading whole or not at all, and the ISD-R's list, enable, disable and delete."""

from dataclasses import replace

import pytest

from kswifi.euicc.card import Euicc
from kswifi.euicc.errors import ProfileRefusedError
from kswifi.euicc.profiles.loader import build_profile_state
from kswifi.rsp import tlv
from kswifi.rsp.saip.elements import AkaParameter, AlgorithmParameter
from kswifi.rsp.saip.files import Content, Fcp, GenericFileManagement, ProprietaryInfo, SelectPath, Skip
from kswifi.rsp.saip.package import ElementHeader, ElementKind, encode_element, read_package
from kswifi.rsp.saip.response import PeStatus
from tests.support.cards import EID, OPC, K, enable, euicc_with, iccid, needing, profile_package, send, store_data
from tests.support.memory_storage import MemoryStorage

ADF = bytes.fromhex("7FD0")


def rebuilt(kind: ElementKind, replacement: bytes) -> bytes:
    """Our package with one element replaced."""
    return b"".join(
        replacement if element.kind is kind else element.raw for element in read_package(profile_package())
    )


def with_commands(*operations: SelectPath | Fcp | Skip | Content) -> bytes:
    management = GenericFileManagement(ElementHeader(7), (operations,)).encode()
    return rebuilt(ElementKind.GENERIC_FILE_MANAGEMENT, management)


def refusal(package: bytes, memory_octets: int = 100_000) -> ProfileRefusedError:
    """The refusal of a package by a card that already has profile 9, and whose state must not change."""
    storage = MemoryStorage()
    euicc = Euicc.create(storage, EID, memory_octets=memory_octets)
    euicc.load_profile_package(profile_package(9))
    before = storage.load()
    with pytest.raises(ProfileRefusedError) as caught:
        euicc.load_profile_package(package)
    assert storage.load() == before
    return caught.value


def identifier(number: int) -> str:
    return "5A0A" + iccid(number).to_bytes().hex()


def result(euicc: Euicc, request: str) -> int:
    return store_data(euicc, request)[-1]


def states(euicc: Euicc) -> list[int]:
    entries = tlv.only(tlv.only(store_data(euicc, "BF2D00"), 0xBF2D).value, 0xA0).value
    return [tlv.children(entry.value)[0x9F70].value[0] for entry in tlv.walk(entries)]


def test_a_loaded_profile_is_disabled_and_listed() -> None:
    euicc = Euicc.create(MemoryStorage(), EID)
    loaded = euicc.load_profile_package(profile_package(1))
    assert loaded.iccid == iccid(1)
    assert states(euicc) == [0]
    entry = tlv.only(tlv.only(store_data(euicc, "BF2D00"), 0xBF2D).value, 0xA0).value
    fields = tlv.children(tlv.only(entry, 0xE3).value)
    assert fields[0x5A].value == iccid(1).to_bytes()
    assert fields[0x4F].value == loaded.isdp_aid == bytes.fromhex("A0000005591010FFFFFFFF8900001000")
    assert (fields[0x91].value, fields[0x92].value, fields[0x95].value) == (b"KSWiFi", b"KSWiFi", b"\x02")
    assert send(euicc, "00A4000C023F00")[1] == "6A82"
    assert send(euicc, "00A4040C07A0000000871002")[1] == "6A82"


def test_two_profiles_switch_and_show_their_own_files() -> None:
    euicc = euicc_with(1, 2)
    assert states(euicc) == [1, 0]
    for number in (2, 1):
        assert enable(euicc, iccid(number)) == 0
        send(euicc, "00A4080C022FE2")
        assert send(euicc, "00B000000A")[0] == iccid(number).to_bytes()
    assert states(euicc) == [1, 0]


def test_a_channel_that_stood_in_the_old_profile_starts_again() -> None:
    euicc = euicc_with(1, 2)
    send(euicc, "00A4080C022FE2")
    send(euicc, "0020000A08" + "3837363534333231")
    channel = send(euicc, "0070000001")[0][0]
    send(euicc, f"0{channel}A4040C10A0000005591010FFFFFFFF8900000100")
    assert send(euicc, f"8{channel}E2910014BF3111A00C{identifier(2)}8101FF")[0] == bytes.fromhex("BF3103800100")
    assert send(euicc, "00B000000A")[1] == "6986"
    assert send(euicc, f"8{channel}E2910003BF2D00")[1] == "9000"  # the ISD-R stays selected
    send(euicc, f"0{channel}A4000C022FE2")
    assert send(euicc, f"0{channel}B000000A")[0] == iccid(2).to_bytes()


def test_enable_disable_delete_and_their_refusals() -> None:
    euicc = euicc_with(1, 2)
    assert result(euicc, f"BF3111A00C{identifier(1)}810100") == 2  # enabled already
    assert result(euicc, f"BF3111A00C{identifier(3)}810100") == 1
    assert result(euicc, f"BF3211A00C{identifier(2)}810100") == 2  # not enabled
    assert result(euicc, f"BF3211A00C{identifier(3)}810100") == 1
    assert result(euicc, f"BF330C{identifier(1)}") == 2  # enabled: not deleted
    assert result(euicc, f"BF330C{identifier(3)}") == 1
    assert result(euicc, f"BF3211A00C{identifier(1)}810100") == 0
    assert states(euicc) == [0, 0]
    assert send(euicc, "00A4000C023F00")[1] == "6A82"
    assert result(euicc, f"BF330C{identifier(1)}") == 0
    assert states(euicc) == [0]
    assert euicc.load_profile_package(profile_package(1)).isdp_aid.hex().endswith("001200")


def test_a_profile_goes_by_its_isdp_aid_too() -> None:
    euicc = euicc_with(1, 2)
    second = "4F10A0000005591010FFFFFFFF8900001100"
    assert result(euicc, f"BF3117A012{second}810100") == 0
    assert states(euicc) == [0, 1]
    listed = store_data(euicc, f"BF2D19A012{second}5C035A9F70")
    entry = tlv.only(tlv.only(tlv.only(listed, 0xBF2D).value, 0xA0).value, 0xE3).value
    assert {tag: item.value for tag, item in tlv.children(entry).items()} == {
        0x5A: iccid(2).to_bytes(),
        0x9F70: b"\x01",
    }


def test_the_eid() -> None:
    euicc = Euicc.create(MemoryStorage(), EID)
    assert store_data(euicc, "BF3E035C015A") == bytes.fromhex("BF3E125A10" + EID)


@pytest.mark.parametrize("chunk", [6, 7, 19, 120, 255])
def test_requests_come_in_blocks_of_any_size(chunk: int) -> None:
    euicc = euicc_with(1, 2)
    send(euicc, "00A4040C10A0000005591010FFFFFFFF8900000100")
    request = bytes.fromhex(f"BF3111A00C{identifier(2)}8101FF")
    blocks = [request[i : i + chunk] for i in range(0, len(request), chunk)]
    for number, block in enumerate(blocks):
        last = number == len(blocks) - 1
        data, status = send(euicc, f"80E2{'91' if last else '11'}{number:02X}{len(block):02X}{block.hex()}")
        assert status == "9000"
        assert (data != b"") is last
    assert states(euicc) == [0, 1]


@pytest.mark.parametrize(
    ("command", "status"),
    [
        ("80E2910003BF7F00", "6A88"),
        ("80E2910002BF2D", "6A80"),
        ("80E2910004BF2D0000", "6A80"),
        ("80E2910003BF3100", "6A80"),
        ("80E2910006BF3103A00000", "6A80"),
        ("80E2910003BF3300", "6A80"),
        ("80E2910003BF3E00", "6A80"),
        ("80E2910103BF2D00", "6A86"),
        ("80E2500003BF2D00", "6A86"),
    ],
)
def test_bad_requests_get_status_words(command: str, status: str) -> None:
    euicc = euicc_with(1)
    send(euicc, "00A4040C10A0000005591010FFFFFFFF8900000100")
    assert send(euicc, command)[1] == status
    assert send(euicc, "80E2910003BF2D00")[1] == "9000"


def test_an_endless_request_is_cut_off() -> None:
    euicc = Euicc.create(MemoryStorage(), EID)
    send(euicc, "00A4040C10A0000005591010FFFFFFFF8900000100")
    answers = {send(euicc, f"80E211{number:02X}FF" + "00" * 255)[1] for number in range(33)}
    assert answers == {"9000", "6700"}


def test_the_same_iccid_twice_is_refused() -> None:
    assert refusal(profile_package(9)).reason == "already_installed"


def test_a_card_that_is_full_refuses() -> None:
    error = refusal(profile_package(1), memory_octets=5000)
    assert error.reason == "no_memory"
    assert error.facts["needed_octets"] == 3404


@pytest.mark.parametrize(
    "service",
    ["javacard", "tuak128", "tuak256", "cave", "multos", "cat-tp", "gba-usim", "mbms", "eap", "eaka"],
)
def test_what_a_profile_mandates_and_the_card_lacks_is_named(service: str) -> None:
    error = refusal(needing(service))
    assert (error.reason, error.status) == ("unsupported", PeStatus.FEATURE_NOT_SUPPORTED)
    assert error.message.endswith(f"the mandatory services {service}")


def test_a_mandated_element_that_the_card_lacks_is_refused_and_another_passed_over() -> None:
    elements = read_package(profile_package(1))
    before, end = b"".join(e.raw for e in elements[:-1]), elements[-1].raw
    mandated = encode_element(ElementKind.APPLICATION, ElementHeader(99).encode())
    optional = encode_element(ElementKind.APPLICATION, ElementHeader(99, mandated=False).encode())
    error = refusal(before + mandated + end)
    assert (error.reason, "application" in error.message) == ("unsupported", True)
    assert build_profile_state(before + optional + end, b"").iccid == iccid(1).to_bytes()


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"algorithm_id": 2}, "unsupported"),
        ({"options": b"\x02"}, "unsupported"),
        ({"rotation": b"\x40\x00\x20\x40\x61"}, "unsupported"),
        ({"key": bytes(15)}, "malformed"),
    ],
)
def test_keys_that_the_card_cannot_use_are_refused(changes: dict[str, object], reason: str) -> None:
    values: dict[str, object] = {"algorithm_id": 1, "options": b"\x01", "key": K, "opc": OPC, **changes}
    algorithm = AlgorithmParameter(**values)  # type: ignore[arg-type]
    aka = AkaParameter(header=ElementHeader(6), algorithm=algorithm).encode()
    assert refusal(rebuilt(ElementKind.AKA_PARAMETER, aka)).reason == reason


def test_other_sequence_number_options_are_refused() -> None:
    algorithm = AlgorithmParameter(algorithm_id=1, options=b"\x01", key=K, opc=OPC)
    aka = AkaParameter(header=ElementHeader(6), algorithm=algorithm, sqn_options=b"\x0e").encode()
    assert refusal(rebuilt(ElementKind.AKA_PARAMETER, aka)).reason == "unsupported"


def test_sequence_numbers_start_where_the_profile_says() -> None:
    algorithm = AlgorithmParameter(algorithm_id=1, options=b"\x01", key=K, opc=OPC)
    numbers = tuple(number.to_bytes(6, "big") for number in range(100, 132))
    aka = AkaParameter(
        header=ElementHeader(6), algorithm=algorithm, sqn_init=numbers, sqn_delta=bytes.fromhex("000000000100")
    ).encode()
    [adf] = build_profile_state(rebuilt(ElementKind.AKA_PARAMETER, aka), b"").mf.directories
    assert adf.authentication is not None
    assert adf.authentication.sequence_numbers == list(range(100, 132))
    assert adf.authentication.delta == 256


def test_a_profile_without_keys_is_refused() -> None:
    assert refusal(rebuilt(ElementKind.AKA_PARAMETER, b"")).reason == "malformed"


def plain(size: str, descriptor: str = "4121", file_id: str = "2F50", link_path: bytes | None = None) -> Fcp:
    return Fcp(
        file_descriptor=bytes.fromhex(descriptor),
        file_id=bytes.fromhex(file_id),
        file_size=bytes.fromhex(size),
        arr=b"\x0a",
        link_path=link_path,
    )


@pytest.mark.parametrize(
    ("operations", "reason"),
    [
        ((SelectPath(b"\x5f\x99"),), "malformed"),
        ((SelectPath(b"\x7f"),), "malformed"),
        ((Content(b"no file"),), "unsupported"),
        ((Fcp(file_descriptor=b"\x41\x21", file_id=b"\x2f\x50"),), "malformed"),
        ((plain("FFFFFF"),), "malformed"),
        ((plain("01", file_id="2FE2"),), "malformed"),
        ((plain("10", "4221"),), "malformed"),
        ((plain("0200", "42210100"),), "malformed"),
        ((plain("10", "42210003"),), "malformed"),
        ((plain("10", "7C21"),), "unsupported"),
        ((plain("10", "7921"), Skip(1), Content(b"\x80\x00")), "malformed"),
        ((plain("10", "7921"), Content(b"\x80\x02\x00")), "malformed"),
        ((plain("10", "7921"), Content(b"\x80\x00\x80\x00")), "malformed"),
        ((replace(plain("10", "7921"), proprietary=ProprietaryInfo(maximum_file_size=b"\x0f")),), "malformed"),
        ((replace(plain("10", "7921"), proprietary=ProprietaryInfo(file_details=b"\x02")),), "unsupported"),
        ((plain("01", link_path=ADF),), "malformed"),
        ((plain("01"), Content(b"too long")), "malformed"),
    ],
)
def test_files_that_cannot_be_are_refused(
    operations: tuple[SelectPath | Fcp | Skip | Content, ...], reason: str
) -> None:
    assert refusal(with_commands(*operations)).reason == reason


def test_a_plain_file_under_the_mf_follows_the_rules_there() -> None:
    euicc = Euicc.create(MemoryStorage(), EID)
    fcp = Fcp(file_descriptor=b"\x41\x21", file_id=b"\x2f\x50", file_size=b"\x04", arr=b"\x01")
    euicc.load_profile_package(with_commands(fcp, Content(b"ab")))
    enable(euicc, iccid(1))
    send(euicc, "00A4000C022F50")
    assert send(euicc, "00B0000004") == (b"ab\xff\xff", "9000")
    assert send(euicc, "00D6000001" + "63")[1] == "9000"  # rule 1 asks for PIN 1, which is disabled


@pytest.mark.parametrize("cut", range(0, 1500, 37))
def test_a_package_cut_short_is_refused(cut: int) -> None:
    assert refusal(profile_package(1)[:cut]).reason == "malformed"


def test_a_header_of_another_card_is_refused() -> None:
    package = profile_package(1)
    other = package.replace(bytes.fromhex(iccid(1) + "F"), bytes.fromhex(iccid(2) + "F"))
    error = refusal(other)
    assert error.reason == "malformed"
    assert "EF.ICCID" in error.message


def test_a_profile_that_cannot_be_kept_is_not_half_there(monkeypatch: pytest.MonkeyPatch) -> None:
    storage = MemoryStorage()
    euicc = Euicc.create(storage, EID)

    def refuse(state: bytes) -> None:
        raise OSError(5, "Input/output error")

    monkeypatch.setattr(storage, "save", refuse)
    with pytest.raises(ProfileRefusedError) as caught:
        euicc.load_profile_package(profile_package(1))
    assert caught.value.reason == "storage_failed"
    monkeypatch.undo()
    assert states(euicc) == []
    assert euicc.load_profile_package(profile_package(1)).iccid == iccid(1)
