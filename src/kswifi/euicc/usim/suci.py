"""SUCI: an IMSI encrypted for its home network (TS 33.501, 6.12 and annex C; TS 24.501, 9.11.3.4).

ECIES with a one-time key pair: profile A uses X25519, profile B secp256r1. The null scheme does not encrypt;
it is used if the home network has provisioned no key.
"""

from dataclasses import dataclass
from enum import IntEnum
from typing import Final

from cryptography.hazmat.primitives import hashes, hmac
from cryptography.hazmat.primitives.asymmetric import ec, x25519
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from cryptography.hazmat.primitives.kdf.x963kdf import X963KDF
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from kswifi.rsp import tlv

OneTimeKey = x25519.X25519PrivateKey | ec.EllipticCurvePrivateKey

_SUPI_IS_IMSI: Final = b"\x01"
_ENCRYPTION_OCTETS, _BLOCK_OCTETS, _MAC_KEY_OCTETS, _MAC_OCTETS = 16, 16, 32, 8
_SCHEMES, _KEYS = 0xA0, 0xA1
_KEY_ID, _KEY = 0x80, 0x81
_PADDING: Final = 0xFF


class Scheme(IntEnum):
    """The protection schemes (TS 33.501, annex C.1)."""

    NULL = 0
    PROFILE_A = 1
    PROFILE_B = 2


@dataclass(frozen=True, slots=True)
class HomeNetworkKey:
    """A public key of the home network, and the identifier by which the network finds the private key."""

    identifier: int
    octets: bytes


@dataclass(frozen=True, slots=True)
class CalculationInfo:
    """The content of EF.SUCI_Calc_Info (TS 31.102, 4.4.11.8): schemes by priority, each with its key index."""

    schemes: tuple[tuple[int, int], ...]
    keys: tuple[HomeNetworkKey, ...]

    def choice(self) -> tuple[Scheme, HomeNetworkKey | None]:
        """Return the first usable scheme with its key; the null scheme if there is none."""
        for number, place in self.schemes:
            if number == Scheme.NULL:
                break
            if number in (Scheme.PROFILE_A, Scheme.PROFILE_B) and 1 <= place <= len(self.keys):
                return Scheme(number), self.keys[place - 1]
        return Scheme.NULL, None


def read_calculation_info(content: bytes) -> CalculationInfo:
    """Parse the content of EF.SUCI_Calc_Info; an empty file has neither schemes nor keys.

    Raises:
        TlvError: it is malformed.
    """
    schemes, keys = b"", b""
    offset = 0
    while offset < len(content) and content[offset] != _PADDING:
        item, offset = tlv.read(content, offset)
        schemes = item.value if item.tag == _SCHEMES else schemes
        keys = item.value if item.tag == _KEYS else keys
    return CalculationInfo(
        tuple(zip(schemes[::2], schemes[1::2], strict=False)),
        tuple(_key_list(keys)),
    )


def _key_list(value: bytes) -> list[HomeNetworkKey]:
    found: list[HomeNetworkKey] = []
    identifier = 0
    for item in tlv.walk(value):
        if item.tag == _KEY_ID:
            identifier = int.from_bytes(item.value, "big")
        elif item.tag == _KEY:
            found.append(HomeNetworkKey(identifier, item.value))
    return found


def conceal(scheme: Scheme, key: bytes, plain: bytes, one_time_key: OneTimeKey | None = None) -> bytes:
    """Return the scheme output (annex C.3.2): one-time public key, ciphertext and MAC.

    ``one_time_key`` is only for tests with known answers; by default a new one is generated.

    Raises:
        ValueError: the home network's key does not match the scheme.
    """
    if scheme is Scheme.NULL:
        return plain
    agree = _agree_x25519 if scheme is Scheme.PROFILE_A else _agree_p256
    public, shared = agree(key, one_time_key)
    length = _ENCRYPTION_OCTETS + _BLOCK_OCTETS + _MAC_KEY_OCTETS
    material = X963KDF(algorithm=hashes.SHA256(), length=length, sharedinfo=public).derive(shared)
    encryption_key, rest = material[:_ENCRYPTION_OCTETS], material[_ENCRYPTION_OCTETS:]
    counter_block, mac_key = rest[:_BLOCK_OCTETS], rest[_BLOCK_OCTETS:]
    encryptor = Cipher(algorithms.AES(encryption_key), modes.CTR(counter_block)).encryptor()
    ciphered = encryptor.update(plain) + encryptor.finalize()
    mac = hmac.HMAC(mac_key, hashes.SHA256())
    mac.update(ciphered)
    return public + ciphered + mac.finalize()[:_MAC_OCTETS]


def _agree_x25519(key: bytes, one_time_key: OneTimeKey | None) -> tuple[bytes, bytes]:
    own = one_time_key if isinstance(one_time_key, x25519.X25519PrivateKey) else x25519.X25519PrivateKey.generate()
    return own.public_key().public_bytes_raw(), own.exchange(x25519.X25519PublicKey.from_public_bytes(key))


def _agree_p256(key: bytes, one_time_key: OneTimeKey | None) -> tuple[bytes, bytes]:
    theirs = ec.EllipticCurvePublicKey.from_encoded_point(ec.SECP256R1(), key)
    own = one_time_key
    if not isinstance(own, ec.EllipticCurvePrivateKey):
        own = ec.generate_private_key(ec.SECP256R1())
    public = own.public_key().public_bytes(Encoding.X962, PublicFormat.CompressedPoint)  # C.3.4.2
    return public, own.exchange(ec.ECDH(), theirs)


def encode_suci(
    imsi: str,
    mnc_digits: int,
    routing_indicator: bytes,
    info: CalculationInfo,
    one_time_key: OneTimeKey | None = None,
) -> bytes:
    """Return the SUCI of an IMSI in the coding of TS 24.501, from octet 4 on.

    Raises:
        ValueError: the home network's key does not match its scheme.
    """
    scheme, key = info.choice()
    mcc, mnc, msin = imsi[:3], imsi[3 : 3 + mnc_digits], imsi[3 + mnc_digits :]
    output = conceal(scheme, b"" if key is None else key.octets, _digits(msin), one_time_key)
    return b"".join(
        (
            _SUPI_IS_IMSI,
            _digits(mcc + (mnc[2:] or "F") + mnc[:2]),
            routing_indicator,
            bytes([scheme, 0 if key is None else key.identifier]),
            output,
        )
    )


def _digits(digits: str) -> bytes:
    """Return BCD digits with swapped nibbles (the first digit in the low half), padded with F."""
    padded = digits + "F" * (len(digits) % 2)
    return bytes(int(padded[start + 1] + padded[start], 16) for start in range(0, len(padded), 2))
