"""Socket options of relayed connections, keep-alive probes, and the errors that mean "no descriptors left"."""

import errno
import socket
from typing import Final

_BUFFER_OCTETS: Final = 1_048_576
_PROBE_AFTER_SECONDS: Final = 30
_PROBE_INTERVAL_SECONDS: Final = 10
_PROBES: Final = 3
_OUT_OF_RESOURCES: Final = frozenset((errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM))


def prepare(connection: socket.socket) -> None:
    """Make a TCP socket non-blocking, with large buffers, TCP_NODELAY and keep-alive probes."""
    connection.setblocking(False)
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, _BUFFER_OCTETS)
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, _BUFFER_OCTETS)
    probe_when_idle(connection)


def probe_when_idle(connection: socket.socket) -> None:
    """Turn on keep-alive probes, which detect within a minute a peer that vanished without closing."""
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPIDLE, _PROBE_AFTER_SECONDS)
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPINTVL, _PROBE_INTERVAL_SECONDS)
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPCNT, _PROBES)


def is_out_of_resources(error: OSError) -> bool:
    """Tell whether this process or the system has no file descriptors or no memory left for a socket."""
    return error.errno in _OUT_OF_RESOURCES
