"""The errors of the database itself."""

from kswifi.kernel.errors import KswifiError


class DatabaseDamagedError(KswifiError):
    """The file is damaged; it is left unchanged, for a restore or an expert."""

    code = "database_damaged"


class DatabaseBusyError(KswifiError):
    """The database was locked or busy until the time limit; nothing was done."""

    code = "database_busy"


class CommitUnknownError(KswifiError):
    """The connection was lost while a transaction was committed: it may have been written, or not."""

    code = "commit_unknown"


class DatabaseFullError(DatabaseBusyError):
    """The disk is full, or nearly so; nothing was written, and it can be tried again once there is room."""

    code = "disk_full"


class DatabaseDiskError(KswifiError):
    """The disk is broken or read-only; after a write it is unknown what is on it."""

    code = "database_disk"


class DatabaseNewerError(KswifiError):
    """A newer version of KSWiFi has migrated the database; this version does not know its tables."""

    code = "database_newer"


class UnsupportedDatabaseError(KswifiError):
    """The URL names a kind of database that KSWiFi does not support."""

    code = "unsupported_database"
