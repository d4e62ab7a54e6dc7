"""Files as a terminal sees them: SELECT, READ, UPDATE, and the access rules of EF.ARR."""

import pytest

from kswifi.euicc.card import Euicc
from kswifi.euicc.files import access
from kswifi.rsp import tlv
from tests.support.cards import (
    ADM_KEY,
    EID,
    PIN_1,
    PUK_1,
    enable,
    euicc_with,
    iccid,
    profile_package,
    profile_parameters,
    send,
    signed_record,
)
from tests.support.memory_storage import MemoryStorage

SELECT_USIM = "00A4040C10A0000000871002FFFFFFFF8907090000"
SELECT_SESSIONS = "00A4080C067FFF5F104F01"
VERIFY_ADM = "0020000A08" + ADM_KEY.hex()
RECORD = signed_record().ljust(160, b"\xff")


@pytest.fixture
def euicc() -> Euicc:
    return euicc_with(1)


def usim(euicc: Euicc) -> Euicc:
    assert send(euicc, SELECT_USIM)[1] == "9000"
    return euicc


def test_the_read_back_script_of_a_session_record(euicc: Euicc) -> None:
    assert euicc.transmit(bytes.fromhex("00A4080C022FE2")) == b"\x90\x00"
    assert euicc.transmit(bytes.fromhex("00B000000A")) == iccid().to_bytes() + b"\x90\x00"
    assert euicc.transmit(bytes.fromhex(SELECT_USIM)) == b"\x90\x00"
    assert euicc.transmit(bytes.fromhex(SELECT_SESSIONS)) == b"\x90\x00"
    assert euicc.transmit(bytes.fromhex("00B2010400")) == RECORD + b"\x90\x00"
    assert euicc.transmit(bytes.fromhex("00B2020400")) == b"\xff" * 160 + b"\x90\x00"
    assert euicc.transmit(bytes.fromhex("00B2090400")) == bytes.fromhex("6A83")


def test_imsi_and_the_other_files_of_the_template(euicc: Euicc) -> None:
    usim(euicc)
    send(euicc, "00A4000C026F07")
    assert send(euicc, "00B0000009")[0] == profile_parameters().imsi.to_bytes()
    assert send(euicc, "00B0870009")[0] == profile_parameters().imsi.to_bytes()  # by its short identifier 07
    send(euicc, "00A4000C026F78")
    assert send(euicc, "00B0000002") == (b"\x00\x02", "9000")  # access class of an IMSI that ends in 1
    send(euicc, "00A4000C026F46")
    assert send(euicc, "00B0000000")[0] == b"\x01KSWiFi" + b"\xff" * 10
    assert send(euicc, "00A4000C026F3C")[1] == "6A82"  # EF.SMS is left out
    send(euicc, "00A4000C023F00")
    send(euicc, "00A4000C022F00")
    assert send(euicc, "00B2010400")[0] == bytes.fromhex("61184F10A0000000871002FFFFFFFF89070900005004") + b"USIM"


def test_select_by_every_way(euicc: Euicc) -> None:
    assert send(euicc, "00A4040C07A0000000871002")[1] == "9000"  # a name cut short
    assert send(euicc, "00A4000C025F10")[1] == "9000"
    assert send(euicc, "00A4000C024F01")[1] == "9000"
    assert send(euicc, "00A4030C")[1] == "9000"  # parent
    assert send(euicc, "00A4000C026F07")[1] == "9000"
    assert send(euicc, "00A4000C027FFF")[1] == "9000"
    assert send(euicc, "00A4090C045F104F01")[1] == "9000"
    assert send(euicc, "00A4000C026F07")[1] == "6A82"  # of siblings only directories are seen
    assert send(euicc, "00A4030C")[1] == "9000"
    assert send(euicc, "00A4000C026F07")[1] == "9000"
    assert send(euicc, "00A4000C023F00")[1] == "9000"
    assert send(euicc, "00A4000C026F07")[1] == "6A82"
    assert send(euicc, "00A4080C047FFF6F07")[1] == "6A82"  # no application is current any more
    assert send(euicc, "00A4000C027FD0")[1] == "6A82"  # the temporary identifier is gone
    assert send(euicc, "00A4040C06A00000008710")[1] == "9000"
    assert send(euicc, "00A4040C05A000000001")[1] == "6A82"


