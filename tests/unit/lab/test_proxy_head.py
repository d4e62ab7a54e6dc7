"""Heads of requests to the proxy: what is forwarded to the origin, and what is refused."""

from contextlib import suppress

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kswifi.lab.access_keys import proxy_authorization
from kswifi.lab.gateway.errors import ProxyRefusedError
from kswifi.lab.gateway.proxy_head import LARGEST_HEAD_OCTETS, HeadReader, ProxyRequest

AUTHORIZATION = f"Proxy-Authorization: {proxy_authorization('b1', 'secret')}\r\n".encode()


def read(octets: bytes) -> ProxyRequest:
    request = HeadReader().feed(octets)
    assert request is not None
    return request


def forwarded(octets: bytes) -> bytes:
    """Return the octets that are sent to the origin after these octets of the client."""
    exchange = read(octets).exchange
    assert exchange is not None
    return exchange.begin()


def test_a_connect_request_is_read() -> None:
    request = read(b"CONNECT example.org:443 HTTP/1.1\r\nHost: example.org:443\r\n" + AUTHORIZATION + b"\r\nearly")
    assert (request.host, request.port, request.exchange) == ("example.org", 443, None)
    assert (request.bearer_id, request.password, request.early) == ("b1", "secret", b"early")


def test_a_plain_request_is_rewritten_for_the_origin() -> None:
    octets = (
        b"POST http://[2001:db8::1]:81/a?b=c HTTP/1.1\r\nHost: liar.example\r\nX-Kept: Yes\r\n"
        b"Connection: close, X-Gone\r\nX-Gone: 1\r\nTE: trailers\r\nUpgrade: h2c\r\nTrailer: X-End\r\n"
        b"Keep-Alive: 5\r\nProxy-Connection: keep-alive\r\nContent-Length: 7\r\n" + AUTHORIZATION + b"\r\nabcd"
    )
    request = read(octets)
    assert (request.host, request.port) == ("2001:db8::1", 81)
    assert forwarded(octets) == (
        b"POST /a?b=c HTTP/1.1\r\nHost: [2001:db8::1]:81\r\nX-Kept: Yes\r\nContent-Length: 7\r\n"
        b"Via: 1.1 kswifi\r\nConnection: close\r\n\r\nabcd"
    )


def test_octets_after_the_request_are_not_forwarded() -> None:
    octets = forwarded(
        b"GET http://example.org HTTP/1.1\r\nHost: example.org\r\n"
        + AUTHORIZATION
        + b"\r\nGET http://other/ HTTP/1.1\r\n\r\n"
    )
    assert octets.startswith(b"GET / HTTP/1.1\r\nHost: example.org\r\n")
    assert octets.endswith(b"\r\n\r\n")
    assert b"other" not in octets


@pytest.mark.parametrize(
    ("framing", "body", "arrived"),
    [
        (b"Content-Length: 5", b"hello", b"hello"),
        (b"Transfer-Encoding: chunked", b"5;x=y\r\nhello\r\n0\r\n\r\n", b"5\r\nhello\r\n0\r\n\r\n"),
        (
            b"Transfer-Encoding: chunked",
            b"2\r\nhe\r\n3\r\nllo\r\n0\r\nX-Sum: 1\r\nHost: evil\r\nContent-Length: 9\r\n\r\nGET / HTTP/1.1",
            b"5\r\nhello\r\n0\r\nX-Sum: 1\r\n\r\n",
        ),
    ],
)
def test_framing_fields_named_by_connection_are_kept(framing: bytes, body: bytes, arrived: bytes) -> None:
    named = framing.partition(b":")[0]
    head, _, rest = forwarded(
        b"POST http://e.org/ HTTP/1.1\r\nHost: e.org\r\nConnection: close, Host, "
        + named
        + b"\r\n"
        + framing
        + b"\r\n"
        + AUTHORIZATION
        + b"\r\n"
        + body
    ).partition(b"\r\n\r\n")
    assert head.splitlines()[1:] == [b"Host: e.org", framing, b"Via: 1.1 kswifi", b"Connection: close"]
    assert rest == arrived


@pytest.mark.parametrize(
    ("line", "sent"),
    [
        (b"GET http://a/p? HTTP/1.1", b"GET /p? HTTP/1.1"),
        (b"GET http://a?q HTTP/1.1", b"GET /?q HTTP/1.1"),
        (b"GET HTTP://a//x;y HTTP/1.1", b"GET //x;y HTTP/1.1"),
        (b"OPTIONS http://a HTTP/1.1", b"OPTIONS * HTTP/1.1"),
        (b"OPTIONS http://a/ HTTP/1.1", b"OPTIONS / HTTP/1.1"),
        (b"GET http://a:/ HTTP/1.0", b"GET / HTTP/1.1"),
    ],
)
def test_the_target_in_origin_form(line: bytes, sent: bytes) -> None:
    assert forwarded(line + b"\r\nHost: a\r\n" + AUTHORIZATION + b"\r\n").splitlines()[0] == sent


