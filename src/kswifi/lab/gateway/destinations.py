"""The destinations of the user plane: the public internet, and private addresses only if they are configured."""

import asyncio
import ipaddress
import socket
from collections.abc import Iterable
from dataclasses import dataclass

from kswifi.kernel.network_addresses import carried_ipv4
from kswifi.lab.gateway.errors import ProxyRefusedError

HostPort = tuple[str, int]


@dataclass(frozen=True, slots=True)
class Destination:
    """A checked destination. Connect to these addresses; a second look-up could return others."""

    addresses: tuple[tuple[socket.AddressFamily, HostPort], ...]
    is_origin: bool
    """Whether it is KSWiFi itself, which control-only access may reach."""


class Destinations:
    """Decides which destinations flows may reach.

    Args:
        allowed: names or addresses, with ports, that may be reached although they are private.
        origins: names or addresses, with ports, of KSWiFi itself.
    """

    def __init__(self, allowed: Iterable[HostPort], origins: Iterable[HostPort]) -> None:
        self._origins = frozenset(origins)
        self._allowed = frozenset(allowed) | self._origins

    def is_origin(self, host: str, port: int) -> bool:
        """Tell whether a destination is configured as KSWiFi itself. No name is looked up."""
        return (host.lower(), port) in self._origins

    async def resolve(self, host: str, port: int) -> Destination:
        """Look a host up and return those of its addresses that may be reached.

        Raises:
            ProxyRefusedError: 502, it has no address; 403, none of its addresses is public or allowed.
        """
        try:
            found = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)
        except (OSError, UnicodeError):
            raise ProxyRefusedError(502, f"{host} has no address") from None
        name = host.lower()
        addresses = [(family, (str(address[0]), port)) for family, _, _, _, address in found]
        is_allowed_name = (name, port) in self._allowed
        kept = tuple(
            (family, address)
            for family, address in addresses
            if is_allowed_name or address in self._allowed or is_public(address[0])
        )
        if not kept:
            raise ProxyRefusedError(403, f"{host} is a private address: this network leads to the internet")
        is_origin = self.is_origin(host, port) or all(address in self._origins for _, address in kept)
        return Destination(kept, is_origin)


def is_public(text: str) -> bool:
    """Tell whether an address is on the public internet; an IPv6 form of an IPv4 address counts as the latter."""
    address = ipaddress.ip_address(text.partition("%")[0])
    if isinstance(address, ipaddress.IPv6Address):
        inner = carried_ipv4(address) or address.sixtofour
        if inner is not None:
            return is_public(str(inner))
    return address.is_global and not (address.is_multicast or address.is_reserved or address.is_unspecified)
