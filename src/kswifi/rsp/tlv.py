"""A parser and encoder for BER-TLV: tags of one to three octets, definite lengths up to 2^24-1.

Signed structures are kept as received; nothing here encodes again what it parsed. This parser takes
microseconds where a general ASN.1 library takes a millisecond, and it keeps the offsets that signatures need.
"""

from collections.abc import Iterator
from typing import Final, NamedTuple

from kswifi.kernel.errors import KswifiError

_CONSTRUCTED: Final = 0x20
_MAX_LENGTH_OCTETS: Final = 3


class TlvError(KswifiError):
    """The octets are not well-formed BER-TLV."""

    code = "malformed_tlv"


class Tlv(NamedTuple):
    """One data object: its tag, its value, and its octets as received, with the header."""

    tag: int
    value: bytes
    raw: bytes

    @property
    def constructed(self) -> bool:
        """Tell whether the value is a sequence of data objects (ISO/IEC 8825-1, 8.1.2.5)."""
        return is_constructed(self.tag)


def is_constructed(tag: int) -> bool:
    """Tell whether a tag, read as a number, has its constructed bit set in the first octet."""
    while tag > 0xFF:
        tag >>= 8
    return bool(tag & _CONSTRUCTED)


def encode_length(length: int) -> bytes:
    """Return the shortest definite form of a length (DER)."""
    if length < 0x80:
        return bytes([length])
    octets = length.to_bytes((length.bit_length() + 7) // 8, "big")
    return bytes([0x80 | len(octets)]) + octets


def encode_tag(tag: int) -> bytes:
    """Return the octets of a tag written as a number: 0xBF22 is two octets."""
    return tag.to_bytes(max(1, (tag.bit_length() + 7) // 8), "big")


def encode(tag: int, *values: bytes) -> bytes:
    """Return one data object with the joined values."""
    value = b"".join(values)
    return encode_tag(tag) + encode_length(len(value)) + value


def read_header(data: bytes | memoryview, offset: int = 0) -> tuple[int, int, int]:
    """Parse a tag and a length; return ``(tag, value_offset, value_length)``.

    The value may be incomplete: bound profile packages arrive in units that are truncated data objects.

    Raises:
        TlvError: the header is incomplete, has an indefinite length, or exceeds the limits.
    """
    end = len(data)
    start = offset
    if offset >= end:
        raise TlvError("a tag is missing", offset=start)
    tag = data[offset]
    offset += 1
    if tag & 0x1F == 0x1F:
        for _ in range(2):
            if offset >= end:
                raise TlvError("a tag is cut short", offset=start)
            octet = data[offset]
            offset += 1
            tag = tag << 8 | octet
            if not octet & 0x80:
                break
        else:
            raise TlvError("a tag has more than three octets", offset=start)
    if offset >= end:
        raise TlvError("a length is missing", offset=start, tag=f"{tag:X}")
    length = data[offset]
    offset += 1
    if length & 0x80:
        count = length & 0x7F
        if not 1 <= count <= _MAX_LENGTH_OCTETS:
            raise TlvError("a length is indefinite or too long", offset=start, tag=f"{tag:X}")
        if offset + count > end:
            raise TlvError("a length is cut short", offset=start, tag=f"{tag:X}")
        length = int.from_bytes(data[offset : offset + count], "big")
        offset += count
    return tag, offset, length


def read(data: bytes, offset: int = 0) -> tuple[Tlv, int]:
    """Parse one complete data object; return it and the offset after it.

    Raises:
        TlvError: it is malformed or incomplete.
    """
    tag, value_offset, length = read_header(data, offset)
    end = value_offset + length
    if end > len(data):
        raise TlvError("a value is cut short", tag=f"{tag:X}", expected=length, present=len(data) - value_offset)
    return Tlv(tag, data[value_offset:end], data[offset:end]), end


def walk(data: bytes) -> Iterator[Tlv]:
    """Yield the data objects that follow one another and fill ``data`` exactly."""
    offset = 0
    while offset < len(data):
        item, offset = read(data, offset)
        yield item


def only(data: bytes, tag: int) -> Tlv:
    """Return the single data object that fills ``data`` and must have this tag."""
    item, end = read(data)
    if item.tag != tag:
        raise TlvError(f"expected tag {tag:X}, found {item.tag:X}", tag=f"{item.tag:X}")
    if end != len(data):
        raise TlvError("octets follow the data object", tag=f"{tag:X}", surplus=len(data) - end)
    return item


def children(data: bytes) -> dict[int, Tlv]:
    """Return the data objects of a value by tag; a repeated tag is refused."""
    found: dict[int, Tlv] = {}
    for item in walk(data):
        if item.tag in found:
            raise TlvError(f"tag {item.tag:X} comes twice", tag=f"{item.tag:X}")
        found[item.tag] = item
    return found
