"""What is refused, with which Result-Code and which AVP in Failed-AVP; and that nothing else is ever raised."""

from collections.abc import Callable
from random import Random
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kswifi.diameter import dictionary as d
from kswifi.diameter.avp import Address, Time, Unsigned32
from kswifi.diameter.constants import ResultCode
from kswifi.diameter.errors import DiameterError
from kswifi.diameter.framing import FramingError, MessageFramer
from kswifi.diameter.header import decode_header, peek_header
from kswifi.diameter.messages.base import CapabilitiesExchangeRequest, DeviceWatchdogRequest, encode_refusal
from kswifi.diameter.messages.credit_control import CreditControlAnswer, CreditControlRequest
from kswifi.diameter.messages.s6a import AuthenticationInformationAnswer, AuthenticationInformationRequest
from kswifi.diameter.reader import read_message
from tests.support.diameter_samples import CCR_NAMES, rebuilt, sample


def refused(message: bytes) -> DiameterError:
    with pytest.raises(DiameterError) as caught:
        CreditControlRequest.decode(message)
    return caught.value


def test_unknown_mandatory_avp_is_named_whole() -> None:
    unknown = bytes.fromhex("0001e240 c000 000f 000028af 616263 00".replace(" ", ""))
    error = refused(rebuilt(sample("ccr-initial"), {}, extra=unknown))
    assert (error.result_code, error.failed_avp) == (ResultCode.AVP_UNSUPPORTED, unknown)


def test_unknown_avp_within_a_group_is_found() -> None:
    inner = bytes.fromhex("0001e240 40 00000c 00000001".replace(" ", ""))
    error = refused(rebuilt(sample("ccr-initial"), {456: inner}))
    assert (error.result_code, error.failed_avp) == (ResultCode.AVP_UNSUPPORTED, inner)


def test_unknown_optional_avp_is_ignored() -> None:
    optional = bytes.fromhex("0001e240 80 00000f 000028af 616263 00".replace(" ", ""))
    message = sample("ccr-initial")
    assert CreditControlRequest.decode(rebuilt(message, {}, extra=optional)) == CreditControlRequest.decode(message)


@pytest.mark.parametrize("code", [263, 264, 296, 283, 258, 461, 416, 415])
def test_missing_avp_is_shown_by_an_example(code: int) -> None:
    error = refused(rebuilt(sample("ccr-initial"), {code: None}))
    assert error.result_code is ResultCode.MISSING_AVP
    assert error.failed_avp == d.DICTIONARY[code].example()


def test_wrong_value_length() -> None:
    error = refused(rebuilt(sample("ccr-initial"), {415: b"\0\0\0\0\0"}))
    assert error.result_code is ResultCode.INVALID_AVP_LENGTH
    assert error.failed_avp == bytes.fromhex("0000019f4000000d0000000000000000")


@pytest.mark.parametrize("length", [0, 7, 0xFFFFFF])
def test_impossible_avp_length(length: int) -> None:
    message = bytearray(sample("ccr-initial"))
    message[25:28] = length.to_bytes(3, "big")
    error = refused(bytes(message))
    assert error.result_code is ResultCode.INVALID_AVP_LENGTH
    assert error.failed_avp == bytes.fromhex("0000010740000008")


def test_unknown_enumerated_value() -> None:
    error = refused(rebuilt(sample("ccr-initial"), {416: b"\0\0\0\x09"}))
    assert (error.result_code, error.failed_avp) == (
        ResultCode.INVALID_AVP_VALUE,
        bytes.fromhex("000001a04000000c00000009"),
    )


def test_text_that_is_none() -> None:
    assert refused(rebuilt(sample("ccr-initial"), {461: b"\xff"})).result_code is ResultCode.INVALID_AVP_VALUE


def test_avp_that_comes_twice() -> None:
    again = d.CC_REQUEST_NUMBER.encode(1)
    error = refused(rebuilt(sample("ccr-initial"), {}, extra=again))
    assert (error.result_code, error.failed_avp) == (ResultCode.AVP_OCCURS_TOO_MANY_TIMES, again)


