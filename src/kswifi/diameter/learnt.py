"""Read Credit-Control-Requests by layouts learnt from earlier ones; read all others strictly.

A network sends a few dozen kinds of messages, over and over. The first of a kind is read strictly and teaches its
layout; a value that turns out to differ later gets a place in it. A message that fits no layout is read strictly,
so the result is always the same as that of the strict reader.
"""

from contextlib import suppress
from typing import Final

from kswifi.diameter.layout import Layout, Map
from kswifi.diameter.messages.credit_control import CreditControlRequest

MAX_LAYOUTS: Final = 1_024
LAYOUTS_PER_LENGTH: Final = 16
"""The most layouts that one message is compared with: those of its length."""
MAX_LEARNT_OCTETS: Final = 4_096
"""Longer messages are rare and always read strictly."""
_LESSON_COST: Final = 16
_MAX_CREDIT: Final = 16 * 256
"""Learning is limited to one of sixteen messages on average, so an endless stream of new kinds costs little."""


class LearntReader:
    """Reads requests; the result, or the error, always equals that of ``CreditControlRequest.decode``."""

    def __init__(self) -> None:
        self._by_length: dict[int, list[Layout]] = {}
        self._credit = _MAX_CREDIT
        self.layouts = 0
        """The number of layouts."""
        self.lessons = 0
        """How often a layout was learnt or changed."""

    def find(self, message: bytes) -> Layout | None:
        """Return the layout that the message fits, or None."""
        known = self._by_length.get(len(message))
        if known is not None:
            number = int.from_bytes(message, "big")
            for layout in known:
                if number & layout.mask == layout.expected:
                    return layout
        return None

    def read(self, message: bytes) -> CreditControlRequest:
        """Decode the message; raises DiameterError as the strict reader does."""
        return self.read_by(self.find(message), message)

    def read_by(self, layout: Layout | None, message: bytes) -> CreditControlRequest:
        """Decode the message as ``read`` does; ``layout`` is what ``find`` returned for it."""
        if layout is not None:
            with suppress(UnicodeDecodeError):
                return layout.read(message)
        request = CreditControlRequest.decode(message)
        self._credit = min(self._credit + 1, _MAX_CREDIT)
        if self._credit >= _LESSON_COST and len(message) <= MAX_LEARNT_OCTETS:
            self._credit -= _LESSON_COST
            self._learn(message, request)
        return request

    def _learn(self, message: bytes, request: CreditControlRequest) -> None:
        taught = Map(message, request)
        known = self._by_length.get(len(message), [])
        for position, layout in enumerate(known):
            if layout.kind == taught.kind:
                sample = layout.sample
                differ = {
                    it.start for it in taught.places if message[it.start : it.stop] != sample[it.start : it.stop]
                }
                known[position] = Layout(taught, layout.differing | differ)
                break
        else:
            self._make_room(known)
            known.append(Layout(taught, frozenset()))
            self._by_length[len(message)] = known
            self.layouts += 1
        self.lessons += 1

    def _make_room(self, known: list[Layout]) -> None:
        if len(known) >= LAYOUTS_PER_LENGTH:
            del known[0]
            self.layouts -= 1
        elif self.layouts >= MAX_LAYOUTS:
            oldest = next(iter(self._by_length))
            self.layouts -= len(self._by_length.pop(oldest))
