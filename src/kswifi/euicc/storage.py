"""Storage of a card's state: one checksummed file in a directory, replaced atomically, readable by its owner only.

A write is complete or has no effect: temporary file, fsync, rename, fsync of the directory. So after a crash
the file has the state before or after the last command, never a mixture.
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
    """Storage of one card's state. `save` returns only once it is durable, and raises OSError if it is not."""

    def create(self, state: bytes) -> None:
        """Store a new card's state; raise CardExistsError if there is a card."""
        ...

    def load(self) -> bytes:
        """Return the state; raise CardMissingError or CardDamagedError."""
        ...

    def save(self, state: bytes) -> None:
        """Replace the state. Durable on return."""
        ...

    def close(self) -> None:
        """Release the card."""
        ...


class DirectoryStorage:
    """One card in a directory, locked against use by a second process."""

    def __init__(self, directory: Path, lock: int) -> None:
        self._directory = directory
        self._lock: int | None = lock

    @classmethod
    def open(cls, directory: Path) -> Self:
        """Lock a card's directory.

        Raises:
            CardMissingError: the directory does not exist.
            CardBusyError: this or another process has locked it.
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
        """Store a new card's state; raise CardExistsError if there is a card."""
        if (self._directory / _STATE_FILE).exists():
            raise CardExistsError("this directory has a card already", directory=str(self._directory))
        self.save(state)

    def load(self) -> bytes:
        """Return the state after verifying its checksum."""
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
        """Replace the state atomically: write a temporary file, make it durable, rename it."""
        new = self._directory / _NEW_FILE
        descriptor = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
        with os.fdopen(descriptor, "wb") as file:
            file.write(_MAGIC + hashlib.sha256(state).digest() + state)
            file.flush()
            os.fsync(file.fileno())
        os.replace(new, self._directory / _STATE_FILE)  # noqa: PTH105 - os.replace, so that tests can make it fail, as os.fsync
        directory = os.open(self._directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            os.fsync(directory)
        finally:
            os.close(directory)

    def close(self) -> None:
        """Unlock the directory. Idempotent."""
        if self._lock is not None:
            os.close(self._lock)
            self._lock = None