def test_the_fcp_template_describes_a_file(euicc: Euicc) -> None:
    usim(euicc)
    response = euicc.transmit(bytes.fromhex("00A40804067FFF5F104F01"))
    assert response[0] == 0x61
    fields = tlv.children(tlv.only(euicc.transmit(bytes([0, 0xC0, 0, 0, response[1]]))[:-2], 0x62).value)
    assert fields[0x82].value == bytes.fromhex("422100A008")
    assert fields[0x83].value == bytes.fromhex("4F01")
    assert fields[0x8B].value == bytes.fromhex("6F060A")
    assert fields[0x80].value == (160 * 8).to_bytes(2, "big")
    assert fields[0x8A].value == b"\x05"
    directory = tlv.children(tlv.only(send(euicc, "80F2000000")[0], 0x62).value)
    assert directory[0x83].value == bytes.fromhex("5F10")
    assert directory[0xC6].value == bytes.fromhex("90016083010183018183010A")
    assert send(euicc, "80F2000112")[0] == bytes.fromhex("8410A0000000871002FFFFFFFF8907090000")


def test_a_plain_write_needs_the_adm_key(euicc: Euicc) -> None:
    usim(euicc)
    send(euicc, SELECT_SESSIONS)
    update = "00DC0104A0" + "AB" * 160
    assert send(euicc, update)[1] == "6982"
    assert send(euicc, "00B2010400")[0] == RECORD
    assert send(euicc, VERIFY_ADM)[1] == "9000"
    assert send(euicc, update)[1] == "9000"
    assert send(euicc, "00B2010400")[0] == b"\xab" * 160


def test_never_means_not_with_the_adm_key_either(euicc: Euicc) -> None:
    send(euicc, VERIFY_ADM)
    send(euicc, "00A4080C022FE2")
    assert send(euicc, "00D600000AFFFFFFFFFFFFFFFFFFFF")[1] == "6982"


def test_what_was_verified_is_lost_with_the_power() -> None:
    storage = MemoryStorage()
    euicc = Euicc.create(storage, EID)
    euicc.load_profile_package(profile_package())
    enable(euicc, iccid())
    usim(euicc)
    send(euicc, VERIFY_ADM)
    again = usim(Euicc.open(storage))
    send(again, SELECT_SESSIONS)
    assert send(again, "00DC0104A0" + "AB" * 160)[1] == "6982"


def test_the_adm_retry_counter_survives_the_power_and_blocks() -> None:
    storage = MemoryStorage()
    euicc = Euicc.create(storage, EID)
    euicc.load_profile_package(profile_package())
    enable(euicc, iccid())
    wrong = "0020000A08" + "00" * 8
    for left in range(9, 4, -1):
        assert send(euicc, wrong)[1] == f"63C{left}"
    euicc = Euicc.open(storage)
    assert send(euicc, "0020000A")[1] == "63C5"
    assert send(euicc, VERIFY_ADM)[1] == "9000"  # the right key fills it up again
    assert send(euicc, "0020000A")[1] == "63CA"
    for _ in range(10):
        send(euicc, wrong)
    assert send(euicc, VERIFY_ADM)[1] == "6983"
    assert send(euicc, "002C000A10" + "00" * 16)[1] == "6A88"  # an administrative key has no PUK


def test_a_wrong_adm_key_takes_the_verified_state_away(euicc: Euicc) -> None:
    usim(euicc)
    send(euicc, VERIFY_ADM)
    send(euicc, "0020000A08" + "00" * 8)
    send(euicc, SELECT_SESSIONS)
    assert send(euicc, "00DC0104A0" + "AB" * 160)[1] == "6982"


def test_a_pin_that_is_asked_for_guards_the_imsi(euicc: Euicc) -> None:
    usim(euicc)
    assert send(euicc, "0020000108" + PIN_1.hex())[1] == "6984"  # disabled: nothing to verify
    new = b"9999\xff\xff\xff\xff"
    assert send(euicc, "002C000110" + "00" * 16)[1] == "63C9"
    assert send(euicc, "002C000110" + PUK_1.hex() + new.hex())[1] == "9000"  # which also enables it
    send(euicc, "00A4000C026F07")
    assert send(euicc, "00B0000009")[1] == "9000"
    assert send(euicc, "0020000108" + PIN_1.hex())[1] == "63C2"
    assert send(euicc, "00B0000009")[1] == "6982"
    assert send(euicc, "00880081221000000000000000000000000000000000" + "10" + "00" * 16)[1] == "6982"
    assert send(euicc, "0020000108" + new.hex())[1] == "9000"
    assert send(euicc, "00B0000009")[1] == "9000"


