"""Encrypt subscriber keys at rest (AES-256-GCM) with an installation key that is stored outside the database.

The IMSI is the associated data, so the keys of one line's row cannot be moved into the row of another line.
"""

import os
import secrets
from dataclasses import dataclass, field
from itertools import accumulate
from typing import Final

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from kswifi.esim.errors import SubscriberKeysDamagedError
from kswifi.kernel.numbers import Iccid, Imsi

VAULT_KEY_OCTETS: Final = 32
_NONCE_OCTETS: Final = 12


@dataclass(frozen=True, slots=True)
class SubscriberKeys:
    """Secrets that only the card and the authentication centre have; never shown or logged.

    K and OPc have 16 octets; the administrative key and the PUKs of eight digits have 8 octets each.
    """

    k: bytes = field(repr=False)
    opc: bytes = field(repr=False)
    adm_key: bytes = field(repr=False)
    puk_1: bytes = field(repr=False)
    puk_2: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class PacketKeys:
    """KIc and KID of one card's secured packets: AES keys of 16 octets each."""

    kic: bytes = field(repr=False)
    kid: bytes = field(repr=False)


_LENGTHS: Final = (16, 16, 8, 8, 8)


class SubscriberVault:
    """Encrypt and decrypt subscriber keys with the installation key of 32 octets."""

    def __init__(self, key: bytes) -> None:
        if len(key) != VAULT_KEY_OCTETS:
            raise SubscriberKeysDamagedError(
                f"the subscriber key file has {VAULT_KEY_OCTETS} octets, not {len(key)}"
            )
        self._key = key
        self._cipher = AESGCM(key)

    def derived_key(self, purpose: str) -> bytes:
        """Derive a key of 32 octets for one purpose from the installation key; always the same (RFC 5869)."""
        return HKDF(SHA256(), VAULT_KEY_OCTETS, salt=None, info=purpose.encode()).derive(self._key)

    def packet_keys(self, iccid: Iccid) -> PacketKeys:
        """Return the keys of a card's secured packets, derived from the installation key and never stored."""
        derived = self.derived_key(f"secured packets {iccid}")
        return PacketKeys(derived[:16], derived[16:])

    def seal_octets(self, owner: bytes, octets: bytes) -> bytes:
        """Encrypt octets for one owner (the associated data): only this vault can decrypt them."""
        nonce = os.urandom(_NONCE_OCTETS)
        return nonce + self._cipher.encrypt(nonce, octets, owner)

    def open_octets(self, owner: bytes, sealed: bytes) -> bytes:
        """Decrypt what ``seal_octets`` encrypted for this owner.

        Raises:
            SubscriberKeysDamagedError: another key or another owner was used, or the octets were changed.
        """
        try:
            return self._cipher.decrypt(sealed[:_NONCE_OCTETS], sealed[_NONCE_OCTETS:], owner)
        except (InvalidTag, ValueError):
            raise SubscriberKeysDamagedError(
                "sealed octets cannot be opened: the key file is another one, or the row was changed"
            ) from None

    def seal(self, imsi: Imsi, keys: SubscriberKeys) -> bytes:
        """Encrypt subscriber keys; return nonce and ciphertext, 84 octets."""
        together = keys.k + keys.opc + keys.adm_key + keys.puk_1 + keys.puk_2
        return self.seal_octets(imsi.encode(), together)

    def open(self, imsi: Imsi, sealed: bytes) -> SubscriberKeys:
        """Decrypt subscriber keys.

        Raises:
            SubscriberKeysDamagedError: another key or another IMSI was used, or the octets were changed.
        """
        try:
            together = self._cipher.decrypt(sealed[:_NONCE_OCTETS], sealed[_NONCE_OCTETS:], imsi.encode())
        except (InvalidTag, ValueError):
            raise SubscriberKeysDamagedError(
                f"the keys of {imsi} cannot be opened: the key file is another one, or the row was changed",
                imsi=imsi,
            ) from None
        ends = tuple(accumulate(_LENGTHS))
        return SubscriberKeys(*(together[end - length : end] for length, end in zip(_LENGTHS, ends, strict=True)))


def new_subscriber_keys() -> SubscriberKeys:
    """Return random keys. OPc is random too: there is no operator-wide OP whose leak would affect all cards."""
    return SubscriberKeys(
        k=os.urandom(16), opc=os.urandom(16), adm_key=os.urandom(8), puk_1=_new_puk(), puk_2=_new_puk()
    )


def _new_puk() -> bytes:
    return f"{secrets.randbelow(10**8):08d}".encode()
