"""Freshness of sequence numbers on the card: a list of accepted SEQ, indexed by IND (TS 33.102, annex C.2)."""

from typing import Final

from kswifi.euicc.state import Authentication

INDEX_BITS: Final = 5  # annex C.1.1.1: SQN = SEQ || IND
_INDEX_MASK: Final = (1 << INDEX_BITS) - 1


def accept(keys: Authentication, sqn: int) -> bool:
    """Tell whether a sequence number is fresh; if so, store it in the list.

    SEQ is fresh if it is greater than the list's entry for its IND, and not more than DELTA above the highest
    entry (annex C.2.1, C.2.2). The optional age limit of the annex is not used.
    """
    seq, index = sqn >> INDEX_BITS, sqn & _INDEX_MASK
    if seq - max(keys.sequence_numbers) > keys.delta or seq <= keys.sequence_numbers[index]:
        return False
    keys.sequence_numbers[index] = seq
    return True


def highest_accepted(keys: Authentication) -> int:
    """Return SQN_MS, the highest number in the list, which AUTS reports to the network."""
    index = max(range(len(keys.sequence_numbers)), key=keys.sequence_numbers.__getitem__)
    return keys.sequence_numbers[index] << INDEX_BITS | index
