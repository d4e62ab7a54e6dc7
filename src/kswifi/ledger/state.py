"""The ledger's state in memory: wallets, accounts, reservations and stored answers.

The objects are flat and not tracked by the garbage collector, because a million accounts stay in memory for
months. This module decides nothing: ``replay`` changes the objects by effects, and callers get copies.
"""

import enum
import heapq
import sys
from collections.abc import Iterator
from typing import Final, Literal, TypeAlias

import msgspec

from kswifi.ledger.commands import HoldReason, OutcomeCode

Hold: TypeAlias = Literal[
    "paused",
    "exhausted",
    "limited",
    "paused+exhausted",
    "paused+limited",
    "exhausted+limited",
    "paused+exhausted+limited",
]
"""The set of reasons for which a wallet is held, as one text.

A snapshot keeps the text. Older snapshots have at most one reason; they can still be read.
"""

_REASONS: Final[dict[Hold | None, frozenset[HoldReason]]] = {
    None: frozenset(),
    "paused": frozenset({"paused"}),
    "exhausted": frozenset({"exhausted"}),
    "limited": frozenset({"limited"}),
    "paused+exhausted": frozenset({"paused", "exhausted"}),
    "paused+limited": frozenset({"paused", "limited"}),
    "exhausted+limited": frozenset({"exhausted", "limited"}),
    "paused+exhausted+limited": frozenset({"paused", "exhausted", "limited"}),
}
_HOLDS: Final = {reasons: hold for hold, reasons in _REASONS.items()}


def reasons_of(hold: Hold | None) -> frozenset[HoldReason]:
    """Return the reasons of a hold; the empty set if there is no hold."""
    return _REASONS[hold]


def hold_for(reasons: frozenset[HoldReason]) -> Hold | None:
    """Return the hold for a set of reasons; None for the empty set."""
    return _HOLDS[reasons]


class AccountStatus(enum.StrEnum):
    """The state of an account. All but OPEN are final."""

    OPEN = "open"
    EXHAUSTED = "exhausted"
    EXPIRED = "expired"
    REVOKED = "revoked"


class Account(msgspec.Struct, gc=False, array_like=True):
    """The octets of one internet session.

    Invariant: credited + transferred_in == used + reserved + available + expired + revoked + transferred_out.
    ``overrun`` is not part of it: these octets were used and not paid for.
    """

    account_id: str
    wallet_id: str
    uncapped: bool
    expires_at: int
    storage_proof: str = ""
    status: AccountStatus = AccountStatus.OPEN
    credited: int = 0
    transferred_in: int = 0
    used: int = 0
    reserved: int = 0
    available: int = 0
    expired: int = 0
    revoked: int = 0
    transferred_out: int = 0
    overrun: int = 0
    first_used_at: int = 0
    """Unix seconds; 0 if it was never used."""
    ended_at: int = 0
    reservations: int = 0
    """The number of reservations, closed ones included, that book on it."""
    withheld: int = 0
    """Octets the session is entitled to and that are not credited yet. While there are some, use does not end the
    account.
    """
    reported: int = 0
    """The highest total of a provider's counter; 0 for an account that a charging server meters."""

    @property
    def is_used_up(self) -> bool:
        """Whether no octets are available, reserved or withheld."""
        return not (self.uncapped or self.available or self.reserved or self.withheld)


class Wallet(msgspec.Struct, gc=False, array_like=True):
    """The accounts of one eSIM, and the order in which they are used."""

    wallet_id: str
    imsi: str
    account_ids: tuple[str, ...] = ()
    """Open accounts in the order of use: first the ``chosen`` ones, then by expiry."""
    chosen: int = 0
    active_account_id: str | None = None
    """The account in use, or the one that was chosen when the hold was lifted."""
    hold: Hold | None = None
    frozen: bool = False
    continue_with_next: bool = False
    reservation_ids: tuple[str, ...] = ()
    """Open reservations."""
    unbooked: int = 0
    """Octets that were used and that no account could be found for."""


class DayLimit(msgspec.Struct, gc=False, array_like=True):
    """The most octets that a wallet spends in each day. ``used`` and ``lifted`` are of the day at ``day_at``."""

    wallet_id: str
    octets: int
    day_at: int
    used: int = 0
    lifted: bool = False


class Reservation(msgspec.Struct, gc=False, array_like=True):
    """The octets that one charging session (or one rating group of it) holds, and its stored answers."""

    reservation_id: str
    wallet_id: str
    account_id: str
    """``NO_ACCOUNT`` if it never held octets."""
    reserved: int = 0
    expires_at: int = 0
    note: str = ""
    closed: bool = False
    forget_at: int = 0
    answers: dict[str, bytes] = {}
    watched_at: int = 0
    """The instant of its one valid entry in ``LedgerState.supervised``."""


