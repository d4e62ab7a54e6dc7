"""Child processes that say when they are ready and end when their parent does.

A child prints one line of JSON on its standard output when it serves, and stops when its standard input closes: so
it never outlives a parent that was killed, and nobody needs to poll.
"""

import json
import os
import select
import signal
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final, Self

from kswifi.kernel.errors import KswifiError

_START_SECONDS: Final = 60.0
_STOP_SECONDS: Final = 20
_LONGEST_READY_LINE: Final = 65_536


class ChildFailedError(KswifiError):
    """A child process ended, or did not get ready in time."""

    code = "child_failed"


class Child:
    """One process of `kswifi`, known by its id and ended by it alone."""

    def __init__(self, name: str, process: subprocess.Popen[bytes], ready: Mapping[str, Any]) -> None:
        self.name = name
        self.process = process
        self.ready = ready

    @classmethod
    def start(
        cls,
        name: str,
        arguments: Sequence[str],
        environment: Mapping[str, str],
        log_file: Path,
        start_seconds: float = _START_SECONDS,
        *,
        python: Path | str = sys.executable,
    ) -> Self:
        """Start ``python -m kswifi ARGUMENTS`` and wait until it says that it is ready.

        Args:
            python: the interpreter, ours unless another installation of KSWiFi is to run.

        Raises:
            ChildFailedError: it ended first, or took too long; the message carries its last words.
        """
        log_file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        with log_file.open("ab") as log:
            began = log.tell()
            process = subprocess.Popen(  # noqa: S603 - our own module, and an interpreter of KSWiFi
                [python, "-m", "kswifi", *arguments],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=log,
                env={**os.environ, **environment},
                start_new_session=True,
            )
        try:
            line = _first_line(process, start_seconds)
        except BaseException:  # interrupted: a child that nobody knows of yet must not be left behind
            cls(name, process, {}).kill()
            raise
        if not line.endswith(b"\n"):
            cls(name, process, {}).kill()
            words = log_file.read_bytes()[began:].decode(errors="replace").strip().splitlines()
            last = words[-1] if words else "it said nothing"
            raise ChildFailedError(f"the {name} process did not start: {last}", child=name)
        return cls(name, process, json.loads(line))

    @property
    def pid(self) -> int:
        """The id of the process."""
        return self.process.pid

    def ended(self) -> int | None:
        """Return its exit status if it has ended."""
        return self.process.poll()

    def kill(self) -> None:
        """End it at once, as a crash would."""
        self.process.kill()
        self._reap()

    def stop(self) -> None:
        """Ask it to stop cleanly, and see that it does."""
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
        try:
            self.process.wait(_STOP_SECONDS)
        except subprocess.TimeoutExpired:
            self.process.kill()
        self._reap()

    def _reap(self) -> None:
        self.process.wait()
        for pipe in (self.process.stdin, self.process.stdout):
            if pipe is not None:
                pipe.close()


def _first_line(process: subprocess.Popen[bytes], seconds: float) -> bytes:
    """Read one line of the child's output, as far as it comes before the child ends or time does."""
    output = process.stdout
    if output is None:
        raise ValueError("the child has no output")
    until = time.monotonic() + seconds
    line = b""
    while not line.endswith(b"\n") and len(line) < _LONGEST_READY_LINE:
        readable, _, _ = select.select([output], [], [], max(0.0, until - time.monotonic()))
        piece = os.read(output.fileno(), 4096) if readable else b""
        if not piece:
            break
        line += piece
    return line
