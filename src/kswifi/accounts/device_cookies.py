"""Device cookies: evidence that a browser has signed in to an account before (OWASP, device cookies).

A cookie is a random nonce and a MAC over the nonce, the account and its credential generation. It does not sign
anyone in. It gives the browser its own counter of wrong passwords, so that an attacker without the cookie cannot
exhaust that counter. A change of the password, a recovery and a sign-out everywhere begin a new generation, which
makes earlier cookies invalid.
"""

import hmac
from base64 import urlsafe_b64encode
from collections.abc import Callable
from datetime import timedelta
from typing import Final

from kswifi.accounts.model import Digest

LIFETIME: Final = timedelta(days=400)
"""The longest lifetime that browsers accept for a cookie, in days (RFC 6265bis, 5.5)."""

_NONCE_OCTETS: Final = 16
_PURPOSE: Final = "login device cookie"


class DeviceCookies:
    """Issues and checks the device cookies of one installation with its keyed ``digest``."""

    def __init__(self, digest: Digest, random_bytes: Callable[[int], bytes]) -> None:
        self._digest = digest
        self._random_bytes = random_bytes

    def issue(self, user_id: str, generation: int) -> str:
        """Return a new cookie for a browser that has just signed in to an account."""
        nonce = _text(self._random_bytes(_NONCE_OCTETS))
        return f"{nonce}.{self._mac(nonce, user_id, generation)}"

    def nonce_of(self, cookie: str, user_id: str, generation: int) -> str | None:
        """Return the nonce of a cookie of this account and credential generation; None if it is not valid."""
        nonce, _, mac = cookie.partition(".")
        expected = self._mac(nonce, user_id, generation)
        return nonce if hmac.compare_digest(mac.encode("utf-8", "replace"), expected.encode()) else None

    def _mac(self, nonce: str, user_id: str, generation: int) -> str:
        return _text(self._digest(_PURPOSE, f"{user_id} {generation} {nonce}"))


def _text(octets: bytes) -> str:
    return urlsafe_b64encode(octets).rstrip(b"=").decode()
