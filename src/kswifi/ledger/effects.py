"""The ledger's effects: what happened, in the form that the journal keeps permanently.

Only effects change the state, so replaying them gives the same state. In the journal an effect is a MessagePack
array that begins with its number. Numbers are never reused. A new field is added at the end only, with a default,
so that newer code reads older journals. Any larger change needs a new version octet (see ``storage.journal``).
"""

from typing import TypeAlias

import msgspec

from kswifi.ledger.commands import HoldReason


class _Effect(msgspec.Struct, frozen=True, gc=False, array_like=True):
    """``at`` is the instant of the command in whole Unix seconds, in every effect."""


class WalletOpened(_Effect, frozen=True, gc=False, tag=1):
    """A wallet was opened."""

    wallet_id: str
    imsi: str
    at: int


class Credited(_Effect, frozen=True, gc=False, tag=2):
    """An account was opened with octets; None is uncapped. The withheld octets are not part of ``octets``."""

    account_id: str
    wallet_id: str
    octets: int | None
    expires_at: int
    at: int
    withheld_octets: int = 0


class StorageProved(_Effect, frozen=True, gc=False, tag=3):
    """The card proved that it stores the session."""

    account_id: str
    wallet_id: str
    storage_proof: str
    at: int


class Reserved(_Effect, frozen=True, gc=False, tag=4):
    """Octets moved from available to reserved. For an uncapped account they were credited at the same time."""

    reservation_id: str
    account_id: str
    octets: int
    expires_at: int
    at: int
    note: str = ""


class Committed(_Effect, frozen=True, gc=False, tag=5):
    """All reserved octets of a reservation were taken back, and usage was booked.

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
    """Details of the usage, as given in the commit."""


class Released(_Effect, frozen=True, gc=False, tag=6):
    """The reserved octets of a reservation were taken back without usage."""

    reservation_id: str
    account_id: str
    octets: int
    at: int


class Overran(_Effect, frozen=True, gc=False, tag=7):
    """Octets were used that the account could not pay for. They are counted apart."""

    reservation_id: str
    account_id: str
    octets: int
    at: int


class Exhausted(_Effect, frozen=True, gc=False, tag=8):
    """All octets of the account were used."""

    account_id: str
    wallet_id: str
    at: int


class WalletHeld(_Effect, frozen=True, gc=False, tag=9):
    """The wallet was held: nothing is granted to it from now on."""

    wallet_id: str
    reason: HoldReason
    at: int


class HoldLifted(_Effect, frozen=True, gc=False, tag=10):
    """The hold was lifted. The account, if one is named, is used next."""

    wallet_id: str
    account_id: str | None
    at: int


class Expired(_Effect, frozen=True, gc=False, tag=11):
    """The account expired with ``octets`` unused. Emitted again for each part that comes back later."""

    account_id: str
    wallet_id: str
    octets: int
    at: int


class Revoked(_Effect, frozen=True, gc=False, tag=12):
    """The account was revoked with ``octets`` unused. Emitted again for each part that comes back later."""

    account_id: str
    wallet_id: str
    octets: int
    reason: str
    at: int


class Transferred(_Effect, frozen=True, gc=False, tag=13):
    """Octets moved from one account to another. Only older journals have it; today these are Sent and Received."""

    from_account_id: str
    to_account_id: str
    octets: int
    at: int


class Frozen(_Effect, frozen=True, gc=False, tag=14):
    """The wallet was frozen or thawed."""

    wallet_id: str
    frozen: bool
    at: int


class Ordered(_Effect, frozen=True, gc=False, tag=15):
    """The named accounts come first, in this order."""

    wallet_id: str
    account_ids: tuple[str, ...]
    at: int


class ContinueWithNextSet(_Effect, frozen=True, gc=False, tag=16):
    """The choice changed whether the next account follows an exhausted one by itself."""

    wallet_id: str
    enabled: bool
    at: int


class ReservationClosed(_Effect, frozen=True, gc=False, tag=17):
    """The reservation was closed. Until ``forget_at`` it answers replays and takes late usage.

    ``settled``: a supervisor closed it and not its client. ``note``: the reason, as given in the command.
    """

    reservation_id: str
    account_id: str
    settled: bool
    forget_at: int
    at: int
    note: str = ""


class Supervised(_Effect, frozen=True, gc=False, tag=18):
    """A reservation that holds nothing got a new ``expires_at``: its client sent a request."""

    reservation_id: str
    expires_at: int
    at: int


class Answered(_Effect, frozen=True, gc=False, tag=19):
    """The outcome of a command was stored: with its reservation, or by itself until ``forget_at``."""

    reservation_id: str | None
    command_id: str
    answer: bytes
    """See ``answers``: the command's fingerprint and its outcome."""
    forget_at: int
    at: int


