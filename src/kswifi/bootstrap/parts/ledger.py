"""The ledger: recovered from its snapshot and journal, and pruned of records that its readers have read."""

from collections.abc import Callable

import structlog

from kswifi.bootstrap.context import Context
from kswifi.bootstrap.part import Part
from kswifi.charging_records.projector import recorded_sequence
from kswifi.database.engine import Database
from kswifi.jobs.housekeeping import Chore
from kswifi.kernel.clock import unix_seconds
from kswifi.ledger.client import LedgerClient
from kswifi.ledger.closing import AccountClosing
from kswifi.ledger.state import Retention
from kswifi.ledger.storage.snapshot import SnapshotStore
from kswifi.ledger.storage.sqlite_journal import SqliteJournal
from kswifi.sessions.projector import projected_sequence, wholly_projected_sequence

_log = structlog.get_logger(__name__)


class JournalReaders:
    """Wakes the readers of the ledger's journal when a record is durable."""

    def __init__(self) -> None:
        self._wakes: list[Callable[[int], None]] = []

    def add(self, wake: Callable[[int], None]) -> None:
        """Call ``wake`` with the newest durable sequence from now on."""
        self._wakes.append(wake)

    def wake(self, sequence: int) -> None:
        """Wake all of them."""
        for wake in self._wakes:
            wake(sequence)


async def open_ledger(context: Context) -> Part:
    """Recover the ledger; it must hold at least what its readers have read of it.

    Raises:
        LedgerError: the journal is damaged, in use, or holds less than was read of it.
    """
    folder = context.installation.ledger_dir
    retention = Retention(ended_seconds=context.settings.account_retention_days * 86_400)
    snapshots = SnapshotStore(folder)
    ledger = LedgerClient(SqliteJournal(folder), context.clock, snapshots=snapshots, retention=retention)
    report = await ledger.start(
        max(await projected_sequence(context.database), await recorded_sequence(context.database))
    )
    context.stack.push_async_callback(ledger.close)
    readers = JournalReaders()
    ledger.fatal = context.supervisor.fail
    ledger.on_durable = readers.wake
    context.offer(ledger, readers)
    _log.info("ledger_recovered", sequence=report.sequence, records=report.records, seconds=report.seconds)

    async def prune() -> int:
        return await _prune_journal(context, context.database, ledger)

    async def answers() -> bool:
        return ledger.state is not None

    closing = AccountClosing(ledger, lambda: unix_seconds(context.clock.now()))
    chores: dict[str, Chore] = {"ended_accounts": closing.close_some, "ledger_journal": prune}
    return Part(chores=chores, checks={"ledger": answers})


async def _prune_journal(context: Context, database: Database, ledger: LedgerClient) -> int:
    """Drop a few old records of the journal that both of its readers have read."""
    days = context.settings.journal_retention_days
    if not days:
        return 0
    read_until = min(await wholly_projected_sequence(database), await recorded_sequence(database))
    return await ledger.prune(read_until, unix_seconds(context.clock.now()) - days * 86_400)
