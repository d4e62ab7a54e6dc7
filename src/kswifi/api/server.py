"""The HTTP server: uvicorn with our limits, and a stop that does not wait for open event streams."""

import socket
import ssl
from collections.abc import Generator
from contextlib import contextmanager
from typing import Final

import uvicorn
from fastapi import FastAPI

from kswifi.api.services import Services

CONNECTIONS_LIMIT: Final = 4096
KEEP_ALIVE_SECONDS: Final = 30
STOP_SECONDS: Final = 10
HEAD_LIMIT_OCTETS: Final = 32 * 1024


class ApiServer(uvicorn.Server):
    """Serves the application on sockets that are bound already: ``await serve(sockets=[...])``.

    With ``tls`` they are served by HTTPS.

    It runs until ``should_exit`` is set. Binding and signals are the process's, which runs more than this.
    """

    def __init__(self, app: FastAPI, tls: ssl.SSLContext | None = None) -> None:
        super().__init__(
            uvicorn.Config(
                app,
                http="h11",
                ws="none",
                lifespan="on",
                log_config=None,
                access_log=False,
                server_header=False,
                proxy_headers=False,  # kswifi.api.client_edge reads those of trusted proxies
                limit_concurrency=CONNECTIONS_LIMIT,
                timeout_keep_alive=KEEP_ALIVE_SECONDS,
                timeout_graceful_shutdown=STOP_SECONDS,
                h11_max_incomplete_event_size=HEAD_LIMIT_OCTETS,
                ssl_context_factory=None if tls is None else lambda _config, _default: tls,
            )
        )
        services = app.state.services
        assert isinstance(services, Services)  # noqa: S101 - set by create_app
        self._streams = services.streams

    @contextmanager
    def capture_signals(self) -> Generator[None, None, None]:
        """Leave the process's signal handlers alone."""
        yield

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """End the event streams, which would be waited for, then stop as uvicorn does."""
        self._streams.close()
        await super().shutdown(sockets)
