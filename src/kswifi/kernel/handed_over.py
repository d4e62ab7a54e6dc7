"""Listening sockets that the service manager hands over (sd_listen_fds(3)): their queues outlive a restart.

systemd binds the sockets of a ``.socket`` unit and passes them as the file descriptors from 3 on. While the process
is restarted, new connections wait in the queue of the socket instead of being refused.
"""

import os
import socket
from collections.abc import MutableMapping
from typing import Final

from kswifi.kernel.errors import KswifiError

FIRST_DESCRIPTOR: Final = 3
_VARIABLES: Final = ("LISTEN_PID", "LISTEN_FDS", "LISTEN_FDNAMES")


class HandedOverError(KswifiError):
    """A socket of the service manager cannot be used, or no setting names its address."""

    code = "socket_handed_over"


class HandedOverSockets:
    """The sockets that were handed over and are not in use yet.

    A listener claims a socket by the address and port of its setting, so the settings stay the only place that says
    where something listens.
    """

    def __init__(self) -> None:
        self._sockets: list[socket.socket] = []

    def take(self, environment: MutableMapping[str, str], process: int) -> int:
        """Take the descriptors that the environment announces for this process; return their number.

        The variables are removed, so that no child process takes the descriptors for its own.

        Raises:
            HandedOverError: a descriptor is not a TCP socket that listens.
        """
        announced = {name: environment.pop(name, "") for name in _VARIABLES}
        if announced["LISTEN_PID"] != str(process) or not announced["LISTEN_FDS"].isdecimal():
            return 0
        count = int(announced["LISTEN_FDS"])
        for descriptor in range(FIRST_DESCRIPTOR, FIRST_DESCRIPTOR + count):
            self.add(descriptor)
        return count

    def add(self, descriptor: int) -> None:
        """Add one descriptor.

        Raises:
            HandedOverError: it is not a TCP socket that listens.
        """
        os.set_inheritable(descriptor, False)
        try:
            found = socket.socket(fileno=descriptor)
        except OSError as error:
            raise HandedOverError(f"descriptor {descriptor}, which was handed over, is not a socket") from error
        is_tcp = found.family in (socket.AF_INET, socket.AF_INET6) and found.type == socket.SOCK_STREAM
        if not is_tcp or not found.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN):
            found.close()
            raise HandedOverError(
                f"descriptor {descriptor}, which was handed over, is not a TCP socket that listens"
            )
        found.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._sockets.append(found)

    def claim(self, address: str, port: int) -> socket.socket | None:
        """Return the socket that is bound to an address and port, once; None if there is none."""
        for found in self._sockets:
            if port and found.getsockname()[:2] == (address, port):
                self._sockets.remove(found)
                return found
        return None

    def require_all_claimed(self) -> None:
        """Refuse sockets that no listener has claimed: their clients would wait for ever.

        Raises:
            HandedOverError: naming the first address.
        """
        if self._sockets:
            address, port = self._sockets[0].getsockname()[:2]
            raise HandedOverError(
                f"the service manager listens on {address} port {port}, and no setting says so: change the socket "
                "unit or the setting of that port",
                port=int(port),
            )


HANDED_OVER: Final = HandedOverSockets()
"""The sockets of this process; filled once at its start."""
