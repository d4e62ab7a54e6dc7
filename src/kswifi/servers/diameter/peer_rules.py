"""The rules for Diameter peers: who may connect, from where, to which applications (RFC 6733, 5.2 and 5.3)."""

from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from ipaddress import IPv4Network, IPv6Network, ip_address, ip_network
from typing import Final

import structlog

from kswifi.kernel.listening import plain_address

Network = IPv4Network | IPv6Network

LOOPBACK: Final[tuple[Network, ...]] = (ip_network("127.0.0.0/8"), ip_network("::1/128"))
REASONS: Final = ("address", "identity", "certificate", "application")
"""The reasons to refuse a connection, in the order of the checks."""
_LOG_SECONDS: Final = 60.0
_MOST_LOGGED: Final = 1_000
"""The most pairs of address and reason whose repeated refusals are counted between two log lines."""

_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class PeerRules:
    """Who may connect; by default any name from this machine.

    Args:
        peers: for each Origin-Host in lower case, the networks from which it may connect.
        any_name_from: networks from which a peer may connect under any Origin-Host.
        agents: Origin-Hosts of routing agents, which may forward requests of other origins. Every other peer may
            only send requests with its own Origin-Host.
        reserved: for an Application-Id, the Origin-Hosts that it is served to. Other applications go to every peer.
    """

    peers: Mapping[str, tuple[Network, ...]] = field(default_factory=dict)
    any_name_from: tuple[Network, ...] = LOOPBACK
    agents: frozenset[str] = frozenset()
    reserved: Mapping[int, frozenset[str]] = field(default_factory=dict)

    def knows_address(self, address: str) -> bool:
        """Return whether any peer may connect from an address; if not, its connection is closed at once."""
        everywhere = (*self.any_name_from, *(network for networks in self.peers.values() for network in networks))
        return _is_within(address, everywhere)

    def admits(self, origin_host: str, address: str) -> bool:
        """Return whether a peer of this name may connect from this address."""
        networks = (*self.any_name_from, *self.peers.get(origin_host.lower(), ()))
        return _is_within(address, networks)

    def serves(self, application_id: int, origin_host: str) -> bool:
        """Return whether an application is served to a peer."""
        names = self.reserved.get(application_id)
        return names is None or origin_host.lower() in names

    def is_agent(self, origin_host: str) -> bool:
        """Return whether a peer may forward requests of other origins."""
        return origin_host.lower() in self.agents


class RefusedPeers:
    """Counts refused connections by reason; logs at most one line a minute for each address and reason."""

    def __init__(self, now: Callable[[], float]) -> None:
        """Start at zero; ``now`` returns seconds of a monotonic clock."""
        self.by_reason: Counter[str] = Counter()
        self._now = now
        self._logged: dict[tuple[str, str], float] = {}
        self._unlogged: Counter[tuple[str, str]] = Counter()

    def note(self, reason: str, address: str, origin_host: str | None = None) -> None:
        """Count one refusal; log it unless one of the same address and reason was logged within the last minute."""
        self.by_reason[reason] += 1
        key, now = (address, reason), self._now()
        last = self._logged.get(key)
        if last is not None and now - last < _LOG_SECONDS:
            self._unlogged[key] += 1
            return
        if last is None and len(self._logged) >= _MOST_LOGGED:
            self._forget(now)
            if len(self._logged) >= _MOST_LOGGED:
                return  # counted, but not logged
        self._logged[key] = now
        _log.warning(
            "diameter_peer_refused",
            reason=reason,
            address=address,
            origin_host=origin_host,
            more_since_the_last_line=self._unlogged.pop(key, 0),
        )

    def _forget(self, now: float) -> None:
        for key, at in tuple(self._logged.items()):
            if now - at >= _LOG_SECONDS:
                del self._logged[key]
                self._unlogged.pop(key, None)


def _is_within(address: str, networks: tuple[Network, ...]) -> bool:
    try:
        known = ip_address(plain_address(address))
    except ValueError:
        return False
    return any(known in network for network in networks)
