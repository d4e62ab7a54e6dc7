"""Ordinary reports from the octets of a learnt layout to a filled answer template.

A layout says where the values of a kind of message are. Here it gets a *shape*: the few places that a report is
charged by, the constants checked once, and the answer templates. So a report needs neither the request decoded as
a whole nor its answer encoded (ADR 36). What is not so plain is left to the ordinary way, with nothing changed.
"""

from struct import Struct
from typing import Any, Final

import msgspec

from kswifi.charging.answers import ChargingAnswer, closing, compose
from kswifi.charging.ordinary_reports import OrdinaryReports
from kswifi.charging.policy import ChargingPolicy
from kswifi.charging.steps import asks_for_other_units, check_kind, reservation_id_of, steps_of
from kswifi.diameter.constants import CcRequestType
from kswifi.diameter.errors import DiameterError
from kswifi.diameter.layout import Layout, Place, Record
from kswifi.diameter.messages.credit_control import CreditControlRequest
from kswifi.diameter.messages.units import ServiceUnit
from kswifi.ledger.commands import Outcome
from kswifi.servers.diameter.application import NodeIdentity, Reply, Sender
from kswifi.servers.diameter.gy_answers import GyAnswers

MAX_TEMPLATES: Final = 64
"""The most answer templates of a shape; beyond it, all of them are dropped."""

_IDENTIFIERS: Final = slice(12, 20)
_U32: Final = Struct("!I").pack
_U64: Final = Struct("!Q").pack
_LOCATION_LIMIT: Final = 64
_UNREAD: Final = ("event_timestamp", "origin_state_id", "subscription_ids", "ps_information")
"""Fields that a report of an open session is not charged by, apart from the location in the last."""
_AMOUNTS: Final = frozenset({"cc_total_octets", "cc_input_octets", "cc_output_octets", "cc_time"})


class _Value:
    """A value of each message: at a place that differs, or the same in all of them."""

    __slots__ = ("constant", "number")

    def __init__(self, number: int | None, constant: Any) -> None:
        self.number = number
        self.constant = constant

    def of(self, values: tuple[Any, ...]) -> Any:
        """Return the value as it was unpacked."""
        return self.constant if self.number is None else values[self.number]


class _Sum:
    """A sum of amounts of the message; ``is_reported`` is False if none of them is in it."""

    __slots__ = ("constant", "is_reported", "numbers")

    def __init__(self, parts: list[_Value]) -> None:
        self.is_reported = bool(parts)
        self.constant = sum(it.constant for it in parts if it.number is None)
        self.numbers = tuple(it.number for it in parts if it.number is not None)

    def of(self, values: tuple[Any, ...]) -> int:
        """Return the sum."""
        amount: int = self.constant
        for number in self.numbers:
            amount += values[number]
        return amount


class _Shape:
    """What all messages of a layout have in common, and where the values of a report are in them."""

    __slots__ = (
        "closes", "has_place", "host", "input", "layout", "location", "number", "octets", "output", "patterns",
        "rat_type", "seconds", "session", "suffix", "termination_cause", "texts",
    )  # fmt: skip

    def __init__(self, layout: Layout, session: int) -> None:
        """Take the values of a report from a layout; ``session`` is the number of the Session-Id's value."""
        request, root = layout.request, layout.root
        service = request.services[0]
        units = next(it for it in root.parts["services"] if isinstance(it, Record)).parts.get("used", [])
        used = [(unit, part) for unit, part in zip(service.used, units, strict=True) if isinstance(part, Record)]
        ps_parts = [it for it in root.parts.get("ps_information", ()) if isinstance(it, Record)]
        ps = ps_parts[0] if ps_parts else Record(None)
        self.layout = layout
        self.closes = request.cc_request_type is CcRequestType.TERMINATION
        self.session = session
        self.number = _value(layout, root, "cc_request_number")
        self.host = _value(layout, root, "origin_host")
        self.suffix = reservation_id_of("", service)
        self.termination_cause = request.termination_cause
        self.octets = _Sum([it for unit, part in used for it in _octets(layout, unit, part)])
        self.input = _Sum(_amounts(layout, used, "cc_input_octets"))
        self.output = _Sum(_amounts(layout, used, "cc_output_octets"))
        self.seconds = _Sum(_amounts(layout, used, "cc_time"))
        self.has_place = request.ps_information is not None
        self.rat_type = _value(layout, ps, "rat_type") if self.has_place else _Value(None, None)
        self.location = _value(layout, ps, "user_location_info") if self.has_place else _Value(None, None)
        self.texts = tuple(
            number
            for place in layout.differing_places
            if place.leaf.convert is bytes.decode and (number := layout.number_of(place)) is not None
        )
        """All texts that differ: a message in which one is not UTF-8 is refused, read or not."""
        self.patterns: dict[tuple[Any, ...], bytes] = {}


