"""Marks: keyed digests by which somebody is known again without their number being kept.

A mark of a phone number, an EID, a device or an account's name says only "the same as before", and only to who has
the installation's key: a stolen database cannot be searched for a number. The keys derive from the one that seals
subscriber keys (HKDF, RFC 5869), which is
backed up and never made anew, so no mark and no voucher is ever orphaned.
"""

import hmac
from base64 import urlsafe_b64encode
from collections.abc import Callable
from typing import Final

from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

DEVICE_OCTETS: Final = 16


class Marks:
    """The keyed digests of one installation; ``master`` is its subscriber key."""

    def __init__(self, master: bytes) -> None:
        self._master = master
        self._keys: dict[str, bytes] = {}

    def digest(self, purpose: str, value: str) -> bytes:
        """Return the HMAC-SHA-256 of a value under the key of a purpose: 32 octets."""
        return hmac.digest(self._key(purpose), value.encode("utf-8", "replace"), "sha256")

    def account(self, identifier: str) -> str:
        """Return the mark of what somebody signs in with: their number or address."""
        return self.digest("account", identifier).hex()

    def phone(self, phone_number: str) -> str:
        """Return the mark of a verified phone number."""
        return self.digest("phone", phone_number).hex()

    def card(self, eid: str) -> str:
        """Return the mark of an eUICC."""
        return self.digest("card", eid).hex()

    def device(self, device_id: str) -> str:
        """Return the mark of a device."""
        return self.digest("device", device_id).hex()

    def new_device(self, random_bytes: Callable[[int], bytes]) -> str:
        """Return a fresh device id as its cookie holds it: the id, a dot, and our signature of it."""
        device_id = _text(random_bytes(DEVICE_OCTETS))
        return f"{device_id}.{self._signature(device_id)}"

    def device_of(self, cookie: str | None) -> str | None:
        """Return the device id of a cookie; None where it is not one that we have signed."""
        device_id, _, signature = (cookie or "").partition(".")
        if not device_id or not hmac.compare_digest(signature.encode(), self._signature(device_id).encode()):
            return None
        return device_id

    def _signature(self, device_id: str) -> str:
        return _text(self.digest("device cookie", device_id))

    def _key(self, purpose: str) -> bytes:
        key = self._keys.get(purpose)
        if key is None:
            info = f"kswifi free data {purpose}".encode()
            key = self._keys[purpose] = HKDF(SHA256(), 32, None, info).derive(self._master)
        return key


def _text(octets: bytes) -> str:
    return urlsafe_b64encode(octets).rstrip(b"=").decode()
