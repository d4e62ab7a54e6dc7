"""A Diameter node that accepts peers over TCP and serves applications to them (RFC 6733)."""

import asyncio
import secrets
import socket
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Final, TypeAlias

from kswifi.diameter.constants import NO_INBAND_SECURITY, VENDOR_3GPP, ResultCode
from kswifi.diameter.errors import DiameterError
from kswifi.diameter.header import Header
from kswifi.diameter.messages.base import Capabilities, VendorApplication
from kswifi.servers.diameter.application import Application, NodeIdentity
from kswifi.servers.diameter.peer_connection import PeerConnection, PeerLimits

_TICK_FRACTION: Final = 10
"""The watchdogs are looked after this many times within their period."""

_ACCEPTED_AT_ONCE: Final = 16
"""Connections taken between two looks at those that are here: a flood of them delays nobody for long."""
_BACKLOG: Final = 1024
"""Connections that the kernel keeps waiting; asyncio would have it be the same number."""

BuildRequest: TypeAlias = Callable[[str, int, int], bytes]
"""Makes a request from the peer's realm, a Hop-by-Hop and an End-to-End Identifier."""
Answered: TypeAlias = Callable[[bytes | None], None]


@dataclass(frozen=True, slots=True)
class _Asked:
    connection: PeerConnection
    answered: Answered
    until: float


