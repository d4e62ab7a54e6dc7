"""`kswifi up`: start, watch and stop one server process and one lab process.

The supervisor does no work of the product itself. It restarts a process that ends, on the same data, as a service
manager would. If a process keeps ending, the supervisor stops everything and prints the process's last log lines.
"""

import os
import queue
import shutil
import signal
import threading
import time
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from kswifi.kernel.errors import Refusal
from kswifi.kernel.listening import listening_socket
from kswifi.lab.children import Child
from kswifi.settings import Settings

_MOST_RESTARTS: Final = 5
_WITHIN_SECONDS: Final = 60.0
_LARGEST_LOG_OCTETS: Final = 10_000_000
_LOOK_AT_LOGS_SECONDS: Final = 5.0

SERVER_AND_LAB: Final = ("server", "lab")
"""Embedded mode. The server starts first: the lab's gateway is its Diameter client."""
SERVER_ALONE: Final = ("server",)
"""Outside embedded mode: a core takes the lab's place."""
SUPPLY_REHEARSAL: Final = ("network", "lab", "server", "provider")
"""Resold mode without a provider: the rehearsal's provider, with another KSWiFi and its lab as its network."""
PORT_TAKEN = Refusal("port_taken", "Something else listens where we want to.")


class Interrupted(Exception):  # noqa: N818 - not an error: a request to stop
    """Ctrl-C or SIGTERM."""


@dataclass(slots=True)
class System:
    """The processes of a KSWiFi on this machine: server and lab in embedded mode, otherwise the server only."""

    environment: Mapping[str, str]
    log_dir: Path
    children: dict[str, Child] = field(default_factory=dict)
    names: tuple[str, ...] = SERVER_AND_LAB
    days_ahead: int = 0
    """The number of days by which the server's clock is ahead."""
    network_environment: Mapping[str, str] = field(default_factory=dict)
    """The settings of the network that plays a data provider, and of its lab, besides those of ``environment``."""

    def start(self) -> dict[str, Any]:
        """Start the processes; return each one's report when it was ready. If one fails, all are stopped."""
        try:
            return {name: self.start_one(name) for name in self.names}
        except BaseException:
            self.stop()
            raise

    def start_one(self, name: str) -> Mapping[str, Any]:
        """Start one process on its existing data."""
        log = self.log_dir / f"{name}.log"
        rotate(log)
        of_network = name == "network" or (name == "lab" and "network" in self.names)
        environment = {**self.environment, **self.network_environment} if of_network else self.environment
        child = Child.start(name, [*self._command(name), "--as-child"], environment, log)
        self.children[name] = child
        return child.ready

    def _command(self, name: str) -> list[str]:
        if name == "provider":
            network = self.children.get("network")
            options = [] if network is None else ["--network", str(network.ready["origin"])]
            return ["provider-rehearsal", *options]
        return {"server": ["serve", "--days-ahead", str(self.days_ahead)], "network": ["serve"], "lab": ["lab"]}[
            name
        ]

    def pass_days(self, days: int) -> None:
        """Stop the server, and start it on the same data with its clock ``days`` days later."""
        self.days_ahead += days
        self.children.pop("server").stop()
        self.start_one("server")

    def stop(self) -> None:
        """Stop the processes cleanly, the lab first, so that its gateway can report its last usage."""
        for name in reversed(self.names):
            child = self.children.pop(name, None)
            if child is not None:
                child.stop()

    def watch(self, say: Callable[[str], None]) -> None:
        """Restart processes that end, until this process is asked to stop.

        Raises:
            Interrupted: the process was asked to stop.
            RuntimeError: a process ended too often.
        """
        deaths: queue.SimpleQueue[str] = queue.SimpleQueue()
        for name, child in self.children.items():
            _report_death(name, child, deaths)
        recent: deque[float] = deque(maxlen=_MOST_RESTARTS)
        while True:
            try:
                name = deaths.get(timeout=_LOOK_AT_LOGS_SECONDS)
            except queue.Empty:
                for name in self.children:
                    rotate(self.log_dir / f"{name}.log")
                continue
            now = time.monotonic()
            if len(recent) == _MOST_RESTARTS and now - recent[0] < _WITHIN_SECONDS:
                raise RuntimeError(f"the {name} process keeps dying: see {self.log_dir / name}.log")
            recent.append(now)
            say(f"the {name} process ended by itself; starting it again (see {self.log_dir / name}.log)")
            self.start_one(name)
            _report_death(name, self.children[name], deaths)


def rotate(log: Path, largest_octets: int = _LARGEST_LOG_OCTETS) -> bool:
    """Copy a log that has become too long to ``.log.1`` and empty it; return whether that was done.

    Nothing is done where the disk has no room for the copy.

    The process that writes the log keeps its file open in append mode, so its next line becomes the first. Lines
    that it writes between the copy and the emptying, some milliseconds, are lost.
    """
    if not log.exists() or log.stat().st_size <= largest_octets:
        return False
    copy = log.with_suffix(".log.1")
    try:
        shutil.copyfile(log, copy)
    except OSError:
        copy.unlink(missing_ok=True)
        return False
    os.truncate(log, 0)
    return True


def _report_death(name: str, child: Child, deaths: "queue.SimpleQueue[str]") -> None:
    def wait() -> None:
        child.process.wait()
        deaths.put(name)

    threading.Thread(target=wait, name=f"wait-{name}", daemon=True).start()


def interrupt_on_signals() -> None:
    """Raise Interrupted in the main thread on SIGINT and SIGTERM; a second signal has no effect."""

    def interrupt(_number: int, _frame: object) -> None:
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, signal.SIG_IGN)
        raise Interrupted

    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, interrupt)


def check_ports(settings: Settings) -> None:
    """Check that every port is free before anything starts.

    Raises:
        PORT_TAKEN: naming the first that is not, and the setting that moves it.
    """
    wanted = [("api", settings.api_bind), ("metrics", settings.metrics_host), ("console", settings.console_host)]
    if settings.mode != "resold":
        wanted += [("diameter", settings.diameter_bind), ("rsp", settings.rsp_bind)]
    if settings.rehearses_supply:
        wanted.append(("rehearsal_provider", "127.0.0.1"))
    if settings.diameter_tls_host is not None:
        wanted.append(("diameter_tls", settings.diameter_tls_host))
    if settings.es2_port is not None:
        wanted.append(("es2", settings.es2_bind))
    if settings.mode == "embedded":
        wanted += [(name, settings.host) for name in ("lab", "content", "proxy", "attach")]
    if settings.payment_gateway_name == "sandbox":
        wanted.append(("sandbox", settings.lan_address or settings.host))
    if settings.lan_address is not None:
        wanted += [(name, settings.lan_address) for name in ("lan", "trust")]
    for name, host in wanted:
        port: int = getattr(settings, f"{name}_port")
        try:
            listening_socket(host, port).close()
        except OSError as error:
            raise PORT_TAKEN(
                f"port {port} on {host} cannot be used ({error.strerror}): stop what listens there, "
                f"or set KSWIFI_{name.upper()}_PORT to another",
                port=port,
            ) from None
