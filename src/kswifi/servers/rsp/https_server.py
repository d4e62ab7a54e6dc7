"""The HTTPS server of ES9+ and ES2+: uvicorn with TLS 1.2 or newer and limits of its own."""

import ssl
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

import uvicorn
from starlette.applications import Starlette

from kswifi.servers.rsp.tls_peer import PeerProtocol

CONNECTIONS_LIMIT: Final = 1024
KEEP_ALIVE_SECONDS: Final = 30
STOP_SECONDS: Final = 5
HEAD_LIMIT_OCTETS: Final = 16 * 1024


def tls_context(certificate: Path, key: Path) -> ssl.SSLContext:
    """Return the context of a server certificate and its key, TLS 1.2 or newer (SGP.22, 2.6.6)."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.load_cert_chain(certificate, key)
    return context


class Es9PlusServer(uvicorn.Server):
    """Serves the application on sockets that are bound already: ``await serve(sockets=[...])``."""

    def __init__(self, app: Starlette, context: ssl.SSLContext) -> None:
        super().__init__(
            uvicorn.Config(
                app,
                http=PeerProtocol,
                ws="none",
                lifespan="off",
                log_config=None,
                access_log=False,
                server_header=False,
                proxy_headers=False,
                limit_concurrency=CONNECTIONS_LIMIT,
                timeout_keep_alive=KEEP_ALIVE_SECONDS,
                timeout_graceful_shutdown=STOP_SECONDS,
                h11_max_incomplete_event_size=HEAD_LIMIT_OCTETS,
                ssl_context_factory=lambda _config, _default: context,
            )
        )

    @contextmanager
    def capture_signals(self) -> Generator[None, None, None]:
        """Leave the process's signal handlers alone."""
        yield
