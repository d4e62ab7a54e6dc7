"""The server under test: the product's node, Gy, charging and ledger, started again after each crash."""

import asyncio
from collections.abc import Callable
from functools import partial
from typing import Any, Final

from kswifi.charging.policy import ChargingPolicy
from kswifi.charging.re_auth import AnnouncingLedger
from kswifi.charging.service import ChargingService
from kswifi.kernel.clock import unix_seconds
from kswifi.ledger.client import LedgerClient
from kswifi.ledger.closing import AccountClosing
from kswifi.ledger.commands import Close, Command, Outcome
from kswifi.ledger.errors import LedgerError
from kswifi.ledger.state import LedgerState, Retention
from kswifi.ledger.storage.recovery import recover
from kswifi.servers.diameter.application import NodeIdentity
from kswifi.servers.diameter.delayed_refusals import DelayedRefusals
from kswifi.servers.diameter.gy import GyApplication
from kswifi.servers.diameter.node import DiameterNode
from kswifi.servers.diameter.peer_connection import PeerConnection
from kswifi.simulation.disk import SimulatedDisk
from kswifi.simulation.errors import PowerLostError
from kswifi.simulation.snapshots import SimulatedSnapshots
from kswifi.simulation.world import World

REALM: Final = "localdomain"
_SWEEP_SECONDS: Final = 2.0
RETENTION: Final = Retention(ended_seconds=10)
"""Ended accounts are closed soon, so that a run covers it; reservations are remembered as long as in production."""
_COMMAND_AGAIN_SECONDS: Final = 1.0


class Wire(asyncio.Transport):
    """The server's end of a connection; what it writes goes to the peer that connected."""

    def __init__(self, loop: asyncio.AbstractEventLoop, written: Callable[[bytes], None], lost: Callable[[], None]):
        super().__init__({"peername": ("127.0.0.1", 0)})
        self._loop = loop
        self._written = written
        self._lost = lost
        self._closing = False
        self.protocol: PeerConnection | None = None

    def write(self, data: Any) -> None:
        """Send octets."""
        if not self._closing:
            self._written(bytes(data))

    def set_write_buffer_limits(self, high: int | None = None, low: int | None = None) -> None:
        """Ignore the limits: a simulated peer always reads."""

    def pause_reading(self) -> None:
        """Ignore: few messages are in flight."""

    def resume_reading(self) -> None:
        """Ignore, as ``pause_reading``."""

    def is_closing(self) -> bool:
        """Return whether it is closed."""
        return self._closing

    def abort(self) -> None:
        """Close."""
        self.close()

    def close(self) -> None:
        """Close and notify both ends."""
        if not self._closing:
            self._closing = True
            if self.protocol is not None:
                self._loop.call_soon(self.protocol.connection_lost, None)
            self._lost()


class _ClosingLedger:
    """The ledger as account closing uses it; records an account's octets before the account is forgotten."""

    def __init__(self, ledger: LedgerClient, closed: dict[str, int], closed_sent: dict[str, int]) -> None:
        self._ledger = ledger
        self._closed = closed
        self._closed_sent = closed_sent

    @property
    def state(self) -> LedgerState:
        return self._ledger.state

    async def execute(self, command: Command) -> Outcome:
        if isinstance(command, Close) and command.account_id in self.state.accounts:
            account = self.state.accounts[command.account_id]
            self._closed[command.account_id] = account.used + account.overrun
            self._closed_sent[command.account_id] = account.transferred_out - account.transferred_in
        return await self._ledger.execute(command)


