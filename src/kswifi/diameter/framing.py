"""Cut a stream of octets into messages, holding never more than one of them."""

from typing import Final

from kswifi.diameter.errors import DiameterError
from kswifi.diameter.header import HEADER_OCTETS, Header, check_version_and_length, peek_header

_LENGTH_KNOWN_OCTETS: Final = 4


class FramingError(DiameterError):
    """The stream lost its frame: once it is answered, the connection has to be closed.

    ``messages`` are the whole ones that stood before the fault; ``header`` is that of the faulty one, where
    all of it came, so that the refusal can name it.
    """

    def __init__(self, refused: DiameterError, messages: list[bytes], header: Header | None) -> None:
        super().__init__(refused.result_code, refused.message)
        self.messages = messages
        self.header = header


class MessageFramer:
    """Collects octets and yields whole messages.

    Holds at most one incomplete message, and refuses a version or a length that no message may have as soon as
    its first four octets are there: a peer that announces 16 MB costs nothing.
    """

    __slots__ = ("_needed", "_rest")

    def __init__(self) -> None:
        self._rest = bytearray()
        self._needed = _LENGTH_KNOWN_OCTETS

    def feed(self, octets: bytes) -> list[bytes]:
        """Take octets as they came; return the messages they complete, in order.

        Raises:
            FramingError: what stands where a message should start is none.
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
