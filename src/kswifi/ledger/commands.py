"""The ledger's commands and their outcomes.

A command checks its values when it is built, so that every command object can be applied: amounts are whole octets
within limits, identifiers are short and can be encoded as UTF-8. Instants are whole Unix seconds.

A command's id makes it idempotent: sent again, it has the same outcome and changes nothing. Ids of ``Reserve``,
``Admit``, ``Commit`` and ``Release`` are unique within their reservation, all others within the ledger. Only what
was *done* is remembered. A refusal changes nothing, so the same command is judged anew when it is sent again: an
outbox entry that came too early succeeds later under its own id. ``Refund``, ``Send`` and ``Receive`` differ: their
refusals are remembered too, so that the caller can act on a refusal without the risk that a late copy succeeds.
"""

import enum
from hashlib import blake2b
from typing import Final, Literal, TypeAlias

import msgspec

from kswifi.ledger.checks import check_ids, check_number, check_text
from kswifi.ledger.errors import InvalidCommandError

OCTETS_LIMIT: Final = 1 << 44
"""Octets in one report or grant: 17 TB, hours at 10 Gbit/s. A sum of a million such amounts still fits 64 bits."""

CREDIT_LIMIT: Final = 1 << 53
"""The most octets of one credit, send or receive."""

INSTANT_LIMIT: Final = 1 << 40

NOTE_LIMIT: Final = 1024

ORDER_LIMIT: Final = 1000
"""The most accounts in one order, and the most open accounts of one wallet."""

NOBODY: Final = "nobody"
"""The wallet of usage that no line can be charged with, for the operator to examine. The first such usage opens it.
"""

NO_ACCOUNT: Final = "-"
"""The account id of a reservation that never held octets."""

HoldReason: TypeAlias = Literal["paused", "exhausted", "limited"]


class OutcomeCode(enum.StrEnum):
    """How a command ended. Only DONE of a reserve, or of a commit with an ask, comes with a grant."""

    DONE = "done"
    EXHAUSTED = "exhausted"
    UNKNOWN_WALLET = "unknown_wallet"
    UNKNOWN_ACCOUNT = "unknown_account"
    UNKNOWN_RESERVATION = "unknown_reservation"
    ON_HOLD = "on_hold"
    FROZEN = "frozen"
    NOT_PROVEN = "not_proven"
    NOTHING_USABLE = "nothing_usable"
    EXPIRED = "expired"
    CONFLICT = "conflict"
    """The same command id, account, wallet or IMSI with different content."""
    NOT_DUE = "not_due"
    """An expiry or a close before its time."""
    INSUFFICIENT = "insufficient"
    """A send of more than is available, or a refund of more than was used."""
    ENDED = "ended"
    """The account is exhausted, expired or revoked."""
    TOO_MANY = "too_many"
    """The wallet has the maximum number of accounts or open reservations."""


class Outcome(msgspec.Struct, frozen=True, gc=False, array_like=True):
    """The outcome of a command.

    ``committed_octets`` were added to ``used``. ``overrun_octets`` were used and no account could pay for them.
    ``code`` is about the ask: a commit whose ask is refused has still committed its usage.
    """

    code: OutcomeCode
    granted_octets: int = 0
    final: bool = False
    """Whether nothing more can be granted to the wallet after this grant; never set while ``shared``."""
    account_id: str | None = None
    """The account of the grant; without a grant, the account that the usage was committed to."""
    overrun_octets: int = 0
    committed_octets: int = 0
    shared: bool = False
    """Whether another reservation of the wallet holds octets that may come back: the client should ask again soon.
    """


class Ask(msgspec.Struct, frozen=True, gc=False, array_like=True):
    """How many octets to reserve.

    ``amount_octets``, or all that is available if that is at most ``whole_up_to_octets``.
    """

    amount_octets: int
    whole_up_to_octets: int
    expires_at: int
    """The instant after which a supervisor may settle the reservation without its client."""
    may_shrink: bool = False
    """Grant no more than asked for, even if the reservation gave back more: the rest is for other bearers."""

    def __post_init__(self) -> None:
        """Check the numbers."""
        check_number("amount_octets", self.amount_octets, 1, OCTETS_LIMIT)
        check_number("whole_up_to_octets", self.whole_up_to_octets, 0, OCTETS_LIMIT)
        check_number("expires_at", self.expires_at, 0, INSTANT_LIMIT)


class _Command(msgspec.Struct, frozen=True, gc=False, array_like=True, tag=True):
    command_id: str


class OpenWallet(_Command, frozen=True, gc=False):
    """Open the wallet of an eSIM; the network finds it by its IMSI."""

    wallet_id: str
    imsi: str

    def __post_init__(self) -> None:
        """Check the identifiers."""
        check_ids(self.command_id, self.wallet_id, self.imsi)


