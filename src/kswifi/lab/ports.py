"""Free TCP ports for the demo and the tests, which run next to other systems on one machine."""

import socket
from collections.abc import Sequence
from contextlib import ExitStack


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
            trial.bind((host, 0))
            ports[name] = int(trial.getsockname()[1])
        return ports
