"""AVPs: what each type of RFC 6733, 4.2 to 4.4 looks like, as definitions that encode and decode."""

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
"""What follows a value, by its length modulo four."""

MAX_FAILED_AVP_OCTETS: Final = 1024
"""An AVP at fault that is longer is shown by its header alone, so that no refusal outgrows its request."""

_HEADER: Final = Struct("!II")
_VENDOR_HEADER: Final = Struct("!III")
_NTP_OF_UNIX_EPOCH: Final = 2_208_988_800
_FIRST_INSTANT: Final = (1 << 31) - _NTP_OF_UNIX_EPOCH
_LAST_INSTANT: Final = _FIRST_INSTANT + 0xFFFFFFFF
"""What a Time can hold, as Unix seconds: 1968-01-20 03:14:08 to 2104-02-26 09:42:23 UTC."""
_ADDRESS_FAMILIES: Final = {1: (socket.AF_INET, 4), 2: (socket.AF_INET6, 16)}


def unix_seconds_of(ntp_seconds: int) -> int:
    """Return seconds since 1970 of those on the wire: since 1900, or since 2036 where the first bit is 0."""
    return ntp_seconds - _NTP_OF_UNIX_EPOCH + (0 if ntp_seconds & 0x8000_0000 else 1 << 32)


def avp_key(code: int, vendor_id: int) -> int:
    """Return the one number an AVP is looked up by."""
    return vendor_id << 32 | code


class Avp(Generic[T]):
    """One AVP of the dictionary: its name, its code, and how its value is written and read."""

    minimum_octets = 0
    """The shortest value of the type: what the example of a missing AVP is filled with (RFC 6733, 7.1.5)."""

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
        """Return the whole AVP, padded."""
        raise NotImplementedError

    def decode(self, octets: bytes) -> T:
        """Read a value.

        Raises:
            DiameterError: 5014 its length or 5004 its value is not one of this type.
        """
        raise NotImplementedError

    def wrap(self, octets: bytes) -> bytes:
        """Return header, value and padding around the octets of a value."""
        if self.vendor_id:
            header = _VENDOR_HEADER.pack(self.code, self._flags << 24 | (12 + len(octets)), self.vendor_id)
        else:
            header = _HEADER.pack(self.code, self._flags << 24 | (8 + len(octets)))
        return header + octets + PADDING[len(octets) & 3]

    def example(self) -> bytes:
        """Return the AVP with the shortest value of zeros: how Failed-AVP names one that is missing."""
        return self.wrap(bytes(self.minimum_octets))

    def failed(self, octets: bytes) -> bytes:
        """Return the AVP as Failed-AVP shows it: as it came, unless that is too long to send back."""
        return self.wrap(octets) if len(octets) <= MAX_FAILED_AVP_OCTETS else self.example()

    def invalid_length(self, octets: bytes) -> DiameterError:
        """Return the error for a value of another length (5014)."""
        return DiameterError(
            ResultCode.INVALID_AVP_LENGTH, f"{self.name} has a value of {len(octets)} octets", self.failed(octets)
        )

    def invalid_value(self, octets: bytes) -> DiameterError:
        """Return the error for a value that the AVP cannot have (5004)."""
        return DiameterError(ResultCode.INVALID_AVP_VALUE, f"{self.name} has no valid value", self.failed(octets))


class OctetString(Avp[bytes]):
    """Octets as they are (RFC 6733, 4.2)."""

    def encode(self, value: bytes) -> bytes:
        """Wrap the octets."""
        return self.wrap(value)

    def decode(self, octets: bytes) -> bytes:
        """Return the octets."""
        return octets


class Grouped(OctetString):
    """AVPs within an AVP (RFC 6733, 4.4); the value is their joined octets."""

    def group(self, *avps: bytes) -> bytes:
        """Wrap AVPs that are encoded already."""
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
    """A number of four octets; one that does not fit raises OverflowError when encoded."""

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
    """A number of eight octets; one that does not fit raises OverflowError when encoded."""

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
    """A signed number of four octets."""

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
    """A signed number of eight octets."""

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
    """A number that names one of a few things; another number is refused with 5004 (RFC 6733, 4.3.1)."""

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
    """An instant as whole seconds since 1970; on the wire since 1900, or since 2036 (RFC 6733, 4.3.1)."""

    minimum_octets = 4

    def encode(self, value: int) -> bytes:
        """Wrap the instant; one that the four octets cannot tell from another raises OverflowError."""
        if not _FIRST_INSTANT <= value <= _LAST_INSTANT:
            raise OverflowError(f"{self.name} holds no instant {value} seconds after 1970")
        return self.wrap((value + _NTP_OF_UNIX_EPOCH & 0xFFFFFFFF).to_bytes(4, "big"))

    def decode(self, octets: bytes) -> int:
        """Return seconds since 1970; a first bit of 0 means the era that begins in 2036 (RFC 5905, 6)."""
        if len(octets) != 4:
            raise self.invalid_length(octets)
        return unix_seconds_of(int.from_bytes(octets, "big"))


class Address(Avp[str]):
    """An IP address as text; two octets of family come before it on the wire (RFC 6733, 4.3.1)."""

    minimum_octets = 6

    def encode(self, value: str) -> bytes:
        """Wrap the address; raises OSError where it is none."""
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