class Credit(_Command, frozen=True, gc=False):
    """Open an account with octets in a wallet.

    ``amount_octets`` None is uncapped: the account is credited with what it reserves. 0 opens an empty account for
    a later ``Receive``. ``withheld_octets`` are not credited yet; ``Disburse`` credits them in tranches.
    """

    wallet_id: str
    account_id: str
    amount_octets: int | None
    expires_at: int
    withheld_octets: int = 0

    def __post_init__(self) -> None:
        """Check identifiers and numbers."""
        check_ids(self.command_id, self.wallet_id, self.account_id)
        if self.amount_octets is not None:
            check_number("amount_octets", self.amount_octets, 0, CREDIT_LIMIT)
        check_number("withheld_octets", self.withheld_octets, 0, self.amount_octets or 0)
        check_number("expires_at", self.expires_at, 0, INSTANT_LIMIT)


class Disburse(_Command, frozen=True, gc=False):
    """Credit an open account with withheld octets, until ``credited_octets`` are credited in all."""

    account_id: str
    credited_octets: int

    def __post_init__(self) -> None:
        """Check identifiers and amount."""
        check_ids(self.command_id, self.account_id)
        check_number("credited_octets", self.credited_octets, 1, CREDIT_LIMIT)


class ProveStorage(_Command, frozen=True, gc=False):
    """Record the card's proof that it stores the session. Only then can octets of the account be reserved.

    The first proof also ends the wallet's hold for exhaustion, but not a pause, if ``ordered_at`` is later than the
    beginning of that hold, or if the wallet continues with its next account.
    """

    account_id: str
    storage_proof: str
    ordered_at: int = 0
    """When the session was ordered, in Unix seconds; 0 if this proof must not end a hold."""

    def __post_init__(self) -> None:
        """Check identifiers and instant."""
        check_ids(self.command_id, self.account_id, self.storage_proof)
        check_number("ordered_at", self.ordered_at, 0, INSTANT_LIMIT)


class Reserve(_Command, frozen=True, gc=False):
    """Reserve octets of the wallet's usable account. On an open reservation it replaces what that holds."""

    reservation_id: str
    wallet_id: str
    ask: Ask
    note: str = ""
    """Data of the client for the time after a restart. Kept with the reservation; the ledger does not read it."""
    admit: bool = False
    """Open the reservation even if nothing can be granted, so that it may ask again and a replay finds it."""

    def __post_init__(self) -> None:
        """Check identifiers and note."""
        check_ids(self.command_id, self.reservation_id, self.wallet_id)
        if self.note:
            check_text("note", self.note, NOTE_LIMIT)


class Admit(_Command, frozen=True, gc=False):
    """Open a reservation without octets: it may ask later, and its usage can be booked.

    ``over``: open it closed, as a tombstone that never gets a grant. It takes usage that was reported late or for
    an unknown session. The wallet ``NOBODY`` takes usage that no line can be charged with.
    """

    reservation_id: str
    wallet_id: str
    expires_at: int
    note: str = ""
    """As the note of a Reserve."""
    over: bool = False
    closing_note: str = ""
    """Why it is closed, for readers of the journal."""

    def __post_init__(self) -> None:
        """Check identifiers, instant and notes."""
        check_ids(self.command_id, self.reservation_id, self.wallet_id)
        check_number("expires_at", self.expires_at, 0, INSTANT_LIMIT)
        for note in (self.note, self.closing_note):
            check_text("note", note, NOTE_LIMIT)


class Commit(_Command, frozen=True, gc=False):
    """Book usage, give the rest of the reservation back, and reserve anew if there is an ask."""

    reservation_id: str
    used_octets: int
    ask: Ask | None = None
    close: bool = False
    note: str = ""
    """Details of this usage and the reason of closing, for readers of the journal. The ledger does not read it."""

    def __post_init__(self) -> None:
        """Check identifiers and usage."""
        check_ids(self.command_id, self.reservation_id)
        check_number("used_octets", self.used_octets, 0, OCTETS_LIMIT)
        if self.note:
            check_text("note", self.note, NOTE_LIMIT)
        if self.close and self.ask is not None:
            raise InvalidCommandError("a commit that closes its reservation cannot ask for more")


class Release(_Command, frozen=True, gc=False):
    """Settle a reservation without usage. It stays as a tombstone that takes usage reported late."""

    reservation_id: str
    note: str = ""
    """The reason, for readers of the journal."""

    def __post_init__(self) -> None:
        """Check identifiers and note."""
        check_ids(self.command_id, self.reservation_id)
        if self.note:
            check_text("note", self.note, NOTE_LIMIT)


