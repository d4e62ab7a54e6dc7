"""The algorithms of SCP80, from the `cryptography` library (TS 102 225, 5.1.2 and 5.1.3).

Our own profiles have AES keys. Triple DES is supported because cards in the field, and recordings of them, use it.
"""

import hmac
from typing import Final

from cryptography.hazmat.decrepit.ciphers.algorithms import TripleDES
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from cryptography.hazmat.primitives.cmac import CMAC

from kswifi.scp80.security import Algorithm, check_key

CHECKSUM_OCTETS: Final = 8


def checksum(algorithm: Algorithm, key: bytes, octets: bytes) -> bytes:
    """Return the cryptographic checksum, 8 octets: AES-CMAC truncated, or the last block of triple DES in CBC."""
    if algorithm is Algorithm.AES:
        cmac = CMAC(algorithms.AES(check_key(algorithm, key)))
        cmac.update(octets)
        return cmac.finalize()[:CHECKSUM_OCTETS]
    return encipher(algorithm, key, pad(octets, algorithm.block_octets))[-CHECKSUM_OCTETS:]


def same(one: bytes, other: bytes) -> bool:
    """Compare two checksums in constant time."""
    return hmac.compare_digest(one, other)


def encipher(algorithm: Algorithm, key: bytes, octets: bytes) -> bytes:
    """Encipher whole blocks in CBC mode with a zero initialisation vector.

    TS 102 225 fixes the zero vector. First blocks differ nevertheless, because they begin with the counter.
    """
    encryptor = _cipher(algorithm, key).encryptor()
    return encryptor.update(octets) + encryptor.finalize()


def decipher(algorithm: Algorithm, key: bytes, octets: bytes) -> bytes:
    """Decipher whole blocks in CBC mode with a zero initialisation vector."""
    decryptor = _cipher(algorithm, key).decryptor()
    return decryptor.update(octets) + decryptor.finalize()


def pad(octets: bytes, block_octets: int) -> bytes:
    """Append zeros up to a whole number of blocks."""
    return octets + bytes(-len(octets) % block_octets)


def _cipher(algorithm: Algorithm, key: bytes) -> Cipher[modes.CBC]:
    check_key(algorithm, key)
    vector = modes.CBC(bytes(algorithm.block_octets))
    if algorithm is Algorithm.AES:
        return Cipher(algorithms.AES(key), vector)
    # Two-key triple DES: the first key is also the third.
    return Cipher(TripleDES(key if len(key) == 24 else key + key[:8]), vector)
