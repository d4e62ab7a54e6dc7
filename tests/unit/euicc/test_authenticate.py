"""AUTHENTICATE: right challenges, wrong MACs, replays, and the way back into step (TS 33.102, annex C)."""

import pytest

from kswifi.aka import milenage
from kswifi.euicc.card import Euicc
from tests.support.cards import EID, OPC, K, enable, iccid, profile_package, send
from tests.support.memory_storage import MemoryStorage

AMF = milenage.AMF_SEPARATION_BIT


class Phone:
    """Sends challenges to a card and takes its answers apart."""

    def __init__(self) -> None:
        self.storage = MemoryStorage()
        euicc = Euicc.create(self.storage, EID)
        euicc.load_profile_package(profile_package())
        enable(euicc, iccid())
        self.power_on()

    def power_on(self) -> None:
        self.euicc = Euicc.open(self.storage)
        assert send(self.euicc, "00A4040C07A0000000871002")[1] == "9000"

    def challenge(self, sqn: int, rand: bytes = bytes(16), k: bytes = K) -> tuple[bytes, str]:
        vector = milenage.generate_vector(k, OPC, sqn, AMF, rand)
        return send(self.euicc, "0088008122" + "10" + rand.hex() + "10" + vector.autn.hex())


def test_the_answer_is_res_ck_ik() -> None:
    vector = milenage.generate_vector(K, OPC, 32, AMF, bytes(16))
    data, status = Phone().challenge(32)
    assert status == "9000"
    assert data == b"\xdb\x08" + vector.xres + b"\x10" + vector.ck + b"\x10" + vector.ik


def test_without_le_the_answer_waits_for_get_response() -> None:
    phone = Phone()
    vector = milenage.generate_vector(K, OPC, 32, AMF, bytes(16))
    command = bytes.fromhex("0088008122" + "10" + bytes(16).hex() + "10" + vector.autn.hex())
    assert phone.euicc.transmit(command) == bytes.fromhex("612C")
    part = phone.euicc.transmit(bytes.fromhex("00C0000010"))
    assert part[-2:] == bytes.fromhex("611C")
    rest = phone.euicc.transmit(bytes.fromhex("00C000001C"))
    assert rest[-2:] == b"\x90\x00"
    assert part[:-2] + rest[:-2] == b"\xdb\x08" + vector.xres + b"\x10" + vector.ck + b"\x10" + vector.ik


def test_another_key_is_an_incorrect_mac_and_changes_nothing() -> None:
    phone = Phone()
    before = phone.storage.load()
    assert phone.challenge(32, k=bytes(16)) == (b"", "9862")
    assert phone.storage.load() == before
    assert phone.challenge(32)[1] == "9000"


def test_a_replay_gets_auts_and_the_network_gets_back_into_step() -> None:
    phone = Phone()
    sqn = 5 << 5 | 3
    assert phone.challenge(sqn)[0][0] == 0xDB
    data, status = phone.challenge(sqn)
    assert status == "9000"
    assert data[:2] == b"\xdc\x0e"
    sqn_ms = milenage.verify_auts(K, OPC, bytes(16), data[2:])
    assert sqn_ms == sqn
    assert phone.challenge(sqn_ms + (1 << 5))[0][0] == 0xDB


def test_a_replay_is_refused_after_the_power_was_off() -> None:
    phone = Phone()
    assert phone.challenge(96)[0][0] == 0xDB
    phone.power_on()
    assert phone.challenge(96)[0][0] == 0xDC


def test_vectors_may_come_out_of_order_by_their_index() -> None:
    phone = Phone()
    assert phone.challenge(10 << 5 | 1)[0][0] == 0xDB
    assert phone.challenge(9 << 5 | 2)[0][0] == 0xDB  # older, but of an index that has not seen it
    assert phone.challenge(9 << 5 | 1)[0][0] == 0xDC
    assert phone.challenge(9 << 5 | 2)[0][0] == 0xDC
    assert phone.challenge(10 << 5 | 2)[0][0] == 0xDB


def test_a_jump_too_far_ahead_is_refused() -> None:
    phone = Phone()
    assert phone.challenge((1 << 28) + 1 << 5)[0][0] == 0xDC
    assert phone.challenge(1 << 28 << 5)[0][0] == 0xDB


def test_the_answer_waits_until_the_sequence_number_is_durable(monkeypatch: pytest.MonkeyPatch) -> None:
    phone = Phone()

    def refuse(state: bytes) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(phone.storage, "save", refuse)
    assert phone.challenge(64) == (b"", "6581")
    monkeypatch.undo()
    assert send(phone.euicc, "00A4040C07A0000000871002")[1] == "9000"
    assert phone.challenge(64)[0][0] == 0xDB


def test_only_a_usim_authenticates_and_only_in_the_3g_context() -> None:
    phone = Phone()
    body = "22" + "10" + "00" * 16 + "10" + "00" * 16
    assert send(phone.euicc, "00880080" + body)[1] == "9864"
    assert send(phone.euicc, "00880001" + body)[1] == "6A86"
    assert send(phone.euicc, "0088008121" + "10" + "00" * 32)[1] == "6700"
    assert send(phone.euicc, "0088008122" + "0F" + "00" * 33)[1] == "6A80"
    send(phone.euicc, "00A4000C023F00")
    assert send(phone.euicc, "00880081" + body)[1] == "6985"
