"""The servers for phones in the same network: the page by HTTPS, and how to trust it by HTTP."""

import hashlib
import socket

import uvicorn
from cryptography.hazmat.primitives.serialization import Encoding
from fastapi import FastAPI

from kswifi.api.server import ApiServer
from kswifi.data_directory.layout import Installation
from kswifi.kernel.clock import Clock
from kswifi.servers.lan import ca_certificate, lan_context, new_ca, private_address, trust_app
from kswifi.settings import Settings


class _TrustServer(uvicorn.Server):
    """A small server beside the others; it ends by ``should_exit`` and leaves the signals alone."""

    capture_signals = ApiServer.capture_signals


def lan_servers(
    app: FastAPI, settings: Settings, installation: Installation, clock: Clock
) -> list[tuple[str, uvicorn.Server, socket.socket]]:
    """Return name, server and listening socket of each; none where they are not asked for.

    Raises:
        LanAddressError: the address is not a private one.
        OSError: a port is taken, or the address is not this machine's.
    """
    if settings.lan_address is None:
        return []
    address = private_address(settings.lan_address)
    ca = installation.read_or_make(installation.lan_ca, lambda: new_ca(clock.now()))
    tls = lan_context(ca, address, clock.now(), installation.lan_certificate)
    trust = uvicorn.Config(
        trust_app(ca, settings.origin),
        http="h11",
        ws="none",
        lifespan="off",
        log_config=None,
        access_log=False,
        server_header=False,
        limit_concurrency=100,
        timeout_graceful_shutdown=1,
    )
    page, words = (socket.create_server((str(address), port)) for port in (settings.lan_port, settings.trust_port))
    for listener in (page, words):
        listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return [("lan", ApiServer(app, tls), page), ("trust", _TrustServer(trust), words)]


def lan_ready(settings: Settings, installation: Installation) -> dict[str, str]:
    """Return what to tell people of it: where the page about trust is, and the CA's fingerprint."""
    if settings.lan_address is None:
        return {}
    ca = ca_certificate(installation.lan_ca.read_bytes()).public_bytes(Encoding.DER)
    digest = hashlib.sha256(ca).hexdigest().upper()
    return {
        "trust": f"http://{settings.lan_address}:{settings.trust_port}",
        "ca_sha256": " ".join(digest[at : at + 4] for at in range(0, len(digest), 4)),
    }
