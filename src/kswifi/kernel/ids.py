"""Identifiers: UUIDv7 (RFC 9562), which sort in the order in which they were made."""

import os
from collections.abc import Callable
from datetime import datetime
from uuid import UUID

from kswifi.kernel.clock import require_aware


def uuid7(now: datetime, random_bytes: Callable[[int], bytes] = os.urandom) -> UUID:
    """Make a UUIDv7 (RFC 9562, 5.7): 48 bits of Unix milliseconds, version, variant and 74 random bits.

    Args:
        now: the instant that the identifier sorts by.
        random_bytes: returns so many random octets; simulations pass a seeded source.

    Raises:
        ValueError: ``now`` is naive.
    """
    milliseconds = int(require_aware(now).timestamp() * 1000) & (1 << 48) - 1
    noise = int.from_bytes(random_bytes(10), "big")
    rand_a = noise >> 68
    rand_b = noise & (1 << 62) - 1
    return UUID(int=milliseconds << 80 | 0x7 << 76 | rand_a << 64 | 0b10 << 62 | rand_b)
