"""Marks: keyed digests that recognise a person, device or card without storing its number.

The mark of a phone number, an EID, a device or an identifier shows only that it is the same one as before, and only
to a holder of the installation's key: a stolen database cannot be searched for a number. The keys are derived
(HKDF, RFC 5869) from the subscriber key, which is backed up and never replaced, so all marks and vouchers stay
valid.
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
        """Return the mark of an account's identifier (phone number or email address)."""
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
        """Return the cookie value of a new device: its id, a dot, and our signature of the id."""
        device_id = _text(random_bytes(DEVICE_OCTETS))
        return f"{device_id}.{self._signature(device_id)}"

    def device_of(self, cookie: str | None) -> str | None:
        """Return the device id of a cookie; None if our signature is missing or wrong."""
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
