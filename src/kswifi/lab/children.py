"""Child processes that report when they are ready and end when their parent ends.

A child prints one line of JSON on its standard output when it serves, so its parent need not poll. It stops when
its standard input closes, which also happens when the parent is killed, so no child outlives its parent.
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
    """One running `kswifi` process.

    Attributes:
        name: its name in messages.
        process: the process itself.
        ready: the JSON object that it printed when it was ready.
    """

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
        """Start ``python -m kswifi ARGUMENTS`` and wait until it reports that it is ready.

        Args:
            name: its name in messages.
            arguments: of the command line.
            environment: variables in addition to those of this process.
            log_file: where its standard error goes.
            start_seconds: how long to wait.
            python: the interpreter; another one runs another installation of KSWiFi.

        Raises:
            ChildFailedError: it ended first, or took too long. The message holds the last line of its log.
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
        except BaseException:  # interrupted: the caller has no Child yet and could not end the process
            cls(name, process, {}).kill()
            raise
        if not line.endswith(b"\n"):
            cls(name, process, {}).kill()
            words = log_file.read_bytes()[began:].decode(errors="replace").strip().splitlines()
            last = words[-1] if words else "its log is empty"
            raise ChildFailedError(f"the {name} process did not start: {last}", child=name)
        return cls(name, process, json.loads(line))

    @property
    def pid(self) -> int:
        """The id of the process."""
        return self.process.pid

    def ended(self) -> int | None:
        """Return its exit status; None while it runs."""
        return self.process.poll()

    def kill(self) -> None:
        """End it at once with SIGKILL, as a crash would."""
        self.process.kill()
        self._reap()

    def stop(self) -> None:
        """Ask it to stop with SIGTERM, and kill it if it does not stop in time."""
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
    """Read one line of the child's output; less than a line if the child ends or the time is over."""
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
