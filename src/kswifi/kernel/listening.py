"""Listening sockets, for every listener alike: IPv4, IPv6 and names, on all interfaces or on this machine alone."""

import socket
from ipaddress import IPv6Address, ip_address
from typing import Final

from kswifi.kernel.errors import KswifiError

BACKLOG: Final = 256
"""Connections that the kernel keeps waiting, where a listener asks for no other number."""


class NotLoopbackError(KswifiError):
    """A listener for this machine alone was given an address that others reach."""

    code = "not_loopback"


def listening_socket(host: str, port: int, *, backlog: int = BACKLOG) -> socket.socket:
    """Return a bound TCP socket that listens.

    ``::`` listens on all addresses of both families, where the system has both; ``0.0.0.0`` on those of IPv4 alone.
    A name takes its first address that this machine can bind, IPv4 before IPv6. TCP_NODELAY is set, and the
    connections inherit it: asyncio sets it only on sockets that it made, and without it the head and the body of
    an answer can wait 40 ms for each other (RFC 1122, 4.2.3.2 and 4.2.3.4).

    Raises:
        OSError: the port is taken, or no address of the host is this machine's.
    """
    numeric = host if "%" in host else plain_address(host)  # a zone belongs to the address that is bound
    found = socket.getaddrinfo(numeric, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
    failed: OSError | None = None
    for family, kind, protocol, _, address in sorted(found, key=lambda it: it[0] is not socket.AF_INET):
        try:
            return _bound(socket.socket(family, kind, protocol), address, backlog)
        except OSError as error:
            failed = failed or error
    raise failed or OSError(f"{host} has no address to listen on")


def loopback_socket(host: str, port: int, *, backlog: int = BACKLOG) -> socket.socket:
    """Return a listening socket that this machine alone reaches: what every listener of the lab uses.

    Raises:
        NotLoopbackError: the host is not loopback, or a name that led elsewhere.
        OSError: the port is taken.
    """
    if not is_loopback(host):
        raise NotLoopbackError(
            f"the lab and its rehearsal servers listen on this machine alone, not on {host}: use 127.0.0.1 or ::1. "
            "For phones in this network there is `kswifi up --lan`",
            host=host,
        )
    listener = listening_socket(host, port, backlog=backlog)
    bound = str(listener.getsockname()[0])
    if not is_loopback(bound):
        listener.close()
        raise NotLoopbackError(f"{host} is {bound} here, which others reach", host=host)
    return listener


def is_loopback(host: str) -> bool:
    """Tell whether a host is this machine by itself: a loopback address, or a name of RFC 6761, 6.3."""
    try:
        return ip_address(plain_address(host)).is_loopback
    except ValueError:
        name = host.lower().rstrip(".")
        return name == "localhost" or name.endswith(".localhost")


def plain_address(text: str) -> str:
    """Return an address without zone, and the IPv4 address of an IPv4-mapped one (RFC 4291, 2.5.5.2).

    A socket on ``::`` shows IPv4 clients as IPv4-mapped addresses; what compares addresses must see one form.
    """
    if ":" not in text:
        return text
    address, _, _zone = text.partition("%")
    try:
        mapped = IPv6Address(address).ipv4_mapped
    except ValueError:
        return text
    return address if mapped is None else str(mapped)


def in_url(host: str) -> str:
    """Return a host as it stands in a URL: an IPv6 address in brackets (RFC 3986, 3.2.2)."""
    return f"[{host}]" if ":" in host else host


def authority(host: str, port: int) -> str:
    """Return ``host:port`` as it stands in a URL."""
    return f"{in_url(host)}:{port}"


def _bound(listener: socket.socket, address: tuple[object, ...], backlog: int) -> socket.socket:
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if listener.family is socket.AF_INET6:
            only = 0 if IPv6Address(str(address[0]).partition("%")[0]).is_unspecified else 1
            listener.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, only)
        listener.bind(address)
        listener.listen(backlog)
    except BaseException:
        listener.close()
        raise
    return listener
