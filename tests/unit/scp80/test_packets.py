"""Secured packets compared with those of other implementations and with recorded answers of real cards."""

import json
from pathlib import Path
from typing import Any, Final

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kswifi.scp80 import packets, scripts, sms
from kswifi.scp80.errors import (
    MalformedPacketError,
    SecuredPacketError,
    UnsupportedSecurityError,
    WrongChecksumError,
)
from kswifi.scp80.explain import explain
from kswifi.scp80.packets import CommandPacket, Keys, ResponsePacket, ResponseStatus
from kswifi.scp80.security import Check, CounterRule, ProofOfReceipt, SecurityParameters

DATA: Final[dict[str, Any]] = json.loads(
    (Path(__file__).parents[2] / "data" / "scp80" / "packets.json").read_text("utf-8")
)
COUNTERS: Final = {
    "no_counter": CounterRule.NONE,
    "counter_no_replay_or_seq": CounterRule.NOT_CHECKED,
    "counter_must_be_higher": CounterRule.HIGHER,
}
LEVEL: Final = SecurityParameters.decode(bytes.fromhex("1619"))
KEYS: Final = Keys(bytes(range(16)), bytes(range(16, 32)))


def keys_of(vector: dict[str, str]) -> Keys:
    return Keys(bytes.fromhex(vector["kic"]), bytes.fromhex(vector["kid"]))


def command(counter: int = 7, data: bytes = b"\x00\xa4\x00\x0c\x02\x3f\x00") -> CommandPacket:
    return CommandPacket(spi=LEVEL, kic=0x12, kid=0x12, tar=bytes.fromhex("b00001"), counter=counter, data=data)


@pytest.mark.parametrize("vector", DATA["commands"], ids=lambda vector: vector["secured_packet"][:24])
def test_packets_match_those_of_pysim(vector: dict[str, Any]) -> None:
    asked = vector["spi"]
    spi = SecurityParameters(
        counter=COUNTERS[asked["counter"]],
        ciphered=asked["ciphering"],
        check=Check.CRYPTOGRAPHIC,
        por=ProofOfReceipt.ALWAYS,
        por_check=Check.CRYPTOGRAPHIC,
        por_ciphered=asked["por_shall_be_ciphered"],
    )
    packet = CommandPacket(
        spi=spi,
        kic=vector["kic_index"] << 4 | 2,
        kid=vector["kid_index"] << 4 | 2,
        tar=bytes.fromhex(vector["tar"]),
        counter=vector["counter"],
        data=bytes.fromhex(vector["apdu"]),
    )
    made = packets.encode_command(packet, keys_of(vector))
    # pySim omits the packet length if nothing is enciphered, although its checksum covers it.
    assert made.hex() == vector["secured_packet"] if spi.ciphered else made[2:].hex() == vector["secured_packet"]
    assert packets.open_command(made, keys_of(vector)) == packet


@pytest.mark.parametrize("vector", DATA["gsm0348"]["commands"], ids=lambda vector: vector["packet"][:24])
def test_packets_match_those_of_the_gsm0348_library(vector: dict[str, Any]) -> None:
    packet = CommandPacket(
        spi=SecurityParameters.decode(bytes.fromhex(vector["spi"])),
        kic=int(vector["kic_octet"], 16),
        kid=int(vector["kid_octet"], 16),
        tar=bytes.fromhex(vector["tar"]),
        counter=vector["counter"],
        data=bytes.fromhex(vector["data"]),
    )
    assert packets.encode_command(packet, keys_of(vector)).hex() == vector["packet"]
    assert packets.open_command(bytes.fromhex(vector["packet"]), keys_of(vector)) == packet


@pytest.mark.parametrize("message", DATA["cards"]["messages"], ids=lambda message: message["command"][:16])
def test_messages_match_those_that_real_cards_accepted(message: dict[str, str]) -> None:
    packet = CommandPacket(
        spi=SecurityParameters.decode(bytes.fromhex(message["spi"])),
        kic=int(message["kic_octet"], 16),
        kid=int(message["kid_octet"], 16),
        tar=bytes.fromhex(message["tar"]),
        counter=0,
        data=bytes.fromhex(message["apdu"]),
    )
    made = packets.encode_command(packet, keys_of(message))
    assert made.hex() == message["command"]
    (ours,) = sms.deliver_messages(made, reference=0)
    assert sms.join([sms.read_deliver(ours)]) == made
    # The user data equals the recorded one octet for octet, except for a length octet that is wrong in the
    # recording.
    assert ours[-len(made) - 3 :] == bytes.fromhex(message["deliver"])[-len(made) - 3 :]


