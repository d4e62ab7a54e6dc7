"""One plain request and its answer through the proxy: both are parsed to their ends and encoded again."""

import h11
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kswifi.lab.access_keys import proxy_authorization
from kswifi.lab.gateway.exchange import BrokenMessageError, Exchange
from kswifi.lab.gateway.proxy_head import HeadReader

AUTHORIZATION = f"Proxy-Authorization: {proxy_authorization('b1', 'secret')}\r\n".encode()
CHUNKED = b"Transfer-Encoding: chunked\r\n"


def exchange(more: bytes = b"", method: bytes = b"GET") -> Exchange:
    request = HeadReader().feed(method + b" http://a/ HTTP/1.1\r\nHost: a\r\n" + AUTHORIZATION + more + b"\r\n")
    assert request is not None
    assert request.exchange is not None
    return request.exchange


def test_a_body_of_tiny_chunks_is_parsed_in_turns_and_its_chunks_are_joined() -> None:
    made = exchange()
    made.begin()
    head = made.take_answer(b"HTTP/1.1 200 OK\r\n" + CHUNKED + b"\r\n")
    assert b"Transfer-Encoding: chunked\r\n" in head
    taken = [made.take_answer(b"1\r\nx\r\n" * 1000 + b"0\r\n\r\n")]
    while made.answer.has_more:
        taken.append(made.take_answer(None))
    assert len(taken) >= 3
    assert all(it.count(b"x") <= 256 for it in taken)
    assert b"".join(taken).count(b"x") == 1000
    assert len(b"".join(taken)) < 1000 + 10 * len(taken) + 5
    assert made.answer.is_over


def test_a_request_of_tiny_chunks_is_forwarded_to_its_end() -> None:
    made = exchange(CHUNKED, b"PUT")
    sent = made.take_request(b"1\r\nx\r\n" * 1000 + b"0\r\n\r\n")
    while made.request.has_more:
        sent += made.take_request(None)
    assert sent.count(b"x") == 1000
    assert made.request.is_over


def test_what_follows_an_answer_is_not_part_of_it() -> None:
    made = exchange()
    answer = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
    assert made.take_answer(answer + answer).count(b"HTTP/1.1") == 1
    assert made.answer.is_over


def test_the_proxy_may_answer_for_an_origin_that_breaks_off_before_answering() -> None:
    made = exchange()
    made.take_answer(b"HTTP/1.1 200 OK\r\nContent-")
    assert made.may_refuse
    with pytest.raises(BrokenMessageError) as broken:
        made.break_answer("the connection was reset")
    assert broken.value.status == 502


def test_a_reset_does_not_complete_an_answer_that_ends_with_its_connection() -> None:
    made = exchange()
    made.take_answer(b"HTTP/1.1 200 OK\r\n\r\nhal")
    made.break_answer("the connection was reset")
    assert made.answer.is_over
    whole = exchange()
    whole.take_answer(b"HTTP/1.1 200 OK\r\n\r\nhal")
    assert whole.take_answer(b"") == b"0\r\n\r\n"


@settings(max_examples=150, deadline=None)
@given(octets=st.binary(max_size=300), cut=st.integers(0, 300))
def test_random_octets_of_an_origin_end_the_answer_or_are_refused(octets: bytes, cut: int) -> None:
    made, refused = exchange(), None
    try:
        for piece in (octets[:cut], octets[cut:]):
            if piece:
                made.take_answer(piece)
        made.take_answer(b"")
    except BrokenMessageError as broken:
        refused = broken.status
    assert made.answer.is_over
    assert (refused == 502) is made.may_refuse


@settings(max_examples=150, deadline=None)
@given(octets=st.binary(max_size=300), cut=st.integers(0, 300))
def test_random_octets_after_a_clients_head_are_refused_or_encoded(octets: bytes, cut: int) -> None:
    made = exchange(CHUNKED, b"PUT")
    origin = h11.Connection(h11.SERVER)
    origin.receive_data(made.begin())
    status = 400
    try:
        for piece in (octets[:cut], octets[cut:], b""):
            if not made.request.is_over and (passed := made.take_request(piece)):
                origin.receive_data(passed)
    except BrokenMessageError as broken:
        status = broken.status
    assert status in (400, 431)
    while origin.next_event() not in (h11.NEED_DATA, h11.PAUSED):
        continue
    assert origin.trailing_data[0] == b""
