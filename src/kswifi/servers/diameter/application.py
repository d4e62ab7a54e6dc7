"""The interface between a Diameter node and the applications that it serves."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import Protocol, TypeAlias

from kswifi.diameter import dictionary as d
from kswifi.diameter.constants import ResultCode
from kswifi.diameter.errors import DiameterError
from kswifi.diameter.header import Header
from kswifi.diameter.messages.base import encode_origin

Reply: TypeAlias = Callable[[bytes], None]
"""Takes the answer to a request, once, on the loop's thread.

An empty answer defers it: the request no longer counts as outstanding, and ``Sender.write`` takes the answer later.
"""


def _write_nothing(_answer: bytes) -> None:
    """Discard an answer: the default when there is no connection."""


@dataclass(frozen=True)
class NodeIdentity:
    """The identity of this node towards its peers.

    ``origin_state_id`` is stored with the data. Raising it makes peers drop their sessions, so it rises only when
    state was really lost (RFC 6733, 8.16).
    """

    origin_host: str
    origin_realm: str
    origin_state_id: int

    @cached_property
    def origin(self) -> bytes:
        """Origin-Host and Origin-Realm, encoded as in every message."""
        return encode_origin(self.origin_host, self.origin_realm)

    def check_destination(self, realm: str, host: str | None) -> None:
        """Refuse a request that is meant for another node (RFC 6733, 6.1.4); names ignore case.

        Raises:
            DiameterError: 3003 another realm, 3002 another host: this node does not relay.
        """
        if realm != self.origin_realm and realm.lower() != self.origin_realm.lower():
            raise DiameterError(ResultCode.REALM_NOT_SERVED, f"realm {realm} is not served here")
        if host is not None and host != self.origin_host and host.lower() != self.origin_host.lower():
            raise DiameterError(ResultCode.UNABLE_TO_DELIVER, f"host {host} cannot be reached through here")


@dataclass(frozen=True, slots=True)
class Sender:
    """The peer whose connection a request arrived on, with the Origin-Host of its CER."""

    origin_host: str
    is_agent: bool = False
    """Whether it is configured as a routing agent, whose requests carry the Origin-Hosts of other nodes."""
    origin_state_id: int | None = None
    """The Origin-State-Id of its CER (RFC 6733, 8.16), or None."""
    write: Reply = _write_nothing
    """Writes a deferred answer (see ``Reply``); no effect once the peer has left."""

    def check_origin(self, origin_host: str) -> None:
        """Refuse a request whose Origin-Host is not the peer's own; names ignore case.

        Raises:
            DiameterError: 5004 with the Origin-Host. Without this check, a peer could use up the quota of a
                ChargingSession of a different peer, or get authentication vectors meant for a different peer.
        """
        if self.is_agent or origin_host == self.origin_host or origin_host.lower() == self.origin_host.lower():
            return
        raise DiameterError(
            ResultCode.INVALID_AVP_VALUE,
            f"{self.origin_host} sent a request of {origin_host} and is no routing agent",
            d.ORIGIN_HOST.failed(origin_host.encode()),
        )


class Application(Protocol):
    """A Diameter application that a node serves."""

    @property
    def application_id(self) -> int:
        """Its Application-Id."""
        ...

    @property
    def vendor_id(self) -> int | None:
        """The vendor of a vendor-specific application; None for an application of the IETF."""
        ...

    @property
    def command_codes(self) -> frozenset[int]:
        """The commands that it answers."""
        ...

    def handle(self, header: Header, message: bytes, reply: Reply, sender: Sender) -> None:
        """Answer one request of a peer by calling ``reply`` once, now or later.

        Raises:
            DiameterError: the request is refused; ``reply`` must not be called then.
        """
        ...

    def peer_changed(self, origin_host: str, state_ids: frozenset[int]) -> None:
        """Handle that a connection of a peer opened or closed.

        ``state_ids`` are the Origin-State-Ids of its open connections (RFC 6733, 8.16).
        """
        ...
