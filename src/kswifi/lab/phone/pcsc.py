"""A real card in a PC/SC reader. It needs pyscard, an optional dependency, which is imported only when used."""

import importlib
from types import TracebackType
from typing import Any, Self

from kswifi.kernel.errors import KswifiError
from kswifi.lab.phone.es10 import CardError


class ReaderMissingError(KswifiError):
    """There is no such reader, or pyscard or the PC/SC service is missing."""

    code = "reader_missing"


class PcscReader:
    """The card in the reader with this number, counted from 0. Use it with ``with``.

    Raises:
        ReaderMissingError: there is no such reader, or pyscard or the PC/SC service is missing.
        CardError: there is no card in the reader.
    """

    def __init__(self, number: int) -> None:
        try:
            system = importlib.import_module("smartcard.System")
        except ImportError:
            raise ReaderMissingError(
                "readers need pyscard: `uv pip install --require-hashes -r requirements/reader.txt` in KSWiFi's "
                "folder (its build needs swig and libpcsclite-dev)"
            ) from None
        exceptions = importlib.import_module("smartcard.Exceptions")
        self._failure: type[Exception] = exceptions.SmartcardException
        try:
            readers = system.readers()
        except self._failure as error:
            raise ReaderMissingError(f"the PC/SC service does not answer: {error}") from error
        if number >= len(readers):
            raise ReaderMissingError(f"there are {len(readers)} readers", readers=len(readers))
        self._connection: Any = readers[number].createConnection()
        try:
            self._connection.connect()
        except self._failure as error:
            raise CardError(f"there is no card in {readers[number]}: {error}") from error

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._connection.disconnect()

    def transmit(self, command: bytes) -> bytes:
        """Send one command APDU unchanged; return the response data and the two octets of the status word.

        Raises:
            CardError: the card was removed.
        """
        try:
            data, sw1, sw2 = self._connection.transmit(list(command))
        except self._failure as error:
            raise CardError(f"the reader lost the card: {error}") from error
        return bytes(data) + bytes([sw1, sw2])
