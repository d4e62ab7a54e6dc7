"""BER-TLV files: their description, RETRIEVE DATA and SET DATA block by block, and what breaks a transfer off."""

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kswifi.euicc.card import Euicc
from kswifi.euicc.state import ElementaryFile, decode_state, file_at
from kswifi.kernel.numbers import Iccid
from kswifi.lab.phone.es10 import exchange
from kswifi.rsp import tlv
from kswifi.rsp.saip.files import Content, Fcp, GenericFileManagement, ProprietaryInfo
from kswifi.rsp.saip.package import ElementHeader, read_package
from tests.support.cards import EID, enable, iccid, profile_package, send
from tests.support.memory_storage import MemoryStorage

PACKAGE = (Path(__file__).parents[2] / "data" / "ts48" / "TS48v2_SAIP2.1_BERTLV.der").read_bytes()
SELECT_URSP = "00A4080{}067FFF5FC04F0B"
SELECT_V2X = "00A4080C067F105F3E4F02"
ADM_KEY = b"55555555"
SMALL = tlv.encode(0x81, b"small")
LARGE = tlv.encode(0xBF21, bytes(range(256)) * 2 + b"end")
FULL = tlv.encode(0x82, bytes(70))


def standard(*, verified: bool = True) -> Euicc:
    """GSMA's profile with BER-TLV files, enabled; its administrative key verified or not."""
    euicc = Euicc.create(MemoryStorage(), EID)
    euicc.load_profile_package(PACKAGE)
    assert enable(euicc, Iccid("89000123456789012341")) == 0
    send(euicc, "00A4040C07A0000000871002")
    if verified:
        assert send(euicc, "0020000A08" + ADM_KEY.hex())[1] == "9000"
    assert send(euicc, SELECT_URSP.format("C"))[1] == "9000"
    return euicc


def own(*objects: bytes, maximum: int = 0, memory_octets: int = 100_000) -> tuple[Euicc, MemoryStorage]:
    """One of our profiles with a BER-TLV file (2F50), selected; its rule asks for PIN 1, which is disabled."""
    fcp = Fcp(
        file_descriptor=b"\x79\x21",
        file_id=b"\x2f\x50",
        file_size=b"\x10",
        arr=b"\x05",
        short_efid=b"\xa8",
        proprietary=ProprietaryInfo(maximum_file_size=bytes([maximum]) if maximum else None),
    )
    more = GenericFileManagement(ElementHeader(90), ((fcp, *(Content(each) for each in objects)),)).encode()
    *others, end = (each.raw for each in read_package(profile_package()))
    storage = MemoryStorage()
    euicc = Euicc.create(storage, EID, memory_octets=memory_octets)
    euicc.load_profile_package(b"".join((*others, more, end)))
    enable(euicc, iccid(1))
    assert send(euicc, "00A4000C022F50")[1] == "9000"
    return euicc, storage


def kept(storage: MemoryStorage) -> bytes:
    """What the file holds on disk."""
    file = file_at(decode_state(storage.load()).profiles[0].mf, bytes.fromhex("2F50"))
    assert isinstance(file, ElementaryFile)
    return file.content


def get(euicc: Euicc, tag: str, le: str = "00") -> tuple[bytes, str]:
    return send(euicc, f"80CB0080{len(tag) // 2:02X}{tag}{le}")


def put(euicc: Euicc, p2: str, block: bytes) -> str:
    return send(euicc, f"80DB00{p2}{len(block):02X}{block.hex()}")[1]


def test_the_files_of_the_standard_profile_describe_themselves() -> None:
    """Descriptor 79 21, nothing in them, 1024 octets reserved; V2X configuration and URSP."""
    euicc = standard()
    told = tlv.children(tlv.only(send(euicc, SELECT_URSP.format("4"))[0], 0x62).value)
    assert told[0x82].value.hex() == "7921"
    assert told[0x80].value.hex() == "0000"
    assert told[0xA5].value.hex() == "840101" + "85020400"
    assert get(euicc, "5C") == (b"\x5c\x00", "9000")
    assert get(euicc, "80")[1] == "6A88"
    assert put(euicc, "80", SMALL) == "9000"
    assert get(euicc, "81") == (SMALL, "9000")
    assert send(euicc, SELECT_V2X)[1] == "9000"
    assert get(euicc, "81")[1] == "6A88"