def test_long_avp_at_fault_is_not_sent_back_whole() -> None:
    error = refused(rebuilt(sample("ccr-initial"), {461: b"\xff" * 60_000}))
    assert error.failed_avp == d.SERVICE_CONTEXT_ID.example()


def test_header_faults() -> None:
    message = sample("ccr-initial")
    for broken, result in (
        (message[:19], ResultCode.INVALID_MESSAGE_LENGTH),
        (message + b"\0\0\0\0", ResultCode.INVALID_MESSAGE_LENGTH),
        (b"\x02" + message[1:], ResultCode.UNSUPPORTED_VERSION),
        (message[:4] + b"\xe0" + message[5:], ResultCode.INVALID_HEADER_BITS),
    ):
        with pytest.raises(DiameterError) as caught:
            decode_header(broken)
        assert caught.value.result_code is result


def test_refusal_carries_what_names_the_request() -> None:
    message = rebuilt(sample("ccr-update-1"), {461: None})
    header = peek_header(message)
    error = refused(message)
    answer = encode_refusal(message, header, d.ORIGIN_HOST.encode("o") + d.ORIGIN_REALM.encode("r"), error)
    read = CreditControlAnswer.decode(answer)
    assert read.session_id == "smf.localdomain;1795405056;2;app_gy"
    assert (read.result_code, read.cc_request_number) == (5005, 1)
    assert read.failed_avp == d.SERVICE_CONTEXT_ID.example()
    assert answer[4] == 0x40  # P as in the request; no E: not a protocol error
    assert (read.hop_by_hop, read.end_to_end) == (header.hop_by_hop, header.end_to_end)


def test_refusal_of_a_long_message_stays_short() -> None:
    many = (d.SESSION_ID.encode("s" * 192) + d.PROXY_INFO.wrap(bytes(192))) * 160
    message = rebuilt(sample("ccr-update-1"), {}, extra=many)
    error = refused(message)
    assert error.result_code is ResultCode.AVP_OCCURS_TOO_MANY_TIMES
    assert len(encode_refusal(message, peek_header(message), b"", error)) < 10_000


def test_time_counts_on_after_2036() -> None:
    event = Time("Event-Timestamp", 55)
    for instant in (0, 1795405056, 2**31, 2085978495, 2085978496, 4_000_000_000):
        assert event.decode(event.encode(instant)[8:]) == instant


FIRST_INSTANT, LAST_INSTANT = -61_505_152, 4_233_462_143


_edges = st.sampled_from((FIRST_INSTANT - 1, FIRST_INSTANT, LAST_INSTANT, LAST_INSTANT + 1))


@given(st.integers(-(2**40), 2**40) | _edges)
def test_an_instant_is_read_as_it_was_written_or_is_not_written(instant: int) -> None:
    event = Time("Event-Timestamp", 55)
    if FIRST_INSTANT <= instant <= LAST_INSTANT:
        assert event.decode(event.encode(instant)[8:]) == instant
    else:
        with pytest.raises(OverflowError):
            event.encode(instant)


def test_numbers_that_do_not_fit_are_not_written() -> None:
    with pytest.raises(OverflowError):
        Unsigned32("x", 1).encode(1 << 32)


def test_address_families() -> None:
    address = Address("x", 1)
    assert address.decode(address.encode("2001:db8::1")[8:26]) == "2001:db8::1"
    for octets, result in (
        (b"\0", ResultCode.INVALID_AVP_LENGTH),
        (b"\0\1\1\1\1", ResultCode.INVALID_AVP_LENGTH),
        (b"\0\x08123456", ResultCode.INVALID_AVP_VALUE),
    ):
        with pytest.raises(DiameterError) as caught:
            address.decode(octets)
        assert caught.value.result_code is result


# Framing


def test_framer_takes_any_cut() -> None:
    stream = b"".join(sample(name) for name in CCR_NAMES)
    for size in (1, 3, 19, 20, 777, 5000):
        framer = MessageFramer()
        found = [
            message
            for start in range(0, len(stream), size)
            for message in framer.feed(stream[start : start + size])
        ]
        assert found == [sample(name) for name in CCR_NAMES]
        assert len(framer._rest) == 0


