"""Limits on connections, and the rule for which addresses count as one client."""

from dataclasses import dataclass
from functools import lru_cache

from kswifi.kernel.network_addresses import IpNetwork, customer_key, parse_address


@dataclass(frozen=True, slots=True, kw_only=True)
class ConnectionLimits:
    """How many connections a server holds, and how long each step of a connection may take.

    Attributes:
        connections: of all HTTP listeners of the process together.
        per_address: of one client (``client_group``).
        exempt: networks without the limit per client, for reverse proxies that many clients share.
        handshake_seconds: until the TLS handshake is complete.
        head_seconds: from the connection, or from the first octet of a later request, to the end of its head.
        body_seconds: from the end of the head to the end of the body.
        idle_seconds: between two requests of one connection.
        read_seconds: the period in which a client must read at least ``read_octets`` of an answer that waits for
            it.
        read_octets: see ``read_seconds``.
    """

    connections: int = 4096
    per_address: int = 512
    exempt: tuple[IpNetwork, ...] = ()
    handshake_seconds: float = 10.0
    head_seconds: float = 10.0
    body_seconds: float = 30.0
    idle_seconds: float = 30.0
    read_seconds: float = 30.0
    read_octets: int = 4096

    def is_exempt(self, host: str) -> bool:
        """Tell whether a client is exempt from the limit per address."""
        address = parse_address(host)
        return address is not None and any(address in network for network in self.exempt)


@lru_cache(maxsize=4096)
def client_group(host: str) -> str:
    """Return the key under which the connections of one client are counted.

    The key of an IPv4 address is the address, also if IPv6 carries it (mapped or NAT64). The key of an IPv6 address
    is its /64. Text that is not an address is its own key.
    """
    address = parse_address(host)
    return host if address is None else customer_key(address)