class Balances(msgspec.Struct, frozen=True, gc=False):
    """The octets of an account at one moment."""

    credited: int
    transferred_in: int
    used: int
    reserved: int
    available: int
    expired: int
    revoked: int
    transferred_out: int
    overrun: int


class AccountView(msgspec.Struct, frozen=True, gc=False):
    """A copy of an account for readers."""

    account_id: str
    wallet_id: str
    uncapped: bool
    expires_at: int
    storage_proof: str
    status: AccountStatus
    balances: Balances
    first_used_at: int | None
    ended_at: int | None
    withheld_octets: int


class WalletView(msgspec.Struct, frozen=True, gc=False):
    """A copy of a wallet for readers."""

    wallet_id: str
    imsi: str
    account_ids: tuple[str, ...]
    active_account_id: str | None
    hold: Hold | None
    frozen: bool
    continue_with_next: bool
    reservation_ids: tuple[str, ...]
    unbooked_octets: int


class ReservationView(msgspec.Struct, frozen=True, gc=False):
    """A copy of a reservation for readers."""

    reservation_id: str
    wallet_id: str
    account_id: str
    reserved_octets: int
    expires_at: int
    note: str
    closed: bool


class Retention(msgspec.Struct, frozen=True):
    """How long closed and ended items are remembered, in seconds."""

    closed_seconds: int = 600
    """A reservation that its client closed: replays get their answers, and usage out of order is still taken."""
    settled_seconds: int = 86_400
    """A reservation that a supervisor settled: its tombstone takes late usage."""
    control_seconds: int = 35 * 86_400
    """The answer to a command that would do harm if applied twice. An outbox entry is retried for 30 days."""
    natural_seconds: int = 3_600
    """The answer to a command that its account or wallet remembers too."""
    ended_seconds: int = 35 * 86_400
    """An ended account cannot be closed earlier: its id guards against a late second credit."""


