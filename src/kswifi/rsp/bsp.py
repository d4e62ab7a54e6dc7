"""BSP, the protection of a bound profile package: SCP03t with keys agreed as in SCP11a (SGP.22, 2.5 and 2.6.4).

Both sides count the segments and include the previous MAC in each MAC, so a segment that was removed,
inserted, repeated or moved is refused. ``BspProtector`` is the server's side, ``BspOpener`` the card's. Both
process one segment at a time, because a card has no memory for a whole profile.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from hmac import compare_digest
from typing import Final

from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from cryptography.hazmat.primitives.cmac import CMAC
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.x963kdf import X963KDF

from kswifi.rsp import tlv
from kswifi.rsp.errors import BspSecurityError, BspStructureError

KEY_TYPE_AES: Final = 0x88  # GlobalPlatform Card Specification, table 11-16
KEY_OCTETS: Final = 16
TAG_ENCRYPTED_PROFILE: Final = 0x86
TAG_ENCRYPTED_COMMAND: Final = 0x87
TAG_AUTHENTICATED: Final = 0x88

MAX_SEGMENT_OCTETS: Final = 1020  # tag, length and MAC included (SGP.22, 2.5.3)
MAX_ENCRYPTED_PLAINTEXT: Final = 1007  # the padding octet is the last of 63 blocks
MAX_AUTHENTICATED_PLAINTEXT: Final = 1008
# Some servers send segments of more than 1020 octets. This limit protects memory; it does not check conformity.
MAX_ACCEPTED_OCTETS: Final = 2048

_BLOCK: Final = 16
_MAC_OCTETS: Final = 8


@dataclass(frozen=True, slots=True)
class BspKeys:
    """A set of keys of 16 octets each: the session keys, or the profile protection keys (PPK) that replace them."""

    initial_mac_chaining_value: bytes = field(repr=False)
    s_enc: bytes = field(repr=False)
    s_mac: bytes = field(repr=False)

    def __post_init__(self) -> None:
        if {len(self.initial_mac_chaining_value), len(self.s_enc), len(self.s_mac)} != {KEY_OCTETS}:
            raise BspStructureError("the keys of SCP03t have 16 octets each")


def derive_session_keys(secret: bytes, *, host_id: bytes, eid: bytes) -> BspKeys:
    """Return the session keys derived from a shared secret (SGP.22, annex G: X9.63 with SHA-256).

    SharedInfo is key type || key length || LV(host id) || LV(EID), the lengths one octet each.
    """
    shared_info = bytes([KEY_TYPE_AES, KEY_OCTETS, len(host_id)]) + host_id + bytes([len(eid)]) + eid
    material = X963KDF(SHA256(), 3 * KEY_OCTETS, shared_info).derive(secret)
    return BspKeys(material[:KEY_OCTETS], material[KEY_OCTETS : 2 * KEY_OCTETS], material[2 * KEY_OCTETS :])


def new_profile_protection_keys(random_octets: Callable[[int], bytes]) -> BspKeys:
    """Return new PPKs: random for each download, never derived from other keys (SGP.22, 2.5.4)."""
    return BspKeys(random_octets(KEY_OCTETS), random_octets(KEY_OCTETS), random_octets(KEY_OCTETS))


class _Chain:
    """The state of each side: the MAC chaining value and the counter of segments."""

    __slots__ = ("_chaining_value", "_counter", "_encryption_key", "_mac_start", "_vectors")

    def __init__(self, keys: BspKeys) -> None:
        self._encryption_key = algorithms.AES(keys.s_enc)
        # Created once and copied for each of the package's many segments: the cipher for the IVs, and an unused
        # CMAC.
        self._vectors = Cipher(self._encryption_key, modes.ECB()).encryptor()  # noqa: S305 - ECB of one block: the IV
        self._mac_start = CMAC(algorithms.AES(keys.s_mac))
        self._chaining_value = keys.initial_mac_chaining_value
        self._counter = 1

    def _initialisation_vector(self) -> bytes:
        """Return the IV, AES(S-ENC, counter) (GlobalPlatform amendment D, 6.2.6, without its direction bit)."""
        return self._vectors.update(self._counter.to_bytes(_BLOCK, "big"))

    def _mac(self, header: bytes, content: bytes) -> bytes:
        """Return all 16 octets of CMAC(S-MAC, chaining value || tag || length || content)."""
        cmac = self._mac_start.copy()
        cmac.update(self._chaining_value + header + content)
        return cmac.finalize()

    def _step(self, mac: bytes) -> None:
        """Advance to the next segment; segments that are only authenticated count too."""
        self._chaining_value = mac
        self._counter += 1


class BspProtector(_Chain):
    """Protects data that the server sends; each call returns complete segments of at most 1020 octets."""

    __slots__ = ()

    def encrypt(self, tag: int, data: bytes) -> list[bytes]:
        """Return the data encrypted and authenticated, under tag 86 or 87."""
        return [self._encrypt_one(tag, part) for part in _parts(data, MAX_ENCRYPTED_PLAINTEXT)]

    def authenticate(self, tag: int, data: bytes) -> list[bytes]:
        """Return the data in the clear with a MAC, under tag 88."""
        return [self._seal(tag, part) for part in _parts(data, MAX_AUTHENTICATED_PLAINTEXT)]

    def _encrypt_one(self, tag: int, plaintext: bytes) -> bytes:
        padded = plaintext + b"\x80" + bytes(-(len(plaintext) + 1) % _BLOCK)
        encryptor = Cipher(self._encryption_key, modes.CBC(self._initialisation_vector())).encryptor()
        return self._seal(tag, encryptor.update(padded))

    def _seal(self, tag: int, content: bytes) -> bytes:
        header = tlv.encode_tag(tag) + tlv.encode_length(len(content) + _MAC_OCTETS)
        mac = self._mac(header, content)
        self._step(mac)
        return header + content + mac[:_MAC_OCTETS]


class BspOpener(_Chain):
    """Opens segments that the card receives, one per call, in the order in which they were made."""

    __slots__ = ()

    def decrypt(self, tag: int, segment: bytes) -> bytes:
        """Return the plaintext of one segment under tag 86 or 87.

        Raises:
            BspStructureError: tag, length or padding is wrong.
            BspSecurityError: the MAC does not match; the segment was not decrypted.
        """
        content, mac = self._checked(tag, segment)
        if not content or len(content) % _BLOCK:
            raise BspStructureError("ciphertext comes in blocks of 16 octets", octets=len(content))
        decryptor = Cipher(self._encryption_key, modes.CBC(self._initialisation_vector())).decryptor()
        plaintext = decryptor.update(content)
        self._step(mac)
        return _unpad(plaintext)

    def verify(self, tag: int, segment: bytes) -> bytes:
        """Return the content of one segment under tag 88.

        Raises:
            BspStructureError: tag or length is wrong.
            BspSecurityError: the MAC does not match.
        """
        content, mac = self._checked(tag, segment)
        self._step(mac)
        return content

    def _checked(self, tag: int, segment: bytes) -> tuple[bytes, bytes]:
        if len(segment) > MAX_ACCEPTED_OCTETS:
            raise BspStructureError("a segment is too long", octets=len(segment))
        try:
            item = tlv.only(segment, tag)
        except tlv.TlvError as error:
            raise BspStructureError(error.message, **error.facts) from None
        if len(item.value) < _MAC_OCTETS:
            raise BspStructureError("a segment is too short for its MAC", octets=len(item.value))
        content = item.value[:-_MAC_OCTETS]
        mac = self._mac(segment[: len(segment) - len(item.value)], content)
        if not compare_digest(mac[:_MAC_OCTETS], item.value[-_MAC_OCTETS:]):
            raise BspSecurityError("the MAC of a segment does not match", segment=self._counter)
        return content, mac


def _parts(data: bytes, size: int) -> list[bytes]:
    """Split data into parts of at most ``size`` octets; empty data give one empty part."""
    return [data[start : start + size] for start in range(0, len(data), size)] or [b""]


def _unpad(plaintext: bytes) -> bytes:
    """Remove the padding 80 00..00 (ISO/IEC 7816-4), which is at most one block."""
    stripped = plaintext.rstrip(b"\x00")
    if not stripped.endswith(b"\x80") or len(plaintext) - len(stripped) >= _BLOCK:
        raise BspStructureError("the padding of a segment is wrong")
    return stripped[:-1]
