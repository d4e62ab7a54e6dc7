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


def test_connect() -> None:
    request = read(b"CONNECT example.org:443 HTTP/1.1\r\nHost: example.org:443\r\n" + AUTHORIZATION + b"\r\nearly")
    assert (request.host, request.port, request.is_tunnel) == ("example.org", 443, True)
    assert (request.bearer_id, request.password, request.early) == ("b1", "secret", b"early")
    assert request.body_octets is None


def test_a_plain_request_is_rewritten_for_the_origin() -> None:
    request = read(
        b"POST http://[2001:db8::1]:81/a?b=c HTTP/1.1\r\nHost: liar.example\r\nX-Kept: Yes\r\n"
        b"Connection: close, X-Gone\r\nX-Gone: 1\r\nTE: trailers\r\nUpgrade: h2c\r\n"
        b"Proxy-Connection: keep-alive\r\nContent-Length: 7\r\n" + AUTHORIZATION + b"\r\nabcd"
    )
    assert (request.host, request.port, request.early, request.body_octets) == ("2001:db8::1", 81, b"abcd", 3)
    assert request.head == (
        b"POST /a?b=c HTTP/1.1\r\nHost: [2001:db8::1]:81\r\nX-Kept: Yes\r\nContent-Length: 7\r\n"
        b"Via: 1.1 kswifi\r\nConnection: close\r\n\r\n"
    )


def test_what_follows_the_body_is_not_part_of_the_request() -> None:
    request = read(
        b"GET http://example.org HTTP/1.1\r\nHost: example.org\r\n"
        + AUTHORIZATION
        + b"\r\nGET http://other/ HTTP/1.1"
    )
    assert request.head.startswith(b"GET / HTTP/1.1\r\nHost: example.org\r\n")
    assert (request.early, request.body_octets) == (b"", 0)


def test_a_chunked_body_is_passed_on_as_it_comes() -> None:
    request = read(
        b"PUT http://e.org/ HTTP/1.1\r\nHost: e.org\r\nTransfer-Encoding: chunked\r\n"
        + AUTHORIZATION
        + b"\r\n5\r\n"
    )
    assert request.body_octets is None
    assert b"Transfer-Encoding: chunked\r\n" in request.head
    assert request.early == b"5\r\n"


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
        (b"no request at all\r\n", 400),
        (
            b"POST http://a/ HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n"
            + AUTHORIZATION,
            400,
        ),
        (b"GET http://a/ HTTP/1.1\r\nHost: a\r\nX: " + b"y" * LARGEST_HEAD_OCTETS, 431),
    ],
)
def test_refusals(head: bytes, status: int) -> None:
    with pytest.raises(ProxyRefusedError) as refused:
        HeadReader().feed(head + b"\r\n")
    assert refused.value.status == status


@settings(max_examples=100, deadline=None)
@given(octets=st.binary(max_size=400))
def test_noise_is_refused_or_waited_on(octets: bytes) -> None:
    reader = HeadReader()
    with suppress(ProxyRefusedError):
        assert reader.feed(octets or b"\0") is None
