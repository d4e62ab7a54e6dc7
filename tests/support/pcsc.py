"""Debian's PC/SC service with a virtual reader, for one test: own configuration and socket, ended by its id."""

import importlib.util
import os
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

DRIVER = Path("/usr/lib/pcsc/drivers/serial/libifdvpcd.so")
SYSTEM_SOCKET = Path("/run/pcscd/pcscd.comm")
_SECONDS = 20.0


@dataclass(frozen=True)
class VirtualReaders:
    """``port``: where the first reader waits for its card; ``environment`` leads PC/SC programs to this service."""

    port: int
    environment: dict[str, str]


def need_pcsc() -> None:
    """Skip where a machine lacks something; in CI nothing may be left out."""
    missing = [
        name
        for name, there in (
            ("pcscd", shutil.which("pcscd", path=f"{os.environ.get('PATH', '')}:/usr/sbin") is not None),
            ("vsmartcard-vpcd", DRIVER.exists()),
            ("pyscard", importlib.util.find_spec("smartcard") is not None),
            ("the right to start a service", os.geteuid() == 0),
        )
        if not there
    ]
    if not missing:
        return
    words = f"no card in a reader: {', '.join(missing)} missing (tools/test_needs.sh brings what can be installed)"
    if os.environ.get("CI") == "true":
        pytest.fail(words)
    pytest.skip(words)


@contextmanager
def virtual_readers(folder: Path) -> Iterator[VirtualReaders]:
    """Run pcscd with two virtual readers, in a mount namespace of its own where this machine allows one."""
    need_pcsc()
    port, path = _two_free_ports(), f"{os.environ['PATH']}:/usr/sbin"
    configuration = folder / "reader.conf.d"
    configuration.mkdir()
    (configuration / "vpcd").write_text(
        f'FRIENDLYNAME "Virtual PCD"\nDEVICENAME /dev/null:0x{port:X}\nLIBPATH {DRIVER}\nCHANNELID 0x{port:X}\n'
    )
    command = ["pcscd", "--foreground", *_without_polkit(path), "--config", str(configuration)]
    own = subprocess.run(["unshare", "--mount", "true"], capture_output=True, check=False).returncode == 0
    if own:
        command = ["unshare", "--mount", "sh", "-c", 'mount -t tmpfs none /run && exec "$@"', "pcscd", *command]
    elif SYSTEM_SOCKET.exists():
        pytest.skip("a PC/SC service runs here already, and this machine allows no second one")
    with (folder / "pcscd.log").open("wb") as log:
        service = subprocess.Popen(command, stdout=log, stderr=log, env={**os.environ, "PATH": path})
    try:
        comm = Path(f"/proc/{service.pid}/root{SYSTEM_SOCKET}") if own else SYSTEM_SOCKET
        until(lambda: service.poll() is not None or comm.exists(), "pcscd does not start")
        assert service.poll() is None, (folder / "pcscd.log").read_text()
        environment = {"PCSCLITE_CSOCK_NAME": str(comm)}
        until(lambda: _readers_there(environment), "pcscd does not see its virtual readers")
        yield VirtualReaders(port, environment)
    finally:
        service.terminate()
        service.wait(_SECONDS)


@contextmanager
def card_in_reader(readers: VirtualReaders, *arguments: str) -> Iterator[None]:
    """Put a card into the first reader: `kswifi euicc vpcd` in a process of its own."""
    command = [sys.executable, "-m", "kswifi", "euicc", "vpcd", "--port", str(readers.port), *arguments]
    card = subprocess.Popen(command)
    try:
        yield
    finally:
        card.kill()
        card.wait(_SECONDS)


def until(done: Callable[[], bool], words: str) -> None:
    """Wait for a condition."""
    deadline = time.monotonic() + _SECONDS
    while not done():
        assert time.monotonic() < deadline, words
        time.sleep(0.05)


def _without_polkit(path: str) -> list[str]:
    """Return the option that lets clients in where no polkit runs; older versions have none and need none."""
    helped = subprocess.run(
        ["pcscd", "--help"], capture_output=True, text=True, check=False, env={**os.environ, "PATH": path}
    )
    option = "--disable-polkit"
    return [option] if option in helped.stdout + helped.stderr else []


def _readers_there(environment: dict[str, str]) -> bool:
    """Whether the service has both readers: it takes them up a moment after its socket is there."""
    program = "from smartcard.System import readers; raise SystemExit(len(readers()) != 2)"
    command = [sys.executable, "-c", program]
    return subprocess.run(command, env={**os.environ, **environment}, check=False).returncode == 0


def _two_free_ports() -> int:
    """Return a port that is free, and the one after it: a reader has a port for each slot."""
    for _ in range(100):
        with socket.create_server(("127.0.0.1", 0)) as first:
            port = int(first.getsockname()[1])
            try:
                with socket.create_server(("127.0.0.1", port + 1)):
                    return port
            except (OSError, OverflowError):
                continue
    raise AssertionError("no two free ports side by side")
