"""The ledger's errors: invalid or refused commands, and a journal that failed or is damaged."""

from kswifi.kernel.errors import KswifiError


class LedgerError(KswifiError):
    """The root of the ledger's errors."""

    code = "ledger_error"


class InvalidCommandError(LedgerError):
    """A command with an impossible value: a negative amount, an empty identifier or one that is too long."""

    code = "invalid_command"


class LedgerBusyError(LedgerError):
    """The queue is full. The command was not applied and may be sent again."""

    code = "ledger_busy"


class LedgerClosedError(LedgerError):
    """The ledger is not started, or it is closing."""

    code = "ledger_closed"


class LedgerFailedError(LedgerError):
    """An append to the journal failed. Memory is discarded; only a restart from the journal recovers the state."""

    code = "ledger_failed"


class LedgerFullError(LedgerError):
    """The journal's file system is full. The record is known not to be written, and may be appended again."""

    code = "disk_full"


class LedgerDiskError(LedgerError):
    """The journal's disk is broken or read-only. Only a start from the journal shows what is on it."""

    code = "ledger_disk"


class LedgerDamagedError(LedgerError):
    """The journal, a snapshot or the head file is torn, altered or incomplete. Nothing was repaired or dropped."""

    code = "ledger_damaged"


class LedgerLockedError(LedgerError):
    """Another process owns this ledger."""

    code = "ledger_locked"


class LedgerVersionError(LedgerError):
    """The journal was written by a newer KSWiFi than this one."""

    code = "ledger_version"
