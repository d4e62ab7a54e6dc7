"""How much of what was written to a connection its client has taken."""

import asyncio
import socket
import struct
import sys
from typing import Final

_TCP_INFO_OCTETS: Final = 128
_BYTES_ACKED_AT: Final = 120
"""Linux, struct tcp_info: the offset of tcpi_bytes_acked, 64 bits, since 4.1."""


def taken_octets(transport: asyncio.Transport) -> int:
    """Return a figure that grows with each octet that the client's TCP has acknowledged.

    The size of the buffer of the transport alone says too little: it stands still for seconds while a slow client
    empties that of the kernel, and TLS in asyncio has two. A client that does not read closes its window, and then
    acknowledges nothing.
    Elsewhere than on Linux that size, negated, has to do.
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
