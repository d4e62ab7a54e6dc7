"""A learnt layout: the positions of all values in one kind of Credit-Control-Request.

A message fits a layout if all its octets equal those of the sample message, except at the places that are known to
differ. One masked comparison checks every AVP header at once. One ``struct.unpack_from`` then reads all values.

Everything that could change how a message is read is compared: the header, AVP codes, flags, lengths, enumerated
values, address families, and any AVP that reading looks at and that has no place here. Not compared are only values
that have a place, padding, and AVPs that reading ignores. So a message that fits reads exactly as it would
strictly.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from struct import Struct
from typing import Any, Final, TypeAlias

import msgspec

from kswifi.diameter.header import HEADER_OCTETS
from kswifi.diameter.messages.credit_control import CreditControlRequest
from kswifi.diameter.reader import avps_within
from kswifi.diameter.schema import REQUEST, Field, Group, Leaf

_IDENTIFIERS_AT: Final = 12
"""The offset of the Hop-by-Hop and End-to-End Identifiers."""

Build: TypeAlias = Callable[[tuple[Any, ...]], Any]
"""Builds a record, or the value of a field, from the unpacked values."""


@dataclass(frozen=True, slots=True)
class Place:
    """The octets of one value in the message, and how to read them."""

    start: int
    stop: int
    leaf: Leaf


@dataclass(frozen=True, slots=True)
class Record:
    """A decoded record, and the places of its fields in the message.

    ``parts`` maps a field to the places or records of its AVPs, in order. A field that is not in it never differs.
    """

    value: Any
    parts: dict[str, list["Place | Record"]] = field(default_factory=dict)
    many: set[str] = field(default_factory=set)


class Map:
    """The places of one message, and the mask of all octets that define its kind."""

    def __init__(self, message: bytes, request: CreditControlRequest) -> None:
        self.message = message
        self.places: list[Place] = []
        self._mask = bytearray(b"\xff" * len(message))
        self._free(_IDENTIFIERS_AT, HEADER_OCTETS)
        self.root = self._map(REQUEST, request, HEADER_OCTETS, len(message))
        for place in self.places:
            self._free(place.start + place.leaf.fixed, place.stop)
        self.mask = int.from_bytes(self._mask, "big")
        self.kind = int.from_bytes(message, "big") & self.mask
        """The same for messages that differ only at their places."""

    def _free(self, start: int, stop: int) -> None:
        self._mask[start:stop] = bytes(stop - start)

    def _map(self, group: Group, value: Any, offset: int, end: int) -> Record:
        record = Record(value)
        for key, start, stop, behind in avps_within(self.message, offset, end):
            self._free(stop, behind)
            known = group.by_key.get(key)
            if key not in group.seen:
                self._free(start, stop)
            elif known is not None:
                part = self._part(known, record, start, stop)
                if part is not None:
                    record.parts.setdefault(known.name, []).append(part)
                    if known.many:
                        record.many.add(known.name)
        return record

    def _part(self, known: Field, record: Record, start: int, stop: int) -> "Place | Record | None":
        if known.leaf is not None:
            place = Place(start, stop, known.leaf)
            self.places.append(place)
            return place
        if known.group is None:
            return None
        if known.through is not None:
            return self._through(known.through.key, known.group, getattr(record.value, known.name), start, stop)
        value = getattr(record.value, known.name)
        if known.many:
            value = value[len(record.parts.get(known.name, ()))]
        return self._map(known.group, value, start, stop)

    def _through(self, wanted: int, group: Group, value: Any, start: int, stop: int) -> Record | None:
        found = None
        for key, inner, inner_stop, behind in avps_within(self.message, start, stop):
            self._free(inner_stop, behind)
            if key == wanted:
                found = self._map(group, value, inner, inner_stop)
            else:
                self._free(inner, inner_stop)
        return found


class Layout:
    """Reads messages of one kind. ``differing`` are the places that may differ; all other octets are compared."""

    __slots__ = (
        "_build", "_numbers", "differing", "differing_places", "expected", "kind", "mask", "request", "root",
        "sample", "shape", "unpack",
    )  # fmt: skip

    def __init__(self, taught: Map, differing: frozenset[int]) -> None:
        self.kind = taught.kind
        self.differing = differing
        self.sample = taught.message
        mask = bytearray(taught.mask.to_bytes(len(taught.message), "big"))
        places = sorted((it for it in taught.places if it.start in differing), key=lambda it: it.start)
        for place in taught.places:
            if place.start not in differing:
                mask[place.start : place.stop] = b"\xff" * (place.stop - place.start)
        self.mask = int.from_bytes(mask, "big")
        self.expected = int.from_bytes(taught.message, "big") & self.mask
        self.request: CreditControlRequest = taught.root.value
        """The message that taught the layout."""
        self.root = taught.root
        self.differing_places = tuple(places)
        self.shape: object = None
        """What a quicker reader of these messages learnt of the layout and keeps here."""
        self.unpack = _unpacker(places)
        """Returns the identifiers and the values at the places that differ, before their conversion."""
        self._numbers = {place.start: number for number, place in enumerate(places, start=2)}
        identifiers = {"hop_by_hop": 0, "end_to_end": 1}
        self._build = _builder(taught.root, self._numbers, identifiers) or _constant(taught.root.value)

    def read(self, message: bytes) -> CreditControlRequest:
        """Decode a message that fits; raises UnicodeDecodeError if a text is not UTF-8."""
        request: CreditControlRequest = self._build(self.unpack(message))
        return request

    def number_of(self, place: Place) -> int | None:
        """Return which of the unpacked values is the one at a place; None if it is the same in all messages."""
        return self._numbers.get(place.start)


def _unpacker(places: list[Place]) -> Callable[[bytes], tuple[Any, ...]]:
    """Return a function that unpacks the identifiers and the values at the places."""
    formats, at = [f"!{_IDENTIFIERS_AT}xII"], HEADER_OCTETS
    for place in places:
        formats.append(f"{place.start - at}x{place.leaf.format or f'{place.stop - place.start}s'}")
        at = place.stop
    return Struct("".join(formats)).unpack_from


def _builder(record: Record, numbers: dict[int, int], direct: dict[str, int] | None = None) -> Build | None:
    """Return a function that builds the record, or None if nothing in it differs."""
    names = record.value.__struct_fields__
    constants = list(msgspec.structs.astuple(record.value))
    copied = [(names.index(name), number) for name, number in (direct or {}).items()]
    made: list[tuple[int, Callable[[Any], Any], int | None]] = []
    for name, parts in record.parts.items():
        place = names.index(name)
        if name in record.many:
            build = _tuple_builder(parts, constants[place], numbers)
            if build is not None:
                made.append((place, build, None))
            continue
        part = parts[0]
        if isinstance(part, Record):
            build = _builder(part, numbers)
            if build is not None:
                made.append((place, build, None))
        elif part.start in numbers:
            number, convert = numbers[part.start], part.leaf.convert
            if convert is None:
                copied.append((place, number))
            else:
                made.append((place, convert, number))
    if not copied and not made:
        return None
    return _record_builder(type(record.value), constants, tuple(copied), tuple(made))


def _record_builder(
    record: Callable[..., Any],
    constants: list[Any],
    copied: tuple[tuple[int, int], ...],
    made: tuple[tuple[int, Callable[[Any], Any], int | None], ...],
) -> Build:
    copy = constants.copy

    def build(values: tuple[Any, ...]) -> Any:
        fields = copy()
        for place, number in copied:
            fields[place] = values[number]
        for place, make, one in made:
            fields[place] = make(values if one is None else values[one])
        return record(*fields)

    return build


def _tuple_builder(
    parts: list["Place | Record"], constants: tuple[Any, ...], numbers: dict[int, int]
) -> Build | None:
    builds = [
        _builder(part, numbers) if isinstance(part, Record) else _value_builder(part, numbers) for part in parts
    ]
    if not any(builds):
        return None
    makes = [build or _constant(value) for build, value in zip(builds, constants, strict=True)]
    if len(makes) == 1:
        only = makes[0]
        return lambda values: (only(values),)
    return lambda values: tuple([make(values) for make in makes])


def _value_builder(place: Place, numbers: dict[int, int]) -> Build | None:
    number, convert = numbers.get(place.start), place.leaf.convert
    if number is None:
        return None
    if convert is None:
        return lambda values: values[number]
    return lambda values: convert(values[number])


def _constant(value: Any) -> Build:
    return lambda _values: value
