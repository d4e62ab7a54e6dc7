"""The limits of connections, from the settings and from what the process may open."""

from typing import Final

from kswifi.listeners.descriptors import RESERVED
from kswifi.listeners.limits import ConnectionLimits
from kswifi.servers.diameter.peer_connection import PeerLimits
from kswifi.settings import Settings

_DIAMETER_FRACTION: Final = 4


def limits_of(settings: Settings, descriptors: int) -> ConnectionLimits:
    """Return the limits of the HTTP listeners.

    Trusted reverse proxies have no limit per address: their clients share it.

    Args:
        settings: what the operator wants.
        descriptors: how many files and sockets the process may open; the limits never promise more.
    """
    left = descriptors - RESERVED - diameter_limits_of(settings, descriptors).max_connections
    return ConnectionLimits(
        connections=min(settings.connections, left),
        per_address=settings.connections_per_address,
        exempt=tuple(settings.trusted_proxies),
        handshake_seconds=settings.request_head_seconds,
        head_seconds=settings.request_head_seconds,
        body_seconds=settings.request_body_seconds,
        idle_seconds=settings.keep_alive_seconds,
        read_seconds=settings.slow_reader_seconds,
    )


def diameter_limits_of(settings: Settings, descriptors: int) -> PeerLimits:
    """Return the limits of the Diameter node."""
    share = (descriptors - RESERVED) // _DIAMETER_FRACTION
    return PeerLimits(
        max_connections=min(settings.diameter_connections, share), greeting_seconds=settings.capabilities_seconds
    )