@pytest.mark.parametrize(
    ("start", "result"),
    [
        (b"GET / HTTP/1.1\r\n", ResultCode.UNSUPPORTED_VERSION),
        (b"\x01\xff\xff\xfc", ResultCode.INVALID_MESSAGE_LENGTH),
        (b"\x01\x01\x00\x04", ResultCode.INVALID_MESSAGE_LENGTH),
        (b"\x01\x00\x00\x10", ResultCode.INVALID_MESSAGE_LENGTH),
        (b"\x01\x00\x01\x02", ResultCode.INVALID_MESSAGE_LENGTH),
    ],
)
def test_framer_refuses_what_is_no_message(start: bytes, result: ResultCode) -> None:
    good = sample("cer-1")
    with pytest.raises(FramingError) as caught:
        MessageFramer().feed(good + start)
    assert caught.value.result_code is result
    assert caught.value.messages == [good]
    assert caught.value.header is None
    with pytest.raises(FramingError) as caught:
        MessageFramer().feed(start + good[4:])
    assert caught.value.header == peek_header(start + good[4:20])


# Whatever comes, DiameterError is all that is raised

DECODERS: list[Callable[[bytes], Any]] = [
    CreditControlRequest.decode,
    CreditControlAnswer.decode,
    CapabilitiesExchangeRequest.decode,
    DeviceWatchdogRequest.decode,
    AuthenticationInformationRequest.decode,
    AuthenticationInformationAnswer.decode,
]


def decode_with_all(message: bytes) -> None:
    for decoder in DECODERS:
        error: DiameterError | None = None
        try:
            decoder(message)
        except DiameterError as caught:
            error = caught
        if error is not None and len(message) >= 20:
            refusal = encode_refusal(message, peek_header(message), b"", error)
            assert len(refusal) <= len(message) + 4096
            read_message(refusal)  # whatever is carried over or shown is well-formed


@given(st.sampled_from(["cer-1", *CCR_NAMES]), st.data())
@settings(max_examples=400, deadline=None)
def test_bent_messages_raise_only_diameter_errors(name: str, data: st.DataObject) -> None:
    message = bytearray(sample(name))
    for _ in range(data.draw(st.integers(1, 4))):
        message[data.draw(st.integers(20, len(message) - 1))] = data.draw(st.integers(0, 255))
    del message[data.draw(st.integers(20, len(message))) // 4 * 4 :]
    message[1:4] = len(message).to_bytes(3, "big")
    decode_with_all(bytes(message))


@pytest.mark.soak
@pytest.mark.parametrize("seed", range(10))
def test_very_many_bent_messages(seed: int) -> None:
    chance = Random(seed)
    samples = [sample(name) for name in ("cer-1", *CCR_NAMES)]
    for _ in range(10_000):
        message = bytearray(chance.choice(samples))
        for _ in range(chance.randint(1, 6)):
            message[chance.randrange(20, len(message))] = chance.choice(
                (0, 1, 0x7F, 0x80, 0xFF, chance.randrange(256))
            )
        if chance.random() < 0.3:
            del message[chance.randrange(20, len(message)) // 4 * 4 :]
        message[1:4] = len(message).to_bytes(3, "big")
        decode_with_all(bytes(message))


@given(st.binary(max_size=200))
@settings(max_examples=300, deadline=None)
def test_random_octets_raise_only_diameter_errors(octets: bytes) -> None:
    body = octets[: len(octets) // 4 * 4]
    decode_with_all(b"\x01" + (20 + len(body)).to_bytes(3, "big") + b"\x80" + bytes(15) + body)
    decode_with_all(octets)


@given(st.lists(st.binary(max_size=64), max_size=8))
@settings(max_examples=200, deadline=None)
def test_framer_raises_only_framing_errors(pieces: list[bytes]) -> None:
    framer = MessageFramer()
    try:
        for piece in pieces:
            framer.feed(piece)
            assert len(framer._rest) <= 65536
    except FramingError:
        pass
