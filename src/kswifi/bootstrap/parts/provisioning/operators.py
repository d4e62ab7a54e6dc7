"""The operators' side of an SM-DP+: ES2+ on a port of its own or on that of ES9+, and their callbacks."""

import asyncio
import socket
import ssl
from collections import Counter
from pathlib import Path
from typing import Final, NamedTuple

import structlog
from starlette.routing import Route

from kswifi.database.engine import Database
from kswifi.database.errors import DatabaseBusyError
from kswifi.esim.external_smdp.progress import PeerProgress
from kswifi.esim.operators.download_progress import DOWNLOAD_PROGRESS
from kswifi.esim.operators.operator_orders import OperatorOrders
from kswifi.esim.operators.operators import trusted_certificates
from kswifi.jobs.worker import Worker, WorkerLimits
from kswifi.kernel.listening import listening_socket
from kswifi.listeners.pool import ConnectionPool
from kswifi.providers.smdp.es2plus_call import client_context
from kswifi.providers.smdp.es2plus_callbacks import OperatorCallbacks
from kswifi.servers.rsp.es2plus import Calls, Es2Plus
from kswifi.servers.rsp.es2plus_progress import Es2PlusProgress
from kswifi.servers.rsp.https_server import Es9PlusServer, tls_context
from kswifi.servers.rsp.json_binding import application
from kswifi.servers.rsp.tls_peer import ClientTrust

REFRESH_SECONDS: Final = 2.0
"""How soon an operator who was added while the server runs is let in."""

_CALLBACKS: Final = WorkerLimits(concurrency=4, handler_seconds=20.0, attempts=10, longest_delay_seconds=3600.0)

_log = structlog.get_logger(__name__)


class TlsFiles(NamedTuple):
    """The certificate (DPtls) and key that this SM-DP+ serves by, and by which it proves itself to callbacks."""

    certificate: Path
    key: Path


class OperatorSide:
    """ES2+ and what belongs to it; callbacks have a worker of their own: a slow one holds up nothing else."""

    def __init__(
        self,
        database: Database,
        orders: OperatorOrders,
        tls: TlsFiles,
        oid: str,
        progress: PeerProgress | None = None,
    ) -> None:
        """``progress``: receives what an external SM-DP+ reports about our own orders."""
        self.orders = orders
        self._peer_certificates = () if progress is None else progress.certificates
        self.calls: Calls = Counter()
        self._told = [] if progress is None else Es2PlusProgress(progress, self.calls).routes()
        self._functions = Es2Plus(orders, self.calls).routes()
        self.host = ""
        self.port: int | None = None
        self._database = database
        self._tls = tls
        self._trusts: list[ClientTrust] = []
        self._server: Es9PlusServer | None = None
        self._listener: socket.socket | None = None
        self._leaving = asyncio.Event()
        callbacks = OperatorCallbacks(database, lambda ca: client_context(*tls, ca), oid)
        self._worker = Worker(database, {DOWNLOAD_PROGRESS: callbacks.tell}, _CALLBACKS)

    def share(self, context: ssl.SSLContext) -> list[Route]:
        """Return the routes of ES2+ for the server of ES9+, whose context asks for certificates from now on."""
        self._trusts.append(ClientTrust(context, required=False))
        return self._routes()

    def open(self, host: str, port: int, pool: ConnectionPool | None = None) -> None:
        """Listen on a port of its own; raises OSError where it is taken."""
        self._listener = listening_socket(host, port)
        self.host, self.port = self._listener.getsockname()[:2]
        context = tls_context(*self._tls)
        self._trusts.append(ClientTrust(context, required=True))
        self._server = Es9PlusServer(application(self._routes()), context, pool=pool, name="es2plus")

    async def serve(self) -> None:
        """Serve, call back and look for new operators until ``leave``."""
        parts = [self._worker.run(), self._keep_trust()]
        if self._server is not None and self._listener is not None:
            parts.append(self._server.serve(sockets=[self._listener]))
        await asyncio.gather(*parts)

    async def refresh(self) -> None:
        """Accept the certificates of all operators that are registered now."""
        certificates = await self._database.read(trusted_certificates)
        for trust in self._trusts:
            if new := trust.take([*certificates, *self._peer_certificates]):
                _log.info("operators_known", certificates=new)

    def leave(self) -> None:
        """Have it end what it is at and stop."""
        self._leaving.set()
        self._worker.stop()
        if self._server is not None:
            self._server.should_exit = True

    def close(self) -> None:
        """Close its socket."""
        if self._listener is not None:
            self._listener.close()

    def _routes(self) -> list[Route]:
        return [*self._functions, *self._told]

    async def _keep_trust(self) -> None:
        while not self._leaving.is_set():
            try:
                await self.refresh()
            except DatabaseBusyError:
                _log.warning("operators_not_looked_up")
            try:
                async with asyncio.timeout(REFRESH_SECONDS):
                    await self._leaving.wait()
            except TimeoutError:
                continue
