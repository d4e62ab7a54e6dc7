"""Files that hold what must not be lost and not be read by others."""

import os
from pathlib import Path
from typing import Final

OWNER_ONLY_DIRECTORY: Final = 0o700
OWNER_ONLY_FILE: Final = 0o600


def write_owner_only(path: Path, content: bytes) -> None:
    """Write a file that only its owner reads, whole or not at all, also through a loss of power."""
    partial = path.with_name(f".{path.name}.partial")
    # What lies there may be somebody else's, open to others: it is not written to, whatever the folder.
    partial.unlink(missing_ok=True)
    handle = os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, OWNER_ONLY_FILE)
    with os.fdopen(handle, "wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    partial.replace(path)
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)
