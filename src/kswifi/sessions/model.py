"""States and transitions of an InternetSession: one table, and pure functions over it.

``ordered → packaged → downloading → downloaded → transferring → stored → active ⇄ paused → exhausted``, with
``expired``, ``revoked`` and ``failed`` as other final states. Events of the network (first usage, hold, exhaustion,
expiry) come from the ledger only; no other part may move a session to ``active``.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from types import MappingProxyType
from typing import Final

from kswifi.esim.model import Hold, LineKind
from kswifi.esim.ports import StorageProof
from kswifi.kernel.numbers import Iccid
from kswifi.sessions.errors import ILLEGAL_TRANSITION


class SessionState(StrEnum):
    """The states of an InternetSession."""

    ORDERED = "ordered"
    PACKAGED = "packaged"
    DOWNLOADING = "downloading"
    DOWNLOADED = "downloaded"
    TRANSFERRING = "transferring"
    STORED = "stored"
    ACTIVE = "active"
    PAUSED = "paused"
    EXHAUSTED = "exhausted"
    EXPIRED = "expired"
    REVOKED = "revoked"
    FAILED = "failed"


class SessionSource(StrEnum):
    """Where the octets of an InternetSession come from."""

    ORDER = "order"
    GIFT = "gift"
    SHARE = "share"
    MOVE = "move"


class SessionEvent(StrEnum):
    """The events that move an InternetSession."""

    PREPARED = "prepared"
    """The allowance is credited in the ledger and the package is signed."""
    DOWNLOAD_STARTED = "download_started"
    DOWNLOAD_CONFIRMED = "download_confirmed"
    """The device has sent the digest of the whole package, and it is correct."""
    TRANSFER_STARTED = "transfer_started"
    TRANSFER_FAILED = "transfer_failed"
    """The card does not hold the session; the user may request the transfer again."""
    STORAGE_PROVED = "storage_proved"
    """The card's proof was verified and the ledger has accepted it: from now on the session can be spent."""
    USAGE_STARTED = "usage_started"
    """The network committed the first octets."""
    HELD = "held"
    LIFTED = "lifted"
    USED_UP = "used_up"
    EXPIRED = "expired"
    REVOKED = "revoked"
    FAILED = "failed"


_BEFORE_STORAGE: Final = (
    SessionState.ORDERED,
    SessionState.PACKAGED,
    SessionState.DOWNLOADING,
    SessionState.DOWNLOADED,
    SessionState.TRANSFERRING,
)

LIVE_STATES: Final = frozenset({*_BEFORE_STORAGE, SessionState.STORED, SessionState.ACTIVE, SessionState.PAUSED})
"""The states of a session that has not ended."""

CANCELLABLE_STATES: Final = frozenset({*_BEFORE_STORAGE, SessionState.STORED})
"""The states without usage, in which the owner may cancel the order."""

TRANSITIONS: Final[Mapping[tuple[SessionState, SessionEvent], SessionState]] = MappingProxyType(
    {
        (SessionState.ORDERED, SessionEvent.PREPARED): SessionState.PACKAGED,
        (SessionState.PACKAGED, SessionEvent.DOWNLOAD_STARTED): SessionState.DOWNLOADING,
        (SessionState.DOWNLOADING, SessionEvent.DOWNLOAD_CONFIRMED): SessionState.DOWNLOADED,
        (SessionState.DOWNLOADED, SessionEvent.TRANSFER_STARTED): SessionState.TRANSFERRING,
        (SessionState.TRANSFERRING, SessionEvent.TRANSFER_FAILED): SessionState.DOWNLOADED,
        (SessionState.TRANSFERRING, SessionEvent.STORAGE_PROVED): SessionState.STORED,
        (SessionState.STORED, SessionEvent.USAGE_STARTED): SessionState.ACTIVE,
        (SessionState.ACTIVE, SessionEvent.HELD): SessionState.PAUSED,
        (SessionState.PAUSED, SessionEvent.LIFTED): SessionState.ACTIVE,
        (SessionState.ACTIVE, SessionEvent.USED_UP): SessionState.EXHAUSTED,
        # A late report of usage before the pause may use up the rest while the line is on hold.
        (SessionState.PAUSED, SessionEvent.USED_UP): SessionState.EXHAUSTED,
        **{(state, SessionEvent.EXPIRED): SessionState.EXPIRED for state in SessionState if state in LIVE_STATES},
        **{(state, SessionEvent.REVOKED): SessionState.REVOKED for state in SessionState if state in LIVE_STATES},
        **{(state, SessionEvent.FAILED): SessionState.FAILED for state in _BEFORE_STORAGE},
    }
)
"""The whole machine. A pair that is not here is refused."""


def next_state(state: SessionState, event: SessionEvent) -> SessionState:
    """Return the state that follows.

    Raises:
        ILLEGAL_TRANSITION: the table does not list this event for this state.
    """
    following = TRANSITIONS.get((state, event))
    if following is None:
        raise ILLEGAL_TRANSITION(
            f"an internet session that is {state} cannot take {event}", state=str(state), event=str(event)
        )
    return following


def allows(state: SessionState, event: SessionEvent) -> bool:
    """Tell whether the table lists this event for this state."""
    return (state, event) in TRANSITIONS


USAGE_SHARES: Final = (50, 80, 95)
"""Percent of the allowance whose passing is an event at once; the whole of it is the session's end."""


@dataclass(frozen=True, slots=True)
class InternetSession:
    """The right of a user to an amount of octets on one eSIM until ``valid_until``.

    ``allowance_octets`` is None for an uncapped session; ``package_octets`` and ``package_sha256`` are None until
    the package is signed; ``storage_proof`` is None until the card has proved that it holds the record;
    ``activated_at`` is None until the network has committed the first octet; ``pass_period_id`` is None for a
    session that counts against the free allowance. ``sent_octets`` of the allowance left it for other sessions, and
    ``received_octets`` come from another one. ``moved_to`` is the session on the new eSIM that continues it.
    """

    session_id: str
    user_id: str
    esim_id: str
    offer_id: str
    free: bool
    allowance_octets: int | None
    state: SessionState
    state_reason: str | None
    ordered_at: datetime
    valid_until: datetime
    package_sha256: str | None
    package_octets: int | None
    storage_proof: StorageProof | None
    activated_at: datetime | None
    pass_period_id: str | None = None
    source: SessionSource = SessionSource.ORDER
    sent_octets: int = 0
    received_octets: int = 0
    moved_to: str | None = None


@dataclass(frozen=True, slots=True)
class Balance:
    """An account of the ledger as last read by the projector, in octets.

    Invariant: credited = used + reserved + available + expired + revoked. ``overrun`` and ``withheld`` are outside
    this sum. ``withheld`` is the part of the session that is not credited yet.
    """

    credited: int = 0
    used: int = 0
    reserved: int = 0
    available: int = 0
    overrun: int = 0
    expired: int = 0
    revoked: int = 0
    withheld: int = 0


@dataclass(frozen=True, slots=True)
class UsageData:
    """The usage of a session; ``as_of`` is the instant of the balance, None before the ledger has an account."""

    esim_id: str
    session_id: str
    state: SessionState
    allowance_octets: int | None
    balance: Balance
    as_of: datetime | None
    valid_until: datetime
    hold: Hold | None


@dataclass(frozen=True, slots=True)
class SessionOverview:
    """A session with its card's ICCID (None for a data provider's line), its usage and the kind of its line."""

    session: InternetSession
    iccid: Iccid | None
    usage: UsageData
    line_kind: LineKind = LineKind.CARD
