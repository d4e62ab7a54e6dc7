"""The TLS settings of calls to public servers: the certificate authorities that this machine trusts."""

import ssl
from functools import cache

import httpx2


@cache
def public_tls(*, trust_env: bool = True) -> ssl.SSLContext:
    """Return the settings, read once for the process: the list of authorities takes 50 ms to read.

    Args:
        trust_env: whether ``SSL_CERT_FILE`` and ``SSL_CERT_DIR`` replace the system's authorities.
    """
    return httpx2.create_ssl_context(trust_env=trust_env)