def test_records_by_next_and_previous(euicc: Euicc) -> None:
    usim(euicc)
    send(euicc, SELECT_SESSIONS)
    assert send(euicc, "00B2000400")[1] == "6A83"  # the pointer is not set
    assert send(euicc, "00B2000200")[0] == RECORD
    assert send(euicc, "00B2000400")[0] == RECORD
    assert send(euicc, "00B2000200")[0] == b"\xff" * 160
    assert send(euicc, "00B2000300")[0] == RECORD
    assert send(euicc, "00B2000300")[1] == "6A83"


@pytest.mark.parametrize(
    ("command", "status"),
    [
        ("00B2010410", "6CA0"),
        ("00DC010401AB", "6982"),
        ("00B0000000", "6981"),
        ("00B2010500", "6A86"),
        ("00A4050C023F00", "6A86"),
        ("00A4000C033F0000", "6700"),
        ("00A4000502" + "3F00", "6A86"),
        ("00E2000001FF", "6D00"),
        ("80E2910003BF2D00", "6D00"),
        ("80A4000C023F00", "6E00"),
        ("00C0000000", "6985"),
        ("01B0000000", "6881"),
        ("40B0000000", "6881"),
        ("20B0000000", "6E00"),
        ("FFB0000000", "6E00"),
        ("04B0000000", "6882"),
        ("1070000001", "6884"),
        ("10C0000000", "6884"),
        ("00", "6700"),
        ("00A4000C02", "6700"),
        ("00A4000C023F", "6700"),
        ("00A4000C000000", "6700"),
        ("00A4000C023F000000", "6700"),
    ],
)
def test_refusals(euicc: Euicc, command: str, status: str) -> None:
    usim(euicc)
    send(euicc, SELECT_SESSIONS)
    assert euicc.transmit(bytes.fromhex(command)).hex().upper() == status


def test_binary_lengths_and_offsets(euicc: Euicc) -> None:
    send(euicc, "00A4080C022FE2")
    assert send(euicc, "00B000000B")[1] == "6C0A"
    assert send(euicc, "00B0000A01")[1] == "6B00"
    assert send(euicc, "00B0000505")[0] == iccid().to_bytes()[5:]
    send(euicc, VERIFY_ADM)
    send(euicc, "00A4000C022F08")
    assert send(euicc, "00D60003020102")[1] == "9000"
    assert send(euicc, "00B0000005")[0] == bytes.fromhex("3C3C000102")
    assert send(euicc, "00D6000402" + "0102")[1] == "6700"


def test_big_records() -> None:
    record = bytes(range(160))
    euicc = Euicc.create(MemoryStorage(), EID)
    euicc.load_profile_package(profile_package(session_record=record))
    enable(euicc, iccid())
    usim(euicc)
    send(euicc, SELECT_SESSIONS)
    assert send(euicc, "00B20104A0") == (record, "9000")


def test_channels_stand_where_they_were_left(euicc: Euicc) -> None:
    usim(euicc)
    send(euicc, "00A4000C026F07")
    assert euicc.transmit(bytes.fromhex("0070000001")) == bytes.fromhex("019000")
    assert send(euicc, "01B0000009")[1] == "6986"
    assert send(euicc, "01A4000C022FE2")[1] == "9000"
    assert send(euicc, "01B000000A")[0] == iccid().to_bytes()
    assert send(euicc, "00B0000009")[0] == profile_parameters().imsi.to_bytes()
    assert [send(euicc, "0070000001")[0][0] for _ in range(2)] == [2, 3]
    assert send(euicc, "0070000001")[1] == "6A81"
    assert send(euicc, "00708001")[1] == "9000"
    assert send(euicc, "01B000000A")[1] == "6881"
    assert send(euicc, "00700001")[1] == "9000"
    assert send(euicc, "00708000")[1] == "6A86"


@pytest.mark.parametrize(
    ("rule", "verified", "allowed"),
    [
        ("8001019000", set(), True),
        ("8001029000", set(), False),
        ("800103A40683010A950108", {0x0A}, True),
        ("800103A40683010A950108", {0x01}, False),
        ("8001019700", {0x0A}, False),
        ("840132900080010190" + "00", set(), True),
        ("800101A010A406830101950108A406830181950108", {0x81}, True),
        ("800101AF10A406830101950108A406830181950108", {0x81}, False),
        ("800101AF10A406830101950108A406830181950108", {0x01, 0x81}, True),
        ("800101AF00", set(), False),
        ("8001", set(), False),
        ("", set(), False),
        ("FFFFFF", set(), False),
        ("800101B0", set(), False),
    ],
)
def test_access_rules(rule: str, verified: set[int], allowed: bool) -> None:
    for padding in ("", "FFFF"):
        padded = bytes.fromhex(rule + padding)
        assert access.allows(padded, access.READ, verified.__contains__) is allowed
