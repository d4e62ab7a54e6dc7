"""Export profiles to an external SM-DP+ as files encrypted for its certificate (CMS, RFC 5652), with a manifest.

The packages contain K and OPc. The manifest gives the digest of each decrypted package, because CMS
EnvelopedData provides confidentiality but no integrity: the digest reveals a package that was changed in
transit.
"""

from collections.abc import Iterable
from datetime import datetime
from hashlib import sha256
from typing import Final

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from cryptography.hazmat.primitives.ciphers.algorithms import AES256
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.hazmat.primitives.serialization.pkcs7 import PKCS7EnvelopeBuilder, PKCS7Options

from kswifi.esim.errors import LineStockError
from kswifi.esim.operators.operators import read_certificates
from kswifi.kernel.numbers import Iccid

LEAST_RSA_BITS: Final = 2048


def recipient_of(pem_or_der: bytes, now: datetime) -> x509.Certificate:
    """Return the certificate for which profiles are encrypted.

    Raises:
        OperatorRefusedError: the file contains no certificate.
        LineStockError: its key type cannot be used for encryption, or it has expired.
    """
    certificate = read_certificates(pem_or_der)[0]
    key = certificate.public_key()
    if not isinstance(key, RSAPublicKey) or key.key_size < LEAST_RSA_BITS:
        raise LineStockError(f"the recipient's certificate needs an RSA key of {LEAST_RSA_BITS} bits or more")
    if not certificate.not_valid_before_utc <= now < certificate.not_valid_after_utc:
        raise LineStockError("the recipient's certificate is not valid now")
    return certificate


def sealed_for(certificate: x509.Certificate, package: bytes) -> bytes:
    """Return a profile package as CMS EnvelopedData (DER). ``openssl cms -decrypt -inform DER`` decrypts it."""
    builder = PKCS7EnvelopeBuilder().set_data(package).add_recipient(certificate)
    return builder.set_content_encryption_algorithm(AES256).encrypt(Encoding.DER, [PKCS7Options.Binary])


def checked_type(profile_type: str) -> str:
    """Return a profile type after checking that it can be written into the manifest.

    Raises:
        LineStockError: it is too long or has characters that are not allowed.
    """
    if not (profile_type.isprintable() and 0 < len(profile_type) <= 64 and not set(profile_type) & set(',"')):
        raise LineStockError("a profile type has 1 to 64 characters, without commas and quotes")
    return profile_type


def manifest(profile_type: str, packages: Iterable[tuple[Iccid, bytes]]) -> str:
    """Return the manifest as CSV: ICCID, profile type, file name, SHA-256 of the decrypted package."""
    lines = ["iccid,profile_type,file,sha256_of_profile"]
    lines += [f"{iccid},{profile_type},{iccid}.der.p7m,{sha256(it).hexdigest()}" for iccid, it in packages]
    return "\n".join(lines) + "\n"
