"""The states of an OctetTransfer: one table, and pure functions over it.

``offered → sent → claimed → receiving → received``, or ``→ returning → returned``, or ``refused``. The octets of a
transfer are in exactly one place: in the giver's account while ``offered``, in the transfer's row from ``sent`` to
``receiving`` and while ``returning``, in the receiver's account once ``received``.

Two states mean that a command of the ledger may be on its way, with an unknown outcome: ``receiving`` and
``returning``. ``receiving`` is left only by a definite answer, so a Receive of the receiver and one of the giver
can never both be executed.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from types import MappingProxyType
from typing import Final

from kswifi.kernel.pasted import clean_digits
from kswifi.people.errors import ILLEGAL_GIFT_TRANSITION


class TransferKind(StrEnum):
    """What a transfer is for."""

    GIFT = "gift"
    """To another account, by a code."""
    SHARE = "share"
    """To another line of the same account."""
    MOVE = "move"
    """To the new line of the same account that replaces a lost, broken or deleted one."""


class TransferState(StrEnum):
    """The states of an OctetTransfer."""

    OFFERED = "offered"
    SENT = "sent"
    CLAIMED = "claimed"
    RECEIVING = "receiving"
    RECEIVED = "received"
    RETURNING = "returning"
    RETURNED = "returned"
    REFUSED = "refused"


class TransferEvent(StrEnum):
    """The events that move an OctetTransfer."""

    SENT = "sent"
    """The ledger took the octets out of the giver's account."""
    SEND_REFUSED = "send_refused"
    CLAIMED = "claimed"
    """A session was ordered for the receiver."""
    PROVED = "proved"
    """The receiver's card proved that it stores that session; from now on a Receive may be on its way."""
    RECEIVED = "received"
    RECEIVE_REFUSED = "receive_refused"
    """The ledger refused the Receive, definitely, and remembers that it did."""
    RETURN_STARTED = "return_started"
    """Withdrawn, not claimed or not stored in time."""
    RETURNED = "returned"


TRANSITIONS: Final[Mapping[tuple[TransferState, TransferEvent], TransferState]] = MappingProxyType(
    {
        (TransferState.OFFERED, TransferEvent.SENT): TransferState.SENT,
        (TransferState.OFFERED, TransferEvent.SEND_REFUSED): TransferState.REFUSED,
        (TransferState.SENT, TransferEvent.CLAIMED): TransferState.CLAIMED,
        (TransferState.SENT, TransferEvent.RETURN_STARTED): TransferState.RETURNING,
        (TransferState.CLAIMED, TransferEvent.PROVED): TransferState.RECEIVING,
        (TransferState.CLAIMED, TransferEvent.RETURN_STARTED): TransferState.RETURNING,
        (TransferState.RECEIVING, TransferEvent.RECEIVED): TransferState.RECEIVED,
        (TransferState.RECEIVING, TransferEvent.RECEIVE_REFUSED): TransferState.RETURNING,
        (TransferState.RETURNING, TransferEvent.RETURNED): TransferState.RETURNED,
    }
)
"""The whole machine. A pair that is not here is refused."""

IN_TRANSIT: Final = frozenset(
    {TransferState.SENT, TransferState.CLAIMED, TransferState.RECEIVING, TransferState.RETURNING}
)
"""The states in which the octets are in the transfer's row."""

OPEN_STATES: Final = frozenset({*IN_TRANSIT, TransferState.OFFERED})
"""The states of a transfer that has not ended."""


def next_state(state: TransferState, event: TransferEvent) -> TransferState:
    """Return the state that follows.

    Raises:
        ILLEGAL_GIFT_TRANSITION: the table does not list this event for this state.
    """
    following = TRANSITIONS.get((state, event))
    if following is None:
        raise ILLEGAL_GIFT_TRANSITION(f"a gift that is {state} cannot take {event}", state=str(state))
    return following


def allows(state: TransferState, event: TransferEvent) -> bool:
    """Tell whether the table lists this event for this state."""
    return (state, event) in TRANSITIONS


@dataclass(frozen=True, slots=True)
class OctetTransfer:
    """Octets on their way from one InternetSession to another.

    ``code`` is None for a share or a move. ``receiver_id`` and ``to_session_id`` are None until it is claimed.
    ``kobo`` is the reserved money that travels with the octets, 0 while it belongs to a session's grant.
    ``withheld_octets`` are those of a moved session that are not released yet: they go with the grant alone.
    ``reason`` says why the octets go back or were refused. ``expires_at`` is when they go back if the present step
    is not done by then.
    """

    transfer_id: str
    kind: TransferKind
    code: str | None
    giver_id: str
    receiver_id: str | None
    from_session_id: str
    to_session_id: str | None
    octets: int
    kobo: int
    withheld_octets: int
    state: TransferState
    reason: str | None
    valid_until: datetime
    created_at: datetime
    expires_at: datetime
    ended_at: datetime | None

    def command_id(self, part: str) -> str:
        """Return the id of the ledger's command for a part: "send", "receive" or "return"."""
        return f"gift:{self.transfer_id}:{part}"

    @property
    def name(self) -> str:
        """The transfer id in the ledger's journal."""
        return f"gift:{self.transfer_id}"


# Crockford's base 32 leaves out letters that are easily misread: I, L, O and U.
_DIGITS: Final = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
_MISREAD: Final = str.maketrans("OIL", "011", "- ")
_GROUP: Final = 4
CODE_OCTETS: Final = 10
"""80 random bits: nobody finds an open gift by trying codes."""


def gift_code(random: bytes) -> str:
    """Return the code of a gift from ten random octets: sixteen signs in groups of four."""
    number = int.from_bytes(random[:CODE_OCTETS])
    text = "".join(_DIGITS[number >> at * 5 & 31] for at in reversed(range(CODE_OCTETS * 8 // 5)))
    return "-".join(text[at : at + _GROUP] for at in range(0, len(text), _GROUP))


def typed_code(code: str) -> str:
    """Return a typed code as ``gift_code`` makes it: any case and groups, O is read as 0, I and L as 1."""
    text = clean_digits(code).upper().translate(_MISREAD)[:64]
    return "-".join(text[at : at + _GROUP] for at in range(0, len(text), _GROUP))