class _Report(msgspec.Struct, gc=False):
    """An ordinary report, with what its answer needs."""

    session_id: str
    origin_host: str
    reservation_id: str
    number: int
    used_octets: int
    input_octets: int | None
    output_octets: int | None
    cc_time: int | None
    has_place: bool
    rat_type: int | None
    user_location: str | None
    closes: bool
    termination_cause: int | None
    reports: "OrdinaryRequests"
    shape: _Shape
    message: bytes
    reply: Reply

    def answer(self, outcome: Outcome, *, low: bool) -> None:
        """Fill the template of such an answer and send it."""
        self.reply(self.reports.answer(self, outcome, low=low))

    def answer_by_rules(self, answer: ChargingAnswer) -> None:
        """Encode and send an answer that the service composed."""
        self.reply(self.reports.encode(self, answer))

    def request(self) -> CreditControlRequest:
        """Decode the whole message."""
        return self.shape.layout.read(self.message)


class OrdinaryRequests:
    """Takes the ordinary reports out of the stream of requests."""

    def __init__(
        self, reports: OrdinaryReports, identity: NodeIdentity, policy: ChargingPolicy, answers: GyAnswers
    ) -> None:
        self.taken = 0
        """Requests that went the shorter way."""
        self._reports = reports
        self._identity = identity
        self._policy = policy
        self._answers = answers

    def take(self, layout: Layout, message: bytes, reply: Reply, sender: Sender) -> _Report | None:
        """Charge the message and answer it later; None with nothing changed if it is not ordinary."""
        shape = layout.shape
        if shape is None:
            shape = layout.shape = self._shape_of(layout)
        if not isinstance(shape, _Shape):
            return None
        values = layout.unpack(message)
        try:
            for number in shape.texts:
                values[number].decode()
        except UnicodeDecodeError:
            return None
        origin_host = shape.host.of(values)
        if shape.host.number is not None:
            origin_host = origin_host.decode()
        if not sender.is_agent and origin_host != sender.origin_host:
            return None
        session_id = values[shape.session].decode()
        location = shape.location.of(values)
        report = _Report(
            session_id,
            origin_host,
            session_id + shape.suffix,
            shape.number.of(values),
            shape.octets.of(values),
            shape.input.of(values) if shape.input.is_reported else None,
            shape.output.of(values) if shape.output.is_reported else None,
            shape.seconds.of(values) if shape.seconds.is_reported else None,
            shape.has_place,
            shape.rat_type.of(values),
            None if location is None else location[:_LOCATION_LIMIT].hex(),
            shape.closes,
            shape.termination_cause,
            self,
            shape,
            message,
            reply,
        )
        if not self._reports.take(report):
            return None
        self.taken += 1
        return report

    def answer(self, report: _Report, outcome: Outcome, *, low: bool) -> bytes:
        """Return the answer to a report that was granted octets, or that closed its session."""
        shape, octets, threshold = report.shape, outcome.granted_octets, None
        key: tuple[Any, ...] = ()
        if not report.closes:
            threshold = None if outcome.final else self._policy.threshold(octets)
            key = (outcome.final, low, threshold is not None, report.origin_host)
        pattern = shape.patterns.get(key)
        if pattern is None:
            if len(shape.patterns) >= MAX_TEMPLATES:
                shape.patterns.clear()
            pattern = shape.patterns[key] = self._pattern(report, outcome, low=low)
        filled = [report.message[_IDENTIFIERS], report.session_id.encode(), _U32(report.number)]
        if not report.closes:
            filled.append(_U64(octets))
        if threshold is not None:
            filled.append(_U32(threshold))
        answer: bytes = pattern % tuple(filled)
        return answer

    def encode(self, report: _Report, answer: ChargingAnswer) -> bytes:
        """Return an answer that the service composed."""
        return self._answers.write(report.request(), answer)

    def _pattern(self, report: _Report, outcome: Outcome, *, low: bool) -> bytes:
        request = report.request()
        steps = steps_of(request, self._policy, set())
        if report.closes:
            return self._answers.pattern(request, closing(steps))
        answer = compose(steps, [outcome], self._policy, report.origin_host, direct=False, low=low)
        return self._answers.pattern(request, answer)

    def _shape_of(self, layout: Layout) -> _Shape | bool:
        """Return the shape of a layout; False if its messages are not ordinary reports."""
        request = layout.request
        try:
            check_kind(request)
            self._identity.check_destination(request.destination_realm, request.destination_host)
        except DiameterError:
            return False
        if request.direct is not None or len(request.services) != 1 or request.proxy_infos:
            return False
        service = request.services[0]
        if request.cc_request_type is CcRequestType.UPDATE:
            if service.requested is None or asks_for_other_units(service):
                return False
        elif request.cc_request_type is not CcRequestType.TERMINATION:
            return False
        place = _place(layout.root, "session_id")
        session = None if place is None else layout.number_of(place)
        return _Shape(layout, session) if session is not None and _may_differ(layout) else False


