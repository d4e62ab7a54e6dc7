"""How many of the octets written to a connection its client has received."""

import asyncio
import socket
import struct
import sys
from typing import Final

_TCP_INFO_OCTETS: Final = 128
_BYTES_ACKED_AT: Final = 120
"""Offset of tcpi_bytes_acked, 64 bits, in Linux's struct tcp_info (since Linux 4.1)."""


def taken_octets(transport: asyncio.Transport) -> int:
    """Return a number that grows with each octet that the client's TCP has acknowledged.

    On Linux it is the number of acknowledged octets. A client that does not read closes its receive window, and
    then acknowledges nothing. The fill level of the transport's buffer would not be enough: it does not change for
    seconds while a slow client empties the buffer of the operating system.

    On other systems it is that fill level, negated, because nothing better is available.
    """
    if sys.platform == "linux":
        try:
            connection = transport.get_extra_info("socket")
            info: bytes = connection.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, _TCP_INFO_OCTETS)
        except (OSError, AttributeError):  # asyncio's TLS transport lets its protocol go at the second close
            return 0
        if len(info) == _TCP_INFO_OCTETS:
            return int(struct.unpack_from("=Q", info, _BYTES_ACKED_AT)[0])
    return -transport.get_write_buffer_size()
