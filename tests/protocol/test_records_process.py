"""Charging data records made by a child process: killed, started again, and whole when it was stopped."""

import asyncio
import os
import signal
from collections.abc import Callable
from pathlib import Path

from kswifi.bootstrap.records_process import RecordsProcess
from kswifi.data_directory.layout import Installation
from kswifi.database.engine import Database, sqlite_url
from kswifi.database.migrate import migrate
from kswifi.ledger.client import LedgerClient
from kswifi.ledger.storage.sqlite_journal import SqliteJournal
from kswifi.settings import load_settings
from tests.support.charging import INITIAL, TERMINATION, UPDATE, request, units
from tests.support.charging_records import Recorded
from tests.support.clocks import ManualClock
from tests.support.databases import START

MB = 1_000_000


async def until(done: Callable[[], bool], words: str) -> None:
    for _ in range(600):
        if done():
            return
        await asyncio.sleep(0.05)
    raise AssertionError(words)


async def test_a_child_process_makes_records_also_after_it_was_killed(tmp_path: Path) -> None:
    installation = Installation(tmp_path / "var").open()
    database = Database(sqlite_url(installation.control_database), ManualClock(START))
    await migrate(database)
    clock = ManualClock(START)
    ledger = LedgerClient(SqliteJournal(installation.ledger_dir), clock)
    await ledger.start()
    charging = Recorded(database, ledger, clock)
    await charging.credit("a", 100 * MB)
    records = RecordsProcess(load_settings(data_dir=installation.data_dir, mode="own-core"))
    running = asyncio.create_task(records.run())
    try:
        await until(lambda: records.pid is not None, "no child was started")
        first = records.pid
        await charging.ask(request(INITIAL, 0, units()))
        await charging.ask(request(UPDATE, 1, units(3 * MB)))
        assert first is not None
        os.kill(first, signal.SIGKILL)
        await until(lambda: records.pid not in (None, first), "it was not started again")
        await charging.ask(request(TERMINATION, 2, units(2 * MB, wants=False)))
    finally:
        records.stop()
        await running
    (record,) = await charging.found()
    assert (record.octets, record.cause) == (5 * MB, "termination")
    assert record.closed_at is not None
    await ledger.close()
    await database.close()
    installation.close()
