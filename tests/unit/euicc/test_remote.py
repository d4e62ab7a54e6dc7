"""Secured packets on the card: what it does, what it refuses with which status, and what a cut leaves."""

from pathlib import Path

import pytest

from kswifi.euicc.card import Euicc
from kswifi.euicc.storage import DirectoryStorage
from kswifi.lab.phone.es10 import exchange
from kswifi.rsp import tlv
from kswifi.rsp.access_rules import ARA_M_AID, CarrierApp
from kswifi.rsp.saip.build import SESSION_RECORD_FILE_OCTETS
from kswifi.scp80 import packets, scripts, sms
from kswifi.scp80.packets import COUNTER_MAX, Keys, ResponseStatus
from kswifi.scp80.security import SecurityParameters
from tests.support.cards import EID, enable, euicc_with, iccid, profile_package, send, signed_record
from tests.support.memory_storage import MemoryStorage
from tests.support.packets import KEYS, SELECT_SESSIONS, Answer, deliver, hand_over, packet, update_script

RECORD = signed_record(2).ljust(SESSION_RECORD_FILE_OCTETS, b"\xff")


def records(euicc: Euicc) -> list[bytes]:
    send(euicc, "00A4040C10A0000000871002FFFFFFFF8907090000")
    assert send(euicc, SELECT_SESSIONS.hex())[1] == "9000"
    return [send(euicc, f"00B2{number:02X}0400")[0] for number in range(1, 9)]


def test_a_record_is_written_and_its_proof_shows_it() -> None:
    euicc = euicc_with(1)
    answer = deliver(euicc, packet(1, update_script(2, RECORD)))
    assert answer.opened().counter == 1
    said = answer.script()
    assert (said.executed, said.status, said.data) == (3, 0x9000, RECORD)
    assert records(euicc)[1] == RECORD
    assert len(answer.octets) <= 256  # one GET RESPONSE, as a phone's modem fetches it


def test_parts_come_in_any_order_and_are_forgotten_with_the_power() -> None:
    euicc = euicc_with(1)
    secured = packets.encode_command(packet(1, update_script(2, RECORD)), KEYS)
    first, second = (sms.envelope(message).hex() for message in sms.deliver_messages(secured, 7))
    assert send(euicc, second) == (b"", "9000")
    euicc.reset()
    assert send(euicc, first) == (b"", "9000")
    other = sms.deliver_messages(packets.encode_command(packet(2, update_script(3, RECORD)), KEYS), 8)
    assert send(euicc, sms.envelope(other[0]).hex()) == (b"", "9000")  # another message: the first is forgotten
    assert send(euicc, second) == (b"", "9000")
    data, _ = send(euicc, first)
    assert data
    assert records(euicc)[1] == RECORD


def test_replays_and_old_counters_are_refused_and_the_next_one_taken() -> None:
    euicc = euicc_with(1)
    secured = packets.encode_command(packet(5, update_script(2, RECORD)), KEYS)
    assert hand_over(euicc, secured).script().status == 0x9000
    for again in (secured, packets.encode_command(packet(4, update_script(2, bytes(160))), KEYS)):
        refused = hand_over(euicc, again).opened()
        assert (refused.status, refused.data) == (ResponseStatus.COUNTER_LOW, b"")
    assert records(euicc)[1] == RECORD
    assert deliver(euicc, packet(6, update_script(3, RECORD))).script().status == 0x9000


def test_one_higher_means_one_higher_and_the_last_counter_blocks() -> None:
    euicc = euicc_with(1)
    one_higher = SecurityParameters.decode(bytes.fromhex("1e19"))
    assert deliver(euicc, packet(2, update_script(2, RECORD), spi=one_higher)).opened().status == (
        ResponseStatus.COUNTER_HIGH
    )
    assert deliver(euicc, packet(1, update_script(2, RECORD), spi=one_higher)).script().status == 0x9000
    assert deliver(euicc, packet(COUNTER_MAX, update_script(2, RECORD))).script().status == 0x9000
    assert deliver(euicc, packet(COUNTER_MAX, update_script(2, RECORD))).opened().status == (
        ResponseStatus.COUNTER_BLOCKED
    )


