"""Split a stream of octets into Diameter messages, buffering at most one incomplete message."""

from typing import Final

from kswifi.diameter.errors import DiameterError
from kswifi.diameter.header import HEADER_OCTETS, Header, check_version_and_length, peek_header

_LENGTH_KNOWN_OCTETS: Final = 4


class FramingError(DiameterError):
    """The stream lost its frame: the connection has to be closed after the answer.

    ``messages`` are the complete messages before the fault. ``header`` is the header of the faulty message if it
    was complete, so that the refusal can name it.
    """

    def __init__(self, refused: DiameterError, messages: list[bytes], header: Header | None) -> None:
        super().__init__(refused.result_code, refused.message)
        self.messages = messages
        self.header = header


class MessageFramer:
    """Collects octets and returns complete messages.

    It holds at most one incomplete message. A wrong version or an impossible length is refused as soon as the
    first four octets of a message have arrived, so a peer that announces 16 MB costs no memory.
    """

    __slots__ = ("_needed", "_rest")

    def __init__(self) -> None:
        self._rest = bytearray()
        self._needed = _LENGTH_KNOWN_OCTETS

    def feed(self, octets: bytes) -> list[bytes]:
        """Take received octets; return the messages that they complete, in order.

        Raises:
            FramingError: no valid message begins where one should.
        """
        data = octets
        if self._rest:
            self._rest += octets
            if len(self._rest) < self._needed:
                return []
            data = bytes(self._rest)
        messages: list[bytes] = []
        start, end = 0, len(data)
        self._needed = _LENGTH_KNOWN_OCTETS
        while end - start >= _LENGTH_KNOWN_OCTETS:
            first_word = int.from_bytes(data[start : start + 4], "big")
            try:
                check_version_and_length(first_word)
            except DiameterError as refused:
                whole_header = end - start >= HEADER_OCTETS
                header = peek_header(data[start : start + HEADER_OCTETS]) if whole_header else None
                raise FramingError(refused, messages, header) from None
            length = first_word & 0xFFFFFF
            if end - start < length:
                self._needed = length
                break
            messages.append(data[start : start + length])
            start += length
        self._rest = bytearray(data[start:])
        return messages
