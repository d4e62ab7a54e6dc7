"""The HTTP server of the API and the page; stopping it does not wait for open event streams."""

import socket
import ssl

from fastapi import FastAPI

from kswifi.api.services import Services
from kswifi.listeners.http_server import HttpServer
from kswifi.listeners.pool import ConnectionPool


class ApiServer(HttpServer):
    """Serves the API on sockets that are already bound: ``await serve(sockets=[...])``."""

    def __init__(
        self,
        app: FastAPI,
        tls: ssl.SSLContext | None = None,
        *,
        pool: ConnectionPool | None = None,
        name: str = "api",
    ) -> None:
        super().__init__(app, name, pool=pool, tls=tls, lifespan=True)
        services = app.state.services
        assert isinstance(services, Services)  # noqa: S101 - set by create_app
        self._streams = services.streams

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """End the event streams, for which uvicorn would wait, then stop as uvicorn does."""
        self._streams.close()
        await super().shutdown(sockets)
