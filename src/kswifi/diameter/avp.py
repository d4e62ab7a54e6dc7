"""The AVP data types of RFC 6733, 4.2 to 4.4, each with its encoding and decoding.

An AVP on the wire: code (4 octets), flags (1), length without padding (3), the Vendor-Id (4, only with the V flag),
the value, and zeros up to a multiple of four octets.
"""

import socket
from enum import IntEnum
from struct import Struct
from typing import Final, Generic, TypeVar

from kswifi.diameter.constants import ResultCode
from kswifi.diameter.errors import DiameterError

T = TypeVar("T")
E = TypeVar("E", bound=IntEnum)

FLAG_VENDOR: Final = 0x80
FLAG_MANDATORY: Final = 0x40

PADDING: Final = (b"", b"\0\0\0", b"\0\0", b"\0")
"""The padding after a value, by its length modulo four."""

MAX_FAILED_AVP_OCTETS: Final = 1024
"""A longer faulty AVP appears in Failed-AVP by its header only, so that no refusal outgrows its request."""

_HEADER: Final = Struct("!II")
_VENDOR_HEADER: Final = Struct("!III")
_NTP_OF_UNIX_EPOCH: Final = 2_208_988_800
_FIRST_INSTANT: Final = (1 << 31) - _NTP_OF_UNIX_EPOCH
_LAST_INSTANT: Final = _FIRST_INSTANT + 0xFFFFFFFF
"""The range of Time as Unix seconds: 1968-01-20 03:14:08 to 2104-02-26 09:42:23 UTC."""
_ADDRESS_FAMILIES: Final = {1: (socket.AF_INET, 4), 2: (socket.AF_INET6, 16)}


def unix_seconds_of(ntp_seconds: int) -> int:
    """Convert seconds on the wire to Unix seconds: they count from 1900, or from 2036 if the first bit is 0."""
    return ntp_seconds - _NTP_OF_UNIX_EPOCH + (0 if ntp_seconds & 0x8000_0000 else 1 << 32)


def avp_key(code: int, vendor_id: int) -> int:
    """Return the dictionary key of an AVP: its code and vendor in one number."""
    return vendor_id << 32 | code


class Avp(Generic[T]):
    """A definition of an AVP: its name, its code, and the encoding of its value."""

    minimum_octets = 0
    """The shortest value of the type: a missing AVP appears in Failed-AVP with so many zeros (RFC 6733, 7.1.5)."""

    def __init__(self, name: str, code: int, vendor_id: int = 0, *, mandatory: bool = True) -> None:
        self.name = name
        self.code = code
        self.vendor_id = vendor_id
        self.mandatory = mandatory
        self.key = avp_key(code, vendor_id)
        self._flags = (FLAG_VENDOR if vendor_id else 0) | (FLAG_MANDATORY if mandatory else 0)

    def __repr__(self) -> str:
        return f"<{self.name} {self.code}>"

    def encode(self, value: T) -> bytes:
        """Encode the whole AVP, with padding."""
        raise NotImplementedError

    def decode(self, octets: bytes) -> T:
        """Decode a value.

        Raises:
            DiameterError: 5014 wrong length, or 5004 wrong value for this type.
        """
        raise NotImplementedError

    def wrap(self, octets: bytes) -> bytes:
        """Return header, octets and padding."""
        if self.vendor_id:
            header = _VENDOR_HEADER.pack(self.code, self._flags << 24 | (12 + len(octets)), self.vendor_id)
        else:
            header = _HEADER.pack(self.code, self._flags << 24 | (8 + len(octets)))
        return header + octets + PADDING[len(octets) & 3]

    def example(self) -> bytes:
        """Return the AVP with the shortest value, all zeros: Failed-AVP names a missing AVP this way."""
        return self.wrap(bytes(self.minimum_octets))

    def failed(self, octets: bytes) -> bytes:
        """Return the AVP for Failed-AVP: as received, or as an example if it is too long to send back."""
        return self.wrap(octets) if len(octets) <= MAX_FAILED_AVP_OCTETS else self.example()

    def invalid_length(self, octets: bytes) -> DiameterError:
        """Build the error for a value of a wrong length (5014)."""
        return DiameterError(
            ResultCode.INVALID_AVP_LENGTH, f"{self.name} has a value of {len(octets)} octets", self.failed(octets)
        )

    def invalid_value(self, octets: bytes) -> DiameterError:
        """Build the error for a value that this AVP cannot have (5004)."""
        return DiameterError(ResultCode.INVALID_AVP_VALUE, f"{self.name} has no valid value", self.failed(octets))


class OctetString(Avp[bytes]):
    """Raw octets (RFC 6733, 4.2)."""

    def encode(self, value: bytes) -> bytes:
        """Wrap the octets."""
        return self.wrap(value)

    def decode(self, octets: bytes) -> bytes:
        """Return the octets."""
        return octets


