"""The clock of the server and of its children: guarded against jumps, from the last run on."""

from pathlib import Path
from typing import Final

from kswifi.data_directory.clock_file import LastReading, read_reading
from kswifi.data_directory.layout import Installation
from kswifi.kernel.clock import Clock, SystemClock
from kswifi.kernel.clock_guard import FollowingClock, GuardedClock, machine_reader
from kswifi.ledger.errors import LedgerError
from kswifi.ledger.storage.journal import instant_of
from kswifi.ledger.storage.sqlite_journal import FILE_NAME, SqliteJournalReader
from kswifi.settings import Settings

_DAY_SECONDS: Final = 86_400


def server_clock(settings: Settings, installation: Installation, *, confirms: bool = True) -> Clock:
    """Return the clock of a server that starts: it knows the last run, the ledger, and a person's confirmation.

    ``confirms`` is False for a look only, which leaves the confirmation for the server.
    """
    if not settings.clock_jump_seconds:
        return SystemClock()
    clock = GuardedClock(
        machine_reader(),
        read_reading(installation.clock),
        at_least=_last_instant(installation.ledger_dir),
        jump_seconds=settings.clock_jump_seconds,
        off_seconds=settings.clock_off_days * _DAY_SECONDS,
    )
    if confirms:
        take_confirmation(clock, installation)
    return clock


def child_clock(settings: Settings, installation: Installation) -> Clock:
    """Return the clock of a child of the server: the time that the server believes."""
    if not settings.clock_jump_seconds:
        return SystemClock()
    return FollowingClock(machine_reader(), LastReading(installation.clock))


def take_confirmation(clock: GuardedClock, installation: Installation) -> bool:
    """Take what `kswifi clock confirm` has written, once; return whether the wall clock is believed for it."""
    confirmed = read_reading(installation.clock_confirmation)
    if confirmed is None:
        return False
    installation.clock_confirmation.unlink(missing_ok=True)
    return clock.confirmed_at(confirmed)


def _last_instant(ledger_dir: Path) -> float:
    """Return when the ledger's last record was written; 0 for no ledger, or one that cannot be read."""
    if not (ledger_dir / FILE_NAME).exists():
        return 0.0
    try:
        journal = SqliteJournalReader(ledger_dir)
        try:
            end = journal.open()
            return max((instant_of(it) for it in journal.read(end.sequence - 1, 1)), default=0)
        finally:
            journal.close()
    except LedgerError:
        return 0.0  # the ledger's own start says what is wrong with it