def test_the_list_of_tags_and_what_the_profile_brought() -> None:
    euicc, _ = own(SMALL, LARGE)
    assert get(euicc, "5C") == (bytes.fromhex("5C0381BF21"), "9000")
    assert get(euicc, "81") == (SMALL, "9000")
    told = tlv.children(tlv.only(send(euicc, "00A40004022F50")[0], 0x62).value)
    assert int.from_bytes(told[0x80].value, "big") == len(SMALL + LARGE)


def test_an_object_is_read_block_by_block() -> None:
    euicc, _ = own(SMALL, LARGE)
    first, status = get(euicc, "BF21", "C8")
    assert (first, status) == (LARGE[:200], "62F1")
    second, status = send(euicc, "80CB0000C8")
    assert (second, status) == (LARGE[200:400], "62F1")
    assert send(euicc, "80CB0040C8") == (LARGE[200:400], "62F1"), "the block before, once more"
    assert send(euicc, "80CB0000C8") == (LARGE[400:], "9000")
    assert send(euicc, "80CB0040C8") == (LARGE[400:], "9000")
    assert send(euicc, "80CB0000C8")[1] == "6985", "there is no next one"


def test_without_le_get_response_fetches_the_block() -> None:
    """As a T=0 terminal does it: 61xx, and what the block ends with comes last (annex L.2)."""
    euicc, _ = own(LARGE)
    assert euicc.transmit(bytes.fromhex("80CB008002BF21")).hex() == "6100"
    assert euicc.transmit(bytes.fromhex("80C0000080"))[:-2] == LARGE[:128]
    assert euicc.transmit(bytes.fromhex("80C0000000")) == LARGE[128:256] + bytes.fromhex("62F1")
    data, status = exchange(euicc, bytes.fromhex("80CB000000"))
    assert (data, status) == (LARGE[256:512], 0x62F1)


def test_an_object_is_stored_block_by_block_and_kept_with_its_last() -> None:
    euicc, storage = own(SMALL)
    assert put(euicc, "80", LARGE[:100]) == "63F1"
    assert put(euicc, "00", LARGE[100:300]) == "63F1"
    assert put(euicc, "00", b"wrong" * 20) == "63F1"
    assert put(euicc, "40", LARGE[300:400]) == "63F1", "instead of the block before"
    assert kept(storage) == SMALL
    assert put(euicc, "00", LARGE[400:]) == "9000"
    assert kept(storage) == SMALL + LARGE
    assert put(euicc, "80", tlv.encode(0x81, b"other")) == "9000"
    assert kept(storage) == LARGE + tlv.encode(0x81, b"other")
    assert put(euicc, "80", b"\xbf\x21") == "9000", "a tag alone deletes"
    assert kept(storage) == tlv.encode(0x81, b"other")
    assert put(euicc, "80", b"\xbf\x21") == "6A88"


def test_a_chained_command_is_one_block() -> None:
    euicc, storage = own()
    for start in range(0, len(LARGE), 200):
        part = LARGE[start : start + 200]
        more = "90" if start + 200 < len(LARGE) else "80"
        assert send(euicc, f"{more}DB0080{len(part):02X}{part.hex()}")[1] == "9000"
    assert kept(storage) == LARGE


@pytest.mark.parametrize(
    "between",
    [
        "00A4000C022F50",  # selected anew
        "00A4000C022FE2",
        "80DB008007" + SMALL.hex(),
        "80DB000060" + "00" * 0x60,  # more than the object has
        "80CB00800181",  # the pointer goes to another object
        "80CB008001A0",
        "80DB002001AA",
    ],
)
def test_what_breaks_a_transfer_off(between: str) -> None:
    """The object is gone, old and new; the rest of the file stays."""
    euicc, storage = own(SMALL, FULL)
    whole = tlv.encode(0x82, bytes(120))
    assert put(euicc, "80", whole[:40]) == "63F1"
    send(euicc, between)
    if "2FE2" in between:
        send(euicc, "00A4000C022F50")
    assert put(euicc, "00", whole[40:]) == "6985"
    assert kept(storage) == SMALL


def test_other_commands_between_two_blocks_break_nothing_off() -> None:
    euicc, storage = own()
    assert put(euicc, "80", LARGE[:200]) == "63F1"
    assert send(euicc, "80F2000000")[1] == "9000"
    assert send(euicc, "00200001")[1] == "63C3"
    assert send(euicc, "0070000001")[1] == "9000"
    assert put(euicc, "00", LARGE[200:400]) == "63F1"
    assert put(euicc, "00", LARGE[400:]) == "9000"
    assert kept(storage) == LARGE


