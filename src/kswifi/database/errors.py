"""What can go wrong with the database itself."""

from kswifi.kernel.errors import KswifiError


class DatabaseDamagedError(KswifiError):
    """The file is not a sound database; it is left as it is, for a restore or an expert."""

    code = "database_damaged"


class DatabaseBusyError(KswifiError):
    """Nobody gave the database free within the time limit; nothing was done."""

    code = "database_busy"


class DatabaseNewerError(KswifiError):
    """A newer KSWiFi has migrated the database; this one does not know its tables."""

    code = "database_newer"


class UnsupportedDatabaseError(KswifiError):
    """The URL names a database that KSWiFi does not run on."""

    code = "unsupported_database"
