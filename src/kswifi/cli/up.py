"""`kswifi up`: one server process and one lab process, started, watched and stopped together.

The supervisor itself does no work of the product. A process that dies is started again on the same data, as an
operator's service manager would; one that keeps dying stops everything, with its last words.
"""

import queue
import signal
import socket
import threading
import time
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from kswifi.kernel.errors import KswifiError
from kswifi.lab.children import Child
from kswifi.settings import Settings

_MOST_RESTARTS: Final = 5
_WITHIN_SECONDS: Final = 60.0
_LARGEST_LOG_OCTETS: Final = 10_000_000

ORDER: Final = ("server", "lab")
"""The server first: the lab's gateway is its Diameter client."""


class PortTakenError(KswifiError):
    """Something else listens where we want to."""

    code = "port_taken"


class Interrupted(Exception):  # noqa: N818 - no error: somebody asked us to stop
    """Ctrl-C or SIGTERM."""


@dataclass(slots=True)
class System:
    """The two processes of an embedded KSWiFi."""

    environment: Mapping[str, str]
    log_dir: Path
    children: dict[str, Child] = field(default_factory=dict)
    days_ahead: int = 0
    """How many days later than today the server lives."""

    def start(self) -> dict[str, Any]:
        """Start both; return what each said when it was ready. On a failure nothing stays running."""
        try:
            return {name: self.start_one(name) for name in ORDER}
        except BaseException:
            self.stop()
            raise

    def start_one(self, name: str) -> Mapping[str, Any]:
        """Start one of them, on the data it left."""
        log = self.log_dir / f"{name}.log"
        if log.exists() and log.stat().st_size > _LARGEST_LOG_OCTETS:
            log.replace(log.with_suffix(".log.1"))
        command = {"server": ["serve", "--days-ahead", str(self.days_ahead)], "lab": ["lab"]}[name]
        child = Child.start(name, [*command, "--as-child"], self.environment, log)
        self.children[name] = child
        return child.ready

    def pass_days(self, days: int) -> None:
        """Have the server stop, and start again on the same data so many days later."""
        self.days_ahead += days
        self.children.pop("server").stop()
        self.start_one("server")

    def stop(self) -> None:
        """Stop them cleanly: the lab first, so that its gateway can report its last usage."""
        for name in reversed(ORDER):
            child = self.children.pop(name, None)
            if child is not None:
                child.stop()

    def watch(self, say: Callable[[str], None]) -> None:
        """Restart what dies, until the process is told to stop.

        Raises:
            Interrupted: it was told to.
            RuntimeError: a process died too often.
        """
        deaths: queue.SimpleQueue[str] = queue.SimpleQueue()
        for name, child in self.children.items():
            _report_death(name, child, deaths)
        recent: deque[float] = deque(maxlen=_MOST_RESTARTS)
        while True:
            name = deaths.get()
            now = time.monotonic()
            if len(recent) == _MOST_RESTARTS and now - recent[0] < _WITHIN_SECONDS:
                raise RuntimeError(f"the {name} process keeps dying: see {self.log_dir / name}.log")
            recent.append(now)
            say(f"the {name} process ended by itself; starting it again (see {self.log_dir / name}.log)")
            self.start_one(name)
            _report_death(name, self.children[name], deaths)


def _report_death(name: str, child: Child, deaths: "queue.SimpleQueue[str]") -> None:
    def wait() -> None:
        child.process.wait()
        deaths.put(name)

    threading.Thread(target=wait, name=f"wait-{name}", daemon=True).start()


def interrupt_on_signals() -> None:
    """Turn SIGINT and SIGTERM into Interrupted in the main thread; a second one changes nothing."""

    def interrupt(_number: int, _frame: object) -> None:
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, signal.SIG_IGN)
        raise Interrupted

    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, interrupt)


def check_ports(settings: Settings) -> None:
    """See that every port is free before anything starts.

    Raises:
        PortTakenError: naming the first that is not, and the setting that moves it.
    """
    names = ("api", "diameter", "rsp", "lab", "content", "proxy", "attach")
    wanted = [(name, settings.host) for name in names]
    wanted.append(("metrics", settings.metrics_host))
    if settings.payment_gateway_name == "sandbox":
        wanted.append(("sandbox", settings.lan_address or settings.host))
    if settings.lan_address is not None:
        wanted += [(name, settings.lan_address) for name in ("lan", "trust")]
    for name, host in wanted:
        port: int = getattr(settings, f"{name}_port")
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        with socket.socket(family) as trial:
            trial.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                trial.bind((host, port))
            except OSError as error:
                raise PortTakenError(
                    f"port {port} on {host} cannot be used ({error.strerror}): stop what listens there, "
                    f"or set KSWIFI_{name.upper()}_PORT to another",
                    port=port,
                ) from None
