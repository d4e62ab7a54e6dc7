"""Stateless transactions: a transaction before authenticateClient is recognised by its id and stored only later.

Everyone can call initiateAuthentication. Storing each transaction would let an attacker fill the disk, and
keeping them in memory would lose them at a restart. Instead, the transaction id contains its instant and a
tag, and the server challenge is derived from the id with a key of this installation. So the server recognises
both at any time.
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
    """A transaction that has begun: its ``smdp.Begun``, and the identity that the server used."""

    transaction_id: bytes
    server_challenge: bytes
    server_address: str
    ci_key_to_be_used: bytes
    identity: bytes


class Tickets:
    """Issue transaction ids and recognise them."""

    def __init__(self, key: bytes, life: timedelta) -> None:
        self._key = key
        self._life_seconds = int(life.total_seconds())

    def issue(self, *, ci_key: bytes, identity: bytes, address: str, at: datetime, nonce: bytes) -> Ticket:
        """Return a new transaction; ``nonce`` is six random octets.

        Its id is instant (4 octets) || nonce || tag (6). The tag only detects ids of other servers early. The
        security lies in the challenge: it must not be predictable, and all of its 16 octets are derived from
        the key.
        """
        head = unix_seconds(at).to_bytes(_SECONDS_OCTETS, "big") + nonce
        transaction_id = head + self._tag(head)
        challenge = self._challenge(transaction_id, ci_key, identity, address)
        return Ticket(transaction_id, challenge, address, ci_key, identity)

    def is_ours(self, transaction_id: bytes, at: datetime) -> bool:
        """Tell whether this server began the transaction and it has not expired."""
        head, tag = transaction_id[:-_TAG_OCTETS], transaction_id[-_TAG_OCTETS:]
        if len(transaction_id) != TRANSACTION_ID_OCTETS or not hmac.compare_digest(tag, self._tag(head)):
            return False
        age = unix_seconds(at) - int.from_bytes(head[:_SECONDS_OCTETS], "big")
        return -_SKEW_SECONDS <= age <= self._life_seconds

    def recognise(
        self, transaction_id: bytes, challenge: bytes, candidates: list[tuple[bytes, bytes, str]]
    ) -> Ticket | None:
        """Return the transaction with this challenge, or None; tries each candidate (CI key, identity, address)."""
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
    """Return the lowest transaction id of an instant: ids of this instant or later are not below it."""
    return unix_seconds(instant).to_bytes(_SECONDS_OCTETS, "big").ljust(TRANSACTION_ID_OCTETS, b"\x00")