def test_max_forwards_is_counted_down() -> None:
    rest = b"\r\nHost: a\r\n" + AUTHORIZATION
    assert b"Max-Forwards: 2\r\n" in forwarded(b"OPTIONS http://a/ HTTP/1.1" + rest + b"Max-Forwards: 3\r\n\r\n")
    assert b"Max-Forwards: 0\r\n" in forwarded(b"GET http://a/ HTTP/1.1" + rest + b"Max-Forwards: 0\r\n\r\n")


@pytest.mark.parametrize(
    ("head", "status"),
    [
        (b"GET / HTTP/1.1\r\nHost: a\r\n" + AUTHORIZATION, 400),
        (b"GET https://a/ HTTP/1.1\r\nHost: a\r\n" + AUTHORIZATION, 400),
        (b"GET http://u:p@a/ HTTP/1.1\r\nHost: a\r\n" + AUTHORIZATION, 400),
        (b"GET http://a:99999/ HTTP/1.1\r\nHost: a\r\n" + AUTHORIZATION, 400),
        (b"CONNECT a HTTP/1.1\r\nHost: a\r\n" + AUTHORIZATION, 400),
        (b"CONNECT a:443 HTTP/1.1\r\nHost: a\r\n", 407),
        (b"CONNECT a:443 HTTP/1.1\r\nHost: a\r\nProxy-Authorization: Basic !!!\r\n", 407),
        (b"CONNECT a:443 HTTP/1.1\r\nHost: a\r\nProxy-Authorization: Bearer abc\r\n", 407),
        (b"CONNECT u@a:443 HTTP/1.1\r\nHost: a\r\n" + AUTHORIZATION, 400),
        (b"CONNECT a:443/x HTTP/1.1\r\nHost: a\r\n" + AUTHORIZATION, 400),
        (b"CONNECT a: HTTP/1.1\r\nHost: a\r\n" + AUTHORIZATION, 400),
        (b"CONNECT ::1:443 HTTP/1.1\r\nHost: a\r\n" + AUTHORIZATION, 400),
        (b"CONNECT a:443 HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n" + AUTHORIZATION, 400),
        (b"CONNECT a:443 HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n" + AUTHORIZATION, 400),
        (b"GET http://[::1/ HTTP/1.1\r\nHost: a\r\n" + AUTHORIZATION, 400),
        (b"GET http://[::1]x/ HTTP/1.1\r\nHost: a\r\n" + AUTHORIZATION, 400),
        (b"GET http://[fe80::1%25eth0]/ HTTP/1.1\r\nHost: a\r\n" + AUTHORIZATION, 400),
        (b"GET http://a:0/ HTTP/1.1\r\nHost: a\r\n" + AUTHORIZATION, 400),
        (b"GET http://a:-1/ HTTP/1.1\r\nHost: a\r\n" + AUTHORIZATION, 400),
        (b"GET http://a:8o/ HTTP/1.1\r\nHost: a\r\n" + AUTHORIZATION, 400),
        (b"GET http://a\\b/ HTTP/1.1\r\nHost: a\r\n" + AUTHORIZATION, 400),
        (b"GET http://a/#part HTTP/1.1\r\nHost: a\r\n" + AUTHORIZATION, 400),
        (b"GET http://a/ HTTP/1.1\r\n" + AUTHORIZATION, 400),
        (b"GET http://a/ HTTP/1.1\r\nHost: a\r\nHost: b\r\n" + AUTHORIZATION, 400),
        (b"GET http://a/ HTTP/2.0\r\nHost: a\r\n" + AUTHORIZATION, 505),
        (b"OPTIONS http://a/ HTTP/1.1\r\nHost: a\r\nMax-Forwards: 0\r\n" + AUTHORIZATION, 405),
        (b"PUT http://a/ HTTP/1.0\r\nTransfer-Encoding: chunked\r\n" + AUTHORIZATION, 400),
        (b"PUT http://a/ HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: gzip, chunked\r\n" + AUTHORIZATION, 501),
        (b"PUT http://a/ HTTP/1.1\r\nHost: a\r\nContent-Length: 3, 4\r\n" + AUTHORIZATION, 400),
        (b"no request at all\r\n", 400),
        (
            b"POST http://a/ HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n"
            + AUTHORIZATION,
            400,
        ),
        (b"GET http://a/ HTTP/1.1\r\nHost: a\r\nX: " + b"y" * LARGEST_HEAD_OCTETS, 431),
    ],
)
def test_invalid_heads_are_refused_with_a_status(head: bytes, status: int) -> None:
    with pytest.raises(ProxyRefusedError) as refused:
        HeadReader().feed(head + b"\r\n")
    assert refused.value.status == status


@settings(max_examples=100, deadline=None)
@given(octets=st.binary(max_size=400))
def test_random_octets_are_refused_or_need_more_data(octets: bytes) -> None:
    reader = HeadReader()
    with suppress(ProxyRefusedError):
        assert reader.feed(octets or b"\0") is None
