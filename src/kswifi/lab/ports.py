"""Free TCP ports for the demo and the tests, which run next to other systems on one machine."""

import secrets
import socket
from collections.abc import Sequence
from contextlib import ExitStack
from typing import Final

_FIRST, _LAST = 20_000, 32_000
"""Below the ports that Linux gives to outgoing connections (32,768 and above), which a server could not bind."""
_TRIES: Final = 200


def free_ports(names: Sequence[str], host: str = "127.0.0.1") -> dict[str, int]:
    """Return a different free port for each name.

    All ports are bound at the same time, so that none is returned twice. Another process can take one before the
    server binds it; the server then fails to start.
    """
    with ExitStack() as held:
        ports = {}
        for name in names:
            family = socket.AF_INET6 if ":" in host else socket.AF_INET
            trial = held.enter_context(socket.socket(family))
            _bind(trial, host)
            ports[name] = int(trial.getsockname()[1])
        return ports


def _bind(trial: socket.socket, host: str) -> None:
    """Bind a socket to a random free port of the range, or to any port if many are taken."""
    for _ in range(_TRIES):
        try:
            # Not from ``random``: processes that are seeded alike would all try the same ports.
            trial.bind((host, _FIRST + secrets.randbelow(_LAST - _FIRST)))
        except OSError:
            continue
        return
    trial.bind((host, 0))
