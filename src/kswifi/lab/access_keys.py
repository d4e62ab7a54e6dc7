"""The proxy's credentials, derived on both sides from the keys the AKA agreed; they never cross the attach wire."""

import hmac
from base64 import b64encode, urlsafe_b64encode
from hashlib import sha256
from typing import Final

_FC: Final = b"\xf0"
"""TS 33.220, B.2.2 keeps FC 0xF0 to 0xFE for operators and makers of equipment."""


def proxy_password(kasme: bytes, bearer_id: str) -> str:
    """Return the password of a bearer at the access gateway's proxy: 32 octets, base64url without padding.

    The generic KDF of TS 33.220, B.2: HMAC-SHA-256 keyed with KASME over
    ``FC || P0 || L0 || P1 || L1`` with P0 = "kswifi-proxy" and P1 = the bearer's id, both UTF-8.
    """
    message = _FC
    for parameter in (b"kswifi-proxy", bearer_id.encode()):
        message += parameter + len(parameter).to_bytes(2, "big")
    return urlsafe_b64encode(hmac.digest(kasme, message, sha256)).rstrip(b"=").decode()


def proxy_authorization(bearer_id: str, password: str) -> str:
    """Return the value of Proxy-Authorization (RFC 9110, 11.7.2; RFC 7617)."""
    return "Basic " + b64encode(f"{bearer_id}:{password}".encode()).decode()
