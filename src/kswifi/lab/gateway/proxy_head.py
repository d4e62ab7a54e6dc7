"""The head of a request to the proxy: read, checked, and rewritten for the net (RFC 9110, RFC 9112; h11)."""

import binascii
from base64 import b64decode
from dataclasses import dataclass
from typing import Final
from urllib.parse import urlsplit

import h11

from kswifi.lab.gateway.errors import ProxyRefusedError

LARGEST_HEAD_OCTETS: Final = 16_384

_HOP_BY_HOP: Final = frozenset(
    (
        b"connection",
        b"keep-alive",
        b"proxy-authenticate",
        b"proxy-authorization",
        b"proxy-connection",
        b"te",
        b"upgrade",
    )
)  # RFC 9110, 7.6.1; Transfer-Encoding and Trailer stay, as the body is passed on in its own framing


@dataclass(frozen=True, slots=True)
class ProxyRequest:
    """What a client asks of the proxy.

    ``head`` is what goes to the net (b"" for CONNECT); ``early`` came behind the head already; ``body_octets`` is
    how much of the client's octets behind the head belong to the request, None if only the net can tell.
    """

    host: str
    port: int
    head: bytes
    early: bytes
    body_octets: int | None
    bearer_id: str
    password: str

    @property
    def is_tunnel(self) -> bool:
        """Whether it is a CONNECT."""
        return not self.head


class HeadReader:
    """Collects octets until the head is whole."""

    def __init__(self) -> None:
        self._connection = h11.Connection(h11.SERVER, max_incomplete_event_size=LARGEST_HEAD_OCTETS)

    def feed(self, octets: bytes) -> ProxyRequest | None:
        """Take octets; return the request once its head is whole.

        Raises:
            ProxyRefusedError: 400 or 431 it is none; 407 it carries no credentials.
        """
        try:
            self._connection.receive_data(octets)
            event = self._connection.next_event()
        except h11.RemoteProtocolError as error:
            raise ProxyRefusedError(error.error_status_hint, f"{error}\n") from None
        if event is h11.NEED_DATA:
            return None
        if not isinstance(event, h11.Request):
            raise ProxyRefusedError(400, "the connection ended before the request did\n")
        return _request(event, bytes(self._connection.trailing_data[0]))


def _request(event: h11.Request, early: bytes) -> ProxyRequest:
    fields = dict(event.headers)
    bearer_id, password = _credentials(fields.get(b"proxy-authorization", b""))
    if event.method == b"CONNECT":
        host, port = _authority(event.target.decode(), None)
        return ProxyRequest(host, port, b"", early, None, bearer_id, password)
    target = urlsplit(event.target.decode())
    if target.scheme != "http" or not target.netloc or "@" in target.netloc:
        raise ProxyRefusedError(400, "a proxy is asked with CONNECT or with an absolute http:// address\n")
    host, port = _authority(target.netloc, 80)
    chunked = b"transfer-encoding" in fields
    if chunked and b"content-length" in fields:
        raise ProxyRefusedError(400, "a request has a length or a transfer encoding, not both\n")
    body = None if chunked else int(fields.get(b"content-length", b"0"))
    path = (target.path or "/") + (f"?{target.query}" if target.query else "")
    return ProxyRequest(
        host,
        port,
        _head(event, path, target.netloc),
        early if body is None else early[:body],
        None if body is None else max(0, body - len(early)),
        bearer_id,
        password,
    )


def _head(event: h11.Request, path: str, authority: str) -> bytes:
    named = {
        name.strip().lower()
        for field, value in event.headers
        if field == b"connection"
        for name in value.split(b",")
    }
    dropped = _HOP_BY_HOP | named | {b"host"}
    lines = [event.method + b" " + path.encode() + b" HTTP/1.1", b"Host: " + authority.encode()]
    lines += [name + b": " + value for name, value in event.headers.raw_items() if name.lower() not in dropped]
    lines += [b"Via: 1.1 kswifi", b"Connection: close", b"", b""]
    return b"\r\n".join(lines)


def _authority(text: str, default_port: int | None) -> tuple[str, int]:
    try:
        parts = urlsplit(f"//{text}")
        host, port = parts.hostname, parts.port or default_port
    except ValueError:
        host, port = None, None
    if not host or not port or len(host) > 253:
        raise ProxyRefusedError(400, f"{text[:300]!r} names no host and port\n")
    return host, port


def _credentials(value: bytes) -> tuple[str, str]:
    """Read Basic credentials (RFC 7617)."""
    scheme, _, encoded = value.partition(b" ")
    try:
        text = b64decode(encoded, validate=True).decode() if scheme.lower() == b"basic" else ""
    except (binascii.Error, UnicodeDecodeError):
        text = ""
    bearer_id, colon, password = text.partition(":")
    if not colon:
        raise ProxyRefusedError(407, "this proxy wants the credentials of an attach\n")
    return bearer_id, password