class LedgerState:
    """The whole state of the ledger, with the read-only queries for callers."""

    __slots__ = (
        "accounts",
        "answers",
        "day_limits",
        "exhausted_since",
        "forgettable",
        "hold_ends",
        "imsis",
        "reservations",
        "retention",
        "supervised",
        "wallets",
    )

    def __init__(self, retention: Retention | None = None) -> None:
        self.retention = retention or Retention()
        self.wallets: dict[str, Wallet] = {}
        self.accounts: dict[str, Account] = {}
        self.reservations: dict[str, Reservation] = {}
        self.answers: dict[str, bytes] = {}
        """Stored answers to commands without a reservation."""
        self.imsis: dict[str, str] = {}
        self.exhausted_since: dict[str, int] = {}
        """The beginning of the hold of each wallet that is held for exhaustion."""
        self.hold_ends: dict[tuple[str, HoldReason], int] = {}
        """The end of each hold that has one, by wallet and reason."""
        self.day_limits: dict[str, DayLimit] = {}
        """The day limit of each wallet that has one."""
        self.forgettable: list[tuple[int, bool, str]] = []
        """A heap of (forget_at, whether it is a reservation, reservation id or command id)."""
        self.supervised: list[tuple[int, str]] = []
        """A heap of (instant, reservation id), at or before the expiry of each open reservation.

        An entry counts only if its reservation is ``watched_at`` that instant.
        """

    def wallet_of_imsi(self, imsi: str) -> str | None:
        """Return the id of the wallet with this IMSI, or None."""
        return self.imsis.get(imsi)

    def wallet(self, wallet_id: str) -> WalletView | None:
        """Return a copy of the wallet, or None."""
        it = self.wallets.get(wallet_id)
        if it is None:
            return None
        return WalletView(
            wallet_id=it.wallet_id,
            imsi=it.imsi,
            account_ids=it.account_ids,
            active_account_id=it.active_account_id,
            hold=it.hold,
            frozen=it.frozen,
            continue_with_next=it.continue_with_next,
            reservation_ids=it.reservation_ids,
            unbooked_octets=it.unbooked,
        )

    def account(self, account_id: str) -> AccountView | None:
        """Return a copy of the account, or None."""
        it = self.accounts.get(account_id)
        if it is None:
            return None
        return AccountView(
            account_id=it.account_id,
            wallet_id=it.wallet_id,
            uncapped=it.uncapped,
            expires_at=it.expires_at,
            storage_proof=it.storage_proof,
            status=it.status,
            balances=balances_of(it),
            first_used_at=it.first_used_at or None,
            ended_at=it.ended_at or None,
            withheld_octets=it.withheld,
        )

    def balances(self, account_id: str) -> Balances | None:
        """Return the octets of the account, or None."""
        it = self.accounts.get(account_id)
        return None if it is None else balances_of(it)

    def accounts_of(self, wallet_id: str) -> list[AccountView]:
        """Return copies of all accounts of a wallet, ended ones included.

        Slow, because it walks all accounts: not for requests.
        """
        mine = [it.account_id for it in self.accounts.values() if it.wallet_id == wallet_id]
        return [view for account_id in mine if (view := self.account(account_id)) is not None]

    def available_octets(self, account_id: str) -> int | None:
        """Return the available octets of an account; None for an uncapped or unknown account."""
        it = self.accounts.get(account_id)
        return None if it is None or it.uncapped else it.available

    def is_closable(self, account_id: str, at: int) -> bool:
        """Return whether an account may be forgotten.

        It ended long ago, no remembered reservation books on it, and it has expired: before its expiry, a late
        copy of its ``Credit`` would credit it again.
        """
        it = self.accounts.get(account_id)
        if it is None or it.status is AccountStatus.OPEN or it.reserved or it.reservations:
            return False
        return at >= max(it.ended_at + self.retention.ended_seconds, it.expires_at)

    def settled_at(self, reservation_id: str, command_id: str) -> int | None:
        """Return when the ``Release`` of this id settled a reservation; None if it did not or is forgotten."""
        it = self.reservations.get(reservation_id)
        if it is None or not it.closed or key_within(reservation_id, command_id) not in it.answers:
            return None
        return it.forget_at - self.retention.settled_seconds

    def reservation(self, reservation_id: str) -> ReservationView | None:
        """Return a copy of the reservation; closed ones too, until they are forgotten."""
        it = self.reservations.get(reservation_id)
        return None if it is None else _reservation_view(it)

    def open_reservations(self) -> Iterator[ReservationView]:
        """Yield all open reservations. Slow: for the start of the process, not for requests."""
        for it in self.reservations.values():
            if not it.closed:
                yield _reservation_view(it)

    def watch(self, reservation: Reservation) -> None:
        """Put the reservation into the heap of supervised ones, so that ``overdue`` finds it after its expiry."""
        reservation.watched_at = reservation.expires_at
        heapq.heappush(self.supervised, (reservation.expires_at, reservation.reservation_id))

    def overdue(self, now: int, limit: int) -> list[ReservationView]:
        """Return at most ``limit`` open reservations whose expiry has passed, the oldest first.

        They stay overdue until they are settled.
        """
        found: list[Reservation] = []
        while self.supervised and self.supervised[0][0] <= now and len(found) < limit:
            instant, reservation_id = heapq.heappop(self.supervised)
            it = self.reservations.get(reservation_id)
            if it is None or it.closed or it.watched_at != instant:
                continue
            if it.expires_at > now:
                self.watch(it)
            else:
                found.append(it)
        for it in found:
            self.watch(it)
        return [_reservation_view(it) for it in found]


def key_within(reservation_id: str, command_id: str) -> str:
    """Return the key of a command within its reservation.

    An id that begins with the id of its reservation, as those of charging do, is stored without that beginning:
    "#7" is then one string in memory for all reservations. The first character tells the two kinds of key apart.
    """
    if command_id.startswith(reservation_id):
        return sys.intern("~" + command_id[len(reservation_id) :])
    return "=" + command_id


END_CODES = {
    AccountStatus.EXHAUSTED: OutcomeCode.EXHAUSTED,
    AccountStatus.EXPIRED: OutcomeCode.EXPIRED,
    AccountStatus.REVOKED: OutcomeCode.ENDED,
}
"""How a command that needs an open account is refused."""


def balances_of(account: Account) -> Balances:
    """Return a copy of the account's octets."""
    return Balances(
        credited=account.credited,
        transferred_in=account.transferred_in,
        used=account.used,
        reserved=account.reserved,
        available=account.available,
        expired=account.expired,
        revoked=account.revoked,
        transferred_out=account.transferred_out,
        overrun=account.overrun,
    )


def _reservation_view(it: Reservation) -> ReservationView:
    return ReservationView(
        reservation_id=it.reservation_id,
        wallet_id=it.wallet_id,
        account_id=it.account_id,
        reserved_octets=it.reserved,
        expires_at=it.expires_at,
        note=it.note,
        closed=it.closed,
    )
