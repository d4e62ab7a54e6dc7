"""Secured packets turned, cut, mixed and made up: the card answers a status word, and nothing on it changes.

The packets that are altered are right in everything but their counter, which the card has seen: whatever alteration
leaves one of them whole is a replay.
"""

from collections.abc import Callable, Iterable

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from kswifi.euicc.card import Euicc
from kswifi.rsp import tlv
from kswifi.rsp.saip.build import RFM_TAR, SESSION_RECORD_FILE_OCTETS
from kswifi.scp80 import packets, sms
from kswifi.scp80.packets import ResponseStatus
from tests.support.cards import EID, enable, iccid, profile_package, signed_record
from tests.support.memory_storage import MemoryStorage
from tests.support.packets import KEYS, Answer, deliver, hand_over, packet, update_script

SEEN = 40
RECORD = signed_record(2).ljust(SESSION_RECORD_FILE_OCTETS, b"\xff")


def prepared() -> MemoryStorage:
    """A card that holds two records and has seen the counter."""
    storage = MemoryStorage()
    euicc = Euicc.create(storage, EID)
    euicc.load_profile_package(profile_package(1))
    enable(euicc, iccid(1))
    assert deliver(euicc, packet(SEEN, update_script(2, RECORD))).script().status == 0x9000
    return storage


PREPARED = prepared()
SECURED = packets.encode_command(packet(SEEN, update_script(3, b"never on the card")), KEYS)
OLDER = packets.encode_command(packet(SEEN - 1, update_script(2, b"an older one")), KEYS)
MESSAGES = [*sms.deliver_messages(SECURED, 7), *sms.deliver_messages(OLDER, 8)]
ENVELOPES = [sms.envelope(each) for each in MESSAGES]


class Card:
    """The prepared card; when it is left, it must be octet by octet what it was, and do its next packet."""

    def __init__(self) -> None:
        self.storage = MemoryStorage()
        self.storage.save(PREPARED.load())
        self.euicc = Euicc.open(self.storage)

    def __enter__(self) -> Euicc:
        return self.euicc

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        if kind is None:
            assert self.storage.load() == PREPARED.load()
            self.euicc.reset()  # parts, or a chain of commands, may be open: the next one would end them
            assert deliver(self.euicc, packet(SEEN + 1, update_script(2, RECORD))).script().data == RECORD


def say(euicc: Euicc, commands: Iterable[bytes]) -> None:
    """Send commands; each is answered by a status word, and a proof, where there is one, is of no success."""
    for command in commands:
        response = euicc.transmit(command)
        assert len(response) >= 2
        assert response[-2] >> 4 in (0x6, 0x9), response.hex()
        if response[-2] in (0x61, 0x9F):
            proof = euicc.transmit(bytes([command[0], 0xC0, 0, 0, response[-1]]))
            assert proof[-2:] == b"\x90\x00"
            refused(Answer(proof[:-2], "9000"))


def refused(answer: Answer) -> None:
    """Whatever came back says a status that is no success."""
    if answer.octets:
        response = packets.read_unprotected_response(sms.read_report(answer.octets)) or answer.opened()
        assert response.status not in (ResponseStatus.POR_OK, None)
        assert not response.data


