"""Find the client of a request that came through reverse proxies: a pure function of the TCP peer and the headers.

A client can write anything into a header field. The field is therefore read only if the TCP peer is a trusted proxy
of the operator, and from its right end, where that proxy appended the address of its own peer. If that address is
another trusted proxy, the element to its left was appended by that proxy, and so on. The first address that is not
a trusted proxy is the client. Everything to its left came from the client and is ignored.

If an element to be read is not an address (``unknown``, an obfuscated identifier, damaged or missing), the client
counts as the trusted proxy that wrote the element: an address that no client can choose.

uvicorn's ``ProxyHeadersMiddleware`` reads X-Forwarded-For only, keeps text that is not an address, and compares an
IPv4-mapped peer with IPv4 networks without converting it.
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum
from ipaddress import IPv4Address, IPv6Address
from typing import Final

from kswifi.kernel.network_addresses import IpAddress, IpNetwork, normal_address

HOPS_LIMIT: Final = 8
"""The maximum number of trusted proxies in a chain; in a longer chain the last proxy read counts as the client."""

_SCHEMES: Final = ("http", "https")
_WHITESPACE: Final = " \t"  # OWS of RFC 9110, 5.6.3; str.strip() without an argument removes more
_PORT: Final = re.compile(r"[0-9]{1,5}")
_OBFUSCATED_PORT: Final = re.compile(r"_[A-Za-z0-9._-]+")  # RFC 7239, 6

# RFC 7239, 4: forwarded-pair = token "=" ( token / quoted-string ). No two alternatives begin alike, so the time
# of a match is linear in the length of the text.
_TCHARS: Final = r"[!#$%&'*+.^_`|~0-9A-Za-z-]+"
_PAIR: Final = re.compile(
    rf'(?P<name>{_TCHARS})=(?:(?P<token>{_TCHARS})|"(?P<quoted>(?:[^"\\]|\\.)*)")[ \t]*(?P<end>[;,]|$)[ \t]*'
)
_ESCAPED: Final = re.compile(r"\\(.)")


class ForwardedHeader(StrEnum):
    """The header field in which a proxy names the client. Only one is read: a client can send the other."""

    FORWARDED = "Forwarded"
    X_FORWARDED_FOR = "X-Forwarded-For"


@dataclass(frozen=True, slots=True)
class ProxyTrust:
    """The trusted proxies, and the header field in which they name the client."""

    networks: tuple[IpNetwork, ...] = ()
    header: ForwardedHeader = ForwardedHeader.X_FORWARDED_FOR

    def includes(self, address: IpAddress) -> bool:
        """Tell whether an address in normal form belongs to a trusted proxy."""
        return any(address in network for network in self.networks)


NO_PROXIES: Final = ProxyTrust()


@dataclass(frozen=True, slots=True)
class Client:
    """The host that sent a request; ``port`` is 0 and ``scheme`` None if no proxy stated it."""

    address: IpAddress
    port: int = 0
    scheme: str | None = None


@dataclass(frozen=True, slots=True)
class _Hop:
    """The element of one proxy about its peer; ``address`` is None if it is not readable."""

    address: IpAddress | None
    port: int = 0
    scheme: str | None = None


def client_of(
    peer: IpAddress, port: int, fields: Sequence[str], protocols: Sequence[str], trust: ProxyTrust
) -> Client:
    """Return the client of a request.

    Args:
        peer: the address of the TCP peer.
        port: its port.
        fields: the values of the header field ``trust.header``, one per line, in the order received.
        protocols: the values of X-Forwarded-Proto, in the same form; ignored if the header field is Forwarded.
        trust: the trusted proxies.
    """
    client = Client(normal_address(peer), port)
    if not trust.includes(client.address):
        return client
    if trust.header is ForwardedHeader.FORWARDED:
        hops, scheme = _forwarded(fields), None
    else:
        hops, scheme = _x_forwarded_for(fields), _x_forwarded_proto(protocols)
    if not fields:  # the request comes from the proxy's machine itself, or the proxy names no client
        return Client(client.address, port, scheme)
    for _ in range(HOPS_LIMIT):
        hop = next(hops, None)
        if hop is None or hop.address is None:
            # The last trusted proxy counts as the client. Its port is that of another connection.
            return Client(client.address, 0, scheme if hop is None else hop.scheme or scheme)
        scheme = hop.scheme or scheme
        client = Client(hop.address, hop.port, scheme)
        if not trust.includes(client.address):
            break
    return client


def _x_forwarded_for(fields: Sequence[str]) -> Iterator[_Hop]:
    """Yield the elements of X-Forwarded-For, the last one first."""
    for field in reversed(fields):
        rest = field
        while True:
            rest, comma, element = rest.rpartition(",")
            yield _node(element.strip(_WHITESPACE), bare_ipv6=True)
            if not comma:
                break


def _x_forwarded_proto(values: Sequence[str]) -> str | None:
    """Return the scheme in X-Forwarded-Proto; None unless there is exactly one value, http or https."""
    scheme = values[0].strip(_WHITESPACE).lower() if len(values) == 1 else None
    return scheme if scheme in _SCHEMES else None


def _forwarded(fields: Sequence[str]) -> Iterator[_Hop]:
    """Yield the elements of Forwarded (RFC 7239), the last one first.

    A line is parsed as a whole. In a damaged line the start of the proxy's own element is uncertain, so the line
    yields one element without an address.
    """
    for field in reversed(fields):
        elements = _elements(field.strip(_WHITESPACE))
        if elements is None:
            yield _Hop(None)
            continue
        for element in reversed(elements):
            scheme = element.get("proto", "").lower()
            hop = _node(element.get("for", ""), bare_ipv6=False)
            yield _Hop(hop.address, hop.port, scheme if scheme in _SCHEMES else None)


def _elements(field: str) -> list[dict[str, str]] | None:
    """Return the elements of one line as parameters by lower-case name; None if the line is damaged."""
    elements: list[dict[str, str]] = [{}]
    at, end = 0, ","
    while at < len(field):
        pair = _PAIR.match(field, at)
        if pair is None or pair["name"].lower() in elements[-1]:  # a parameter occurs once in an element
            return None
        quoted = pair["quoted"]
        elements[-1][pair["name"].lower()] = pair["token"] if quoted is None else _ESCAPED.sub(r"\1", quoted)
        at, end = pair.end(), pair["end"]
        if end == ",":
            elements.append({})
    return elements if not end else None  # a line must end after a pair, not after a separator


def _node(text: str, *, bare_ipv6: bool) -> _Hop:
    """Parse an address with or without a port (RFC 7239, 6); X-Forwarded-For also allows IPv6 without brackets."""
    host, port_text = text, None
    if text.startswith("["):
        host, bracket, rest = text[1:].partition("]")
        if not bracket or (rest and not rest.startswith(":")):
            return _Hop(None)
        port_text = rest[1:] if rest else None
    elif text.count(":") == 1:
        host, _, port_text = text.partition(":")
    port = _port(port_text)
    if port is None:
        return _Hop(None)
    try:
        # A zone ("fe80::1%eth0") has a meaning on the proxy's machine only.
        if text.startswith("[") or (bare_ipv6 and ":" in host and "%" not in host):
            return _Hop(normal_address(IPv6Address(host)) if "%" not in host else None, port)
        return _Hop(IPv4Address(host), port)
    except ValueError:
        return _Hop(None)


def _port(text: str | None) -> int | None:
    """Return a port; 0 if it is missing or obfuscated, None if it is not a port."""
    if text is None or _OBFUSCATED_PORT.fullmatch(text):
        return 0
    return int(text) if _PORT.fullmatch(text) and int(text) <= 65535 else None
