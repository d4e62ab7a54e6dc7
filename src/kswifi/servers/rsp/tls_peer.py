"""Pass the client's TLS certificate from the connection to the application, which uvicorn does not do.

The certificate that TLS verified is read when the connection is made, and copied into the state of each of its
requests. No HTTP header is involved, so a client cannot forge it.
"""

import asyncio
import ssl
from collections.abc import Iterable
from typing import Final

from starlette.requests import Request

from kswifi.listeners.http_server import BoundedProtocol

_KEY: Final = "kswifi.tls_client_certificate"


class PeerProtocol(BoundedProtocol):
    """HTTP/1.1 with the client's certificate in the state of each request."""

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Read the certificate before the first request; the handshake is complete by now."""
        super().connection_made(transport)
        tls = transport.get_extra_info("ssl_object")
        certificate = None if tls is None else tls.getpeercert(binary_form=True)
        self.app_state = {**self.app_state, _KEY: certificate}


def client_certificate(request: Request) -> bytes | None:
    """Return the certificate (DER) whose key the client of this connection proved to hold; None without one."""
    certificate = request.scope.get("state", {}).get(_KEY)
    return certificate if isinstance(certificate, bytes) else None


class ClientTrust:
    """The client certificates that a server's TLS accepts: each one by itself, without trust in its issuer.

    ``required``: clients without a certificate are refused. Certificates can be added while the server runs. TLS
    keeps accepting one that is removed; ``esim.operators.requester`` then refuses it at once.
    """

    def __init__(self, context: ssl.SSLContext, *, required: bool) -> None:
        self._context = context
        self._known: set[bytes] = set()
        context.verify_mode = ssl.CERT_REQUIRED if required else ssl.CERT_OPTIONAL
        # Each certificate is its own trust anchor: its issuer, and other certificates of that issuer, are not
        # trusted.
        context.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN
        context.verify_flags &= ~ssl.VERIFY_X509_STRICT

    def take(self, certificates: Iterable[bytes]) -> int:
        """Trust these certificates (DER) too; return how many are new."""
        fresh = [each for each in certificates if each not in self._known]
        for each in fresh:
            self._context.load_verify_locations(cadata=each)
            self._known.add(each)
        return len(fresh)
