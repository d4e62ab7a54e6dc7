"""Which sequence numbers a card takes (TS 33.102, annex C.2): fresh ones, by a list indexed with IND."""

from typing import Final

from kswifi.euicc.state import Authentication

INDEX_BITS: Final = 5  # annex C.1.1.1: SQN = SEQ || IND
_INDEX_MASK: Final = (1 << INDEX_BITS) - 1


def accept(keys: Authentication, sqn: int) -> bool:
    """Take a sequence number into the list if it is fresh; tell whether it was.

    Fresh is greater than what the list holds for its index, and not too far ahead of the highest one
    (annex C.2.1, C.2.2); an age limit, which the annex leaves open, is not used.
    """
    seq, index = sqn >> INDEX_BITS, sqn & _INDEX_MASK
    if seq - max(keys.sequence_numbers) > keys.delta or seq <= keys.sequence_numbers[index]:
        return False
    keys.sequence_numbers[index] = seq
    return True


def highest_accepted(keys: Authentication) -> int:
    """Return SQN_MS, the highest number accepted anywhere in the list: what AUTS tells the network."""
    index = max(range(len(keys.sequence_numbers)), key=keys.sequence_numbers.__getitem__)
    return keys.sequence_numbers[index] << INDEX_BITS | index
