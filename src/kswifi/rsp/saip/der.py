"""The DER forms of fields in profile elements: integers, object identifiers, automatic tags.

The ASN.1 module has automatic tags, so a field's tag is its position: context-specific 0, 1, 2 ...
"""

from typing import Final

from kswifi.rsp import tlv
from kswifi.rsp.saip.errors import ProfilePackageError

_MAX_INTEGER_OCTETS: Final = 5


def context_tag(place: int, *, constructed: bool) -> int:
    """Return the context-specific tag of a position, as one or two octets read as a number (X.690, 8.1.2)."""
    first = 0xA0 if constructed else 0x80
    return first | place if place < 0x1F else (first | 0x1F) << 8 | place


def place_of(tag: int) -> int:
    """Return the position of a context-specific tag.

    Raises:
        ProfilePackageError: the tag is of another class or too long.
    """
    if tag <= 0xFF and tag & 0xC0 == 0x80:
        return tag & 0x1F
    if tag <= 0xFFFF and tag >> 8 & 0xDF == 0x9F:
        return tag & 0x7F
    raise ProfilePackageError(f"tag {tag:X} is not context-specific", tag=f"{tag:X}")


def encode_integer(value: int) -> bytes:
    """Return the content octets of a non-negative INTEGER (X.690, 8.3)."""
    return value.to_bytes(value.bit_length() // 8 + 1, "big")


def decode_integer(octets: bytes) -> int:
    """Decode the content octets of a non-negative INTEGER.

    Raises:
        ProfilePackageError: empty, negative, padded or too long.
    """
    if not 1 <= len(octets) <= _MAX_INTEGER_OCTETS or octets[0] & 0x80:
        raise ProfilePackageError("an integer is empty, negative or too long", length=len(octets))
    value = int.from_bytes(octets, "big")
    if encode_integer(value) != octets:
        raise ProfilePackageError("an integer is not in its shortest form", value=value)
    return value


def encode_oid(dotted: str) -> bytes:
    """Return the content octets of an object identifier under joint-iso-itu-t (X.690, 8.19)."""
    first, second, *rest = (int(arc) for arc in dotted.split("."))
    octets = bytearray()
    for arc in (first * 40 + second, *rest):
        groups = [arc & 0x7F]
        while arc := arc >> 7:
            groups.append(arc & 0x7F | 0x80)
        octets += bytes(reversed(groups))
    return bytes(octets)


def decode_oid(octets: bytes) -> str:
    """Decode the content octets of an object identifier, including 2.x with x of 40 and more.

    Raises:
        ProfilePackageError: empty, or its last arc is incomplete.
    """
    arcs, arc = [], 0
    for octet in octets:
        arc = arc << 7 | octet & 0x7F
        if not octet & 0x80:
            arcs.append(arc)
            arc = 0
    if not arcs or octets[-1] & 0x80 or len(octets) > 32:
        raise ProfilePackageError("an object identifier is empty, cut short or too long")
    first = min(arcs[0] // 40, 2)
    return ".".join(str(number) for number in (first, arcs[0] - first * 40, *arcs[1:]))


def optional(tag: int, value: bytes | None) -> bytes:
    """Return a data object, or nothing if the field is absent."""
    return b"" if value is None else tlv.encode(tag, value)


def defaulted(tag: int, value: bytes, default: bytes) -> bytes:
    """Return a data object, or nothing if the value is the default (X.690, 11.5)."""
    return b"" if value == default else tlv.encode(tag, value)


def required(fields: dict[int, tlv.Tlv], tag: int, name: str) -> bytes:
    """Return a field's value.

    Raises:
        ProfilePackageError: it is missing.
    """
    if tag not in fields:
        raise ProfilePackageError(f"the field {name} is missing", field=name)
    return fields[tag].value


def sized(value: bytes, length: int, name: str) -> bytes:
    """Return the value after checking its length.

    Raises:
        ProfilePackageError: it has another length.
    """
    if len(value) != length:
        raise ProfilePackageError(f"{name} has {length} octets, not {len(value)}", field=name)
    return value
