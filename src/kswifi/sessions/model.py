"""The road of an InternetSession: one pure table, and nothing else decides what may follow what.

``ordered → packaged → downloading → downloaded → transferring → stored → active ⇄ paused → exhausted``, with
``expired``, ``revoked`` and ``failed`` as ends. What the network does (first usage, hold, exhaustion, expiry)
arrives as an event from the ledger; nobody else may say "active".
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from types import MappingProxyType
from typing import Final

from kswifi.esim.model import Hold
from kswifi.esim.ports import StorageProof
from kswifi.kernel.numbers import Iccid
from kswifi.sessions.errors import ILLEGAL_TRANSITION


class SessionState(StrEnum):
    """Where an InternetSession is on its road."""

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


class SessionEvent(StrEnum):
    """What can happen to an InternetSession."""

    PREPARED = "prepared"
    """Its allowance is credited in the ledger and its package is signed."""
    DOWNLOAD_STARTED = "download_started"
    DOWNLOAD_CONFIRMED = "download_confirmed"
    """The device has told the digest of the whole package, and it is right."""
    TRANSFER_STARTED = "transfer_started"
    TRANSFER_FAILED = "transfer_failed"
    """The card does not hold it; the transfer may be asked for again."""
    STORAGE_PROVED = "storage_proved"
    """The card's proof was verified and the ledger has taken it: from here on it can be spent."""
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
"""States from which something can still be used or come."""

CANCELLABLE_STATES: Final = frozenset({*_BEFORE_STORAGE, SessionState.STORED})
"""States in which no octet has flowed, so that its owner may take the order back."""

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
        # A report of what flowed before the pause may use up the rest while the line is on hold.
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
    """What a user downloads: the right to octets, on one eSIM, until an instant.

    ``allowance_octets`` is None for an uncapped session; ``package_octets`` and ``package_sha256`` are None until
    the package is signed; ``storage_proof`` is None until the card has proved that it holds it; ``activated_at``
    is None until the network has committed the first octet; ``pass_period_id`` is None for what counts against the
    free allowance.
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


@dataclass(frozen=True, slots=True)
class Balance:
    """An account of the ledger as the projector last read it; octets.

    Always credited = used + reserved + available + expired + revoked; ``overrun`` stands apart, and so does what is
    ``withheld``: part of the session, and not credited yet.
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
    """How a session stands, and how old that knowledge is: ``as_of`` is None before the ledger knows it."""

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
    """A session with what belongs to it: the card it is on, and how it stands."""

    session: InternetSession
    iccid: Iccid
    usage: UsageData
