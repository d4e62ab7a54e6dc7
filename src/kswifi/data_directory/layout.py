"""The data directory: its parts, their permissions, its lock, and the check that no part is lost.

Losing a part would lose keys, so no part is made anew while a part that depends on it exists. The first start makes
the parts in a fixed order. A part that is missing while a later one exists is lost: the server refuses to start and
names it.
"""

import fcntl
import os
from collections.abc import Callable
from pathlib import Path
from typing import Self

from sqlalchemy import URL

from kswifi.database.engine import sqlite_url
from kswifi.kernel.errors import Refusal, RefusedError
from kswifi.kernel.files import OWNER_ONLY_DIRECTORY, OWNER_ONLY_FILE, write_owner_only
from kswifi.settings import Settings

INSTALLATION_DAMAGED = Refusal(
    "installation_damaged", "A part of the data directory is missing although others depend on it."
)
INSTALLATION_FILE_DAMAGED = Refusal(
    "installation_file_damaged", "A file of the data directory does not hold what was written to it."
)
INSTALLATION_BUSY = Refusal("installation_busy", "Another server works on this data directory.")


def installation_of(settings: Settings) -> "Installation":
    """Return the installation that the settings name."""
    url = settings.database_url
    return Installation(settings.data_dir, None if url is None else url.get_secret_value())


class Installation:
    """One data directory, which one server at a time opens."""

    def __init__(self, data_dir: Path, database_url: str | None = None) -> None:
        self.data_dir = data_dir
        self._database_url = database_url
        self.keys_dir = data_dir / "keys"
        self.session_signing_key = self.keys_dir / "session-signing.pem"
        self.retired_signing_keys = self.keys_dir / "session-signing-retired.json"
        self.subscriber_key = self.keys_dir / "subscriber-keys.bin"
        self.sandbox_key = self.keys_dir / "sandbox-gateway.key"
        self.rehearsal_provider_key = self.keys_dir / "rehearsal-provider.key"
        self.lan_ca = self.keys_dir / "lan-ca.pem"
        self.lan_certificate = self.keys_dir / "lan-server.pem"
        self.vapid_key = self.keys_dir / "vapid.pem"
        self.control_database = data_dir / "control.db"
        self.ledger_dir = data_dir / "ledger"
        self.ledger_journal = self.ledger_dir / "ledger.db"
        self.origin_state_id = data_dir / "origin-state-id"
        self.pki_dir = data_dir / "pki"
        self.pki_not_needed = data_dir / "pki-not-needed"
        self.tls_dir = data_dir / "tls"
        self.lab_dir = data_dir / "lab"
        self.log_dir = data_dir / "log"
        self.ballast = data_dir / "ballast"
        self.clock = data_dir / "clock"
        self.clock_confirmation = data_dir / "clock-confirmed"
        self._lock: int | None = None

    @property
    def parts_in_order(self) -> tuple[Path, ...]:
        """The parts that must never be lost, in the order in which the first start makes them."""
        control = () if self._database_url else (self.control_database,)
        pki = () if self.pki_not_needed.is_file() else (self.pki_dir,)
        return self.session_signing_key, self.subscriber_key, *control, *pki, self.ledger_journal

    @property
    def database_url(self) -> str | URL:
        """The URL of the control plane's database: the file control.db, unless the settings name a server."""
        return self._database_url or sqlite_url(self.control_database)

    @property
    def has_database(self) -> bool:
        """Whether the file control.db exists, or the settings name a database server."""
        return self._database_url is not None or self.control_database.is_file()

    def open(self) -> Self:
        """Make the folders, take the lock and check that no part is missing.

        Raises:
            INSTALLATION_BUSY: another server has it.
            INSTALLATION_DAMAGED: a part is missing while a later one is there.
        """
        for folder in (self.data_dir, self.keys_dir, self.ledger_dir, self.log_dir):
            folder.mkdir(mode=OWNER_ONLY_DIRECTORY, parents=True, exist_ok=True)
        self._take_lock()
        self.check()
        return self

    def check(self) -> None:
        """Refuse an installation that has lost a part; an empty file or folder counts as missing.

        Raises:
            InstallationDamagedError: a part is missing while a later one exists.
        """
        present = [_is_there(part) for part in self.parts_in_order]
        # A PKI does not imply the earlier parts: an operator may make or import it before the first start.
        told_by = [there and part != self.pki_dir for part, there in zip(self.parts_in_order, present, strict=True)]
        newest = max((place for place, told in enumerate(told_by) if told), default=0)
        lost = [part.name for part, there in zip(self.parts_in_order[:newest], present, strict=False) if not there]
        if lost:
            raise INSTALLATION_DAMAGED(
                f"{self.data_dir} has lost {', '.join(lost)}. Bring it back with `kswifi restore FILE`, or start "
                "afresh with another KSWIFI_DATA_DIR. Nothing was made anew: what the lost part held cannot be.",
                data_dir=str(self.data_dir),
                lost=", ".join(lost),
            )

    def note_pki_not_needed(self) -> None:
        """Note, unless there is a PKI, that data providers deliver profiles: a missing PKI is then not lost."""
        if not _is_there(self.pki_dir) and not self.pki_not_needed.is_file():
            write_owner_only(self.pki_not_needed, b"Data providers deliver the profiles (KSWIFI_MODE=resold).\n")

    def note_pki_made(self) -> None:
        """Note that there is a PKI from now on, whose loss must be found."""
        self.pki_not_needed.unlink(missing_ok=True)

    def read_or_make(self, path: Path, make: Callable[[], bytes]) -> bytes:
        """Return the content of the file; if it does not exist, write what ``make`` returns, for its owner only."""
        if path.exists():
            return path.read_bytes()
        fresh = make()
        write_owner_only(path, fresh)
        return fresh

    def read_or_make_text(self, path: Path, make: Callable[[], str], is_sound: Callable[[str], bool]) -> str:
        """Return the text of the file, for which ``is_sound`` is true; make the file if it does not exist.

        Raises:
            INSTALLATION_FILE_DAMAGED: the file holds something else; it is left as it is.
        """
        text = self.read_or_make(path, lambda: make().encode()).decode("ascii", "replace").strip()
        if not is_sound(text):
            raise file_damaged(path)
        return text

    def note_keys_leaving(self, line: str) -> None:
        """Append a line to the log of exported keys and flush it to disk; call it before the keys leave."""
        self.log_dir.mkdir(mode=OWNER_ONLY_DIRECTORY, exist_ok=True)
        path = self.log_dir / "subscribers.log"
        handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, OWNER_ONLY_FILE)
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            file.write(line)
            file.flush()
            os.fsync(file.fileno())

    def close(self) -> None:
        """Release the lock."""
        if self._lock is not None:
            os.close(self._lock)
            self._lock = None

    def _take_lock(self) -> None:
        lock = os.open(self.data_dir / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, OWNER_ONLY_FILE)
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(lock)
            raise INSTALLATION_BUSY(
                f"another KSWiFi server works on {self.data_dir}: stop it first, or set KSWIFI_DATA_DIR",
                data_dir=str(self.data_dir),
            ) from None
        self._lock = lock


def file_damaged(path: Path) -> RefusedError:
    """Return the refusal of a damaged file of which a new one may be made."""
    return INSTALLATION_FILE_DAMAGED(
        f"{path} is damaged and was left as it is. Move it away: the next start makes a new one.", path=str(path)
    )


def _is_there(part: Path) -> bool:
    return any(part.iterdir()) if part.is_dir() else part.exists() and part.stat().st_size > 0
