"""Put the software card into a virtual reader (vsmartcard's vpcd), so that any PC/SC program can use it.

The reader (``vpcd``, a driver of ``pcscd``) listens, and the card connects to it. Each message is two octets of
length and its content. A message of one octet is a control: power off, power on, reset, or a request for the answer
to reset (ATR); any other message is a command APDU.
"""

import socket
from typing import Final

from kswifi.euicc.card import Euicc
from kswifi.kernel.errors import KswifiError

ATR: Final = bytes.fromhex("3B078031A073BE2193")
"""T=0; selection by name and path, command chaining, four channels assigned by the card (ISO 7816-4, 12.1.1)."""

_POWER_OFF, _POWER_ON, _RESET, _GET_ATR = 0, 1, 2, 4
_LENGTH_OCTETS: Final = 2
_CONNECT_SECONDS: Final = 5.0


class VirtualReaderError(KswifiError):
    """No virtual reader listens at this address."""

    code = "virtual_reader_missing"


def serve_reader(card: Euicc, host: str, port: int) -> None:
    """Connect the card to the virtual reader at ``host:port``, and answer until the reader closes the connection.

    Raises:
        VirtualReaderError: no reader listens there.
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
    """Return the next message; None if the reader has closed the connection."""
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
