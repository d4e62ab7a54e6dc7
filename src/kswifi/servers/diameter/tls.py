"""TLS for Diameter with certificates on both sides (RFC 6733, 13.1)."""

import ssl
from pathlib import Path

from kswifi.kernel.errors import KswifiError


class DiameterTlsError(KswifiError):
    """The certificate, its key or the authorities of the peers cannot be used."""

    code = "diameter_tls_invalid"


def peer_context(certificate: Path, key: Path, ca: Path) -> ssl.SSLContext:
    """Build the context of a listener that requires a client certificate of these authorities.

    The node then compares the peer's Origin-Host with the DNS names of its certificate: an authority may issue
    certificates to many machines, and each may use only its own name.

    Args:
        certificate: our certificate with its chain (PEM).
        key: its private key (PEM).
        ca: the authorities of the peers' certificates (PEM); the system's authorities are not used.

    Raises:
        DiameterTlsError: one of the files cannot be used.
    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.verify_mode = ssl.CERT_REQUIRED
    try:
        context.load_cert_chain(certificate, key)
        context.load_verify_locations(ca)
    except (OSError, ssl.SSLError) as error:
        raise DiameterTlsError(
            f"Diameter over TLS: {certificate}, {key} or {ca} cannot be used: {error}"
        ) from error
    return context
