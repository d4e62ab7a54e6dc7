"""The head of a request to the proxy: read, checked and split into host, port and credentials (RFC 9112; h11)."""

import binascii
import ipaddress
import re
from base64 import b64decode
from dataclasses import dataclass
from typing import Final
from urllib.parse import urlsplit

import h11

from kswifi.lab.gateway.errors import ProxyRefusedError
from kswifi.lab.gateway.exchange import Exchange

LARGEST_HEAD_OCTETS: Final = 16_384

_LONGEST_HOST: Final = 253
_HOST_NAME: Final = re.compile(r"[A-Za-z0-9._-]+")


@dataclass(frozen=True, slots=True)
class ProxyRequest:
    """A client's request to the proxy.

    Attributes:
        host: of the destination.
        port: of the destination.
        bearer_id: the user name of the credentials.
        password: of the credentials.
        exchange: translates a plain request and its answer; None for CONNECT, whose octets pass unchanged.
        early: octets that arrived after the head of a CONNECT in the same read.
    """

    host: str
    port: int
    bearer_id: str
    password: str
    exchange: Exchange | None = None
    early: bytes = b""


class HeadReader:
    """Collects octets until the head is complete."""

    def __init__(self) -> None:
        self._connection = h11.Connection(h11.SERVER, max_incomplete_event_size=LARGEST_HEAD_OCTETS)
        self.is_head = False
        """Whether the method is HEAD; False until the head is complete."""

    def feed(self, octets: bytes) -> ProxyRequest | None:
        """Add octets; return the request once its head is complete, else None.

        Args:
            octets: b"" for the end of the stream.

        Raises:
            ProxyRefusedError: 407, it carries no credentials; another status, it cannot be forwarded.
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
        self.is_head = event.method == b"HEAD"
        return _request(self._connection, event)


def _request(connection: h11.Connection, request: h11.Request) -> ProxyRequest:
    if not request.http_version.startswith(b"1."):
        raise ProxyRefusedError(505, "this proxy speaks HTTP/1.1\n")
    fields = dict(request.headers)
    bearer_id, password = _credentials(fields.get(b"proxy-authorization", b""))
    if request.method == b"CONNECT":
        if fields.get(b"content-length", b"0") != b"0" or b"transfer-encoding" in fields:
            # RFC 9110, 9.3.6: octets after the head belong to the tunnel
            raise ProxyRefusedError(400, "CONNECT has no body\n")
        host, port = _authority(request.target.decode("ascii"), None)
        return ProxyRequest(host, port, bearer_id, password, early=bytes(connection.trailing_data[0]))
    authority, path = _absolute_form(request)
    host, port = _authority(authority, 80)
    if b"transfer-encoding" in fields and (b"content-length" in fields or request.http_version < b"1.1"):
        # RFC 9112, 6.1 and 6.3: two recipients could disagree about where such a body ends (request smuggling).
        raise ProxyRefusedError(400, "a request has a length or, in HTTP/1.1, a transfer encoding, and not both\n")
    exchange = Exchange(connection, request, path, authority.encode("ascii"))
    return ProxyRequest(host, port, bearer_id, password, exchange)


def _absolute_form(request: h11.Request) -> tuple[str, bytes]:
    """Split an absolute http URL into its authority and the target in origin form (RFC 9112, 3.2)."""
    target = request.target.decode("ascii")
    try:
        parts = urlsplit(target)
    except ValueError:
        raise ProxyRefusedError(400, f"{target[:300]!r} is not an address\n") from None
    if parts.scheme != "http" or not parts.netloc or "@" in parts.netloc or "#" in target:
        raise ProxyRefusedError(400, "a proxy is asked with CONNECT or with an absolute http:// address\n")
    rest = target[len("http://") + len(parts.netloc) :]
    if not rest:
        return parts.netloc, b"*" if request.method == b"OPTIONS" else b"/"  # RFC 9112, 3.2.4
    return parts.netloc, (rest if rest.startswith("/") else f"/{rest}").encode("ascii")


def _authority(text: str, default_port: int | None) -> tuple[str, int]:
    """Parse host and port (RFC 3986, 3.2); user information is refused."""
    host, colon, digits = text.rpartition(":")
    if not colon or "]" in digits:
        host, digits = text, ""
    port = default_port if not digits else int(digits) if re.fullmatch("[0-9]{1,5}", digits) else None
    if host.startswith("[") and host.endswith("]"):
        host = host[1:-1]
        is_host = _is_ipv6(host)
    else:
        is_host = len(host) <= _LONGEST_HOST and _HOST_NAME.fullmatch(host) is not None
    if not is_host or port is None or not 0 < port < 1 << 16:
        raise ProxyRefusedError(400, f"{text[:300]!r} names no host and port\n")
    return host, port


def _is_ipv6(text: str) -> bool:
    try:
        return ipaddress.IPv6Address(text).scope_id is None
    except ValueError:
        return False


def _credentials(value: bytes) -> tuple[str, str]:
    """Parse Basic credentials into user name (the bearer's id) and password (RFC 7617)."""
    scheme, _, encoded = value.partition(b" ")
    try:
        text = b64decode(encoded, validate=True).decode() if scheme.lower() == b"basic" else ""
    except (binascii.Error, UnicodeDecodeError):
        text = ""
    bearer_id, colon, password = text.partition(":")
    if not colon:
        raise ProxyRefusedError(407, "this proxy wants the credentials of an attach\n")
    return bearer_id, password
