"""Credit-Control-Requests read by layouts learnt from those before them; what is new goes the strict way.

A network sends a few dozen kinds of messages, over and over. The first of a kind is read strictly and teaches its
layout; a value that then turns out to differ gets a place in it. What fits no layout is read strictly, so the
answer to "what does this message say, and is it right" is always the strict one.
"""

from typing import Final

from kswifi.diameter.layout import Layout, Map
from kswifi.diameter.messages.credit_control import CreditControlRequest

MAX_LAYOUTS: Final = 1_024
LAYOUTS_PER_LENGTH: Final = 16
"""Compared one after the other with a message of their length."""
MAX_LEARNT_OCTETS: Final = 4_096
"""Longer messages are rare and read strictly."""
_LESSON_COST: Final = 16
_MAX_CREDIT: Final = 16 * 256
"""Learning is slow: of many messages at most one in sixteen teaches, so new kinds without end cost little."""


class LearntReader:
    """Reads requests; the result, or the error, is always that of ``CreditControlRequest.decode``."""

    def __init__(self) -> None:
        self._by_length: dict[int, list[Layout]] = {}
        self._credit = _MAX_CREDIT
        self.layouts = 0
        """How many are known."""
        self.lessons = 0
        """How often one was learnt or changed."""

    def read(self, message: bytes) -> CreditControlRequest:
        """Read the message; raises DiameterError as the strict way does."""
        known = self._by_length.get(len(message))
        if known is not None:
            number = int.from_bytes(message, "big")
            for layout in known:
                if number & layout.mask == layout.expected:
                    try:
                        return layout.read(message)
                    except UnicodeDecodeError:
                        break
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
