"""Transactions that have begun, held by their own identifiers: nothing is stored before a card proves itself.

Anybody can ask for initiateAuthentication, so storing its transactions would let anybody fill the disk, and losing
them at a restart would break downloads. Instead the transaction id carries its instant and a tag, and the server's
challenge follows from it by a key that only this installation has: both are recognised again, at any time, here.
"""

import hmac
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from kswifi.kernel.clock import unix_seconds

TRANSACTION_ID_OCTETS: Final = 16
CHALLENGE_OCTETS: Final = 16
_SECONDS_OCTETS: Final = 4
NONCE_OCTETS: Final = 6
_TAG_OCTETS: Final = 6
_SKEW_SECONDS: Final = 5


@dataclass(frozen=True, slots=True)
class Ticket:
    """A transaction that has begun: a ``smdp.Begun``, and the identity that the server proved itself by."""

    transaction_id: bytes
    server_challenge: bytes
    server_address: str
    ci_key_to_be_used: bytes
    identity: bytes


class Tickets:
    """Issues transactions and recognises its own."""

    def __init__(self, key: bytes, life: timedelta) -> None:
        self._key = key
        self._life_seconds = int(life.total_seconds())

    def issue(self, *, ci_key: bytes, identity: bytes, address: str, at: datetime, nonce: bytes) -> Ticket:
        """Return a new transaction; ``nonce`` is six fresh random octets.

        It is instant (4 octets) || nonce || tag (6): the tag only tells a mistake from a stranger, the challenge is
        what must not be guessed, and has all of its 16 octets from the key.
        """
        head = unix_seconds(at).to_bytes(_SECONDS_OCTETS, "big") + nonce
        transaction_id = head + self._tag(head)
        challenge = self._challenge(transaction_id, ci_key, identity, address)
        return Ticket(transaction_id, challenge, address, ci_key, identity)

    def is_ours(self, transaction_id: bytes, at: datetime) -> bool:
        """Tell whether this server began the transaction, and not too long ago."""
        head, tag = transaction_id[:-_TAG_OCTETS], transaction_id[-_TAG_OCTETS:]
        if len(transaction_id) != TRANSACTION_ID_OCTETS or not hmac.compare_digest(tag, self._tag(head)):
            return False
        age = unix_seconds(at) - int.from_bytes(head[:_SECONDS_OCTETS], "big")
        return -_SKEW_SECONDS <= age <= self._life_seconds

    def recognise(
        self, transaction_id: bytes, challenge: bytes, candidates: list[tuple[bytes, bytes, str]]
    ) -> Ticket | None:
        """Return the transaction with this challenge; ``candidates``: CI key, identity and address, each tried."""
        for ci_key, identity, address in candidates:
            expected = self._challenge(transaction_id, ci_key, identity, address)
            if hmac.compare_digest(challenge, expected):
                return Ticket(transaction_id, expected, address, ci_key, identity)
        return None

    def _tag(self, head: bytes) -> bytes:
        return hmac.digest(self._key, b"transaction" + head, "sha256")[:_TAG_OCTETS]

    def _challenge(self, transaction_id: bytes, ci_key: bytes, identity: bytes, address: str) -> bytes:
        content = b"".join(
            len(part).to_bytes(2, "big") + part for part in (transaction_id, ci_key, identity, address.encode())
        )
        return hmac.digest(self._key, b"challenge" + content, "sha256")[:CHALLENGE_OCTETS]


def first_id_at(instant: datetime) -> bytes:
    """Return what every transaction id of this instant or later is not below."""
    return unix_seconds(instant).to_bytes(_SECONDS_OCTETS, "big").ljust(TRANSACTION_ID_OCTETS, b"\x00")
