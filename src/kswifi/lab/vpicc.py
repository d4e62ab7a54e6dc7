"""A software card in a virtual reader: the protocol of vsmartcard's vpcd, so that PC/SC programs reach our card.

The reader (``vpcd``, a driver of ``pcscd``) listens; the card connects. Each message is two octets of length and
its octets; a message of one octet is a control: power off, power on, reset, or the wish for the answer to reset.
"""

import socket
from typing import Final

from kswifi.euicc.card import Euicc
from kswifi.kernel.errors import KswifiError

ATR: Final = bytes.fromhex("3B078031A073BE2193")
"""T=0; selection by name and path, chained commands, four channels that the card assigns (ISO 7816-4, 12.1.1)."""

_POWER_OFF, _POWER_ON, _RESET, _GET_ATR = 0, 1, 2, 4
_LENGTH_OCTETS: Final = 2
_CONNECT_SECONDS: Final = 5.0


class VirtualReaderError(KswifiError):
    """There is no virtual reader to put the card into."""

    code = "virtual_reader_missing"


def serve_reader(card: Euicc, host: str, port: int) -> None:
    """Put the card into the reader that listens there and answer until the reader lets it go.

    Raises:
        VirtualReaderError: nothing listens there.
    """
    try:
        connection = socket.create_connection((host, port), timeout=_CONNECT_SECONDS)
    except OSError as error:
        raise VirtualReaderError(f"no virtual reader listens on {host}:{port}: {error}", port=port) from error
    with connection:
        connection.settimeout(None)
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        while (message := _receive(connection)) is not None:
            answer = _answer(card, message)
            if answer is not None:
                connection.sendall(len(answer).to_bytes(_LENGTH_OCTETS, "big") + answer)


def _answer(card: Euicc, message: bytes) -> bytes | None:
    if len(message) != 1:
        return card.transmit(message)
    if message[0] == _GET_ATR:
        return ATR
    if message[0] in (_POWER_OFF, _POWER_ON, _RESET):
        card.reset()
    return None


def _receive(connection: socket.socket) -> bytes | None:
    """Return the next message, or None where the reader is gone."""
    head = _exactly(connection, _LENGTH_OCTETS)
    return None if head is None else _exactly(connection, int.from_bytes(head, "big"))


def _exactly(connection: socket.socket, octets: int) -> bytes | None:
    received = bytearray()
    while len(received) < octets:
        try:
            piece = connection.recv(octets - len(received))
        except ConnectionError:
            return None
        if not piece:
            return None
        received += piece
    return bytes(received)