@pytest.mark.parametrize(
    "vector",
    [*DATA["cards"]["messages"], *DATA["cards"]["answers"], *DATA["gsm0348"]["answers"]],
    ids=lambda vector: vector["answer"][:30],
)
def test_recorded_answers_of_real_cards_are_read(vector: dict[str, Any]) -> None:
    answer = sms.read_report(bytes.fromhex(vector["answer"]))
    spi = SecurityParameters.decode(bytes.fromhex(vector["spi"]))
    key_octets = int(vector["kic_octet"], 16), int(vector["kid_octet"], 16)
    packet = packets.open_response(answer, spi, *key_octets, keys_of(vector))
    assert packet.status == ResponseStatus.POR_OK
    if "data" in vector:
        assert (packet.counter, packet.data.hex()) == (vector["counter"], vector["data"])
    else:
        said = scripts.read_answer(packet.data, expanded=False)
        assert (said.executed, f"{said.status:04x}", said.data) == (1, vector["status_word"], b"")
    assert packets.encode_response(packet, spi, *key_octets, keys_of(vector)) == answer


def test_a_script_of_records_fits_two_messages() -> None:
    select = bytes.fromhex("00A4080C067FFF5F104F01")
    update = bytes.fromhex("00DC0304A0") + bytes(160)
    read = bytes.fromhex("00B20304A0")
    script = scripts.Script((select, update, read))
    made = packets.encode_command(command(data=script.encode()), KEYS)
    messages = sms.deliver_messages(made, reference=0x1234)
    assert len(messages) == 2
    segments = [sms.read_deliver(message) for message in messages]
    assert all(len(message) <= 15 + sms.USER_DATA_MAX_OCTETS for message in messages)
    assert [segment.part for segment in segments] == [(0x34, 2, 1), (0x34, 2, 2)]
    assert scripts.read_script(packets.open_command(sms.join(segments[::-1]), KEYS).data) == script
    assert all(len(sms.envelope(message)) <= 5 + 255 for message in messages)
    assert sms.read_envelope(sms.envelope(messages[0])[5:]) == messages[0]
    with pytest.raises(MalformedPacketError):
        sms.join(segments[:1])


def test_scripts_and_answers_of_the_expanded_form() -> None:
    """The tags are those of TS 102 226: script AA with commands 22, answer AB with a count 80 and answers 23."""
    script = scripts.Script((bytes.fromhex("80f24002024f0000"), bytes.fromhex("00a40004023f0000")), expanded=True)
    assert script.encode().hex() == "aa14220880f24002024f0000220800a40004023f0000"
    assert scripts.read_script(script.encode()) == script
    answer = scripts.read_answer(bytes.fromhex("ab0780010123029000"), expanded=True)
    assert (answer.executed, answer.status, answer.data) == (1, 0x9000, b"")
    assert scripts.encode_answer([(b"", 0x9000)], expanded=True).hex() == "ab0780010123029000"


