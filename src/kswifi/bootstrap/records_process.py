"""Charging data records made in a process of their own, so that no request waits for them.

One process is one interpreter lock: making records in the process that charges took a quarter of every request. A
network's server therefore leaves it to a child, which follows the journal by itself. The child owns nothing: its
position in the journal is in the control database, so it may die and be started again at any moment.
"""

import asyncio
import os
from typing import Final

from kswifi.bootstrap.child_process import ChildProcess, ReadOnlyLedger
from kswifi.bootstrap.clock import child_clock
from kswifi.bootstrap.process import configure_logging, stop_event
from kswifi.charging_records.projector import EFFECTS_AT_ONCE, ChargingRecords
from kswifi.data_directory.ballast import spent
from kswifi.data_directory.layout import installation_of
from kswifi.database.engine import Database
from kswifi.ledger.storage.sqlite_journal import SqliteJournalReader
from kswifi.settings import Settings

COMMAND: Final = "charging-records"
LOOK_SECONDS: Final = 10.0
"""How often the child looks for more; what a session reported meanwhile is written as one."""
RECORDS_AT_ONCE: Final = 1_000
"""Read in one piece."""
_NICENESS: Final = 10
"""Records can wait a moment, answers cannot: on a machine that is full the child steps back."""


async def make_records(settings: Settings, end_of_input: int | None) -> None:
    """Make records until told to stop: the child."""
    configure_logging(settings)
    os.nice(_NICENESS)
    stop = stop_event(end_of_input)
    installation = installation_of(settings)
    database = Database(installation.database_url, child_clock(settings, installation))
    database.is_short = lambda: spent(installation.ballast, settings.ballast_octets)
    journal = SqliteJournalReader(installation.ledger_dir)
    records = ChargingRecords(
        database, ReadOnlyLedger(journal), LOOK_SECONDS, RECORDS_AT_ONCE, effects_at_once=EFFECTS_AT_ONCE
    )
    making = asyncio.create_task(records.run(), name=COMMAND)
    try:
        while not (stop.is_set() or making.done()):
            records.wake()
            try:
                async with asyncio.timeout(LOOK_SECONDS):
                    await stop.wait()
            except TimeoutError:
                continue
        records.stop()
        await making
    finally:
        journal.close()
        await database.close()


class RecordsProcess(ChildProcess):
    """The child as its parent sees it."""

    def __init__(self, settings: Settings) -> None:
        super().__init__(settings, COMMAND)
