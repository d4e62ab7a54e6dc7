"""Read and write the fields of SGP.22 structures (an ASN.1 SEQUENCE).

A reader takes data objects by their tags and ignores unknown ones, because every SGP.22 structure may be
extended (EXTENSIBILITY IMPLIED). It never re-encodes: signed parts are passed on as the octets received.
"""

from collections.abc import Iterable, Iterator
from typing import Final

from kswifi.rsp import tlv
from kswifi.rsp.errors import RspDecodeError

INTEGER: Final = 0x02
OCTET_STRING: Final = 0x04
OBJECT_IDENTIFIER: Final = 0x06
UTF8_STRING: Final = 0x0C
SEQUENCE: Final = 0x30
BOOLEAN: Final = 0x01
SIGNATURE: Final = 0x5F37
ONE_TIME_KEY: Final = 0x5F49

_MAX_INTEGER_OCTETS: Final = 8
_MAX_TEXT_OCTETS: Final = 1024
_MAX_OID_OCTETS: Final = 64

Version = tuple[int, int, int]


class Fields:
    """The data objects of one structure. Each can be taken once; for a repeated tag the first one comes first.

    Every error is an ``RspDecodeError`` that names the structure and the tag.
    """

    __slots__ = ("_items", "_structure")

    def __init__(self, value: bytes, structure: str) -> None:
        self._structure = structure
        try:
            self._items = list(tlv.walk(value))
        except tlv.TlvError as error:
            raise RspDecodeError(f"{structure}: {error.message}", structure=structure, **error.facts) from None

    @classmethod
    def of(cls, octets: bytes, tag: int, structure: str) -> "Fields":
        """Open the structure that fills ``octets`` and has this tag."""
        return cls(only(octets, tag, structure).value, structure)

    def optional(self, tag: int) -> tlv.Tlv | None:
        """Take the next data object of this tag, or None."""
        for place, item in enumerate(self._items):
            if item.tag == tag:
                return self._items.pop(place)
        return None

    def required(self, tag: int) -> tlv.Tlv:
        """Take the next data object of this tag."""
        item = self.optional(tag)
        if item is None:
            raise RspDecodeError(
                f"{self._structure}: {tag:X} is missing", structure=self._structure, tag=f"{tag:X}"
            )
        return item

    def next(self) -> tlv.Tlv:
        """Take the next data object of any tag."""
        if not self._items:
            raise RspDecodeError(f"{self._structure}: a data object is missing", structure=self._structure)
        return self._items.pop(0)

    def inside(self, tag: int) -> "Fields":
        """Open the required nested structure under a tag."""
        return Fields(self.required(tag).value, self._structure)

    def optional_inside(self, tag: int) -> "Fields | None":
        """Open a nested structure that may be absent."""
        item = self.optional(tag)
        return None if item is None else Fields(item.value, self._structure)

    def every(self, tag: int) -> Iterator[tlv.Tlv]:
        """Take all data objects of this tag, in order: a SEQUENCE OF."""
        while (item := self.optional(tag)) is not None:
            yield item

    def octets(self, tag: int, least: int = 0, most: int | None = None) -> bytes:
        """Take an OCTET STRING of ``least`` to ``most`` octets."""
        return self._sized(self.required(tag), least, most)

    def optional_octets(self, tag: int, least: int = 0, most: int | None = None) -> bytes | None:
        """Take an OCTET STRING that may be absent."""
        item = self.optional(tag)
        return None if item is None else self._sized(item, least, most)

    def text(self, tag: int) -> str:
        """Take a UTF8String."""
        return self._text(self.required(tag))

    def optional_text(self, tag: int) -> str | None:
        """Take a UTF8String that may be absent; an empty one is not absent."""
        item = self.optional(tag)
        return None if item is None else self._text(item)

    def integer(self, tag: int) -> int:
        """Take an INTEGER of at most eight octets."""
        return self._integer(self.required(tag))

    def optional_integer(self, tag: int) -> int | None:
        """Take an INTEGER that may be absent."""
        item = self.optional(tag)
        return None if item is None else self._integer(item)

    def bits(self, tag: int) -> frozenset[int]:
        """Take a BIT STRING of named bits; return the numbers of those that are set."""
        return self._bits(self.required(tag))

    def optional_bits(self, tag: int) -> frozenset[int] | None:
        """Take a BIT STRING that may be absent."""
        item = self.optional(tag)
        return None if item is None else self._bits(item)

    def version(self, tag: int) -> Version:
        """Take a VersionType: major, minor and revision, an octet each."""
        major, minor, revision = self.octets(tag, 3, 3)
        return major, minor, revision

    def optional_version(self, tag: int) -> Version | None:
        """Take a VersionType that may be absent."""
        value = self.optional_octets(tag, 3, 3)
        return None if value is None else (value[0], value[1], value[2])

    def boolean(self, tag: int) -> bool:
        """Take a BOOLEAN; any value but 0 is true, as in BER."""
        return self.octets(tag, 1, 1) != b"\x00"

    def oid(self, tag: int) -> str:
        """Take an OBJECT IDENTIFIER; return it in dotted form."""
        return self._oid(self.required(tag))

    def optional_oid(self, tag: int) -> str | None:
        """Take an OBJECT IDENTIFIER that may be absent."""
        item = self.optional(tag)
        return None if item is None else self._oid(item)

    def _fault(self, words: str, item: tlv.Tlv) -> RspDecodeError:
        return RspDecodeError(
            f"{self._structure}: {item.tag:X} {words}", structure=self._structure, tag=f"{item.tag:X}"
        )

    def _sized(self, item: tlv.Tlv, least: int, most: int | None) -> bytes:
        length = len(item.value)
        if length < least or (most is not None and length > most):
            raise self._fault(f"has {length} octets", item)
        return item.value

    def _text(self, item: tlv.Tlv) -> str:
        try:
            return self._sized(item, 0, _MAX_TEXT_OCTETS).decode()
        except UnicodeDecodeError:
            raise self._fault("is no UTF-8 text", item) from None

    def _integer(self, item: tlv.Tlv) -> int:
        return int.from_bytes(self._sized(item, 1, _MAX_INTEGER_OCTETS), "big", signed=True)

    def _bits(self, item: tlv.Tlv) -> frozenset[int]:
        value = self._sized(item, 1, 33)
        unused = value[0]
        if unused > 7 or (unused and len(value) == 1):
            raise self._fault("is no bit string", item)
        count = 8 * (len(value) - 1) - unused
        return frozenset(bit for bit in range(count) if value[1 + bit // 8] & 0x80 >> bit % 8)

    def _oid(self, item: tlv.Tlv) -> str:
        try:
            return oid_text(self._sized(item, 1, _MAX_OID_OCTETS))
        except ValueError:
            raise self._fault("is no object identifier", item) from None


def only(octets: bytes, tag: int, structure: str) -> tlv.Tlv:
    """Return the data object that fills ``octets``; errors are ``RspDecodeError``."""
    try:
        return tlv.only(octets, tag)
    except tlv.TlvError as error:
        raise RspDecodeError(f"{structure}: {error.message}", structure=structure, **error.facts) from None


def choice(octets: bytes, tag: int, structure: str) -> tlv.Tlv:
    """Return the chosen alternative of a tagged CHOICE that fills ``octets``."""
    inner = only(octets, tag, structure).value
    try:
        item, end = tlv.read(inner)
    except tlv.TlvError as error:
        raise RspDecodeError(f"{structure}: {error.message}", structure=structure, **error.facts) from None
    if end != len(inner):
        raise RspDecodeError(f"{structure}: more than one alternative", structure=structure)
    return item


def unknown_alternative(item: tlv.Tlv, structure: str) -> RspDecodeError:
    """Return the error for an unknown alternative of a CHOICE."""
    return RspDecodeError(f"{structure}: {item.tag:X} is no alternative", structure=structure, tag=f"{item.tag:X}")


def integer_of(item: tlv.Tlv, structure: str) -> int:
    """Return the value of an alternative that is an INTEGER."""
    return Fields(item.raw, structure).integer(item.tag)


def encode_integer(tag: int, value: int) -> bytes:
    """Return an INTEGER in its shortest form."""
    size = (value if value >= 0 else ~value).bit_length() // 8 + 1
    return tlv.encode(tag, value.to_bytes(size, "big", signed=True))


def encode_text(tag: int, text: str) -> bytes:
    """Return a UTF8String."""
    return tlv.encode(tag, text.encode())


def encode_boolean(tag: int, value: bool) -> bytes:
    """Return a BOOLEAN in DER: FF is true."""
    return tlv.encode(tag, b"\xff" if value else b"\x00")


def encode_bits(tag: int, bits: Iterable[int]) -> bytes:
    """Return a BIT STRING of named bits, without trailing zeros (X.690, 11.2.2)."""
    present = set(bits)
    if not present:
        return tlv.encode(tag, b"\x00")
    count = max(present) + 1
    value = sum(1 << (count - 1 - bit) for bit in present)
    unused = -count % 8
    return tlv.encode(tag, bytes([unused]) + (value << unused).to_bytes((count + unused) // 8, "big"))


def encode_oid(tag: int, dotted: str) -> bytes:
    """Return an OBJECT IDENTIFIER."""
    return tlv.encode(tag, oid_octets(dotted))


def encode_optional(tag: int, value: bytes | None) -> bytes:
    """Return an OCTET STRING, or nothing if the value is None."""
    return b"" if value is None else tlv.encode(tag, value)


def oid_octets(dotted: str) -> bytes:
    """Return the content octets of an object identifier (X.690, 8.19)."""
    first, second, *rest = (int(arc) for arc in dotted.split("."))
    encoded = bytearray()
    for arc in (first * 40 + second, *rest):
        groups = [arc & 0x7F]
        while arc := arc >> 7:
            groups.append(arc & 0x7F | 0x80)
        encoded += bytes(reversed(groups))
    return bytes(encoded)


def oid_text(octets: bytes) -> str:
    """Return an object identifier in dotted form.

    Raises:
        ValueError: it is empty, ends within an arc, or has a padded arc.
    """
    arcs: list[int] = []
    arc, begun = 0, False
    for octet in octets:
        if octet == 0x80 and not begun:
            raise ValueError("an arc is padded")
        arc, begun = arc << 7 | octet & 0x7F, True
        if not octet & 0x80:
            arcs.append(arc)
            arc, begun = 0, False
    if begun or not arcs:
        raise ValueError("an object identifier is cut short")
    first = min(arcs[0] // 40, 2)
    return ".".join(str(number) for number in (first, arcs[0] - 40 * first, *arcs[1:]))
