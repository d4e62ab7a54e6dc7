"""A card whose randomness is known, so that what an LPA once said to it can be said again, octet for octet."""

from collections.abc import Callable
from hashlib import sha256
from typing import Any

from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature
from cryptography.hazmat.primitives.hashes import SHA256

from kswifi.euicc.es10.credentials import read_key
from kswifi.euicc.state import EuiccIdentity
from kswifi.rsp.curves import Curve
from kswifi.rsp.messages.euicc_info import RspCapability, UiccCapability


def known_randomness(patch: Callable[[str, Any], object]) -> None:
    """Replace challenges, one-time keys and the nonces of signatures by ones that follow from a count."""
    count = iter(range(1_000_000))

    def octets(size: int) -> bytes:
        return sha256(b"challenge %d" % next(count)).digest()[:size]

    def key(curve: Curve) -> ec.EllipticCurvePrivateKey:
        return ec.derive_private_key(
            int.from_bytes(sha256(b"key %d" % next(count)).digest(), "big") >> 1, curve.parameters
        )

    def sign(identity: EuiccIdentity, signed: bytes) -> bytes:
        algorithm = ec.ECDSA(SHA256(), deterministic_signing=True)  # RFC 6979
        r, s = decode_dss_signature(read_key(identity.private_key).sign(signed, algorithm))
        return r.to_bytes(32, "big") + s.to_bytes(32, "big")

    # The card of the recordings said this of itself; what it says is signed, and the other side signed that.
    patch("kswifi.euicc.es10.es10b._UICC_CAPABILITIES", (UiccCapability.USIM, UiccCapability.MILENAGE))
    patch(
        "kswifi.euicc.es10.es10b._RSP_CAPABILITIES",
        (RspCapability.ADDITIONAL_PROFILE, RspCapability.SERVICE_SPECIFIC_DATA),
    )
    patch("kswifi.euicc.es10.es10b.urandom", octets)
    patch("kswifi.euicc.es10.es10b.new_key", key)
    patch("kswifi.euicc.es10.credentials.sign", sign)
    patch("kswifi.euicc.es10.notifications.sign", sign)