def test_every_flipped_bit_is_noticed() -> None:
    made = packets.encode_command(command(), KEYS)
    for place in range(8 * len(made)):
        changed = bytearray(made)
        changed[place // 8] ^= 1 << place % 8
        with pytest.raises(SecuredPacketError):
            packets.open_command(bytes(changed), KEYS)


def test_every_flipped_bit_of_an_answer_is_noticed() -> None:
    response = ResponsePacket(tar=bytes.fromhex("b00001"), counter=9, status=0, data=b"\x03\x90\x00" + bytes(160))
    made = packets.encode_response(response, LEVEL, 0x12, 0x12, KEYS)
    assert len(sms.report(made)) <= 256  # one GET RESPONSE fetches it
    for place in range(8 * len(made)):
        changed = bytearray(made)
        changed[place // 8] ^= 1 << place % 8
        with pytest.raises(SecuredPacketError):
            packets.open_response(bytes(changed), LEVEL, 0x12, 0x12, KEYS)


def test_wrong_keys_are_noticed() -> None:
    made = packets.encode_command(command(), KEYS)
    for keys in (Keys(KEYS.kid, KEYS.kid), Keys(KEYS.kic, KEYS.kic)):
        with pytest.raises(SecuredPacketError):
            packets.open_command(made, keys)


@pytest.mark.parametrize(
    ("first", "level", "enough"),
    [
        (0x16, 0x16, True),
        (0x1E, 0x16, True),
        (0x12, 0x16, False),  # not ciphered
        (0x06, 0x16, False),  # no counter
        (0x0E, 0x16, False),  # a counter that is not checked
        (0x15, 0x16, False),  # a redundancy check
        (0x14, 0x16, False),
        (0x17, 0x16, True),  # a signature
        (0x02, 0x02, True),
        (0x00, 0x02, False),
        (0x00, 0x00, True),
    ],
)
def test_a_command_must_meet_the_minimum_security_level(first: int, level: int, enough: bool) -> None:
    assert SecurityParameters.decode(bytes([first, 0x01])).reaches(level) is enough


def test_unsupported_algorithms_and_reserved_bits_are_refused() -> None:
    with pytest.raises(UnsupportedSecurityError, match="AES or triple DES"):
        packets.encode_command(
            CommandPacket(spi=LEVEL, kic=0x11, kid=0x11, tar=bytes(3), counter=0, data=b""), KEYS
        )
    for octets in ("e619", "16c9", "1603", "16"):
        with pytest.raises(MalformedPacketError):
            SecurityParameters.decode(bytes.fromhex(octets))
    with pytest.raises(UnsupportedSecurityError):
        packets.encode_command(command(), Keys(bytes(5), bytes(16)))
    with pytest.raises(WrongChecksumError):
        packets.open_command(packets.encode_command(command(), KEYS), Keys(KEYS.kic, bytes(16)))


@settings(deadline=None, max_examples=150)
@given(st.binary(max_size=300))
def test_any_octets_get_a_refusal_and_no_other_error(octets: bytes) -> None:
    tries = (
        lambda: packets.open_command(octets, KEYS),
        lambda: packets.open_command(len(octets).to_bytes(2, "big") + octets, KEYS),
        lambda: packets.open_response(octets, LEVEL, 0x12, 0x12, KEYS),
        lambda: packets.open_response(len(octets).to_bytes(2, "big") + octets, LEVEL, 0x12, 0x12, KEYS),
        lambda: sms.join([sms.read_deliver(octets)]),
        lambda: sms.join([sms.read_user_data(octets)]),
        lambda: sms.read_envelope(octets),
        lambda: sms.read_report(octets),
        lambda: scripts.read_script(octets),
        lambda: scripts.read_answer(octets, expanded=octets[:1] == b"\xab"),
        lambda: explain(octets, KEYS),
        lambda: explain(octets, KEYS, octets),
        lambda: explain(packets.RESPONSE_UDH + octets, KEYS, packets.encode_command(command(), KEYS)),
    )
    for attempt in tries:
        try:
            attempt()
        except SecuredPacketError:
            continue


@settings(deadline=None, max_examples=100)
@given(st.binary(max_size=900), st.integers(0, packets.COUNTER_MAX), st.integers(0, 255))
def test_a_packet_survives_encoding_and_segmentation(data: bytes, counter: int, reference: int) -> None:
    packet = command(counter, data)
    made = packets.encode_command(packet, KEYS)
    segments = [sms.read_deliver(message) for message in sms.deliver_messages(made, reference)]
    assert packets.open_command(sms.join(segments), KEYS) == packet


def test_a_command_and_its_answer_are_explained() -> None:
    script = scripts.Script((bytes.fromhex("00A40004023F00"),))
    made = packets.encode_command(command(data=script.encode()), KEYS)
    lines = "\n".join(explain(sms.envelope(sms.deliver_messages(made, 0)[0]), KEYS))
    assert "ENVELOPE" in lines
    assert "SPI 1619: a cryptographic checksum, ciphered, counter higher" in lines
    assert "KIc 12: key set 1, aes" in lines
    assert "counter 7; the checksum is right" in lines
    assert "00A40004023F00" in lines
    assert "give the keys" in "\n".join(explain(made))
    assert "WRONG" in "\n".join(explain(made, Keys(KEYS.kic, bytes(16))))
    answer = ResponsePacket(tar=bytes.fromhex("b00001"), counter=7, status=0, data=b"\x01\x90\x00")
    protected = sms.report(packets.encode_response(answer, LEVEL, 0x12, 0x12, KEYS))
    lines = "\n".join(explain(protected, KEYS, made))
    assert "the checksum is right" in lines
    assert "1 commands ran, the last answered 9000" in lines
    plain = SecurityParameters.decode(b"\x00\x01")
    low = ResponsePacket(tar=bytes(3), counter=0, status=ResponseStatus.COUNTER_LOW, data=b"")
    lines = "\n".join(explain(sms.report(packets.encode_response(low, plain, 0, 0, KEYS))))
    assert "proves nothing" in lines
    assert "counter low" in lines


def test_envelopes_and_an_answer_with_its_status_word_are_explained() -> None:
    """A phone has all ENVELOPEs of a packet one after the other, and the last answer with its status word."""
    script = scripts.Script((b"\x00\xdc\x02\x04\xa0" + bytes(160),))
    made = packets.encode_command(command(data=script.encode()), KEYS)
    envelopes = [sms.envelope(each) for each in sms.deliver_messages(made, 3)]
    assert len(envelopes) == 2
    lines = explain(b"".join(envelopes), KEYS)
    assert sum("part" in line and "of 2" in line for line in lines) == 2
    assert "counter 7; the checksum is right" in lines
    assert "give all their commands" in explain(envelopes[0])[-1]
    assert explain(b"\xa0" + envelopes[0][1:]) == explain(envelopes[0])
    answer = ResponsePacket(tar=bytes.fromhex("b00001"), counter=7, status=0, data=b"\x01\x90\x00")
    protected = sms.report(packets.encode_response(answer, LEVEL, 0x12, 0x12, KEYS))
    lines = explain(protected + b"\x91\x10", KEYS, b"".join(envelopes))
    assert "status word 9110" in lines
    assert "the checksum is right" in lines
    assert explain(b"\x69\x85") == ["status word 6985, and no proof"]
    with pytest.raises(MalformedPacketError, match="more follows"):
        explain(protected + b"\x90")
