"""Tell the service manager the state of the process (sd_notify(3)): ready, alive, stopping."""

import asyncio
import contextlib
import os
import socket
from collections.abc import Iterator, MutableMapping
from dataclasses import dataclass
from typing import Final

_VARIABLES: Final = ("NOTIFY_SOCKET", "WATCHDOG_USEC", "WATCHDOG_PID")
_MICROSECONDS: Final = 1_000_000
_PINGS_IN_TIMEOUT: Final = 3
"""A ping may be late by two thirds of the time-out, for example behind a slow fsync."""


@dataclass(frozen=True, slots=True)
class ServiceManager:
    """The service manager that started this process; without one every call has no effect.

    Attributes:
        address: of its datagram socket; None if there is none. A leading ``@`` stands for Linux' abstract names.
        watchdog_seconds: it kills a process that has not pinged for so long; None if it does not.
    """

    address: str | None = None
    watchdog_seconds: float | None = None

    def ready(self) -> None:
        """Report that everything serves."""
        self._send("READY=1")

    def stopping(self) -> None:
        """Report that the process ends by itself or on request."""
        self._send("STOPPING=1")

    async def keep_alive(self) -> None:
        """Ping while the event loop runs, until cancelled; a process whose loop hangs is killed and restarted."""
        if self.watchdog_seconds is None:
            return
        while True:
            self._send("WATCHDOG=1")
            await asyncio.sleep(self.watchdog_seconds / _PINGS_IN_TIMEOUT)

    def _send(self, state: str) -> None:
        if self.address is None:
            return
        address = "\0" + self.address[1:] if self.address.startswith("@") else self.address
        with contextlib.suppress(OSError), socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as notifier:
            notifier.setblocking(False)
            notifier.sendto(state.encode(), address)


def service_manager(environment: MutableMapping[str, str]) -> ServiceManager:
    """Return the service manager that the environment names, and remove its variables: they are for no child."""
    named = {name: environment.pop(name, "") for name in _VARIABLES}
    microseconds = named["WATCHDOG_USEC"]
    is_watched = microseconds.isdecimal() and named["WATCHDOG_PID"] in ("", str(os.getpid()))
    return ServiceManager(
        address=named["NOTIFY_SOCKET"] or None,
        watchdog_seconds=int(microseconds) / _MICROSECONDS if is_watched else None,
    )


@contextlib.contextmanager
def keeping_alive(manager: ServiceManager) -> Iterator[None]:
    """Ping the service manager's watchdog during the block."""
    pinging = asyncio.ensure_future(manager.keep_alive())
    try:
        yield
    finally:
        pinging.cancel()
