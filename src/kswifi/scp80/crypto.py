"""The algorithms of SCP80, from the cryptography library (TS 102 225, 5.1.2 and 5.1.3).

Triple DES is here because cards of the field and their recorded packets use it; our own profiles have AES keys.
"""

import hmac
from typing import Final

from cryptography.hazmat.decrepit.ciphers.algorithms import TripleDES
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from cryptography.hazmat.primitives.cmac import CMAC

from kswifi.scp80.security import Algorithm, check_key

CHECKSUM_OCTETS: Final = 8


def checksum(algorithm: Algorithm, key: bytes, octets: bytes) -> bytes:
    """Return the cryptographic checksum, 8 octets: AES-CMAC cut short, or the last block of triple DES in CBC."""
    if algorithm is Algorithm.AES:
        cmac = CMAC(algorithms.AES(check_key(algorithm, key)))
        cmac.update(octets)
        return cmac.finalize()[:CHECKSUM_OCTETS]
    return encipher(algorithm, key, pad(octets, algorithm.block_octets))[-CHECKSUM_OCTETS:]


def same(one: bytes, other: bytes) -> bool:
    """Tell whether two checksums are equal, in a time that does not say where they differ."""
    return hmac.compare_digest(one, other)


def encipher(algorithm: Algorithm, key: bytes, octets: bytes) -> bytes:
    """Return whole blocks enciphered in CBC with a vector of zeros."""
    encryptor = _cipher(algorithm, key).encryptor()
    return encryptor.update(octets) + encryptor.finalize()


def decipher(algorithm: Algorithm, key: bytes, octets: bytes) -> bytes:
    """Return whole blocks deciphered."""
    decryptor = _cipher(algorithm, key).decryptor()
    return decryptor.update(octets) + decryptor.finalize()


def pad(octets: bytes, block_octets: int) -> bytes:
    """Return octets filled up with zeros to whole blocks."""
    return octets + bytes(-len(octets) % block_octets)


def _cipher(algorithm: Algorithm, key: bytes) -> Cipher[modes.CBC]:
    check_key(algorithm, key)
    vector = modes.CBC(bytes(algorithm.block_octets))
    if algorithm is Algorithm.AES:
        return Cipher(algorithms.AES(key), vector)
    return Cipher(TripleDES(key if len(key) == 24 else key + key[:8]), vector)