class Grouped(OctetString):
    """AVPs inside an AVP (RFC 6733, 4.4); the value is the concatenation of the encoded AVPs."""

    def group(self, *avps: bytes) -> bytes:
        """Wrap AVPs that are already encoded."""
        return self.wrap(b"".join(avps))


class Utf8String(Avp[str]):
    """Text (RFC 6733, 4.3.1): UTF8String, and DiameterIdentity, which is its ASCII part."""

    def encode(self, value: str) -> bytes:
        """Wrap the text."""
        return self.wrap(value.encode())

    def decode(self, octets: bytes) -> str:
        """Return the text."""
        try:
            return octets.decode()
        except UnicodeDecodeError:
            raise self.invalid_value(octets) from None


class Unsigned32(Avp[int]):
    """An unsigned integer of four octets; encoding raises OverflowError if the value does not fit."""

    minimum_octets = 4

    def encode(self, value: int) -> bytes:
        """Wrap the number."""
        return self.wrap(value.to_bytes(4, "big"))

    def decode(self, octets: bytes) -> int:
        """Return the number."""
        if len(octets) != 4:
            raise self.invalid_length(octets)
        return int.from_bytes(octets, "big")


class Unsigned64(Avp[int]):
    """An unsigned integer of eight octets; encoding raises OverflowError if the value does not fit."""

    minimum_octets = 8

    def encode(self, value: int) -> bytes:
        """Wrap the number."""
        return self.wrap(value.to_bytes(8, "big"))

    def decode(self, octets: bytes) -> int:
        """Return the number."""
        if len(octets) != 8:
            raise self.invalid_length(octets)
        return int.from_bytes(octets, "big")


class Integer32(Avp[int]):
    """A signed integer of four octets."""

    minimum_octets = 4

    def encode(self, value: int) -> bytes:
        """Wrap the number."""
        return self.wrap(value.to_bytes(4, "big", signed=True))

    def decode(self, octets: bytes) -> int:
        """Return the number."""
        if len(octets) != 4:
            raise self.invalid_length(octets)
        return int.from_bytes(octets, "big", signed=True)


class Integer64(Avp[int]):
    """A signed integer of eight octets."""

    minimum_octets = 8

    def encode(self, value: int) -> bytes:
        """Wrap the number."""
        return self.wrap(value.to_bytes(8, "big", signed=True))

    def decode(self, octets: bytes) -> int:
        """Return the number."""
        if len(octets) != 8:
            raise self.invalid_length(octets)
        return int.from_bytes(octets, "big", signed=True)


class Enumerated(Avp[E]):
    """A number from an enumeration; any other number is refused with 5004 (RFC 6733, 4.3.1)."""

    minimum_octets = 4

    def __init__(
        self, name: str, code: int, members: type[E], vendor_id: int = 0, *, mandatory: bool = True
    ) -> None:
        super().__init__(name, code, vendor_id, mandatory=mandatory)
        self._members = {member.to_bytes(4, "big"): member for member in members}

    def encode(self, value: E) -> bytes:
        """Wrap the number."""
        return self.wrap(value.to_bytes(4, "big"))

    def decode(self, octets: bytes) -> E:
        """Return the member."""
        member = self._members.get(octets)
        if member is None:
            raise self.invalid_length(octets) if len(octets) != 4 else self.invalid_value(octets)
        return member


class Time(Avp[int]):
    """An instant as Unix seconds; on the wire it counts from 1900, or from 2036 (RFC 6733, 4.3.1)."""

    minimum_octets = 4

    def encode(self, value: int) -> bytes:
        """Wrap the instant; raises OverflowError if four octets cannot represent it."""
        if not _FIRST_INSTANT <= value <= _LAST_INSTANT:
            raise OverflowError(f"{self.name} holds no instant {value} seconds after 1970")
        return self.wrap((value + _NTP_OF_UNIX_EPOCH & 0xFFFFFFFF).to_bytes(4, "big"))

    def decode(self, octets: bytes) -> int:
        """Return Unix seconds; a first bit of 0 means the era that begins in 2036 (RFC 5905, 6)."""
        if len(octets) != 4:
            raise self.invalid_length(octets)
        return unix_seconds_of(int.from_bytes(octets, "big"))


class Address(Avp[str]):
    """An IP address as text; two octets of family come before it on the wire (RFC 6733, 4.3.1)."""

    minimum_octets = 6

    def encode(self, value: str) -> bytes:
        """Wrap the address; raises OSError if it is not an IP address."""
        family = 2 if ":" in value else 1
        return self.wrap(family.to_bytes(2, "big") + socket.inet_pton(_ADDRESS_FAMILIES[family][0], value))

    def decode(self, octets: bytes) -> str:
        """Return the address as text."""
        if len(octets) < 2:
            raise self.invalid_length(octets)
        known = _ADDRESS_FAMILIES.get(int.from_bytes(octets[:2], "big"))
        if known is None:
            raise self.invalid_value(octets)
        family, length = known
        if len(octets) != 2 + length:
            raise self.invalid_length(octets)
        return socket.inet_ntop(family, octets[2:])
