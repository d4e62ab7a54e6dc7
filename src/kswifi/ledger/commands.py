"""The ledger's commands and their outcomes.

A command is checked where it is made, so that one that exists can be applied: amounts are whole octets within
limits, identifiers are short and can be written as UTF-8. Instants are whole Unix seconds.

A command's id makes it idempotent: asked again it has the same outcome and changes nothing. Ids of ``Reserve``,
``Admit``, ``Commit`` and ``Release`` are unique within their reservation, all others within the ledger. Only
what was *done* is remembered: a refusal changes nothing, so asked again it is judged anew (an outbox entry that
came too early succeeds later under its own id).
"""

import enum
from hashlib import blake2b
from typing import Final, Literal, TypeAlias

import msgspec

from kswifi.ledger.checks import check_ids, check_number, check_text
from kswifi.ledger.errors import InvalidCommandError

OCTETS_LIMIT: Final = 1 << 44
"""Octets in one report or grant: 17 TB, hours at 10 Gbit/s. Sums of a million of them still fit 64 bits."""

CREDIT_LIMIT: Final = 1 << 53
"""Octets credited or transferred at once."""

INSTANT_LIMIT: Final = 1 << 40

NOTE_LIMIT: Final = 1024

ORDER_LIMIT: Final = 1000
"""Accounts in one order, and open accounts of one wallet."""

NOBODY: Final = "nobody"
"""The wallet of usage that no line can be charged with: opened by the first of it, for the operator to look at."""

NO_ACCOUNT: Final = "-"
"""Stands for the account of a reservation that never held anything."""

HoldReason: TypeAlias = Literal["paused", "exhausted"]


class OutcomeCode(enum.StrEnum):
    """How a command ended. Only ``DONE`` of a reserve, or of a commit that asks, comes with a grant."""

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
    """The same command id, account, wallet or IMSI with another content."""
    NOT_DUE = "not_due"
    """An expiry or a close that comes too early."""
    INSUFFICIENT = "insufficient"
    """A transfer of more than is available, or a refund of more than was used."""
    ENDED = "ended"
    """The account is exhausted, expired or revoked and cannot take part."""
    TOO_MANY = "too_many"
    """The wallet has as many accounts or open reservations as it may."""


class Outcome(msgspec.Struct, frozen=True, gc=False, array_like=True):
    """What became of a command.

    ``committed_octets`` are in ``used`` now; ``overrun_octets`` were used and could not be paid for.
    ``code`` tells about the ask: a commit whose ask is refused has still committed its usage.
    """

    code: OutcomeCode
    granted_octets: int = 0
    final: bool = False
    """After this grant nothing more can be granted to the wallet; never set while ``shared``."""
    account_id: str | None = None
    """The account of the grant, or else the one the usage was committed to."""
    overrun_octets: int = 0
    committed_octets: int = 0
    shared: bool = False
    """Another reservation of the wallet holds octets that may come back: ask again soon."""


class Ask(msgspec.Struct, frozen=True, gc=False, array_like=True):
    """How much to reserve: all of what is available where that is at most ``whole_up_to_octets``."""

    amount_octets: int
    whole_up_to_octets: int
    expires_at: int
    """When a supervisor may settle the reservation without its owner."""
    may_shrink: bool = False
    """Grant no more than asked for, even where the reservation gave back more: the rest is for other bearers."""

    def __post_init__(self) -> None:
        """Check the numbers."""
        check_number("amount_octets", self.amount_octets, 1, OCTETS_LIMIT)
        check_number("whole_up_to_octets", self.whole_up_to_octets, 0, OCTETS_LIMIT)
        check_number("expires_at", self.expires_at, 0, INSTANT_LIMIT)


class _Command(msgspec.Struct, frozen=True, gc=False, array_like=True, tag=True):
    command_id: str


class OpenWallet(_Command, frozen=True, gc=False):
    """Open the wallet of an eSIM; its IMSI finds it from the network."""

    wallet_id: str
    imsi: str

    def __post_init__(self) -> None:
        """Check the identifiers."""
        check_ids(self.command_id, self.wallet_id, self.imsi)