class HoldWallet(_Command, frozen=True, gc=False):
    """Refuse grants to the wallet until the hold is lifted. A wallet can be held for several reasons at once.

    For the reason ``exhausted`` the ledger holds a wallet only if none of its accounts can be used: a proof of
    storage that came before this command counts.
    """

    wallet_id: str
    reason: HoldReason

    def __post_init__(self) -> None:
        """Check identifiers and reason."""
        check_ids(self.command_id, self.wallet_id)
        if self.reason not in ("paused", "exhausted"):
            raise InvalidCommandError(f"a wallet is not held for {self.reason!r}")


class PauseUntil(_Command, frozen=True, gc=False):
    """Pause the wallet until ``ends_at``; then ``EndHold`` ends the pause. A later pause replaces it."""

    wallet_id: str
    ends_at: int

    def __post_init__(self) -> None:
        """Check identifiers and instant."""
        check_ids(self.command_id, self.wallet_id)
        check_number("ends_at", self.ends_at, 1, INSTANT_LIMIT)


class EndHold(_Command, frozen=True, gc=False):
    """End the hold for a reason that ends at ``ends_at``, if it still has that end. Other reasons stay."""

    wallet_id: str
    reason: HoldReason
    ends_at: int

    def __post_init__(self) -> None:
        """Check identifiers, reason and instant."""
        check_ids(self.command_id, self.wallet_id)
        check_number("ends_at", self.ends_at, 1, INSTANT_LIMIT)
        if self.reason not in ("paused", "limited"):
            raise InvalidCommandError(f"a hold for {self.reason!r} has no end")


class LimitDay(_Command, frozen=True, gc=False):
    """Limit what the wallet spends in each day; None removes the limit.

    Of the day in which it is set, use from then on counts. When it is reached, the wallet is held for ``limited``.
    """

    wallet_id: str
    octets: int | None
    day_at: int
    """An instant at which a day begins; the others begin 86,400 seconds apart."""

    def __post_init__(self) -> None:
        """Check identifiers and numbers."""
        check_ids(self.command_id, self.wallet_id)
        check_number("octets", 1 if self.octets is None else self.octets, 1, CREDIT_LIMIT)
        check_number("day_at", self.day_at, 0, INSTANT_LIMIT)


class LiftLimit(_Command, frozen=True, gc=False):
    """Lift the wallet's day limit for the rest of the present day."""

    wallet_id: str

    def __post_init__(self) -> None:
        """Check the identifiers."""
        check_ids(self.command_id, self.wallet_id)


class LiftHold(_Command, frozen=True, gc=False):
    """Lift the hold for all its reasons but ``limited``. If an account is named, it is used next."""

    wallet_id: str
    account_id: str | None = None

    def __post_init__(self) -> None:
        """Check the identifiers."""
        check_ids(self.command_id, self.wallet_id, self.account_id or "-")


class OrderWallet(_Command, frozen=True, gc=False):
    """Set which accounts are used first; the others follow in the order of their expiry."""

    wallet_id: str
    account_ids: tuple[str, ...]

    def __post_init__(self) -> None:
        """Check identifiers and length."""
        check_ids(self.command_id, self.wallet_id, *self.account_ids)
        check_number("account_ids", len(self.account_ids), 0, ORDER_LIMIT)
        if len(set(self.account_ids)) != len(self.account_ids):
            raise InvalidCommandError("an order names each account once")


class ContinueWithNext(_Command, frozen=True, gc=False):
    """Set whether the next account follows an exhausted one by itself; otherwise the wallet goes on hold."""

    wallet_id: str
    enabled: bool

    def __post_init__(self) -> None:
        """Check the identifiers."""
        check_ids(self.command_id, self.wallet_id)


class Send(_Command, frozen=True, gc=False):
    """Take available octets out of an open, capped account for a transfer: the whole amount or nothing.

    From then on the caller keeps the octets (for a gift or a move, in its row) until a ``Receive`` books them into
    an account, which may belong to another ledger. An account left empty stays open, so that the octets can come
    back to it.
    """

    account_id: str
    amount_octets: int
    transfer_id: str
    """The gift or move that the octets belong to, for readers of the journal."""
    from_frozen: bool = False
    """Allow it out of a frozen wallet: for moving the octets of a lost phone to a new eSIM only."""

    def __post_init__(self) -> None:
        """Check identifiers and amount."""
        check_ids(self.command_id, self.account_id, self.transfer_id)
        check_number("amount_octets", self.amount_octets, 1, CREDIT_LIMIT)


