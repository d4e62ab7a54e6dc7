"""The ledger's effects: what happened, in the form that the journal keeps for good.

The state changes by effects alone, so replaying them gives the same state. On the wire an effect is a MessagePack
array that begins with its number. Numbers are never used again, and a field is only ever added at the end with
a default: then newer code reads older journals. Anything larger gets a new version octet (see ``journal``).
"""

from typing import TypeAlias

import msgspec

from kswifi.ledger.commands import HoldReason


class _Effect(msgspec.Struct, frozen=True, gc=False, array_like=True):
    """``at`` is always the instant of the command, in whole Unix seconds."""


class WalletOpened(_Effect, frozen=True, gc=False, tag=1):
    """A wallet exists."""

    wallet_id: str
    imsi: str
    at: int


class Credited(_Effect, frozen=True, gc=False, tag=2):
    """An account exists; ``None`` octets: it is uncapped. What is withheld is not among the octets."""

    account_id: str
    wallet_id: str
    octets: int | None
    expires_at: int
    at: int
    withheld_octets: int = 0


class StorageProved(_Effect, frozen=True, gc=False, tag=3):
    """The card proved that it holds the session."""

    account_id: str
    wallet_id: str
    storage_proof: str
    at: int


class Reserved(_Effect, frozen=True, gc=False, tag=4):
    """Octets went from available to reserved; an uncapped account was credited with them at the same time."""

    reservation_id: str
    account_id: str
    octets: int
    expires_at: int
    at: int
    note: str = ""


class Committed(_Effect, frozen=True, gc=False, tag=5):
    """A reservation was taken back whole, and usage booked.

    ``reserved -= released_octets``, ``used += octets``, and available changes by the difference (of an uncapped
    account: credited). ``first``: the account was never used before, so its session becomes active.
    """

    reservation_id: str
    account_id: str
    octets: int
    released_octets: int
    first: bool
    at: int
    note: str = ""
    """What the commit's owner told of the usage."""


class Released(_Effect, frozen=True, gc=False, tag=6):
    """A reservation was taken back without usage."""

    reservation_id: str
    account_id: str
    octets: int
    at: int


class Overran(_Effect, frozen=True, gc=False, tag=7):
    """Octets were used that nothing was left for; booked apart."""

    reservation_id: str
    account_id: str
    octets: int
    at: int


class Exhausted(_Effect, frozen=True, gc=False, tag=8):
    """Nothing of the account is left."""

    account_id: str
    wallet_id: str
    at: int


class WalletHeld(_Effect, frozen=True, gc=False, tag=9):
    """Nothing is granted to the wallet from here on."""

    wallet_id: str
    reason: HoldReason
    at: int


class HoldLifted(_Effect, frozen=True, gc=False, tag=10):
    """Grants are possible again; the account, if one is named, is the next to be used."""

    wallet_id: str
    account_id: str | None
    at: int


class Expired(_Effect, frozen=True, gc=False, tag=11):
    """The account is over, and these octets of it went unused; again for each part that comes back later."""

    account_id: str
    wallet_id: str
    octets: int
    at: int


class Revoked(_Effect, frozen=True, gc=False, tag=12):
    """The account was ended by decision; otherwise as Expired."""

    account_id: str
    wallet_id: str
    octets: int
    reason: str
    at: int


class Transferred(_Effect, frozen=True, gc=False, tag=13):
    """Octets moved between two accounts."""

    from_account_id: str
    to_account_id: str
    octets: int
    at: int


class Frozen(_Effect, frozen=True, gc=False, tag=14):
    """The wallet is frozen, or no longer."""

    wallet_id: str
    frozen: bool
    at: int


class Ordered(_Effect, frozen=True, gc=False, tag=15):
    """These accounts come first, in this order."""

    wallet_id: str
    account_ids: tuple[str, ...]
    at: int


class ContinueWithNextSet(_Effect, frozen=True, gc=False, tag=16):
    """The next account follows an exhausted one by itself, or no longer."""

    wallet_id: str
    enabled: bool
    at: int


class ReservationClosed(_Effect, frozen=True, gc=False, tag=17):
    """Nothing more is granted to the reservation; until ``forget_at`` it answers replays and takes late usage.

    ``settled``: a supervisor closed it, not its owner; ``note`` is what that command told of the reason.
    """

    reservation_id: str
    account_id: str
    settled: bool
    forget_at: int
    at: int
    note: str = ""


class Supervised(_Effect, frozen=True, gc=False, tag=18):
    """The owner of a reservation that holds nothing was heard; ``expires_at`` is new."""

    reservation_id: str
    expires_at: int
    at: int


class Answered(_Effect, frozen=True, gc=False, tag=19):
    """The outcome of a command is kept: with its reservation, or by itself until ``forget_at``."""

    reservation_id: str | None
    command_id: str
    answer: bytes
    """See ``answers``: the command's fingerprint and its outcome."""
    forget_at: int
    at: int


class AccountClosed(_Effect, frozen=True, gc=False, tag=20):
    """The account is forgotten; what it had is in the journal."""

    account_id: str
    wallet_id: str
    at: int


class ReservationForgotten(_Effect, frozen=True, gc=False, tag=21):
    """A closed reservation and its stored outcomes are gone."""

    reservation_id: str
    at: int


class AnswerForgotten(_Effect, frozen=True, gc=False, tag=22):
    """The stored outcome of a command without reservation is gone."""

    command_id: str
    at: int


class Admitted(_Effect, frozen=True, gc=False, tag=23):
    """A reservation that holds nothing exists."""

    reservation_id: str
    wallet_id: str
    expires_at: int
    at: int
    note: str = ""


class Unbooked(_Effect, frozen=True, gc=False, tag=24):
    """Octets were used that no account could be found for; kept with the wallet, for the operator."""

    reservation_id: str
    wallet_id: str
    octets: int
    at: int
    note: str = ""
    """What the commit's owner told of the usage."""


class Refunded(_Effect, frozen=True, gc=False, tag=25):
    """Octets that were used went back to available (of an uncapped account: they were never credited)."""

    account_id: str
    wallet_id: str
    octets: int
    at: int
    note: str = ""
    """What the command's owner told of it."""


class Disbursed(_Effect, frozen=True, gc=False, tag=26):
    """Octets that were withheld are credited."""

    account_id: str
    wallet_id: str
    octets: int
    at: int


Effect: TypeAlias = (
    WalletOpened
    | Credited
    | StorageProved
    | Reserved
    | Committed
    | Released
    | Overran
    | Exhausted
    | WalletHeld
    | HoldLifted
    | Expired
    | Revoked
    | Transferred
    | Frozen
    | Ordered
    | ContinueWithNextSet
    | ReservationClosed
    | Supervised
    | Answered
    | AccountClosed
    | ReservationForgotten
    | AnswerForgotten
    | Admitted
    | Unbooked
    | Refunded
    | Disbursed
)
