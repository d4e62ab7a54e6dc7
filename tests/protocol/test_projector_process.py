"""The projector as a child of the server: it receives who watches, wakes its parent, and is started again."""

import asyncio
import os
import signal
from collections.abc import Awaitable, Callable
from pathlib import Path

from kswifi.api.edge.streams import EventStreams
from kswifi.bench import charging_whole
from kswifi.bootstrap.projector_process import ProjectorProcess, WatchedUsers
from kswifi.data_directory.layout import Installation
from kswifi.database.engine import Database, sqlite_url
from kswifi.kernel.clock import SystemClock, unix_seconds
from kswifi.ledger.client import LedgerClient
from kswifi.ledger.commands import Ask, Commit, Reserve
from kswifi.ledger.storage.sqlite_journal import SqliteJournal
from kswifi.sessions.model import SessionState
from kswifi.sessions.projector import wholly_projected_sequence
from kswifi.sessions.store import BALANCE_CHANGED, STATE_CHANGED, find_session, get_balance
from kswifi.settings import load_settings

SESSION = charging_whole.session_id_of(0)
LINE = charging_whole.esim_id_of(0)


async def until(done: Callable[[], Awaitable[bool]], words: str) -> None:
    for _ in range(600):
        if await done():
            return
        await asyncio.sleep(0.05)
    raise AssertionError(words)


async def test_the_child_projects_wakes_and_is_started_again(tmp_path: Path) -> None:
    installation = Installation(tmp_path / "var")
    installation.open().close()
    for path in (installation.session_signing_key, installation.subscriber_key):
        path.write_bytes(bytes(range(32)))
    installation.pki_dir.mkdir(exist_ok=True)
    await charging_whole.seed(installation.data_dir, 2)
    clock = SystemClock()
    database = Database(sqlite_url(installation.control_database), clock)
    ledger = LedgerClient(SqliteJournal(installation.ledger_dir), clock)
    await ledger.start()
    streams = EventStreams(database)
    projector = ProjectorProcess(load_settings(data_dir=installation.data_dir, mode="own-core"), database, streams)
    running = asyncio.create_task(projector.run())
    expires = unix_seconds(clock.now()) + 3600

    async def used(octets: int) -> bool:
        balance, _ = await database.read(lambda connection: get_balance(connection, SESSION))
        return balance.used == octets

    async def is_started() -> bool:
        return projector.pid is not None

    async def is_another() -> bool:
        return projector.pid not in (None, first)

    try:
        await until(is_started, "no child was started")
        first = projector.pid
        assert first is not None
        await ledger.execute(Reserve("r", "gw;1", LINE, Ask(1_000, 1, expires)))
        with streams.open(charging_whole.USER_ID) as stream:
            after, _ = await stream.start_after(None)
            await ledger.execute(Commit("c1", "gw;1", 100, Ask(1_000, 1, expires)))
            kinds: list[str] = []
            async with asyncio.timeout(10):  # the stream looks every 60 seconds: only the child's wake is quicker
                async for events in stream.batches(after, 60):
                    kinds += [event.kind for event in events]
                    if STATE_CHANGED in kinds and BALANCE_CHANGED in kinds:
                        break
        await until(lambda: used(100), "the balance was not written")
        session = await database.read(lambda connection: find_session(connection, SESSION))
        assert session.state is SessionState.ACTIVE
        os.kill(first, signal.SIGKILL)
        await ledger.execute(Commit("c2", "gw;1", 23, Ask(1_000, 1, expires)))
        await until(is_another, "it was not started again")
        await until(lambda: used(123), "what was reported meanwhile is missing")
    finally:
        projector.stop()
        await running
        streams.close()
    assert await wholly_projected_sequence(database) == ledger.durable_sequence
    await ledger.close()
    await database.close()


def test_the_names_of_those_who_watch_come_in_any_pieces() -> None:
    words = b"+ada\n+bola\n-ada\n+obi\n+o"
    for size in range(1, len(words) + 1):
        watched = WatchedUsers()
        for start in range(0, len(words), size):
            watched.hear(words[start : start + size])
        assert set(watched.users()) == {"bola", "obi"}
