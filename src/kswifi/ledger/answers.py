"""Answers that were given, packed small, so that a command asked again is answered as before."""

from collections.abc import Iterator
from typing import Final

import msgspec

from kswifi.ledger.commands import Outcome
from kswifi.ledger.state import LedgerState

FORGET_AT_ONCE: Final = 64
"""How many remembered things one batch forgets at most, so that no batch waits for a long sweep."""

ANSWERS_PER_RESERVATION: Final = 4096
"""Beyond this a reservation forgets its oldest answers: three days at an update a minute."""


class Answer(msgspec.Struct, frozen=True, gc=False, array_like=True):
    """What a command's id stands for: which command it was (its fingerprint), and how it ended."""

    fingerprint: int
    forget_at: int
    """Of a command without reservation; 0 of others, which go with their reservation."""
    outcome: Outcome


_encoder = msgspec.msgpack.Encoder()
_decoder = msgspec.msgpack.Decoder(Answer)


def pack(answer: Answer) -> bytes:
    """Return the answer as it is kept in memory, in the journal and in snapshots."""
    return _encoder.encode(answer)


def unpack(packed: bytes) -> Answer:
    """Return the answer."""
    return _decoder.decode(packed)


def due(state: LedgerState, at: int) -> Iterator[tuple[bool, str]]:
    """Yield, one after the other, what is to be forgotten at this instant: (whether a reservation, its id).

    The caller makes it an effect before it asks for the next, since that takes it off the heap.
    """
    for _ in range(FORGET_AT_ONCE):
        if not state.forgettable or state.forgettable[0][0] > at:
            return
        yield state.forgettable[0][1:]
