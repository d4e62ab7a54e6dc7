"""The servers for phones in the same network: the page by HTTPS, and how to trust it by HTTP."""

import hashlib
import socket

from cryptography.hazmat.primitives.serialization import Encoding
from fastapi import FastAPI

from kswifi.api.server import ApiServer
from kswifi.bootstrap.context import Context
from kswifi.data_directory.layout import Installation, file_damaged
from kswifi.kernel.listening import listening_socket
from kswifi.listeners.http_server import HttpServer
from kswifi.servers.lan import ca_certificate, lan_context, new_ca, private_address, trust_app
from kswifi.settings import Settings


def lan_servers(context: Context, app: FastAPI) -> list[tuple[str, HttpServer, socket.socket]]:
    """Return name, server and listening socket of each; none where the settings name no address.

    Raises:
        LanAddressError: the address is not a private one.
        INSTALLATION_FILE_DAMAGED: the file of the CA holds no key or no certificate.
        OSError: a port is taken, or the address is not this machine's.
    """
    settings, installation, clock = context.settings, context.installation, context.clock
    if settings.lan_address is None:
        return []
    address = private_address(settings.lan_address)
    ca = installation.read_or_make(installation.lan_ca, lambda: new_ca(clock.now()))
    try:
        tls = lan_context(ca, address, clock.now(), installation.lan_certificate)
    except (ValueError, TypeError) as error:
        raise file_damaged(installation.lan_ca) from error
    trust = HttpServer(trust_app(ca, settings.origin), "trust", pool=context.pool, stop_seconds=1)
    page, words = (listening_socket(str(address), port) for port in (settings.lan_port, settings.trust_port))
    return [("lan", ApiServer(app, tls, pool=context.pool, name="lan"), page), ("trust", trust, words)]


def lan_ready(settings: Settings, installation: Installation) -> dict[str, str]:
    """Return the address of the page about trust and the fingerprint of the CA."""
    if settings.lan_address is None:
        return {}
    ca = ca_certificate(installation.lan_ca.read_bytes()).public_bytes(Encoding.DER)
    digest = hashlib.sha256(ca).hexdigest().upper()
    return {
        "trust": f"http://{settings.lan_address}:{settings.trust_port}",
        "ca_sha256": " ".join(digest[at : at + 4] for at in range(0, len(digest), 4)),
    }