@pytest.mark.parametrize(
    ("changes", "status"),
    [
        ({"tar": bytes.fromhex("b00010")}, ResponseStatus.TAR_UNKNOWN),
        ({"spi": SecurityParameters.decode(bytes.fromhex("1219"))}, ResponseStatus.INSUFFICIENT_SECURITY_LEVEL),
        ({"spi": SecurityParameters.decode(bytes.fromhex("0619"))}, ResponseStatus.INSUFFICIENT_SECURITY_LEVEL),
        ({"spi": SecurityParameters.decode(bytes.fromhex("1419"))}, ResponseStatus.INSUFFICIENT_SECURITY_LEVEL),
        ({"kic": 0x22}, ResponseStatus.UNIDENTIFIED_SECURITY_ERROR),
        ({"kid": 0x22}, ResponseStatus.UNIDENTIFIED_SECURITY_ERROR),
        ({"kid": 0x15}, ResponseStatus.UNIDENTIFIED_SECURITY_ERROR),
    ],
)
def test_refused_with_its_status(changes: dict[str, object], status: ResponseStatus) -> None:
    euicc = euicc_with(1)
    assert deliver(euicc, packet(1, update_script(2, RECORD), **changes)).unprotected() == status
    assert records(euicc)[1] == b"\xff" * 160
    assert deliver(euicc, packet(1, update_script(2, RECORD))).script().status == 0x9000


def test_wrong_keys_are_refused() -> None:
    euicc = euicc_with(1)
    statuses = (ResponseStatus.CHECKSUM_FAILED, ResponseStatus.CIPHERING_ERROR)
    for keys in (Keys(KEYS.kic, bytes(16)), Keys(bytes(16), KEYS.kid)):
        assert deliver(euicc, packet(1, update_script(2, RECORD)), keys).unprotected() in statuses
    assert records(euicc)[1] == b"\xff" * 160


