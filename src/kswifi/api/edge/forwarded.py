"""Find the client of a request that came through reverse proxies: a pure function of the TCP peer and the headers.

A header field says anything its sender likes. So it is read only when the TCP peer is a proxy that the operator
trusts, and from its right end, where that proxy wrote the address that it saw itself. If that address belongs to
another trusted proxy, the element to its left was written by that one, and so on. The first address that is not a
trusted proxy's is the client. Everything to its left came from the client and is not read.

Where an element that has to be read is no address (``unknown``, an obfuscated identifier, a damaged one, or none
at all), the client counts as the trusted proxy that wrote the element: an address that no client can choose.

uvicorn's ``ProxyHeadersMiddleware`` knows X-Forwarded-For alone, keeps text that is no address, and compares an
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
"""Trusted proxies in a row; the client of a longer chain counts as the last proxy read."""

_SCHEMES: Final = ("http", "https")
_WHITESPACE: Final = " \t"  # OWS of RFC 9110, 5.6.3; str.strip() alone takes away more
_PORT: Final = re.compile(r"[0-9]{1,5}")
_OBFUSCATED_PORT: Final = re.compile(r"_[A-Za-z0-9._-]+")  # RFC 7239, 6

# RFC 7239, 4: forwarded-pair = token "=" ( token / quoted-string ). No alternative begins like another one, so
# that a match takes time in proportion to the text, whatever the text is.
_TCHARS: Final = r"[!#$%&'*+.^_`|~0-9A-Za-z-]+"
_PAIR: Final = re.compile(
    rf'(?P<name>{_TCHARS})=(?:(?P<token>{_TCHARS})|"(?P<quoted>(?:[^"\\]|\\.)*)")[ \t]*(?P<end>[;,]|$)[ \t]*'
)
_ESCAPED: Final = re.compile(r"\\(.)")


class ForwardedHeader(StrEnum):
    """The header field in which a proxy names the client. Reading both would let a client send the other one."""

    FORWARDED = "Forwarded"
    X_FORWARDED_FOR = "X-Forwarded-For"


@dataclass(frozen=True, slots=True)
class ProxyTrust:
    """Which TCP peers are proxies whose header field counts, and which header field that is."""

    networks: tuple[IpNetwork, ...] = ()
    header: ForwardedHeader = ForwardedHeader.X_FORWARDED_FOR

    def includes(self, address: IpAddress) -> bool:
        """Tell whether an address, in its normal form, is a trusted proxy's."""
        return any(address in network for network in self.networks)


NO_PROXIES: Final = ProxyTrust()


@dataclass(frozen=True, slots=True)
class Client:
    """The host that sent a request. ``port`` is 0 where no proxy said it; ``scheme`` None likewise."""

    address: IpAddress
    port: int = 0
    scheme: str | None = None


@dataclass(frozen=True, slots=True)
class _Hop:
    """What one proxy wrote of the host that it was connected to; ``address`` is None if it is not readable."""

    address: IpAddress | None
    port: int = 0
    scheme: str | None = None


def client_of(
    peer: IpAddress, port: int, fields: Sequence[str], protocols: Sequence[str], trust: ProxyTrust
) -> Client:
    """Return the client of a request.

    Args:
        peer: the address at the other end of the TCP connection.
        port: its port.
        fields: the values of the header field ``trust.header``, a line each, in the order received.
        protocols: the values of X-Forwarded-Proto likewise; not read where the header field is Forwarded.
        trust: which proxies count.
    """
    client = Client(normal_address(peer), port)
    if not trust.includes(client.address):
        return client
    if trust.header is ForwardedHeader.FORWARDED:
        hops, scheme = _forwarded(fields), None
    else:
        hops, scheme = _x_forwarded_for(fields), _x_forwarded_proto(protocols)
    if not fields:  # the proxy's machine itself asks, or the proxy names no client
        return Client(client.address, port, scheme)
    for _ in range(HOPS_LIMIT):
        hop = next(hops, None)
        if hop is None or hop.address is None:
            # The last trusted proxy stands for the client. Its own port belongs to another connection.
            return Client(client.address, 0, scheme if hop is None else hop.scheme or scheme)
        scheme = hop.scheme or scheme
        client = Client(hop.address, hop.port, scheme)
        if not trust.includes(client.address):
            break
    return client


def _x_forwarded_for(fields: Sequence[str]) -> Iterator[_Hop]:
    """Give the elements of X-Forwarded-For, the last one first."""
    for field in reversed(fields):
        rest = field
        while True:
            rest, comma, element = rest.rpartition(",")
            yield _node(element.strip(_WHITESPACE), bare_ipv6=True)
            if not comma:
                break


def _x_forwarded_proto(values: Sequence[str]) -> str | None:
    """Return the scheme that X-Forwarded-Proto states; None unless it is stated once, and is one of HTTP's."""
    scheme = values[0].strip(_WHITESPACE).lower() if len(values) == 1 else None
    return scheme if scheme in _SCHEMES else None


def _forwarded(fields: Sequence[str]) -> Iterator[_Hop]:
    """Give the elements of Forwarded (RFC 7239), the last one first.

    A line is parsed as a whole: in a damaged one it is not certain where the proxy's own element begins, so it
    gives one element without an address.
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
    """Return the elements of one line, each its parameters by name in lower case; None if the line is damaged."""
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
    return elements if not end else None  # it ends after a pair, not after a separator


def _node(text: str, *, bare_ipv6: bool) -> _Hop:
    """Read an address with or without a port (RFC 7239, 6); X-Forwarded-For also has IPv6 without brackets."""
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
        # A zone ("fe80::1%eth0") means something on the proxy's machine only.
        if text.startswith("[") or (bare_ipv6 and ":" in host and "%" not in host):
            return _Hop(normal_address(IPv6Address(host)) if "%" not in host else None, port)
        return _Hop(IPv4Address(host), port)
    except ValueError:
        return _Hop(None)


def _port(text: str | None) -> int | None:
    """Return a port; 0 for one that is missing or obfuscated, None for what is no port."""
    if text is None or _OBFUSCATED_PORT.fullmatch(text):
        return 0
    return int(text) if _PORT.fullmatch(text) and int(text) <= 65535 else None