class Credit(_Command, frozen=True, gc=False):
    """Give a wallet a new account; ``None`` is uncapped: it is credited with what it reserves.

    Of a capped one ``withheld_octets`` are not credited yet: ``Disburse`` brings them, a tranche at a time.
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
            check_number("amount_octets", self.amount_octets, 1, CREDIT_LIMIT)
        check_number("withheld_octets", self.withheld_octets, 0, max(0, (self.amount_octets or 0) - 1))
        check_number("expires_at", self.expires_at, 0, INSTANT_LIMIT)


class Disburse(_Command, frozen=True, gc=False):
    """Credit an open account with more of what is withheld, up to ``credited_octets`` in all."""

    account_id: str
    credited_octets: int

    def __post_init__(self) -> None:
        """Check identifiers and amount."""
        check_ids(self.command_id, self.account_id)
        check_number("credited_octets", self.credited_octets, 1, CREDIT_LIMIT)


class ProveStorage(_Command, frozen=True, gc=False):
    """Record the card's proof that it holds the session: only now may the account be reserved.

    The first proof also ends the wallet's hold for exhaustion, but not a pause, if ``ordered_at`` is later than the
    beginning of that hold, or the wallet continues with its next account.
    """

    account_id: str
    storage_proof: str
    ordered_at: int = 0
    """When the session was ordered (Unix seconds); 0 if this proof must not end a hold."""

    def __post_init__(self) -> None:
        """Check identifiers and instant."""
        check_ids(self.command_id, self.account_id, self.storage_proof)
        check_number("ordered_at", self.ordered_at, 0, INSTANT_LIMIT)


class Reserve(_Command, frozen=True, gc=False):
    """Reserve octets of the wallet's usable account; on an open reservation this replaces it."""

    reservation_id: str
    wallet_id: str
    ask: Ask
    note: str = ""
    """What the owner wants to find again after a restart; kept with the reservation, never read here."""
    admit: bool = False
    """Where nothing can be granted, take it in all the same, so that it may ask again, and a replay finds it."""

    def __post_init__(self) -> None:
        """Check identifiers and note."""
        check_ids(self.command_id, self.reservation_id, self.wallet_id)
        if self.note:
            check_text("note", self.note, NOTE_LIMIT)


class Admit(_Command, frozen=True, gc=False):
    """Take a reservation in that holds nothing: it may ask later, and what it uses has a place.

    ``over``: nothing is ever granted to it. It is a tombstone from the beginning, for usage that came late or
    from nowhere; the wallet ``NOBODY`` takes what no line can be charged with.
    """

    reservation_id: str
    wallet_id: str
    expires_at: int
    note: str = ""
    """As a Reserve's."""
    over: bool = False
    closing_note: str = ""
    """Why it is over, for the journal's readers."""

    def __post_init__(self) -> None:
        """Check identifiers, instant and notes."""
        check_ids(self.command_id, self.reservation_id, self.wallet_id)
        check_number("expires_at", self.expires_at, 0, INSTANT_LIMIT)
        for note in (self.note, self.closing_note):
            check_text("note", note, NOTE_LIMIT)


class Commit(_Command, frozen=True, gc=False):
    """Book usage, give the rest of the reservation back, and reserve anew where there is an ask."""

    reservation_id: str
    used_octets: int
    ask: Ask | None = None
    close: bool = False
    note: str = ""
    """What the owner tells of this usage (and of why it closes), for the journal's readers; never read here."""

    def __post_init__(self) -> None:
        """Check identifiers and usage."""
        check_ids(self.command_id, self.reservation_id)
        check_number("used_octets", self.used_octets, 0, OCTETS_LIMIT)
        if self.note:
            check_text("note", self.note, NOTE_LIMIT)
        if self.close and self.ask is not None:
            raise InvalidCommandError("a commit that closes its reservation cannot ask for more")


class Release(_Command, frozen=True, gc=False):
    """Settle a reservation without usage; what stays behind still takes usage that is reported late."""

    reservation_id: str
    note: str = ""
    """Why, for the journal's readers."""

    def __post_init__(self) -> None:
        """Check identifiers and note."""
        check_ids(self.command_id, self.reservation_id)
        if self.note:
            check_text("note", self.note, NOTE_LIMIT)


