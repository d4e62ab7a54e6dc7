"""Free ports, for systems that are started beside others: the demo's and the tests'."""

import socket
from collections.abc import Sequence
from contextlib import ExitStack


def free_ports(names: Sequence[str], host: str = "127.0.0.1") -> dict[str, int]:
    """Return a different free port for each name.

    All are held open together, so that none is given twice; between this and the server's own bind another process
    could take one, which the server then says.
    """
    with ExitStack() as held:
        ports = {}
        for name in names:
            family = socket.AF_INET6 if ":" in host else socket.AF_INET
            trial = held.enter_context(socket.socket(family))
            trial.bind((host, 0))
            ports[name] = int(trial.getsockname()[1])
        return ports