def test_a_transfer_ends_with_the_power() -> None:
    euicc, storage = own(SMALL, FULL)
    assert put(euicc, "80", tlv.encode(0x82, bytes(120))[:40]) == "63F1"
    euicc = Euicc.open(storage)
    send(euicc, "00A4000C022F50")
    assert put(euicc, "00", bytes(82)) == "6985"
    assert kept(storage) == SMALL


@pytest.mark.parametrize(
    "block",
    ["6100", "5C00", "0100", "8181" + "05" + "00" * 5, "8180", "9FFFFF0100", "82830000" + "05", "BF", "BF81"],
)
def test_what_is_no_object_is_refused(block: str) -> None:
    """Tags of the context-specific class, of one to three octets, and lengths in DER."""
    euicc, storage = own(SMALL)
    assert put(euicc, "80", bytes.fromhex(block)) == "6A80"
    assert kept(storage) == SMALL


def test_sizes_are_kept_to() -> None:
    euicc, storage = own(SMALL, maximum=40)
    assert put(euicc, "80", tlv.encode(0x82, bytes(31))) == "9000"
    assert put(euicc, "80", tlv.encode(0x82, bytes(32))) == "6A84"
    assert put(euicc, "80", tlv.encode(0x82, bytes(200))[:50]) == "6A84"
    assert kept(storage) == SMALL + tlv.encode(0x82, bytes(31))
    euicc, storage = own(SMALL, memory_octets=4000)
    room = decode_state(storage.load()).free_octets() + 16
    assert put(euicc, "80", tlv.encode(0x82, bytes(room))[:100]) == "6A84"
    assert put(euicc, "80", tlv.encode(0x82, bytes(room - 20))[:100]) == "63F1"
    assert kept(storage) == SMALL


def test_commands_and_files_that_do_not_fit() -> None:
    euicc, _ = own(SMALL)
    assert send(euicc, "00B0000005")[1] == "6981"
    assert send(euicc, "00B2010400")[1] == "6981"
    assert send(euicc, "00D6000001AA")[1] == "6981"
    assert send(euicc, "80CB008000")[1] == "6A80"
    assert send(euicc, "80CB0180018100")[1] == "6A86"
    assert send(euicc, "80CB00C0018100")[1] == "6A86"
    assert send(euicc, "80CB0000018100")[1] == "6985"
    assert send(euicc, "00CB0080018100")[1] == "6E00"
    assert get(euicc, "9F")[1] == "6A80"
    assert send(euicc, "80CB0095018100")[0] == SMALL, "by its short identifier"
    send(euicc, "00A4000C022FE2")
    assert get(euicc, "81")[1] == "6981"
    assert put(euicc, "80", SMALL) == "6981"


def test_access_rules_hold() -> None:
    euicc = standard(verified=False)
    assert get(euicc, "5C") == (b"\x5c\x00", "9000"), "PIN 1 is disabled"
    assert put(euicc, "80", SMALL) == "6982", "writing is the operator's"


blocks = st.one_of(
    st.just(b""),
    st.sampled_from(
        [b"\x81", b"\x5c", b"\xbf\x21", SMALL, FULL, LARGE[:200], LARGE[200:400], LARGE[400:], FULL[:9]]
    ),
    st.binary(min_size=1, max_size=20),
)
exchanges = st.tuples(
    st.sampled_from(["80CB", "80DB", "80CB", "80DB", "90DB", "00A4"]),
    st.sampled_from([0x80, 0x00, 0x40, 0x95, 0x15]),
    blocks,
    st.sampled_from(["", "00", "05", "C8"]),
)


@settings(deadline=None, max_examples=150)
@given(st.lists(exchanges, max_size=25))
def test_whatever_is_stored_the_file_holds_whole_objects(row: list[tuple[str, int, bytes, str]]) -> None:
    euicc, storage = own(SMALL, maximum=200)
    for command, p2, block, le in row:
        data = f"{len(block):02X}{block.hex()}" if block else ""
        response = euicc.transmit(bytes.fromhex(f"{command}00{p2:02X}{data}{le}"))
        assert response[-2] in (0x61, 0x62, 0x63, 0x67, 0x69, 0x6A, 0x6C, 0x90), response.hex()
        held = kept(storage)
        assert len(held) <= 200
        tlv.children(held)  # whole, and each tag once
