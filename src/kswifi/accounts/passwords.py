"""Password hashing with argon2id on worker threads, with a limit on concurrent and waiting checks."""

import asyncio
import unicodedata
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Final, ParamSpec, TypeVar

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

from kswifi.accounts.errors import SignInBusyError

WORKERS: Final = 2
WAITING_LIMIT: Final = 32
"""The maximum of waiting checks; more are refused at once. A check takes some 64 MiB and tens of milliseconds."""

P = ParamSpec("P")
T = TypeVar("T")


class Passwords:
    """Hashes and checks passwords; the default ``hasher`` has argon2-cffi's profile (RFC 9106, second option)."""

    def __init__(self, hasher: PasswordHasher | None = None) -> None:
        self._hasher = hasher or PasswordHasher()
        self._threads = ThreadPoolExecutor(WORKERS, thread_name_prefix="argon2")
        self._busy = 0
        self._dummy_hash: str | None = None

    async def hash(self, password: str) -> str:
        """Return the encoded hash, which includes parameters and salt.

        Raises:
            SignInBusyError: too many checks are waiting.
        """
        return await self._on_worker_thread(self._hasher.hash, _normal(password))

    async def matches(self, encoded: str | None, password: str) -> bool:
        """Return whether the password matches the encoded hash.

        With None (there is no account) the check takes as long, and returns False.

        Raises:
            SignInBusyError: too many checks are waiting.
        """
        return await self._on_worker_thread(self._matches, encoded, _normal(password))

    def is_outdated(self, encoded: str) -> bool:
        """Return whether the hash was made with other parameters than the current ones."""
        return self._hasher.check_needs_rehash(encoded)

    def close(self) -> None:
        """Stop the worker threads."""
        self._threads.shutdown()

    def _matches(self, encoded: str | None, password: bytes) -> bool:
        if self._dummy_hash is None:
            self._dummy_hash = self._hasher.hash("nobody has this password")
        try:
            self._hasher.verify(encoded or self._dummy_hash, password)
        except (VerificationError, InvalidHashError):
            return False
        return encoded is not None

    async def _on_worker_thread(self, work: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        if self._busy >= WORKERS + WAITING_LIMIT:
            raise SignInBusyError("too many people are signing in at this moment: try again", retry_after_seconds=2)
        self._busy += 1
        future = self._threads.submit(work, *args, **kwargs)
        loop = asyncio.get_running_loop()
        future.add_done_callback(lambda _done: loop.call_soon_threadsafe(self._free))
        return await asyncio.wrap_future(future)

    def _free(self) -> None:
        self._busy -= 1


def _normal(password: str) -> bytes:
    """Return the Unicode normal form of a password, because keyboards encode some characters in several ways.

    NIST SP 800-63B, 5.1.1.2.
    """
    return unicodedata.normalize("NFC", password).encode("utf-8")