def _may_differ(layout: Layout) -> bool:
    """Return whether the places that differ are those of a report, or fields that it is not charged by."""
    allowed: set[int] = set()
    for name in ("session_id", "cc_request_number", "origin_host"):
        place = _place(layout.root, name)
        if place is not None:
            allowed.add(place.start)
    for name in _UNREAD:
        for part in layout.root.parts.get(name, ()):
            allowed.update(_starts(part))
    for service in layout.root.parts.get("services", ()):
        for unit in service.parts.get("used", ()) if isinstance(service, Record) else ():
            if isinstance(unit, Record):
                for name in _AMOUNTS & unit.parts.keys():
                    allowed.update(it.start for it in unit.parts[name] if isinstance(it, Place))
    return layout.differing <= allowed


def _starts(part: Place | Record) -> set[int]:
    if isinstance(part, Place):
        return {part.start}
    return {start for parts in part.parts.values() for it in parts for start in _starts(it)}


def _place(record: Record, name: str) -> Place | None:
    """Return the place from which a field is read, or None."""
    part = next(iter(record.parts.get(name, ())), None)
    return part if isinstance(part, Place) else None


def _value(layout: Layout, record: Record, name: str) -> _Value:
    place = _place(record, name)
    return _Value(None if place is None else layout.number_of(place), getattr(record.value, name))


def _octets(layout: Layout, unit: ServiceUnit, part: Record) -> list[_Value]:
    """Return the amounts of a unit that make its octets: the total, or input and output."""
    names = ["cc_total_octets"] if unit.cc_total_octets is not None else ["cc_input_octets", "cc_output_octets"]
    return [_value(layout, part, name) for name in names if getattr(unit, name) is not None]


def _amounts(layout: Layout, used: list[tuple[ServiceUnit, Record]], name: str) -> list[_Value]:
    return [_value(layout, part, name) for unit, part in used if getattr(unit, name) is not None]
