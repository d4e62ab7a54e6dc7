"""The two elliptic curves of SGP.22 and their keys (SGP.22, 2.6.7.1)."""

from enum import Enum
from typing import Final

from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from kswifi.rsp.errors import RspDecodeError

POINT_OCTETS: Final = 65


class Curve(Enum):
    """A curve, with its short name in the file names of the GSMA test certificates (SGP.26)."""

    NIST_P256 = "NIST"
    BRAINPOOL_P256R1 = "BRP"

    @property
    def parameters(self) -> ec.EllipticCurve:
        """Return the library's object for the curve."""
        return _PARAMETERS[self]


_PARAMETERS: Final[dict[Curve, ec.EllipticCurve]] = {
    Curve.NIST_P256: ec.SECP256R1(),
    Curve.BRAINPOOL_P256R1: ec.BrainpoolP256R1(),
}


def curve_of(key: ec.EllipticCurvePublicKey | ec.EllipticCurvePrivateKey) -> Curve:
    """Return the curve of a key.

    Raises:
        RspDecodeError: SGP.22 does not allow its curve.
    """
    for curve, parameters in _PARAMETERS.items():
        if parameters.name == key.curve.name:
            return curve
    raise RspDecodeError(f"{key.curve.name} is no curve of SGP.22", curve=key.curve.name)


def new_key(curve: Curve) -> ec.EllipticCurvePrivateKey:
    """Return a new key from the system's random source. A one-time key (otSK) is used for one download."""
    return ec.generate_private_key(curve.parameters)


def point_octets(key: ec.EllipticCurvePublicKey | ec.EllipticCurvePrivateKey) -> bytes:
    """Return a public key as 65 octets, 04 || x || y: the value of 5F49 (BSI TR-03111, 3.2.1)."""
    public = key.public_key() if isinstance(key, ec.EllipticCurvePrivateKey) else key
    return public.public_bytes(Encoding.X962, PublicFormat.UncompressedPoint)


def public_key_from_point(curve: Curve, point: bytes) -> ec.EllipticCurvePublicKey:
    """Return the public key of an uncompressed point after checking that it lies on the curve.

    Raises:
        RspDecodeError: it is compressed, incomplete, or not on this curve.
    """
    if len(point) != POINT_OCTETS or point[0] != 4:
        raise RspDecodeError("a public key is 65 octets that begin with 04", octets=len(point))
    try:
        return ec.EllipticCurvePublicKey.from_encoded_point(curve.parameters, point)
    except ValueError:
        raise RspDecodeError(f"the point is not on {curve.parameters.name}") from None


def shared_secret(private_key: ec.EllipticCurvePrivateKey, peer_point: bytes) -> bytes:
    """Return the shared secret of two one-time keys, 32 octets (ECKA-EG, BSI TR-03111, 4.3.1).

    Raises:
        RspDecodeError: the peer's point is not on our key's curve.
    """
    peer = public_key_from_point(curve_of(private_key), peer_point)
    return private_key.exchange(ec.ECDH(), peer)
