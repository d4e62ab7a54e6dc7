"""ECDSA signatures of SGP.22 (raw r || s, tag 5F37), and the hash of a confirmation code."""

from hashlib import sha256
from typing import Final

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature, encode_dss_signature
from cryptography.hazmat.primitives.hashes import SHA256

from kswifi.rsp.errors import SignatureRefusedError

_COORDINATE_OCTETS: Final = 32
_ECDSA_SHA256: Final = ec.ECDSA(SHA256())


def sign(private_key: ec.EllipticCurvePrivateKey, signed_octets: bytes) -> bytes:
    """Return 64 octets, r || s, over exactly these octets (SGP.22, 2.6.7.2; BSI TR-03111, 5.2.1)."""
    r, s = decode_dss_signature(private_key.sign(signed_octets, _ECDSA_SHA256))
    return r.to_bytes(_COORDINATE_OCTETS, "big") + s.to_bytes(_COORDINATE_OCTETS, "big")


def verify(public_key: ec.EllipticCurvePublicKey, signature: bytes, signed_octets: bytes) -> None:
    """Verify a raw r || s signature over octets as received.

    Raises:
        SignatureRefusedError: it does not have 64 octets, or is not valid for this key and these octets.
    """
    if len(signature) != 2 * _COORDINATE_OCTETS:
        raise SignatureRefusedError("a signature is 64 octets, r || s", octets=len(signature))
    r = int.from_bytes(signature[:_COORDINATE_OCTETS], "big")
    s = int.from_bytes(signature[_COORDINATE_OCTETS:], "big")
    try:
        public_key.verify(encode_dss_signature(r, s), signed_octets, _ECDSA_SHA256)
    except InvalidSignature:
        raise SignatureRefusedError("the signature does not match") from None


def confirmation_code_digest(confirmation_code: str) -> bytes:
    """Return SHA-256 of a confirmation code. A server stores this instead of the code."""
    return sha256(confirmation_code.encode()).digest()


def hash_cc(code_digest: bytes, transaction_id: bytes) -> bytes:
    """Return hashCc = SHA-256(SHA-256(code) || transactionId), valid for one transaction (SGP.22, 4.7)."""
    return sha256(code_digest + transaction_id).digest()
