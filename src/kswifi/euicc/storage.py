"""Where a card keeps its state: one checksummed file in a directory, replaced whole, owner-only.

A write is complete or did not happen: temporary file, fsync, rename, fsync of the directory. So a process that is
killed at any moment leaves the state before or after its last command, never a mixture.
"""

import fcntl
import hashlib
import hmac
import os
from pathlib import Path
from typing import Final, Protocol, Self

from kswifi.euicc.errors import CardBusyError, CardDamagedError, CardExistsError, CardMissingError

_MAGIC: Final = b"KSWiFi-eUICC-1\n"
_DIGEST_OCTETS: Final = 32
_STATE_FILE: Final = "card.bin"
_NEW_FILE: Final = "card.new"
_LOCK_FILE: Final = "lock"
_STATE_MAX_OCTETS: Final = 16 * 1024 * 1024


class Storage(Protocol):
    """Keeps one card's octets; `save` returns only when they are durable, and raises OSError if they are not."""

    def create(self, state: bytes) -> None:
        """Keep a new card's state; raises CardExistsError if there is one."""
        ...

    def load(self) -> bytes:
        """Return the state; raises CardMissingError or CardDamagedError."""
        ...

    def save(self, state: bytes) -> None:
        """Replace the state, durably."""
        ...

    def close(self) -> None:
        """Let the card go."""
        ...


class DirectoryStorage:
    """One card in a directory, held by a lock so that no second process can use it at the same time."""

    def __init__(self, directory: Path, lock: int) -> None:
        self._directory = directory
        self._lock: int | None = lock

    @classmethod
    def open(cls, directory: Path) -> Self:
        """Take hold of a directory.

        Raises:
            CardMissingError: there is no such directory.
            CardBusyError: another process, or this one a second time, holds it.
        """
        try:
            lock = os.open(directory / _LOCK_FILE, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        except FileNotFoundError as error:
            raise CardMissingError("there is no such directory", directory=str(directory)) from error
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            os.close(lock)
            raise CardBusyError("another process is using this card", directory=str(directory)) from error
        return cls(directory, lock)

    def create(self, state: bytes) -> None:
        """Keep a new card's state."""
        if (self._directory / _STATE_FILE).exists():
            raise CardExistsError("this directory has a card already", directory=str(self._directory))
        self.save(state)

    def load(self) -> bytes:
        """Return the state after checking that it is what was written."""
        path = self._directory / _STATE_FILE
        try:
            if path.stat().st_size > _STATE_MAX_OCTETS:
                raise CardDamagedError("the card's file is larger than any card", file=str(path))
            octets = path.read_bytes()
        except FileNotFoundError as error:
            raise CardMissingError("this directory has no card", directory=str(self._directory)) from error
        body = octets[len(_MAGIC) + _DIGEST_OCTETS :]
        digest = octets[len(_MAGIC) : len(_MAGIC) + _DIGEST_OCTETS]
        if not octets.startswith(_MAGIC) or not hmac.compare_digest(digest, hashlib.sha256(body).digest()):
            raise CardDamagedError("the card's file is damaged: its checksum is wrong", file=str(path))
        return body

    def save(self, state: bytes) -> None:
        """Replace the state: written aside, made durable, then put in place."""
        new = self._directory / _NEW_FILE
        descriptor = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
        with os.fdopen(descriptor, "wb") as file:
            file.write(_MAGIC + hashlib.sha256(state).digest() + state)
            file.flush()
            os.fsync(file.fileno())
        os.replace(new, self._directory / _STATE_FILE)  # noqa: PTH105 - one call to break in tests, as fsync
        directory = os.open(self._directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            os.fsync(directory)
        finally:
            os.close(directory)

    def close(self) -> None:
        """Let the directory go; a second call does nothing."""
        if self._lock is not None:
            os.close(self._lock)
            self._lock = None
