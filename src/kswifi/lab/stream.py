"""A reproducible stream of octets that a seed determines: the content server sends it, the phone checks it.

It is the AES-256-CTR key stream (NIST SP 800-38A, 6.5) with SHA-256(seed) as the key and a counter that starts at
zero. So any part can be computed without the parts before it, no two parts are equal, and making it is cheap.
"""

from collections.abc import Iterator
from hashlib import sha256
from typing import Final

from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes

CHUNK_OCTETS: Final = 262_144
_BLOCK_OCTETS: Final = 16
_ZEROS: Final = bytes(CHUNK_OCTETS)


class SeededStream:
    """The stream of a seed from an offset (in octets) on, computed chunk by chunk into one buffer."""

    def __init__(self, seed: str, offset: int = 0) -> None:
        counter = (offset // _BLOCK_OCTETS).to_bytes(_BLOCK_OCTETS, "big")
        key = sha256(seed.encode()).digest()
        self._encryptor = Cipher(algorithms.AES(key), modes.CTR(counter)).encryptor()
        self._buffer = bytearray(CHUNK_OCTETS + _BLOCK_OCTETS)
        self._view = memoryview(self._buffer)
        self._encryptor.update(bytes(offset % _BLOCK_OCTETS))

    def next_chunk(self) -> memoryview:
        """Return the next ``CHUNK_OCTETS`` octets, as a view that the next call overwrites."""
        self._encryptor.update_into(_ZEROS, self._buffer)
        return self._view[:CHUNK_OCTETS]


def chunks(seed: str, octets: int, offset: int = 0) -> Iterator[memoryview]:
    """Yield ``octets`` octets of the stream in chunks. Each chunk is a view that the next one overwrites."""
    stream = SeededStream(seed, offset)
    while octets > 0:
        chunk = stream.next_chunk()[:octets]
        yield chunk
        octets -= len(chunk)


def stream_sha256(seed: str, octets: int) -> str:
    """Return the SHA-256 of the first ``octets`` octets of a seed's stream, in hexadecimal."""
    digest = sha256()
    for chunk in chunks(seed, octets):
        digest.update(chunk)
    return digest.hexdigest()
