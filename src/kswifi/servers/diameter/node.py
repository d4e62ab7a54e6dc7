"""A Diameter node that accepts peers over TCP and TLS and serves applications to them (RFC 6733)."""

import asyncio
import logging
import secrets
import ssl
import time
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Final, TypeAlias

from kswifi.diameter.constants import NO_INBAND_SECURITY, VENDOR_3GPP, ResultCode
from kswifi.diameter.errors import DiameterError
from kswifi.diameter.header import Header
from kswifi.diameter.messages.base import Capabilities, VendorApplication
from kswifi.kernel.listening import listening_socket
from kswifi.listeners.acceptor import Acceptor, Tls
from kswifi.listeners.limits import client_group
from kswifi.servers.diameter.application import Application, NodeIdentity
from kswifi.servers.diameter.peer_connection import PeerConnection, PeerLimits
from kswifi.servers.diameter.peer_rules import PeerRules, RefusedPeers

_TICK_FRACTION: Final = 10
"""The number of watchdog checks in one watchdog period."""

_log: Final = logging.getLogger(__name__)
_LISTENER: Final = "diameter"

BuildRequest: TypeAlias = Callable[[str, int, int], bytes]
"""Builds a request from the peer's realm, a Hop-by-Hop and an End-to-End Identifier."""
Answered: TypeAlias = Callable[[bytes | None], None]


@dataclass(frozen=True, slots=True)
class _Asked:
    connection: PeerConnection
    answered: Answered
    until: float


@dataclass(frozen=True, slots=True)
class TlsListener:
    """A listener with TLS from the first octet (RFC 6733, 13.1); the context requests client certificates."""

    host: str
    port: int
    context: ssl.SSLContext


class _Door:
    """Refuses addresses from which no peer may connect, before any octet is read.

    The node decides on the other connections.
    """

    def __init__(self, node: "DiameterNode") -> None:
        self._node = node

    def admit(self, address: str, _abort: Callable[[], None]) -> "_Door | None":
        """Admit a connection from an address that a peer may have; None refuses it."""
        return self if self._node.knows_address(address) else None

    def make_protocol(self) -> PeerConnection:
        return PeerConnection(self._node)

    def failed(self, error: BaseException | None) -> None:
        """Count a failed TLS handshake: nothing else records a connection that ends before its protocol exists."""
        if error is not None:
            self._node.closed["handshake_failed"] += 1

    def exhausted(self) -> None:
        self._node.descriptors_exhausted()


