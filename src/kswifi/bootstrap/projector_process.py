"""The projector of sessions: within the server process, or in a child of its own where the server serves a network.

A network's charging needs its loop and its interpreter for itself, so there the projector is a child. The parent
writes to the child's input which users have an event stream open: ``+user_id`` or ``-user_id``, a line each. The
child writes an octet to its output for each kind of thing that it has announced: that wakes the parent's followers.
"""

import asyncio
import contextlib
import os
from collections.abc import Callable, Collection
from typing import Final

from kswifi.api.edge.streams import EventStreams
from kswifi.bootstrap.child_process import ChildProcess, ReadOnlyLedger
from kswifi.bootstrap.clock import child_clock
from kswifi.bootstrap.process import configure_logging, stop_event
from kswifi.data_directory.ballast import spent
from kswifi.data_directory.layout import installation_of
from kswifi.database.engine import Database
from kswifi.ledger.client import LedgerClient
from kswifi.ledger.storage.sqlite_journal import SqliteJournalReader
from kswifi.outbox.service import EVENTS_TOPIC, WORK_TOPIC
from kswifi.sessions.projector import Pace, Projector
from kswifi.settings import Settings

COMMAND: Final = "sessions-projector"
CHILD_PACE: Final = Pace(records_at_once=500, look_seconds=0.1, leaves_gaps=True)
_OCTET_OF: Final = {EVENTS_TOPIC: b"e", WORK_TOPIC: b"w"}
_TOPIC_OF: Final = {octet[0]: topic for topic, octet in _OCTET_OF.items()}
_READ_OCTETS: Final = 4096


async def project_sessions(settings: Settings, end_of_input: int, output: int) -> None:
    """Project until told to stop: the child."""
    configure_logging(settings)
    watched = WatchedUsers()
    stop = stop_event(end_of_input, watched.hear)
    os.set_blocking(output, False)
    installation = installation_of(settings)
    database = Database(installation.database_url, child_clock(settings, installation))
    database.is_short = lambda: spent(installation.ballast, settings.ballast_octets)
    for topic, octet in _OCTET_OF.items():
        database.subscribe(topic, _writer(output, octet))
    journal = SqliteJournalReader(installation.ledger_dir)
    projector = Projector(
        database, ReadOnlyLedger(journal), settings.free_rules, pace=CHILD_PACE, watched_by=watched.users
    )
    projecting = asyncio.create_task(projector.run(), name=COMMAND)
    stopping = asyncio.create_task(stop.wait())
    try:
        await asyncio.wait((projecting, stopping), return_when=asyncio.FIRST_COMPLETED)
        projector.stop()
        await projecting
    finally:
        stopping.cancel()
        journal.close()
        await database.close()


class WatchedUsers:
    """The users whose names came in lines, in pieces of any size."""

    def __init__(self) -> None:
        self._users: set[str] = set()
        self._rest = b""

    def hear(self, octets: bytes) -> None:
        """Take the next octets."""
        *lines, self._rest = (self._rest + octets).split(b"\n")
        for line in lines:
            change = self._users.add if line.startswith(b"+") else self._users.discard
            change(line[1:].decode())

    def users(self) -> Collection[str]:
        """Return the users as they are now."""
        return self._users


class ProjectorProcess(ChildProcess):
    """The child as its parent sees it; ``wake`` takes what the ledger calls, and the child looks by itself."""

    def __init__(self, settings: Settings, database: Database, streams: EventStreams) -> None:
        super().__init__(settings, COMMAND)
        self._database = database
        self._streams = streams

    def wake(self, _sequence: int = 0) -> None:
        """Do nothing: the child looks at the journal often enough."""

    async def talk(self, child: asyncio.subprocess.Process) -> None:
        """Tell the child who watches, and wake those who wait for what it has announced."""
        stdin, stdout = child.stdin, child.stdout
        if stdin is None or stdout is None:
            return

        def tell(user_id: str, watches: bool, /) -> None:
            if not stdin.is_closing():
                stdin.write(f"{'+' if watches else '-'}{user_id}\n".encode())

        self._streams.watching = tell
        for user_id in self._streams.users():
            tell(user_id, True)
        while octets := await stdout.read(_READ_OCTETS):
            self._database.wake({_TOPIC_OF[octet] for octet in octets if octet in _TOPIC_OF})


def open_projector(
    settings: Settings, database: Database, ledger: LedgerClient, streams: EventStreams
) -> Projector | ProjectorProcess:
    """Return the projector of a server: on a small machine within the process, for a network in a child."""
    if settings.mode == "embedded":
        return Projector(database, ledger, settings.free_rules, watched_by=streams.users)
    return ProjectorProcess(settings, database, streams)


def _writer(output: int, octet: bytes) -> Callable[[], None]:
    def write() -> None:
        # A full pipe has woken the parent already; a closed one means that it is gone, which the input tells.
        with contextlib.suppress(BlockingIOError, BrokenPipeError):
            os.write(output, octet)

    return write
