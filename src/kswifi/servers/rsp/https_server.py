"""The HTTPS server of ES9+ and ES2+, with TLS 1.2 or newer."""

import ssl
from pathlib import Path
from typing import Final

from starlette.applications import Starlette

from kswifi.listeners.http_server import HttpServer
from kswifi.listeners.pool import ConnectionPool
from kswifi.servers.rsp.tls_peer import PeerProtocol

STOP_SECONDS: Final = 5
HEAD_LIMIT_OCTETS: Final = 16 * 1024


def tls_context(certificate: Path, key: Path) -> ssl.SSLContext:
    """Build the TLS context for a server certificate and its key, TLS 1.2 or newer (SGP.22, 2.6.6)."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.load_cert_chain(certificate, key)
    return context


class Es9PlusServer(HttpServer):
    """Serves ES9+ or ES2+ on bound sockets: ``await serve(sockets=[...])``."""

    def __init__(
        self, app: Starlette, context: ssl.SSLContext, *, pool: ConnectionPool | None = None, name: str = "es9plus"
    ) -> None:
        super().__init__(
            app,
            name,
            pool=pool,
            tls=context,
            protocol=PeerProtocol,
            head_limit_octets=HEAD_LIMIT_OCTETS,
            stop_seconds=STOP_SECONDS,
        )