def test_every_flipped_bit_of_the_header_and_the_counter_is_refused_and_nothing_happens() -> None:
    """SPI, KIc, KID, TAR and the ciphered counter: refused with a status, or no packet at all."""
    euicc = euicc_with(1)
    secured = packets.encode_command(packet(9, update_script(2, RECORD)), KEYS)
    before = records(euicc)
    for place in range(3 * 8, 16 * 8):
        changed = bytearray(secured)
        changed[place // 8] ^= 1 << place % 8
        answer = hand_over(euicc, bytes(changed))
        if answer.status_word == "9000" and answer.octets:
            assert answer.unprotected() != ResponseStatus.POR_OK
        else:
            # No answer is wanted any more, or the header's length fits its checksum no more.
            assert answer.status_word in ("9000", "6A80")
    assert records(euicc) == before
    assert hand_over(euicc, secured).script().status == 0x9000


def test_the_script_reports_beyond_the_file_and_other_errors() -> None:
    full = deliver(euicc_with(1), packet(1, update_script(9, RECORD))).script()
    assert (full.executed, full.status, full.data) == (2, 0x6A83, b"")
    for data, executed, status in (
        (b"\x00\xa4\x08\x0c\x02\x6f\xff", 1, 0x6A82),
        (b"\x00\x88\x00\x81\x02\x00\x00", 1, 0x6D00),  # AUTHENTICATE is no file's business
        (b"\x00\xa4\x04\x0c\x07\xa0\x00\x00\x00\x87\x10\x02", 1, 0x6A86),
        (b"\x00\xa4\x00\x0c\x02\x2f\xe2\x00\xb0\x00\x00\x0a", 1, 0x6A82),  # from the ADF it is not seen
        (b"\x00\xa4\x08\x0c\x02\x2f\xe2\x00\xb0\x00\x00\x0a", 2, 0x6982),  # the MF's files are out of reach
        (b"\x00\xa4\x08\x0c\x04\x7f\xff\x6f\x07\x00\xb0\x00\x00\x09", 2, 0x9000),
        (b"\x00\xa4", 1, 0x6700),
    ):
        said = deliver(euicc_with(1), packet(1, data)).script()
        assert (said.executed, said.status) == (executed, status), data.hex()


def test_expanded_scripts_and_select_with_an_answer() -> None:
    euicc = euicc_with(1)
    commands = (bytes.fromhex("00A40804067FFF5F104F01"), bytes.fromhex("00B20104A0"))
    said = deliver(euicc, packet(1, scripts.Script(commands, expanded=True).encode())).script()
    assert said.executed == 2
    assert said.answers[0][1] >> 8 == 0x61
    assert said.data == signed_record(1).ljust(160, b"\xff")


def test_proofs_are_given_as_asked_for() -> None:
    euicc = euicc_with(1)
    never = packet(1, update_script(2, RECORD), spi=SecurityParameters.decode(bytes.fromhex("1618")))
    assert deliver(euicc, never).octets == b""
    on_error = SecurityParameters.decode(bytes.fromhex("161a"))
    assert deliver(euicc, packet(2, update_script(3, RECORD), spi=on_error)).octets == b""
    assert deliver(euicc, packet(2, update_script(3, RECORD), spi=on_error)).opened().status == (
        ResponseStatus.COUNTER_LOW
    )
    assert records(euicc)[1:3] == [RECORD, RECORD]


def test_without_an_enabled_profile_or_with_no_packet() -> None:
    euicc = Euicc.create(MemoryStorage(), EID)
    euicc.load_profile_package(profile_package(1))
    envelope = sms.envelope(sms.deliver_messages(packets.encode_command(packet(1, b"\x00"), KEYS), 0)[0])
    assert euicc.transmit(envelope).hex().upper() == "6985"
    enable(euicc, iccid(1))
    assert euicc.transmit(envelope[:-1]).hex().upper() == "6700"
    for data in ("D100", "D103020100", "D10982028381" + "8B0340", "D6020000"):
        octets = bytes.fromhex(data)
        assert euicc.transmit(bytes([0x80, 0xC2, 0, 0, len(octets)]) + octets).hex().upper() == "6A80"


def test_the_proof_is_fetched_as_the_class_of_the_command_has_it() -> None:
    """61xx in the class of TS 102 221; 9Fxx in that of GSM SIMs (TS 51.011, 9.4.1), which takes packets alone."""
    euicc = euicc_with(1)
    for counter, (cla, announced) in enumerate(((0x80, 0x61), (0xA0, 0x9F)), start=1):
        secured = packets.encode_command(packet(counter, update_script(2, RECORD)), KEYS)
        messages = sms.deliver_messages(secured, reference=counter)
        answers = [euicc.transmit(bytes([cla]) + sms.envelope(each)[1:]) for each in messages]
        assert answers[:-1] == [b"\x90\x00"] * (len(answers) - 1)
        length = answers[-1][1]
        assert answers[-1] == bytes([announced, length])
        fetched = euicc.transmit(bytes([cla, 0xC0, 0, 0, length]))
        assert (len(fetched), fetched[-2:]) == (length + 2, b"\x90\x00")
        assert Answer(fetched[:-2], "9000").script().data == RECORD
        assert euicc.transmit(bytes([cla, 0xC0, 0, 0, length]))[-2:] == b"\x69\x85", "once"
    assert send(euicc, "A0A40000023F00")[1] == "6E00"
    envelopes = sms.deliver_messages(packets.encode_command(packet(3, update_script(2, RECORD)), KEYS), 3)
    data, status = [exchange(euicc, b"\xa0" + sms.envelope(each)[1:]) for each in envelopes][-1]
    assert (status, Answer(data, "").script().data) == (0x9000, RECORD)


def test_counters_of_two_profiles_are_apart() -> None:
    euicc = euicc_with(1, 2)
    assert deliver(euicc, packet(9, update_script(2, RECORD))).script().status == 0x9000
    enable(euicc, iccid(2))
    assert deliver(euicc, packet(1, update_script(2, RECORD))).script().status == 0x9000


class CutStorage(MemoryStorage):
    """Power that fails at a given write, before or after it reached the medium."""

    def __init__(self) -> None:
        super().__init__()
        self.writes_left = -1
        self.kept = False

    def save(self, state: bytes) -> None:
        if self.writes_left == 0:
            if self.kept:
                super().save(state)
            raise KeyboardInterrupt
        self.writes_left -= 1
        super().save(state)


@pytest.mark.parametrize("kept", [False, True])
def test_power_cut_at_any_command_leaves_all_or_nothing(kept: bool) -> None:
    storage = CutStorage()
    euicc = Euicc.create(storage, EID)
    euicc.load_profile_package(profile_package(1))
    enable(euicc, iccid(1))
    secured = packets.encode_command(packet(1, update_script(2, RECORD)), KEYS)
    storage.writes_left, storage.kept = 0, kept
    with pytest.raises(KeyboardInterrupt):
        hand_over(euicc, secured)
    storage.writes_left = -1
    euicc = Euicc.open(storage)
    again = hand_over(euicc, secured).opened()
    if kept:  # it happened and its proof was lost: the same record goes again with the next counter
        assert again.status == ResponseStatus.COUNTER_LOW
        assert deliver(euicc, packet(2, update_script(2, RECORD))).script().data == RECORD
    else:
        assert again.status == ResponseStatus.POR_OK
    assert records(euicc)[1] == RECORD


def test_a_full_disk_is_a_memory_problem_and_the_same_packet_works_later(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    storage = DirectoryStorage.open(tmp_path)
    euicc = Euicc.create(storage, EID)
    euicc.load_profile_package(profile_package(1))
    enable(euicc, iccid(1))
    secured = packets.encode_command(packet(1, update_script(2, RECORD)), KEYS)
    with monkeypatch.context() as broken:
        broken.setattr("os.fsync", lambda _: (_ for _ in ()).throw(OSError("no space")))
        assert hand_over(euicc, secured).status_word == "6581"
    assert hand_over(euicc, secured).script().data == RECORD
    euicc.close()


def test_the_ara_m_answers_the_rules_for_carrier_apps() -> None:
    """The answer is what Android parses: FF40 { E2 { E1 { 4F, C1, CA }, E3 { DB } } }."""
    app = CarrierApp(bytes(range(32)), "com.example.carrier")
    euicc = Euicc.create(MemoryStorage(), EID)
    euicc.load_profile_package(profile_package(1, carrier_apps=(app,)))
    name = f"{len(ARA_M_AID):02X}{ARA_M_AID.hex()}"
    assert send(euicc, f"00A40400{name}")[1] == "6A82"  # not while the profile is disabled
    enable(euicc, iccid(1))
    assert send(euicc, f"00A40400{name}")[1] == "9000"
    data, status = send(euicc, "80CAFF4000")
    assert status == "9000"
    rule = tlv.children(tlv.only(data, 0xFF40).value)[0xE2]
    who = tlv.children(tlv.children(rule.value)[0xE1].value)
    assert who[0x4F].value == bytes.fromhex("FFFFFFFFFFFF")
    assert who[0xC1].value == app.certificate_sha256
    assert who[0xCA].value == b"com.example.carrier"
    assert send(euicc, "80CADF2000")[1] == "6A88"
    send(euicc, "00A4040C10A0000000871002FFFFFFFF8907090000")
    assert send(euicc, "80CAFF4000")[1] == "6985"
