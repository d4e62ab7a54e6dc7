"""The monitoring listener joined: where it listens, and what it serves."""

import socket

from kswifi.api.monitoring import MonitoringServer, create_monitoring_app
from kswifi.api.services import Services
from kswifi.kernel.listening import authority, listening_socket
from kswifi.settings import Settings
from kswifi.settings.listen import reachable


def monitoring_listener(settings: Settings) -> tuple[socket.socket, str]:
    """Return the listening socket, and host:port where it is reached.

    Raises:
        OSError: the port is taken, or the address is not this machine's.
    """
    listener = listening_socket(settings.metrics_host, settings.metrics_port)
    return listener, authority(reachable(settings.metrics_host), listener.getsockname()[1])


def monitoring_server(services: Services, settings: Settings) -> MonitoringServer:
    """Return the server of the monitoring listener."""
    return MonitoringServer(create_monitoring_app(services, frozenset({settings.metrics_host.lower()})))
