"""The authentication algorithm of test USIMs: exclusive or of K and RAND (TS 34.108, 8.1.2).

It provides no security: one observed challenge reveals K. Only profiles of class test should use it.
"""

import hmac
from typing import Final

from kswifi.aka import milenage

_XMAC_OCTETS: Final = 8


def verify_autn(k: bytes, rand: bytes, autn: bytes) -> milenage.VerifiedChallenge:
    """Verify a challenge with the interface of Milenage (8.1.2.1); RES has 16 octets.

    Raises:
        MacFailureError: AUTN was not made with this key.
    """
    mixed = _xor(k, rand)
    sqn, amf = _xor(autn[:6], mixed[3:9]), autn[6:8]
    if not hmac.compare_digest(_xor(mixed[:_XMAC_OCTETS], sqn + amf), autn[8:]):
        raise milenage.MacFailureError("the MAC in AUTN is wrong")
    return milenage.VerifiedChallenge(
        sqn=int.from_bytes(sqn, "big"), amf=amf, res=mixed, ck=mixed[1:] + mixed[:1], ik=mixed[2:] + mixed[:2]
    )


def build_auts(k: bytes, rand: bytes, sqn_ms: int) -> bytes:
    """Return AUTS (8.1.2.2): f1* and f5* equal f1 and f5, and AMF is zero."""
    mixed, sqn = _xor(k, rand), sqn_ms.to_bytes(6, "big")
    return _xor(sqn, mixed[3:9]) + _xor(mixed[:_XMAC_OCTETS], sqn + bytes(2))


def _xor(left: bytes, right: bytes) -> bytes:
    return bytes(one ^ other for one, other in zip(left, right, strict=True))
