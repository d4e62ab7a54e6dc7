"""The security parameters of a packet: SPI, and the algorithms that KIc and KID name (TS 102 225, 5.1)."""

from dataclasses import dataclass
from enum import IntEnum
from typing import Final, Self

from kswifi.scp80.errors import MalformedPacketError, UnsupportedSecurityError


class CounterRule(IntEnum):
    """How the card checks the counter (bits 5 and 4 of the first SPI octet)."""

    NONE = 0
    NOT_CHECKED = 1
    HIGHER = 2
    """The counter must be higher than the card's own."""
    ONE_HIGHER = 3


class Check(IntEnum):
    """Integrity check of the command (bits 2 and 1 of the first octet) or answer (bits 4 and 3 of the second)."""

    NONE = 0
    REDUNDANCY = 1
    CRYPTOGRAPHIC = 2
    SIGNATURE = 3


class ProofOfReceipt(IntEnum):
    """When the card answers (bits 2 and 1 of the second SPI octet)."""

    NEVER = 0
    ALWAYS = 1
    ON_ERROR = 2


class Algorithm(IntEnum):
    """The low half of KIc and KID: block cipher in CBC with a zero vector, or the checksum made with it."""

    AES = 0x2
    """AES-CBC, and AES-CMAC cut to 8 octets."""
    TRIPLE_DES_2 = 0x5
    TRIPLE_DES_3 = 0x9

    @property
    def block_octets(self) -> int:
        """Return the length to which ciphered octets are padded."""
        return 16 if self is Algorithm.AES else 8


_SECOND_RESERVED: Final = 0xC0
_FIRST_RESERVED: Final = 0xE0
_SUBMIT: Final = 0x20
_KEY_OCTETS: Final = {Algorithm.AES: (16, 24, 32), Algorithm.TRIPLE_DES_2: (16,), Algorithm.TRIPLE_DES_3: (24,)}


@dataclass(frozen=True, slots=True, kw_only=True)
class SecurityParameters:
    """SPI: how a command is protected, and how the card must protect its answer (the ``por_`` fields)."""

    counter: CounterRule
    ciphered: bool
    check: Check
    por: ProofOfReceipt
    por_check: Check
    por_ciphered: bool
    por_by_submit: bool = False

    def encode(self) -> bytes:
        """Return the two octets of SPI."""
        first = self.counter << 3 | self.ciphered << 2 | self.check
        second = self.por_by_submit << 5 | self.por_ciphered << 4 | self.por_check << 2 | self.por
        return bytes([first, second])

    @classmethod
    def decode(cls, octets: bytes) -> Self:
        """Read the two octets of SPI.

        Raises:
            MalformedPacketError: it is not two octets, or reserved bits are set.
        """
        if len(octets) != 2 or octets[0] & _FIRST_RESERVED or octets[1] & _SECOND_RESERVED:
            raise MalformedPacketError("SPI has two octets without reserved bits")
        first, second = octets
        if second & 0x03 == 0x03:
            raise MalformedPacketError("SPI asks for no known kind of proof of receipt")
        return cls(
            counter=CounterRule(first >> 3 & 0x03),
            ciphered=bool(first & 0x04),
            check=Check(first & 0x03),
            por=ProofOfReceipt(second & 0x03),
            por_check=Check(second >> 2 & 0x03),
            por_ciphered=bool(second & 0x10),
            por_by_submit=bool(second & _SUBMIT),
        )

    def reaches(self, minimum: int) -> bool:
        """Tell whether the command meets a minimum security level (TS 102 226, 8.2.1.3).

        Args:
            minimum: the level, coded as the first SPI octet. Checksum, ciphering and counter rule must each be at
                least what it demands. A signature counts as a checksum, a redundancy check does not.
        """
        wanted = Check(minimum & 0x03)
        strong = (Check.CRYPTOGRAPHIC, Check.SIGNATURE)
        checked = self.check in strong if wanted in strong else self.check >= wanted
        counted = self.counter >= CounterRule(minimum >> 3 & 0x03)
        return checked and counted and (self.ciphered or not minimum & 0x04)


def algorithm_of(octet: int) -> Algorithm:
    """Return the algorithm that KIc or KID names in its low half.

    Raises:
        UnsupportedSecurityError: it is single DES, a proprietary one, or one agreed on by other means.
    """
    try:
        return Algorithm(octet & 0x0F)
    except ValueError:
        raise UnsupportedSecurityError(
            f"KIc or KID {octet:02X} names an algorithm that is not AES or triple DES", octet=f"{octet:02X}"
        ) from None


def key_version_of(octet: int) -> int:
    """Return the version of the key set that KIc or KID names (its high half)."""
    return octet >> 4


def check_key(algorithm: Algorithm, key: bytes) -> bytes:
    """Return the key if its length fits the algorithm.

    Raises:
        UnsupportedSecurityError: the length does not fit.
    """
    if len(key) not in _KEY_OCTETS[algorithm]:
        raise UnsupportedSecurityError(f"{algorithm.name} has no keys of {len(key)} octets", octets=len(key))
    return key
