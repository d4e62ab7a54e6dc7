"""Listening sockets of every listener: IPv4, IPv6 and names, on all interfaces or on loopback only."""

import socket
from ipaddress import IPv6Address, ip_address
from typing import Final

from kswifi.kernel.errors import KswifiError
from kswifi.kernel.handed_over import HANDED_OVER

BACKLOG: Final = 256
"""Default number of connections that the operating system keeps waiting to be accepted."""


class NotLoopbackError(KswifiError):
    """A listener that only this machine may reach was given an address that other machines reach."""

    code = "not_loopback"


def listening_socket(host: str, port: int, *, backlog: int = BACKLOG) -> socket.socket:
    """Return a bound TCP socket that listens: the one that the service manager handed over, else a new one.

    TCP_NODELAY is set, and accepted connections inherit it: asyncio sets it only on sockets that it made itself.
    Without it the head and the body of an answer can wait 40 ms for each other (RFC 1122, 4.2.3.2 and 4.2.3.4).

    Args:
        host: an address or a name. ``::`` listens on all addresses of IPv6 and IPv4, ``0.0.0.0`` on those of IPv4
            only. Of a name's addresses the first that this machine can bind is used, IPv4 before IPv6.
        port: the port; 0 takes a free one.
        backlog: how many connections the operating system keeps waiting.

    Raises:
        OSError: the port is taken, or the host has no address of this machine.
    """
    numeric = host if "%" in host else plain_address(host)  # bind needs the zone of a link-local address
    found = socket.getaddrinfo(numeric, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
    failed: OSError | None = None
    for _, _, _, _, address in found:
        if (handed_over := HANDED_OVER.claim(str(address[0]), int(address[1]))) is not None:
            return handed_over
    for family, kind, protocol, _, address in sorted(found, key=lambda it: it[0] is not socket.AF_INET):
        try:
            return _bound(socket.socket(family, kind, protocol), address, backlog)
        except OSError as error:
            failed = failed or error
    raise failed or OSError(f"{host} has no address to listen on")


def loopback_socket(host: str, port: int, *, backlog: int = BACKLOG) -> socket.socket:
    """Return a listening socket that only this machine can reach. Every listener of the lab uses it.

    Raises:
        NotLoopbackError: the host is not a loopback address, or a name whose address is not one.
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
    """Tell whether a host is a loopback address, or ``localhost`` or a name below it (RFC 6761, 6.3).

    No name is looked up.
    """
    try:
        return ip_address(plain_address(host)).is_loopback
    except ValueError:
        name = host.lower().rstrip(".")
        return name == "localhost" or name.endswith(".localhost")


def plain_address(text: str) -> str:
    """Return an address without its zone; an IPv4-mapped one as its IPv4 address (RFC 4291, 2.5.5.2).

    A socket on ``::`` reports IPv4 clients as IPv4-mapped addresses. Code that compares addresses needs one form.
    Any other text is returned unchanged.
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
    """Return a host as a URL writes it: an IPv6 address in brackets (RFC 3986, 3.2.2)."""
    return f"[{host}]" if ":" in host else host


def authority(host: str, port: int) -> str:
    """Return ``host:port`` as a URL writes it."""
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
