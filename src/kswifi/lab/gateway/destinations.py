"""Where the user plane may go: the public internet, and of the rest only what the gateway was told."""

import asyncio
import ipaddress
import socket
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from kswifi.lab.gateway.errors import ProxyRefusedError

_NAT64: Final = ipaddress.ip_network("64:ff9b::/96")

HostPort = tuple[str, int]


@dataclass(frozen=True, slots=True)
class Destination:
    """A checked destination: connect to these addresses and to nothing that a second look-up may tell."""

    addresses: tuple[tuple[socket.AddressFamily, HostPort], ...]
    is_origin: bool
    """KSWiFi itself: reachable with control-only access too."""


class Destinations:
    """Decides where flows may go; ``allowed`` and ``origins`` hold names or addresses with their port."""

    def __init__(self, allowed: Iterable[HostPort], origins: Iterable[HostPort]) -> None:
        self._origins = frozenset(origins)
        self._allowed = frozenset(allowed) | self._origins

    def is_origin(self, host: str, port: int) -> bool:
        """Tell whether this is KSWiFi itself by the name or address that was told, without a look-up."""
        return (host.lower(), port) in self._origins

    async def resolve(self, host: str, port: int) -> Destination:
        """Look a host up and keep the addresses that may be reached.

        Raises:
            ProxyRefusedError: 502 it has no address; 403 none of them is public or allowed.
        """
        try:
            found = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)
        except (OSError, UnicodeError):
            raise ProxyRefusedError(502, f"{host} has no address") from None
        name = host.lower()
        addresses = [(family, (str(address[0]), port)) for family, _, _, _, address in found]
        told = (name, port) in self._allowed
        kept = tuple(
            (family, address)
            for family, address in addresses
            if told or address in self._allowed or is_public(address[0])
        )
        if not kept:
            raise ProxyRefusedError(403, f"{host} is a private address: this network leads to the internet")
        is_origin = self.is_origin(host, port) or all(address in self._origins for _, address in kept)
        return Destination(kept, is_origin)


def is_public(text: str) -> bool:
    """Tell whether an address belongs to the public internet, looking into those that carry another."""
    address = ipaddress.ip_address(text.partition("%")[0])
    if isinstance(address, ipaddress.IPv6Address):
        inner = address.ipv4_mapped or address.sixtofour
        if inner is None and address in _NAT64:
            inner = ipaddress.IPv4Address(int(address) & 0xFFFFFFFF)
        if inner is not None:
            return is_public(str(inner))
    return address.is_global and not (address.is_multicast or address.is_reserved or address.is_unspecified)
