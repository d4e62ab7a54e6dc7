"""The limits of connections, and the rule for what counts as one client address."""

from dataclasses import dataclass
from functools import lru_cache
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address
from typing import Final, TypeAlias

Network: TypeAlias = IPv4Network | IPv6Network

_NAT64: Final = IPv6Network("64:ff9b::/96")
"""RFC 6052, 2.1: the last 32 bits are the client's IPv4 address."""
_SITE_BITS: Final = 64
"""One IPv6 customer holds at least a /64 (RFC 6177) and can use any address in it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ConnectionLimits:
    """How many connections a server holds, and how long each may take for a step; counts and seconds.

    ``connections``: all of the server's HTTP listeners together.
    ``per_address``: of one client address; see ``client_group``.
    ``exempt``: networks without the limit per address, for reverse proxies that many clients share.
    ``handshake_seconds``: until the TLS handshake is complete.
    ``head_seconds``: from the connection, or from the first octet of a later request, to the end of its head.
    ``body_seconds``: from the head to the end of the body.
    ``idle_seconds``: between two requests of one connection.
    ``read_seconds``: within which a client must take at least ``read_octets`` of an answer that waits for it.
    """

    connections: int = 4096
    per_address: int = 512
    exempt: tuple[Network, ...] = ()
    handshake_seconds: float = 10.0
    head_seconds: float = 10.0
    body_seconds: float = 30.0
    idle_seconds: float = 30.0
    read_seconds: float = 30.0
    read_octets: int = 4096

    def is_exempt(self, host: str) -> bool:
        """Tell whether the limit per address does not apply to a client."""
        address = _address(host)
        return address is not None and any(address in network for network in self.exempt)


@lru_cache(maxsize=4096)
def client_group(host: str) -> str:
    """Return the key that connections of one client are counted by.

    An IPv4 address stands for itself, also where IPv6 carries it (mapped or NAT64); an IPv6 address for its /64.
    """
    address = _address(host)
    if address is None:
        return host
    if isinstance(address, IPv6Address):
        return str(IPv6Network((address, _SITE_BITS), strict=False))
    return str(address)


def _address(host: str) -> IPv4Address | IPv6Address | None:
    try:
        address = ip_address(host)
    except ValueError:
        return None
    if isinstance(address, IPv6Address):
        if address.ipv4_mapped is not None:
            return address.ipv4_mapped
        if address in _NAT64:
            return IPv4Address(int(address) & 0xFFFFFFFF)
    return address
