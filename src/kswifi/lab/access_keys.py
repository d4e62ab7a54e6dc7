"""The credentials of the access gateway's proxy.

Phone and gateway derive them from KASME, on which AKA has made them agree. They are never sent on the attach wire.
"""

import hmac
from base64 import b64encode, urlsafe_b64encode
from hashlib import sha256
from typing import Final

_FC: Final = b"\xf0"
"""TS 33.220, B.2.2 reserves FC 0xF0 to 0xFE for operators and equipment manufacturers."""


def proxy_password(kasme: bytes, bearer_id: str) -> str:
    """Return the password of a bearer at the access gateway's proxy: 32 octets, base64url without padding.

    It is the generic KDF of TS 33.220, B.2: HMAC-SHA-256 over ``FC || P0 || L0 || P1 || L1``, keyed with KASME,
    with P0 = "kswifi-proxy" and P1 = the bearer's id, both in UTF-8.
    """
    message = _FC
    for parameter in (b"kswifi-proxy", bearer_id.encode()):
        message += parameter + len(parameter).to_bytes(2, "big")
    return urlsafe_b64encode(hmac.digest(kasme, message, sha256)).rstrip(b"=").decode()


def proxy_authorization(bearer_id: str, password: str) -> str:
    """Return the value of the Proxy-Authorization field (RFC 9110, 11.7.2; RFC 7617)."""
    return "Basic " + b64encode(f"{bearer_id}:{password}".encode()).decode()
