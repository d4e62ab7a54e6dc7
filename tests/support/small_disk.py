"""A small disk that a test fills and empties: a file system of its own where one may be mounted, else a page limit.

Mounting needs rights that not every machine gives. SQLite's own page limit works everywhere: it makes SQLite fail
with the same SQLITE_FULL, at the same place. It knows no ballast, because no file gives pages back.
"""

import subprocess
import threading
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, suppress
from functools import cache
from pathlib import Path
from typing import Any, Final, Protocol

DISK_MEGABYTES: Final = 24
_MOST_PAGES: Final = 1 << 30
_PIECE: Final = bytes(1 << 16)


class SmallDisk(Protocol):
    """Where the data directory lies, and how it becomes full."""

    data_dir: Path
    alter: tuple[str, Any] | None
    """What changes the server process, as ``tests.support.system`` names it."""
    has_ballast: bool

    def fill(self, *, greedy: bool) -> None:
        """Leave no room; ``greedy``: also take what becomes free later."""

    def empty(self) -> None:
        """Give all of it back."""


class MountedDisk:
    """A tmpfs of 24 MB; a thread takes whatever becomes free, as a neighbour's log file would."""

    alter: tuple[str, Any] | None = None
    has_ballast = True

    def __init__(self, place: Path) -> None:
        self.data_dir = place / "var"
        self._rubbish = place / "rubbish"
        self._enough = threading.Event()
        self._filler: threading.Thread | None = None

    def fill(self, *, greedy: bool) -> None:
        self._enough.clear()
        if not greedy:
            self._enough.set()  # once is enough
        self._filler = threading.Thread(target=self._fill, daemon=True)
        self._filler.start()

    def empty(self) -> None:
        self._enough.set()
        if self._filler is not None:
            self._filler.join()
        self._rubbish.unlink(missing_ok=True)

    def _fill(self) -> None:
        with self._rubbish.open("ab", buffering=0) as file:
            while True:
                with suppress(OSError):
                    while file.write(_PIECE):
                        continue
                if self._enough.wait(0.02):
                    return


class LimitedPages:
    """The server's databases cannot grow while a flag file exists."""

    has_ballast = False

    def __init__(self, place: Path) -> None:
        self.data_dir = place / "var"
        self._flag = place / "full"
        self.alter: tuple[str, Any] | None = ("pages_limited_by", str(self._flag))

    def fill(self, *, greedy: bool) -> None:
        self._flag.touch()

    def empty(self) -> None:
        self._flag.unlink(missing_ok=True)


@contextmanager
def mounted_disk(place: Path) -> Iterator[SmallDisk]:
    place.mkdir()
    _mount(place, f"size={DISK_MEGABYTES}m")
    disk = MountedDisk(place)
    try:
        yield disk
    finally:
        disk.empty()
        subprocess.run(["umount", "-l", place], check=True, capture_output=True)


@contextmanager
def limited_pages(place: Path) -> Iterator[SmallDisk]:
    place.mkdir()
    yield LimitedPages(place)


@cache
def can_mount() -> bool:
    """Return whether this machine lets us mount a file system."""
    import tempfile

    with tempfile.TemporaryDirectory() as place:
        try:
            _mount(Path(place), "size=1m")
            subprocess.run(["umount", place], check=True, capture_output=True)
        except (OSError, subprocess.CalledProcessError):
            return False
    return True


def small_disk(means: str, place: Path) -> AbstractContextManager[SmallDisk]:
    return {"mounted": mounted_disk, "page_limit": limited_pages}[means](place)


def _mount(place: Path, options: str) -> None:
    subprocess.run(["mount", "-t", "tmpfs", "-o", options, "tmpfs", place], check=True, capture_output=True)


MEANS: Final = ["page_limit", *(["mounted"] if can_mount() else [])]
"""The means that work here; the page limit is always among them."""


def limit_pages(flag: str) -> None:
    """Let the databases of this process grow only while there is no such file: what ``LimitedPages`` alters."""
    from kswifi.data_directory.ballast import Ballast
    from kswifi.database import writer
    from kswifi.ledger.storage.sqlite_journal import SqliteJournal

    def limit(connection: Any) -> None:
        connection.execute(f"PRAGMA max_page_count = {1 if Path(flag).exists() else _MOST_PAGES}")

    append, transaction = SqliteJournal.append, vars(writer)["transaction"]

    def limited_append(self: SqliteJournal, record: Any) -> None:
        limit(self._writer)
        append(self, record)

    @contextmanager
    def limited_transaction(connection: Any) -> Iterator[None]:
        limit(connection.connection.driver_connection)
        with transaction(connection):
            yield

    free = vars(Ballast)["free_octets"].fget
    setattr(SqliteJournal, "append", limited_append)  # noqa: B010 - mypy refuses the assignment
    vars(writer)["transaction"] = limited_transaction
    setattr(Ballast, "free_octets", property(lambda self: 0 if Path(flag).exists() else free(self)))  # noqa: B010
