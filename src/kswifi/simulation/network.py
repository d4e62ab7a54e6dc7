"""The network between a core and the server: it delays messages, and sometimes drops, doubles or reorders them."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Final

from kswifi.diameter.constants import APPLICATION_BASE, APPLICATION_CREDIT_CONTROL
from kswifi.diameter.framing import MessageFramer
from kswifi.diameter.header import peek_header
from kswifi.diameter.messages.base import Capabilities, CapabilitiesExchangeRequest
from kswifi.simulation.server import REALM, SimulatedServer, Wire
from kswifi.simulation.world import World

_DIAL_AGAIN_SECONDS: Final = 0.5


@dataclass(frozen=True, slots=True, kw_only=True)
class Weather:
    """The faults of the network: latency in seconds for each direction, and the probability of each fault."""

    latency_seconds: float = 0.005
    dropped: float = 0.0
    doubled: float = 0.0
    delayed: float = 0.0
    """Probability that a message is overtaken by later ones."""
    delay_seconds: float = 2.0


class Link:
    """A core's connection to the server; it reconnects until it succeeds."""

    def __init__(
        self,
        world: World,
        server: SimulatedServer,
        host: str,
        receive: Callable[[bytes], None],
        up: Callable[[], None],
    ) -> None:
        self.weather = Weather()
        self.overhear: Callable[[bytes], None] = lambda _: None
        """Called with each message that the server sends, whether it arrives or not."""
        self._world = world
        self._server = server
        self._host = host
        self._receive = receive
        self._up = up
        self._wire: Wire | None = None
        self._era = 0
        """The number of restarts of the core: messages sent to it before a restart do not arrive after it."""
        self._framer = MessageFramer()
        self.is_open = False
        self.origin_state_id = 1
        """The Origin-State-Id of the core (RFC 6733, 8.16)."""

    def dial(self) -> None:
        """Connect and send the CER (RFC 6733, 5.3)."""
        self._framer = MessageFramer()
        self._wire = self._server.dial(self._written, self._lost)
        if self._wire is None:
            self._world.after(_DIAL_AGAIN_SECONDS, self.dial)
            return
        mine = Capabilities(
            origin_host=self._host,
            origin_realm=REALM,
            host_ip_addresses=("192.0.2.1",),
            auth_application_ids=(APPLICATION_CREDIT_CONTROL,),
            origin_state_id=self.origin_state_id,
        )
        self._arrive_there(self._wire, CapabilitiesExchangeRequest(capabilities=mine).encode())

    def send(self, message: bytes) -> None:
        """Send a message if the server is connected. A lost request is repeated by its core."""
        if self._wire is not None and self.is_open:
            self._carry(partial(self._arrive_there, self._wire, message))

    def restart(self) -> None:
        """Drop the connection and all messages in flight, and reconnect with a higher Origin-State-Id."""
        self.origin_state_id += 1
        self._era += 1
        if self._wire is not None:
            self._wire.close()

    def _arrive_there(self, wire: Wire, message: bytes) -> None:
        if wire.protocol is not None and not wire.is_closing():
            wire.protocol.data_received(message)

    def _written(self, octets: bytes) -> None:
        for message in self._framer.feed(octets):
            if peek_header(message).application_id == APPLICATION_BASE:
                self.is_open = True  # the CEA, the only base message that this server sends here
                self._world.after(0, self._up)
            else:
                self.overhear(message)
                self._carry(partial(self._arrive_here, self._era, message))

    def _arrive_here(self, era: int, message: bytes) -> None:
        if era == self._era:
            self._receive(message)

    def _lost(self) -> None:
        self.is_open = False
        self._wire = None
        self._world.after(_DIAL_AGAIN_SECONDS, self.dial)

    def _carry(self, arrive: Callable[[], None]) -> None:
        chance, weather = self._world.random, self.weather
        for _ in range(2 if chance.random() < weather.doubled else 1):
            if chance.random() < weather.dropped:
                continue
            seconds = weather.latency_seconds
            if chance.random() < weather.delayed:
                seconds += chance.uniform(0, weather.delay_seconds)
            self._world.after(seconds, arrive)
