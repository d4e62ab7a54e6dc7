"""TLS for Diameter: both sides prove themselves by certificates (RFC 6733, 13.1)."""

import ssl
from pathlib import Path

from kswifi.kernel.errors import KswifiError


class DiameterTlsError(KswifiError):
    """The certificate, its key or the peers' authorities cannot be used."""

    code = "diameter_tls_invalid"


def peer_context(certificate: Path, key: Path, ca: Path) -> ssl.SSLContext:
    """Return the context of a listener that asks every peer for a certificate of these authorities.

    The node compares a peer's Origin-Host with the DNS names of its certificate afterwards: an authority may
    certify more machines than may call themselves by one name.

    Args:
        certificate: ours, with its chain (PEM).
        key: its private key (PEM).
        ca: the authorities of the peers' certificates (PEM); those of the system do not count.

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
