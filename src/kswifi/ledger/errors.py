"""What the ledger refuses, and how it says that it can no longer be believed."""

from kswifi.kernel.errors import KswifiError


class LedgerError(KswifiError):
    """The root of the ledger's errors."""

    code = "ledger_error"


class InvalidCommandError(LedgerError):
    """A command that nobody should have made: a negative amount, an empty or endless identifier."""

    code = "invalid_command"


class LedgerBusyError(LedgerError):
    """The queue is full; the command was turned away before it was applied, so it may be sent again."""

    code = "ledger_busy"


class LedgerClosedError(LedgerError):
    """The ledger is not started, or is being closed."""

    code = "ledger_closed"


class LedgerFailedError(LedgerError):
    """An append failed: memory is discarded, and only a restart from the journal tells what is true."""

    code = "ledger_failed"


class LedgerDamagedError(LedgerError):
    """The journal or what belongs to it is torn, altered or incomplete; nothing was repaired or dropped."""

    code = "ledger_damaged"


class LedgerLockedError(LedgerError):
    """Another process owns this ledger."""

    code = "ledger_locked"


class LedgerVersionError(LedgerError):
    """The journal was written by a newer KSWiFi than this one."""

    code = "ledger_version"