def test_every_flipped_bit_of_a_packet() -> None:
    with Card() as euicc:
        for place in range(len(SECURED) * 8):
            changed = bytearray(SECURED)
            changed[place // 8] ^= 1 << place % 8
            answer = hand_over(euicc, bytes(changed))
            assert answer.status_word in ("9000", "6A80"), place
            refused(answer)


def test_every_flipped_bit_of_the_commands_that_carry_it() -> None:
    with Card() as euicc:
        for number, envelope in enumerate(ENVELOPES[:2]):
            for place in range(len(envelope) * 8):
                changed = bytearray(envelope)
                changed[place // 8] ^= 1 << place % 8
                if changed[1] in (0x2C, 0x20, 0xE2):  # another command; those have tests of their own
                    continue
                euicc.reset()
                say(euicc, [*ENVELOPES[:number], bytes(changed), *ENVELOPES[number + 1 : 2]])


def test_every_cut_of_a_packet_with_its_length_put_right_or_not() -> None:
    with Card() as euicc:
        for end in range(1, len(SECURED)):
            cut = SECURED[:end]
            refused(hand_over(euicc, cut))
            refused(hand_over(euicc, (max(end - 2, 0)).to_bytes(2, "big") + cut[2:] + b"\x00" * (end < 2)))


def test_every_cut_of_the_commands_that_carry_it() -> None:
    with Card() as euicc:
        for envelope in ENVELOPES[:2]:
            for end in range(len(envelope)):
                say(euicc, [envelope[:end]])
                if end > 5:
                    say(euicc, [envelope[:4] + bytes([end - 5]) + envelope[5:end]])


segments = st.sampled_from(MESSAGES).map(sms.read_deliver)
numbers = st.integers(0, 255)


@st.composite
def messages(draw: st.DrawFn) -> bytes:
    """An SMS-DELIVER: one of those, one with another part number, or octets with a header that says: a packet."""
    kind = draw(st.integers(0, 3))
    if kind == 0:
        return draw(st.sampled_from(MESSAGES))
    if kind == 1:
        body = draw(segments).octets
    elif kind == 2:
        body = draw(st.binary(max_size=130))
    else:
        head = bytes([draw(numbers), 0x16, 0x19, draw(numbers), draw(numbers)]) + RFM_TAR
        rest = head + draw(st.binary(max_size=100))
        body = len(rest).to_bytes(2, "big") + rest
    header = draw(st.sampled_from([b"", bytes([0x70, 0])]))
    part = st.tuples(numbers, st.integers(0, 17), st.integers(0, 17))
    if draw(st.booleans()):
        header = bytes([0, 3, *draw(part)]) + header
    elif draw(st.booleans()):
        header = bytes([8, 4, draw(numbers), *draw(part)]) + header
    data = bytes([len(header)]) + header + body
    return bytes.fromhex("44048121437FF6") + bytes(7) + bytes([len(data) & 0xFF]) + data


@st.composite
def envelopes(draw: st.DrawFn) -> bytes:
    """An ENVELOPE around a message, in either class, sometimes with other things in it."""
    inside = [tlv.encode(0x82, draw(st.sampled_from([b"\x83\x81", b"\x83\x81", b"\x82\x81", b""])))]
    inside.append(tlv.encode(draw(st.sampled_from([0x8B, 0x8B, 0x0B, 0x06])), draw(messages())))
    if draw(st.booleans()):
        inside.insert(draw(st.integers(0, 2)), draw(st.binary(max_size=12)))
    data = tlv.encode(draw(st.sampled_from([0xD1, 0xD1, 0xD1, 0xD2])), *inside)[:255]
    cla = draw(st.sampled_from([0x80, 0x80, 0xA0, 0x90]))
    return bytes([cla, 0xC2, 0, 0, len(data)]) + data + draw(st.sampled_from([b"", b"", b"\x00"]))


def fuzzed(examples: int, strategy: st.SearchStrategy[list[bytes]]) -> None:
    """Hand a card any such row of commands."""

    @settings(deadline=None, max_examples=examples, suppress_health_check=[HealthCheck.too_slow])
    @given(strategy)
    def any_of_them(commands: list[bytes]) -> None:
        with Card() as euicc:
            say(euicc, commands)

    run: Callable[[], None] = any_of_them
    run()


@pytest.mark.parametrize("examples", [100, pytest.param(5_000, marks=pytest.mark.soak)])
def test_parts_of_several_packets_in_any_order(examples: int) -> None:
    fuzzed(examples, st.lists(st.sampled_from(ENVELOPES), max_size=12))


@pytest.mark.parametrize("examples", [150, pytest.param(5_000, marks=pytest.mark.soak)])
def test_messages_that_look_like_packets(examples: int) -> None:
    fuzzed(examples, st.lists(envelopes(), max_size=8))


@pytest.mark.parametrize("examples", [100, pytest.param(5_000, marks=pytest.mark.soak)])
def test_any_octets_in_an_envelope(examples: int) -> None:
    data = st.binary(min_size=1, max_size=255).map(lambda it: b"\x80\xc2\x00\x00" + bytes([len(it)]) + it)
    fuzzed(examples, st.lists(data, max_size=8))
