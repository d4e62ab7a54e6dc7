"""Durable files that only their owner can read: keys, secrets and state."""

import os
from pathlib import Path
from typing import Final

OWNER_ONLY_DIRECTORY: Final = 0o700
OWNER_ONLY_FILE: Final = 0o600


def write_owner_only(path: Path, content: bytes) -> None:
    """Replace a file atomically by new content that only its owner can read (mode 0600).

    After a crash or a loss of power the file has the old content or the new one, never a part. The content is on
    disk when this returns.

    Raises:
        OSError: the file cannot be written; the old content is kept.
    """
    partial = path.with_name(f".{path.name}.partial")
    # Another user may have put a file or a link under this name in a shared folder. Remove it and create a new file
    # (O_EXCL), instead of writing secrets into one that others can read.
    partial.unlink(missing_ok=True)
    handle = os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, OWNER_ONLY_FILE)
    with os.fdopen(handle, "wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    partial.replace(path)
    synchronise(path.parent)


def synchronise(path: Path) -> None:
    """Flush a file's octets, or a folder's entries, to the disk."""
    handle = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
