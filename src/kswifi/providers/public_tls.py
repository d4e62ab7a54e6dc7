"""The TLS settings of calls to public servers: the certificate authorities that browsers trust."""

import ssl
from functools import cache

import httpx2


@cache
def public_tls() -> ssl.SSLContext:
    """Return the settings, read once for the process: the list of authorities takes 50 ms to read."""
    return httpx2.create_ssl_context()