class SimulatedServer:
    """A series of server processes on one disk.

    Attributes:
        sync_seconds: how long the disk needs for a record.
        fault: called at every synchronisation; returns the fraction kept and the error, or None for success.
        recovered: called after every start.
    """

    def __init__(
        self, world: World, policy: ChargingPolicy, sync_seconds: float, refusal_delay_seconds: float = 0.0
    ) -> None:
        self.disk = SimulatedDisk()
        self.snapshots = SimulatedSnapshots()
        self.snapshots_made = self.records_pruned = 0
        self.sync_seconds = sync_seconds
        self.fault: Callable[[], tuple[float, Exception] | None] = lambda: None
        self.recovered: Callable[[], None] = lambda: None
        self.crashes = 0
        self.accounts_closed = 0
        self.closed: dict[str, int] = {}
        """Octets of each account that was about to be closed; afterwards the ledger no longer has them."""
        self.closed_sent: dict[str, int] = {}
        """Octets that each such account sent, minus those it received."""
        self.is_up = False
        self._world = world
        self._policy = policy
        self._refusal_delay_seconds = refusal_delay_seconds
        self._process = 0
        self._syncing = False
        self._wires: list[Wire] = []

    def start(self) -> None:
        """Start a process: recover the ledger, rebuild the open ChargingSessions, accept peers."""
        world = self._world
        self._process += 1
        self.ledger = LedgerClient(self.disk, world, snapshots=self.snapshots, retention=RETENTION)
        self.closing = AccountClosing(
            _ClosingLedger(self.ledger, self.closed, self.closed_sent), lambda: unix_seconds(world.now())
        )
        world.loop.complete(self.ledger.start(at_least=self.disk.acknowledged))
        self.service = ChargingService(self.ledger, world, self._policy)
        identity = NodeIdentity("ocs.localdomain", REALM, 1)
        gy = GyApplication(self.service, identity, refusals=DelayedRefusals(self._refusal_delay_seconds))
        self.node = DiameterNode(host="", port=0, identity=identity, applications=(gy,))
        gy.connect(self.node.ask)
        self.service.recover()
        self._announcing = AnnouncingLedger(self.ledger, lambda: self.ledger.state, self.service.notices)
        self.is_up = True
        self.recovered()
        self._sweep(self._process)

    def dial(self, written: Callable[[bytes], None], lost: Callable[[], None]) -> Wire | None:
        """Connect to the server; None while it is down."""
        if not self.is_up:
            return None
        wire = Wire(self._world.loop, written, lost)
        wire.protocol = PeerConnection(self.node)
        wire.protocol.connection_made(wire)
        self._wires.append(wire)
        return wire

    def execute(self, command: Command, done: Callable[[Outcome], None]) -> None:
        """Execute a command as the control plane does: repeat it under the same id until it has an outcome."""
        again = partial(self._world.after, _COMMAND_AGAIN_SECONDS, partial(self.execute, command, done))
        if not self.is_up:
            again()
            return

        def ended(task: "asyncio.Task[Outcome]") -> None:
            if task.exception() is None:
                done(task.result())
            elif isinstance(task.exception(), LedgerError):
                again()

        self._world.loop.create_task(self._announcing.execute(command)).add_done_callback(ended)

    def look_after(self) -> None:
        """Start the synchronisation of a record that was written; called after every event."""
        if self.is_up and not self._syncing and self.ledger.figures.records_in_flight:
            self._syncing = True
            self._world.after(self.sync_seconds, partial(self._synced, self._process))

    def crash(self, kept: float, failure: Exception | None = None) -> None:
        """End the process at once; the fraction ``kept`` of a record in progress stays on the disk."""
        if not self.is_up:
            return
        self.crashes += 1
        self.is_up = False
        if self._syncing:
            self._syncing = False
            self.disk.finish(kept, failure or PowerLostError())
            self._world.loop.take_from_thread()
            self._world.loop.drain()
        wires, self._wires = self._wires, []
        for wire in wires:
            wire.close()
        self._world.loop.complete(self.ledger.close())
        self._world.after(self._world.random.uniform(0.2, 4.0), self.start)

    def take_snapshot(self, kept_seconds: int) -> None:
        """Make a snapshot as the separate process does, and prune older records; not while a record is written."""
        if not self.is_up or self._syncing or self.ledger.figures.records_in_flight:
            return
        recovered = recover(self.disk, self.disk.head(), self.snapshots)
        self.snapshots.keep(recovered.state, recovered.head)
        self.snapshots_made += 1
        since = unix_seconds(self._world.now()) - kept_seconds
        pruning = self._world.loop.create_task(self.ledger.prune(self.ledger.durable_sequence, since))
        self._world.loop.drain()
        while not pruning.done():  # the writer thread prunes, and reports from its thread
            self._world.loop.take_from_thread()
            self._world.loop.drain()
        self.records_pruned += pruning.result()

    def close_accounts(self) -> None:
        """Run the housekeeping that forgets ended accounts; after a crash the next run continues."""
        if self.is_up:
            self._world.loop.create_task(self._close_accounts())

    async def _close_accounts(self) -> None:
        try:
            self.accounts_closed += await self.closing.close_some()
        except LedgerError:
            return  # the process crashed

    def _synced(self, process: int) -> None:
        if process != self._process or not self.is_up:
            return
        fault = self.fault()
        if fault is not None:
            self.crash(*fault)
            return
        self._syncing = False
        self.disk.finish()
        self._world.loop.take_from_thread()

    def _sweep(self, process: int) -> None:
        if process == self._process and self.is_up:
            self.service.sweep()
            self._world.after(_SWEEP_SECONDS, partial(self._sweep, process))