class HoldWallet(_Command, frozen=True, gc=False):
    """Grant nothing to the wallet until the hold is lifted; each reason is kept apart.

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


class LiftHold(_Command, frozen=True, gc=False):
    """Lift the hold, whatever its reasons; with an account, that one is used next."""

    wallet_id: str
    account_id: str | None = None

    def __post_init__(self) -> None:
        """Check the identifiers."""
        check_ids(self.command_id, self.wallet_id, self.account_id or "-")


class OrderWallet(_Command, frozen=True, gc=False):
    """Choose which accounts come first; those not named follow by their expiry."""

    wallet_id: str
    account_ids: tuple[str, ...]

    def __post_init__(self) -> None:
        """Check identifiers and length."""
        check_ids(self.command_id, self.wallet_id, *self.account_ids)
        check_number("account_ids", len(self.account_ids), 0, ORDER_LIMIT)
        if len(set(self.account_ids)) != len(self.account_ids):
            raise InvalidCommandError("an order names each account once")


class ContinueWithNext(_Command, frozen=True, gc=False):
    """Choose whether the next account follows an exhausted one by itself, or the wallet goes on hold."""

    wallet_id: str
    enabled: bool

    def __post_init__(self) -> None:
        """Check the identifiers."""
        check_ids(self.command_id, self.wallet_id)


class Transfer(_Command, frozen=True, gc=False):
    """Move available octets from one open account to another: all of the amount or nothing."""

    from_account_id: str
    to_account_id: str
    amount_octets: int

    def __post_init__(self) -> None:
        """Check identifiers and amount."""
        check_ids(self.command_id, self.from_account_id, self.to_account_id)
        check_number("amount_octets", self.amount_octets, 1, CREDIT_LIMIT)
        if self.from_account_id == self.to_account_id:
            raise InvalidCommandError("a transfer needs two accounts")


class Refund(_Command, frozen=True, gc=False):
    """Give used octets back to an open account of the wallet: all of the amount, of what it used, or nothing."""

    wallet_id: str
    amount_octets: int
    note: str = ""
    """Whose, for the journal's readers."""

    def __post_init__(self) -> None:
        """Check identifiers, amount and note."""
        check_ids(self.command_id, self.wallet_id)
        check_number("amount_octets", self.amount_octets, 1, OCTETS_LIMIT)
        check_text("note", self.note, NOTE_LIMIT)


class Expire(_Command, frozen=True, gc=False):
    """End an account whose time has come; what is available or comes back goes to ``expired``."""

    account_id: str

    def __post_init__(self) -> None:
        """Check the identifiers."""
        check_ids(self.command_id, self.account_id)


class Revoke(_Command, frozen=True, gc=False):
    """End an account by decision; what is available or comes back goes to ``revoked``."""

    account_id: str
    reason: str

    def __post_init__(self) -> None:
        """Check the identifiers."""
        check_ids(self.command_id, self.account_id, self.reason)


class Freeze(_Command, frozen=True, gc=False):
    """Refuse everything to a wallet (fraud, a lost phone), or end that."""

    wallet_id: str
    frozen: bool

    def __post_init__(self) -> None:
        """Check the identifiers."""
        check_ids(self.command_id, self.wallet_id)


class Close(_Command, frozen=True, gc=False):
    """Forget an account that ended long ago and has expired; until then its id guards against a second credit."""

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
    | LiftHold
    | OrderWallet
    | ContinueWithNext
    | Transfer
    | Refund
    | Expire
    | Revoke
    | Freeze
    | Close
)

_encode = msgspec.msgpack.Encoder().encode


def fingerprint(command: Command) -> int:
    """Return a number that differs where two commands with one id differ in what was asked.

    Of reservations it takes only what comes from the request itself (what was used, whether it closes and
    asks): sizes and expiries of an ask come from the clock and the settings, and a replay meets other ones.
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
        # As it was before anything could be withheld: what was credited then may be asked for again now.
        asked = msgspec.to_builtins(command)[:-1]
    if isinstance(command, ProveStorage):
        # ``ordered_at`` follows from the settings and the owner's newest wish, and a replay may meet others.
        asked = msgspec.to_builtins(command)[:-1]
    return int.from_bytes(blake2b(_encode(asked), digest_size=7).digest(), "big")