class Receive(_Command, frozen=True, gc=False):
    """Book the octets of a transfer into a capped account.

    It is refused only if the account is unknown or uncapped, so that the octets always end up somewhere. An ended
    account takes them and they lapse at once, as octets that come back late do. A frozen wallet takes them.
    """

    account_id: str
    amount_octets: int
    transfer_id: str
    """As the transfer id of the ``Send``."""

    def __post_init__(self) -> None:
        """Check identifiers and amount."""
        check_ids(self.command_id, self.account_id, self.transfer_id)
        check_number("amount_octets", self.amount_octets, 1, CREDIT_LIMIT)


class Refund(_Command, frozen=True, gc=False):
    """Give used octets back to one open account of the wallet: the whole amount or nothing.

    One account has to have used that much; otherwise the outcome is INSUFFICIENT.
    """

    wallet_id: str
    amount_octets: int
    note: str = ""
    """The bearer of the refund, for readers of the journal."""

    def __post_init__(self) -> None:
        """Check identifiers, amount and note."""
        check_ids(self.command_id, self.wallet_id)
        check_number("amount_octets", self.amount_octets, 1, OCTETS_LIMIT)
        check_text("note", self.note, NOTE_LIMIT)


class ReportUsage(_Command, frozen=True, gc=False):
    """Book the total of a provider's counter: what was not reported before is used now, without a reservation.

    The total is monotonic: one that is not above the highest total reported so far changes nothing. Octets beyond
    the available ones are overrun. NOT_PROVEN before the first proof of storage.
    """

    account_id: str
    used_total_octets: int
    """All octets that the provider has counted for this account since its beginning."""
    as_of: int
    """The instant of the provider's count, in Unix seconds: it may lie hours before the report."""

    def __post_init__(self) -> None:
        """Check identifiers, total and instant."""
        check_ids(self.command_id, self.account_id)
        check_number("used_total_octets", self.used_total_octets, 0, CREDIT_LIMIT)
        check_number("as_of", self.as_of, 0, INSTANT_LIMIT)


class Expire(_Command, frozen=True, gc=False):
    """Expire a due account. Its available octets, and those that come back later, move to ``expired``."""

    account_id: str

    def __post_init__(self) -> None:
        """Check the identifiers."""
        check_ids(self.command_id, self.account_id)


class Revoke(_Command, frozen=True, gc=False):
    """Revoke an account. Its available octets, and those that come back later, move to ``revoked``."""

    account_id: str
    reason: str

    def __post_init__(self) -> None:
        """Check the identifiers."""
        check_ids(self.command_id, self.account_id, self.reason)


class Freeze(_Command, frozen=True, gc=False):
    """Freeze a wallet (fraud, a lost phone) or thaw it. Nothing is granted to a frozen wallet."""

    wallet_id: str
    frozen: bool

    def __post_init__(self) -> None:
        """Check the identifiers."""
        check_ids(self.command_id, self.wallet_id)


class Close(_Command, frozen=True, gc=False):
    """Forget an account that ended long ago and has expired. Until then its id guards against a second credit."""

    account_id: str

    def __post_init__(self) -> None:
        """Check the identifiers."""
        check_ids(self.command_id, self.account_id)


Command: TypeAlias = (
    OpenWallet
    | Credit
    | Disburse
    | ProveStorage
    | Reserve
    | Admit
    | Commit
    | Release
    | HoldWallet
    | PauseUntil
    | EndHold
    | LiftHold
    | LimitDay
    | LiftLimit
    | OrderWallet
    | ContinueWithNext
    | Send
    | Receive
    | Refund
    | ReportUsage
    | Expire
    | Revoke
    | Freeze
    | Close
)

_encode = msgspec.msgpack.Encoder().encode


def fingerprint(command: Command) -> int:
    """Return a number that tells two commands with the same id but different content apart.

    For commands on reservations it covers only values of the request itself (octets used, whether it closes,
    whether it asks). The size and the expiry of an ask depend on the clock and the settings, so a replay may have
    others.
    """
    if isinstance(command, Commit):
        return command.used_octets << 2 | command.close << 1 | (command.ask is not None)
    if isinstance(command, Reserve):
        return -1
    if isinstance(command, Release):
        return -2
    if isinstance(command, Admit):
        return -3
    asked: object = command
    if isinstance(command, Credit) and not command.withheld_octets:
        # Encode it as before ``withheld_octets`` existed: a credit of that time may still be repeated.
        asked = msgspec.to_builtins(command)[:-1]
    if isinstance(command, ProveStorage):
        # ``ordered_at`` depends on the settings and on the newest decision of the account's holder, so a replay
        # may have another value.
        asked = msgspec.to_builtins(command)[:-1]
    return int.from_bytes(blake2b(_encode(asked), digest_size=7).digest(), "big")
