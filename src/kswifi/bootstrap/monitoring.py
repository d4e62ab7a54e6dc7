"""The monitoring listener joined: where it listens, and what it serves."""

import socket

from kswifi.api.monitoring import MonitoringServer, create_monitoring_app
from kswifi.api.services import Services
from kswifi.settings import Settings


def monitoring_listener(settings: Settings) -> tuple[socket.socket, str]:
    """Return the listening socket, and host:port where it is reached.

    Raises:
        OSError: the port is taken, or the address is not this machine's.
    """
    host = settings.metrics_host
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listener = socket.create_server((host, settings.metrics_port), family=family)
    reached = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host)
    return listener, f"{f'[{reached}]' if ':' in reached else reached}:{listener.getsockname()[1]}"


def monitoring_server(services: Services, settings: Settings) -> MonitoringServer:
    """Return the server of the monitoring listener."""
    return MonitoringServer(create_monitoring_app(services, frozenset({settings.metrics_host.lower()})))