class DiameterNode:
    """Listens for peers and serves them; several connections of one peer are welcome.

    ``allowed_peers`` are the Origin-Hosts that may connect; None lets any in, which suits loopback alone.
    """

    def __init__(
        self,
        *,
        host: str,
        port: int,
        identity: NodeIdentity,
        applications: Iterable[Application],
        allowed_peers: frozenset[str] | None = None,
        limits: PeerLimits | None = None,
    ) -> None:
        self.identity = identity
        self.limits = limits or PeerLimits()
        self.applications: Mapping[int, Application] = {it.application_id: it for it in applications}
        self._host = host
        self._port = port
        self._allowed_peers = None if allowed_peers is None else {name.lower() for name in allowed_peers}
        self._connections: dict[PeerConnection, None] = {}
        """In the order in which they came."""
        self._server: asyncio.Server | None = None
        self._tick: asyncio.TimerHandle | None = None
        self._all_gone = asyncio.Event()
        # RFC 6733, 3: the low bits start at random, so that a restarted node does not repeat its identifiers.
        self._identifier = secrets.randbits(32)
        self._asked: dict[int, _Asked] = {}
        self.connections_refused = 0
        self.refusals = 0
        """Requests answered with an error by the node itself."""

    @property
    def port(self) -> int:
        """The port that is listened on; differs from the one asked for where that was 0."""
        if self._server is None:
            return self._port
        return int(self._server.sockets[0].getsockname()[1])

    @property
    def peers(self) -> tuple[str, ...]:
        """The Origin-Hosts of the connections that are open."""
        return tuple(it.origin_host for it in self._connections if it.is_open and it.origin_host is not None)

    async def start(self) -> None:
        """Listen; raises OSError where the port is taken."""
        loop = asyncio.get_running_loop()
        family = socket.AF_INET6 if ":" in self._host else socket.AF_INET
        listener = socket.create_server((self._host, self._port), family=family)
        self._server = await loop.create_server(
            lambda: PeerConnection(self), sock=listener, backlog=_ACCEPTED_AT_ONCE
        )
        listener.listen(_BACKLOG)
        self._look_after()

    async def close(self) -> None:
        """Stop listening, take leave of every peer and answer what is outstanding, for a short while at most."""
        if self._tick is not None:
            self._tick.cancel()
            self._tick = None
        if self._server is not None:
            self._server.close()
        for connection in tuple(self._connections):
            connection.say_farewell()
        if self._connections:
            self._all_gone.clear()
            try:
                await asyncio.wait_for(self._all_gone.wait(), self.limits.farewell_seconds)
            except TimeoutError:
                for connection in tuple(self._connections):
                    connection.abort()
        if self._server is not None:
            await self._server.wait_closed()
            self._server = None

    def ask(self, origin_host: str, build: BuildRequest, answered: Answered) -> bool:
        """Send a request to a peer that is connected; tell whether it was sent.

        ``answered`` is called once: with the answer, or with None where none came in time or the peer left.
        """
        connection = self._way_to(origin_host)
        if connection is None or len(self._asked) >= self.limits.max_asked:
            return False
        hop_by_hop, end_to_end = self.next_identifiers()
        until = asyncio.get_running_loop().time() + self.limits.answer_seconds
        self._asked[hop_by_hop] = _Asked(connection, answered, until)
        connection.ask(build(connection.origin_realm, hop_by_hop, end_to_end))
        return True

    def _way_to(self, origin_host: str) -> PeerConnection | None:
        """Return a connection of the peer, or else one of a relay, which routes by Destination-Host."""
        relay = None
        for connection in self._connections:
            if connection.is_open and connection.origin_host is not None:
                if connection.origin_host.lower() == origin_host.lower():
                    return connection
                if connection.is_relay:
                    relay = connection
        return relay

    # What connections ask of it

    def take_answer(self, connection: PeerConnection, header: Header, message: bytes) -> None:
        """Give an answer to whoever asked; one that nobody waits for any more, or of another peer, is dropped."""
        asked = self._asked.get(header.hop_by_hop)
        if asked is not None and asked.connection is connection:
            del self._asked[header.hop_by_hop]
            asked.answered(message)

    def admit(self, connection: PeerConnection) -> bool:
        """Take a connection in, unless as many peers as may be are here.

        Strangers make room, the oldest of the address that most of them come from: whoever only connects keeps
        no peer out, however often.
        """
        if len(self._connections) >= self.limits.max_connections:
            self.connections_refused += 1
            strangers = [it for it in self._connections if it.is_stranger]
            if not strangers:
                return False
            ((crowd, _),) = Counter(it.address for it in strangers).most_common(1)
            stranger = next(it for it in strangers if it.address == crowd)
            del self._connections[stranger]
            stranger.abort()
        self._connections[connection] = None
        return True

    def forget(self, connection: PeerConnection) -> None:
        """Drop a connection that is closed."""
        self._connections.pop(connection, None)
        self._give_up(lambda asked: asked.connection is connection)
        if not self._connections:
            self._all_gone.set()

    def check_peer(self, theirs: Capabilities) -> frozenset[int]:
        """Return the applications shared with a peer.

        Raises:
            DiameterError: 3010 it is not on the list, 5010 nothing is shared, 5017 it wants TLS here.
        """
        if self._allowed_peers is not None and theirs.origin_host.lower() not in self._allowed_peers:
            raise DiameterError(ResultCode.UNKNOWN_PEER, f"{theirs.origin_host} is not on the list of peers")
        common = self.capabilities("0.0.0.0").common_applications(theirs)
        if not common:
            raise DiameterError(ResultCode.NO_COMMON_APPLICATION, "no application is served to both")
        theirs.check_security()
        return common

    def capabilities(self, local_address: str) -> Capabilities:
        """Return what this node says of itself on a connection to that address."""
        served = self.applications.values()
        return Capabilities(
            origin_host=self.identity.origin_host,
            origin_realm=self.identity.origin_realm,
            host_ip_addresses=(local_address,),
            origin_state_id=self.identity.origin_state_id,
            inband_security_ids=(NO_INBAND_SECURITY,),
            auth_application_ids=tuple(it.application_id for it in served if it.vendor_id is None),
            vendor_applications=tuple(
                VendorApplication(vendor_id=it.vendor_id, application_id=it.application_id)
                for it in served
                if it.vendor_id is not None
            ),
            supported_vendor_ids=(VENDOR_3GPP,),
        )

    def next_identifiers(self) -> tuple[int, int]:
        """Return Hop-by-Hop and End-to-End Identifiers for a request of this node."""
        self._identifier = self._identifier + 1 & 0xFFFFFFFF
        return self._identifier, self._identifier

    def _look_after(self) -> None:
        loop = asyncio.get_running_loop()
        now = loop.time()
        for connection in tuple(self._connections):
            connection.tick(now)
        self._give_up(lambda asked: asked.until < now)
        pause = min(self.limits.watchdog_seconds, self.limits.greeting_seconds) / _TICK_FRACTION
        self._tick = loop.call_later(pause, self._look_after)

    def _give_up(self, hopeless: Callable[["_Asked"], bool]) -> None:
        for hop_by_hop, asked in tuple(self._asked.items()):
            if hopeless(asked):
                del self._asked[hop_by_hop]
                asked.answered(None)
