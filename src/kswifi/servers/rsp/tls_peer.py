"""The peer's certificate, from the TLS connection to the application: uvicorn does not tell it.

What TLS has verified is noted when the connection is made and copied into each of its requests' state. No header
has a part in it, so nothing that a client sends can take its place.
"""

import asyncio
import ssl
from collections.abc import Iterable
from typing import Final

from starlette.requests import Request

from kswifi.listeners.http_server import BoundedProtocol

_KEY: Final = "kswifi.tls_client_certificate"


class PeerProtocol(BoundedProtocol):
    """HTTP/1.1 that knows who is at the other end."""

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Note the certificate, before the first request is read; the handshake is over by now."""
        super().connection_made(transport)
        tls = transport.get_extra_info("ssl_object")
        certificate = None if tls is None else tls.getpeercert(binary_form=True)
        self.app_state = {**self.app_state, _KEY: certificate}


def client_certificate(request: Request) -> bytes | None:
    """Return the certificate (DER) whose key the client of this connection proved to hold, None without one."""
    certificate = request.scope.get("state", {}).get(_KEY)
    return certificate if isinstance(certificate, bytes) else None


class ClientTrust:
    """Which clients' certificates a server's TLS takes: those named here, each for itself, and nobody's issuer.

    ``required``: a client without one does not get in. Certificates that are named later are taken from then on;
    one that is not named any more is refused by whoever looks it up (``esim.operators.requester``), at once.
    """

    def __init__(self, context: ssl.SSLContext, *, required: bool) -> None:
        self._context = context
        self._known: set[bytes] = set()
        context.verify_mode = ssl.CERT_REQUIRED if required else ssl.CERT_OPTIONAL
        # A certificate is its own anchor: its issuer, and what else that issues, is not trusted.
        context.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN
        context.verify_flags &= ~ssl.VERIFY_X509_STRICT

    def take(self, certificates: Iterable[bytes]) -> int:
        """Trust these (DER) too; return how many are new."""
        fresh = [each for each in certificates if each not in self._known]
        for each in fresh:
            self._context.load_verify_locations(cadata=each)
            self._known.add(each)
        return len(fresh)