class AccountClosed(_Effect, frozen=True, gc=False, tag=20):
    """The account was forgotten. Its history is in the journal."""

    account_id: str
    wallet_id: str
    at: int


class ReservationForgotten(_Effect, frozen=True, gc=False, tag=21):
    """A closed reservation and its stored outcomes were forgotten."""

    reservation_id: str
    at: int


class AnswerForgotten(_Effect, frozen=True, gc=False, tag=22):
    """The stored outcome of a command without a reservation was forgotten."""

    command_id: str
    at: int


class Admitted(_Effect, frozen=True, gc=False, tag=23):
    """A reservation was opened without octets."""

    reservation_id: str
    wallet_id: str
    expires_at: int
    at: int
    note: str = ""


class Unbooked(_Effect, frozen=True, gc=False, tag=24):
    """Octets were used and no account could be found for them. The wallet counts them, for the operator."""

    reservation_id: str
    wallet_id: str
    octets: int
    at: int
    note: str = ""
    """Details of the usage, as given in the commit."""


class Refunded(_Effect, frozen=True, gc=False, tag=25):
    """Used octets went back to available (of an uncapped account: they are no longer credited)."""

    account_id: str
    wallet_id: str
    octets: int
    at: int
    note: str = ""
    """The note of the command."""


class Disbursed(_Effect, frozen=True, gc=False, tag=26):
    """Withheld octets were credited."""

    account_id: str
    wallet_id: str
    octets: int
    at: int


class Reported(_Effect, frozen=True, gc=False, tag=27):
    """A provider's counter grew to ``total_octets``: ``octets`` of the growth were paid, the others overran."""

    account_id: str
    wallet_id: str
    octets: int
    overrun_octets: int
    total_octets: int
    first: bool
    """The account was never used before."""
    as_of: int
    """The instant of the provider's count."""
    at: int


class Sent(_Effect, frozen=True, gc=False, tag=28):
    """Available octets left the account for a transfer."""

    account_id: str
    wallet_id: str
    octets: int
    transfer_id: str
    at: int


class Received(_Effect, frozen=True, gc=False, tag=29):
    """Octets of a transfer came into the account."""

    account_id: str
    wallet_id: str
    octets: int
    transfer_id: str
    at: int


class HeldUntil(_Effect, frozen=True, gc=False, tag=30):
    """The wallet was held for a reason that has an end, or the hold that it has for this reason got this end."""

    wallet_id: str
    reason: HoldReason
    ends_at: int
    at: int


class HoldEnded(_Effect, frozen=True, gc=False, tag=31):
    """The hold for one reason ended, at its end or before. The wallet is still held for those that are left."""

    wallet_id: str
    reason: HoldReason
    ends_at: int
    left: tuple[HoldReason, ...]
    at: int


class DayLimitSet(_Effect, frozen=True, gc=False, tag=32):
    """The wallet's day limit was set; None removed it. ``day_at`` is an instant at which a day begins."""

    wallet_id: str
    octets: int | None
    day_at: int
    at: int


class DayLimitLifted(_Effect, frozen=True, gc=False, tag=33):
    """The wallet's day limit does not count for the rest of the day."""

    wallet_id: str
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
    | HeldUntil
    | HoldEnded
    | DayLimitSet
    | DayLimitLifted
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
    | Reported
    | Sent
    | Received
)