class DiameterNode:
    """Accepts and serves peers. A peer may have several connections.

    Args:
        rules: who may connect and from where; by default any name from this machine.
        tls: a further listener, where peers prove their Origin-Host by a certificate.
    """

    def __init__(
        self,
        *,
        host: str,
        port: int,
        identity: NodeIdentity,
        applications: Iterable[Application],
        rules: PeerRules | None = None,
        limits: PeerLimits | None = None,
        tls: TlsListener | None = None,
    ) -> None:
        self.identity = identity
        self.rules = rules or PeerRules()
        self.refused_peers = RefusedPeers(time.monotonic)
        self.limits = limits or PeerLimits()
        self.applications: Mapping[int, Application] = {it.application_id: it for it in applications}
        self._host = host
        self._port = port
        self._tls = tls
        self._connections: dict[PeerConnection, None] = {}
        """In the order of their arrival."""
        self._acceptors: list[Acceptor] = []
        self._tick: asyncio.TimerHandle | None = None
        self._all_gone = asyncio.Event()
        # RFC 6733, 3: the low bits start at random, so that a restarted node does not repeat its identifiers.
        self._identifier = secrets.randbits(32)
        self._asked: dict[int, _Asked] = {}
        self.connections_refused = 0
        self.closed: Counter[str] = Counter()
        """Connections that this node closed, by cause, since the start."""
        self.exhaustions: Counter[str] = Counter()
        """How often no descriptor was left to accept a connection, by listener; this node has one."""
        self.refusals = 0
        """Requests answered with an error by the node itself."""

    @property
    def port(self) -> int:
        """The TCP port; chosen by the system if 0 was asked for."""
        return self._port

    @property
    def tls_port(self) -> int | None:
        """The TLS port; None without TLS."""
        return self._acceptors[1].port if len(self._acceptors) > 1 else None

    @property
    def peers(self) -> tuple[str, ...]:
        """The Origin-Hosts of the open connections."""
        return tuple(it.origin_host for it in self._connections if it.is_open and it.origin_host is not None)

    async def start(self) -> None:
        """Start listening; raises OSError if a port is taken."""
        listener = listening_socket(self._host, self._port)
        self._acceptors = [Acceptor(listener, _Door(self))]
        self._port = self._acceptors[0].port
        if self._tls is not None:
            try:
                listener = listening_socket(self._tls.host, self._tls.port)
            except OSError:
                self._acceptors.pop().close()
                raise
            seconds = self.limits.greeting_seconds
            self._acceptors.append(Acceptor(listener, _Door(self), Tls(self._tls.context, seconds, seconds)))
        for acceptor in self._acceptors:
            acceptor.start()
        self._look_after()

    async def close(self) -> None:
        """Stop listening, send every peer a DPR and answer outstanding requests.

        After ``farewell_seconds`` the remaining connections are aborted.
        """
        if self._tick is not None:
            self._tick.cancel()
            self._tick = None
        for acceptor in self._acceptors:
            acceptor.close()
        for connection in tuple(self._connections):
            connection.say_farewell()
        if self._connections:
            self._all_gone.clear()
            try:
                await asyncio.wait_for(self._all_gone.wait(), self.limits.farewell_seconds)
            except TimeoutError:
                for connection in tuple(self._connections):
                    connection.abort()
        for acceptor in self._acceptors:
            await acceptor.wait_closed()
        self._acceptors = []

    def ask(self, origin_host: str, build: BuildRequest, answered: Answered) -> bool:
        """Send a request to a connected peer; return whether it was sent.

        ``answered`` is called once: with the answer, or with None if none came in time or the peer left.
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

    # Called by connections

    def take_answer(self, connection: PeerConnection, header: Header, message: bytes) -> None:
        """Pass an answer to the callback of its request.

        A late answer, or one from a different connection, is dropped.
        """
        asked = self._asked.get(header.hop_by_hop)
        if asked is not None and asked.connection is connection:
            del self._asked[header.hop_by_hop]
            asked.answered(message)

    def knows_address(self, address: str) -> bool:
        """Return whether a peer may connect from an address; count the refusal if not."""
        if self.rules.knows_address(address):
            return True
        self.refused_peers.note("address", address)
        return False

    def admit(self, connection: PeerConnection) -> bool:
        """Admit a connection, unless the limits are reached.

        At a limit, the oldest stranger is closed, of the address that has most strangers. So a host that only opens
        connections, however many, cannot keep a peer out.
        """
        full = len(self._connections) >= self.limits.max_connections
        if full or sum(it.is_stranger for it in self._connections) >= self.limits.max_strangers:
            self.connections_refused += 1
            if not self._make_room():
                self.closed["refused_full"] += 1
                return False
        self._connections[connection] = None
        return True

    def descriptors_exhausted(self) -> None:
        """Count that no file descriptor was left for a new connection, and close a stranger."""
        self.exhaustions[_LISTENER] += 1
        freed = self._make_room()
        _log.error("No descriptor is left to accept Diameter peers by; a stranger made room: %s", freed)

    def _make_room(self) -> bool:
        strangers = [it for it in self._connections if it.is_stranger]
        if not strangers:
            return False
        ((crowd, _),) = Counter(client_group(it.address) for it in strangers).most_common(1)
        stranger = next(it for it in strangers if client_group(it.address) == crowd)
        del self._connections[stranger]
        self.closed["evicted"] += 1
        stranger.abort()
        return True

    def forget(self, connection: PeerConnection) -> None:
        """Remove a closed connection; its unanswered requests are answered None."""
        self._connections.pop(connection, None)
        self._give_up(lambda asked: asked.connection is connection)
        if connection.origin_host is not None:
            self.peer_changed(connection.origin_host)
        if not self._connections:
            self._all_gone.set()

    def peer_changed(self, origin_host: str) -> None:
        """Tell the applications the Origin-State-Ids of a peer, after one of its connections opened or closed."""
        name = origin_host.lower()
        state_ids = frozenset(
            it.origin_state_id
            for it in self._connections
            if it.is_open and it.origin_state_id is not None and (it.origin_host or "").lower() == name
        )
        for application in self.applications.values():
            application.peer_changed(origin_host, state_ids)

    def check_peer(self, connection: PeerConnection, theirs: Capabilities) -> frozenset[int]:
        """Return the applications that are served to a peer.

        Raises:
            DiameterError: 3010 it may not connect from there, or its certificate does not have its name; 5010 no
                common application; 5017 it asks for in-band TLS.
        """
        name, certified = theirs.origin_host, connection.certified_names
        if not self.rules.admits(name, connection.address):
            self.refused_peers.note("identity", connection.address, name)
            raise DiameterError(ResultCode.UNKNOWN_PEER, f"{name} is not a peer from {connection.address}")
        if certified is not None and name.lower() not in certified:
            self.refused_peers.note("certificate", connection.address, name)
            raise DiameterError(ResultCode.UNKNOWN_PEER, f"the certificate does not name {name}")
        common = self.capabilities("0.0.0.0", name).common_applications(theirs)
        if not common:
            self.refused_peers.note("application", connection.address, name)
            raise DiameterError(ResultCode.NO_COMMON_APPLICATION, "no application is served to both")
        theirs.check_security()
        return common

    def capabilities(self, local_address: str, origin_host: str) -> Capabilities:
        """Return the capabilities that this node offers to a peer, on a connection to that local address."""
        served = [it for it in self.applications.values() if self.rules.serves(it.application_id, origin_host)]
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
        """Return new Hop-by-Hop and End-to-End Identifiers."""
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
