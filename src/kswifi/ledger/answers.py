"""Stored outcomes of commands, packed, so that a repeated command gets the same outcome."""

from collections.abc import Iterator
from typing import Final

import msgspec

from kswifi.ledger.commands import Outcome
from kswifi.ledger.state import LedgerState

FORGET_AT_ONCE: Final = 64
"""The most reservations and answers that one batch forgets, so that no batch waits for a long sweep."""

ANSWERS_PER_RESERVATION: Final = 4096
"""Stored answers of one reservation, after which the oldest is dropped: about three days at one update a minute."""


class Answer(msgspec.Struct, frozen=True, gc=False, array_like=True):
    """A stored outcome, with the fingerprint of the command it belongs to."""

    fingerprint: int
    forget_at: int
    """For a command without a reservation, in Unix seconds. 0 for all others: they are forgotten with their
    reservation.
    """
    outcome: Outcome


_encoder = msgspec.msgpack.Encoder()
_decoder = msgspec.msgpack.Decoder(Answer)


def pack(answer: Answer) -> bytes:
    """Encode an answer in the form that memory, the journal and snapshots keep."""
    return _encoder.encode(answer)


def unpack(packed: bytes) -> Answer:
    """Decode a packed answer."""
    return _decoder.decode(packed)


def due(state: LedgerState, at: int) -> Iterator[tuple[bool, str]]:
    """Yield the reservations and answers to forget at an instant, as (whether it is a reservation, its id).

    The caller has to apply the effect before it takes the next item: the effect removes the item from the heap.
    """
    for _ in range(FORGET_AT_ONCE):
        if not state.forgettable or state.forgettable[0][0] > at:
            return
        yield state.forgettable[0][1:]
