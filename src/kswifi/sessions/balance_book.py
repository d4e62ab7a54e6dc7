"""Balances folded from the ledger's effects, in memory: which rows are to be written, and which at once. Pure.

A busy network reports every session every few seconds. A report changes a balance in memory alone; its row is
written later, and many reports of one session are written as one row. What a person must see at once asks for a
``Notice``: a change of state, a share of the allowance that was passed, a tranche that is used.

Each row carries the number of the last journal record in it, so it can be written in any transaction: a record
that is in the row already is passed over when the journal is read again.
"""

from collections import OrderedDict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, fields
from typing import Any, Final

from kswifi.free_data.model import next_release_at
from kswifi.ledger import effects as fx
from kswifi.sessions.model import USAGE_SHARES, Balance

ACCOUNTS_LIMIT: Final = 100_000
"""Balances in memory; beyond, those whose rows are written are dropped and read again when they are needed."""

Record = tuple[int, Sequence[fx.Effect]]
"""The number of a journal record, and its effects."""

_AT_ONCE: Final = (
    fx.Credited,
    fx.Disbursed,
    fx.Refunded,
    fx.Transferred,
    fx.Sent,
    fx.Received,
    fx.Exhausted,
    fx.Expired,
    fx.Revoked,
    fx.Reported,
)
"""Effects that are rare for an account, and whose balance a person must see at once."""

_OF_STATES: Final = frozenset(
    {
        fx.StorageProved,
        fx.Exhausted,
        fx.Expired,
        fx.Revoked,
        fx.WalletHeld,
        fx.HoldLifted,
        fx.HeldUntil,
        fx.HoldEnded,
        fx.Frozen,
        fx.Ordered,
        fx.ContinueWithNextSet,
    }
)
"""Effects that change more than a balance; so does the first Committed or Reported of an account."""

_WITH_ACCOUNT: Final = frozenset(
    {
        fx.Credited,
        fx.Disbursed,
        fx.Reserved,
        fx.Committed,
        fx.Released,
        fx.Refunded,
        fx.Sent,
        fx.Received,
        fx.Overran,
        fx.Expired,
        fx.Revoked,
        fx.Exhausted,
        fx.Reported,
    }
)
"""Effects that change the balance of one account; Transferred changes two."""

_NEVER: Final = 1 << 62

BALANCE_NAMES: Final = tuple(it.name for it in fields(Balance))
_AVAILABLE, _CREDITED, _EXPIRED, _OVERRUN, _RESERVED, _REVOKED, _WITHHELD = (
    BALANCE_NAMES.index(name)
    for name in ("available", "credited", "expired", "overrun", "reserved", "revoked", "withheld")
)
USED: Final = BALANCE_NAMES.index("used")


@dataclass(slots=True, eq=False)
class AccountBalance:
    """One account: whose it is, its balance in octets, and when its row has to be written."""

    session_id: str
    user_id: str
    esim_id: str
    free: bool
    allowance_octets: int | None
    balance: list[int] = field(default_factory=lambda: [0 for _ in BALANCE_NAMES])
    """In the order of ``BALANCE_NAMES``."""
    as_of: int = 0
    """The instant of the newest effect in it; Unix seconds."""
    sequence: int = 0
    """The last journal record whose effects are in it."""
    row_sequence: int = 0
    """The last record that was in its row when that was read: up to here the journal is passed over."""
    share_at: int = _NEVER
    """The used octets at which the next share of the allowance is passed."""
    release_at: int = _NEVER
    """The used octets at which the next tranche is due."""
    tranche_octets: int = 0
    grant_octets: int = 0
    dirty_from: int = 0
    """The first journal record that its row does not have; 0 while the row is as it shall be."""
    dirty_since: float = 0.0
    """The monotonic instant at which ``dirty_from`` was read."""

    def pass_levels(self) -> bool:
        """Set the levels above what is used; tell whether a share was passed."""
        passed = self.balance[USED] >= self.share_at
        self.share_at, self.release_at = self._next_share(), self._next_release()
        return passed

    def row(self, sequence: int) -> "BalanceRow":
        """Return the row as it is now."""
        return BalanceRow(self, tuple(self.balance), self.as_of, sequence)

    def _next_share(self) -> int:
        if not self.allowance_octets:
            return _NEVER
        used = self.balance[USED]
        levels = (-(-percent * self.allowance_octets // 100) for percent in USAGE_SHARES)
        return min((level for level in levels if level > used), default=_NEVER)

    def _next_release(self) -> int:
        if not self.tranche_octets:
            return _NEVER
        due = next_release_at(self.balance[USED], self.tranche_octets, self.grant_octets)
        return _NEVER if due is None else due


@dataclass(frozen=True, slots=True)
class BalanceRow:
    """A row to be written: the balance of an account after a journal record."""

    account: AccountBalance
    balance: tuple[int, ...]
    as_of: int
    sequence: int

    def octets(self) -> dict[str, int]:
        """Return the balance by name."""
        return dict(zip(BALANCE_NAMES, self.balance, strict=True))


@dataclass(frozen=True, slots=True)
class StateChange:
    """An effect that changes more than a balance: the ``index``-th of its record, counted from 1."""

    sequence: int
    index: int
    effect: fx.Effect


@dataclass(frozen=True, slots=True)
class Notice:
    """A row that is written at once; ``publish``: an event is published with it, ``exhausted``: nothing is left."""

    sequence: int
    row: BalanceRow
    publish: bool
    exhausted: bool


Item = StateChange | Notice


class BalanceBook:
    """The balances of the accounts that were reported lately."""

    def __init__(self) -> None:
        self._accounts: dict[str, AccountBalance | None] = {}
        self._dirty: OrderedDict[str, AccountBalance] = OrderedDict()
        """Those whose row is behind, by their ``dirty_from``."""

    def __len__(self) -> int:
        """Return how many rows are behind."""
        return len(self._dirty)

    def unknown(self, records: Iterable[Record]) -> set[str]:
        """Return the accounts that these records name and the book does not have."""
        effects: list[Any] = [effect for _, of_record in records for effect in of_record]
        named: set[str] = {effect.account_id for effect in effects if type(effect) in _WITH_ACCOUNT}
        for effect in effects:
            if type(effect) is fx.Transferred:
                named |= {effect.from_account_id, effect.to_account_id}
        return named - self._accounts.keys()

    def put(self, session_id: str, account: AccountBalance | None) -> None:
        """Add an account; None for one that belongs to no session here, which is passed over."""
        self._accounts[session_id] = account

    def fold(self, records: Iterable[Record], done_until: tuple[int, int], now: float) -> list[Item]:
        """Apply records; return what has to be written at once, in order.

        Args:
            records: they follow what was applied before; all their accounts are in the book.
            done_until: of what is to be written at once, all is written up to this record; and of the record after
                it, the first so many effects.
            now: monotonic seconds, from which the age of a row is computed.
        """
        items: list[Item] = []
        for sequence, effects in records:
            record = _RecordFold(sequence, now)
            is_new = sequence > done_until[0]
            done = done_until[1] if sequence == done_until[0] + 1 else 0
            for index, effect in enumerate(effects, 1):
                if self._apply(effect, record) and is_new and index > done:
                    items.append(StateChange(sequence, index, effect))
            if is_new:
                items.extend(self._notices(record))
        return items

    def due(self, before: float, watched_by: set[str] | frozenset[str], limit: int) -> list[BalanceRow]:
        """Return rows that have been behind since ``before``, or whose user watches; at most ``limit``."""
        found: dict[str, AccountBalance] = {}
        for session_id, account in self._dirty.items():
            if account.dirty_since > before or len(found) >= limit:
                break
            found[session_id] = account
        if watched_by:
            for session_id, account in self._dirty.items():
                if len(found) >= limit:
                    break
                if account.user_id in watched_by:
                    found[session_id] = account
        return [it.row(it.sequence) for it in found.values()]

    def wrote(self, rows: Iterable[BalanceRow]) -> None:
        """Note that rows were written."""
        for row in rows:
            account = row.account
            if account.sequence <= row.sequence:
                account.dirty_from = 0
                self._dirty.pop(account.session_id, None)

    def whole_until(self, read_until: int, without: Iterable[BalanceRow] = ()) -> int:
        """Return the record up to which all rows are written, once those of ``without`` are."""
        written = {row.account.session_id for row in without if row.account.sequence <= row.sequence}
        first = next((it.dirty_from for key, it in self._dirty.items() if key not in written), None)
        return read_until if first is None else min(read_until, first - 1)

    def shrink(self, limit: int = ACCOUNTS_LIMIT) -> None:
        """Drop accounts whose rows are written, where there are too many."""
        if len(self._accounts) > limit:
            self._accounts = dict(self._dirty)

    def _apply(self, effect: fx.Effect, record: "_RecordFold") -> bool:
        """Apply an effect to the balances; tell whether it changes more than these.

        It runs for every effect of a busy network: the usual ones come first, and nothing is called needlessly.
        """
        kind = type(effect)
        if kind is fx.Committed:
            assert isinstance(effect, fx.Committed)  # noqa: S101 - as said, for the type checker
            account = self._changing(effect.account_id, effect.at, record)
            if account is not None:
                _take(account, effect.octets, -effect.released_octets)
                used = account.balance[USED]
                if effect.first or used >= account.share_at or used >= account.release_at:
                    record.note_used(account, first=effect.first)
            return effect.first
        if kind is fx.Reserved:
            assert isinstance(effect, fx.Reserved)  # noqa: S101 - as said, for the type checker
            account = self._changing(effect.account_id, effect.at, record)
            if account is not None:
                _take(account, 0, effect.octets)
            return False
        if kind in _WITH_ACCOUNT or kind is fx.Transferred:
            self._apply_rare(effect, record)
        return kind in _OF_STATES or (isinstance(effect, fx.Reported) and effect.first)

    def _apply_rare(self, effect: Any, record: "_RecordFold") -> None:
        """Apply an effect other than the usual ones, to the accounts that it names."""
        for account_id in _accounts_of(effect):
            account = self._changing(account_id, effect.at, record)
            if account is not None:
                _change(account, effect)
                account.pass_levels()
                if isinstance(effect, _AT_ONCE):
                    record.at_once[account_id] = True
                if isinstance(effect, fx.Exhausted):
                    record.exhausted.add(account_id)

    def _changing(self, session_id: str, at: int, record: "_RecordFold") -> AccountBalance | None:
        """Return an account that a record changes; None if it has no session here, or its row has the record."""
        account = self._accounts[session_id]
        if account is None or record.sequence <= account.row_sequence:
            return None
        account.sequence, account.as_of = record.sequence, at
        if not account.dirty_from:
            account.dirty_from, account.dirty_since = record.sequence, record.now
            self._dirty[session_id] = account
        return account

    def _notices(self, record: "_RecordFold") -> Iterator[Notice]:
        for session_id, publish in record.at_once.items():
            account = self._accounts[session_id]
            if account is not None:
                yield Notice(record.sequence, account.row(record.sequence), publish, session_id in record.exhausted)


@dataclass(slots=True)
class _RecordFold:
    """What one record asks to be written at once."""

    sequence: int
    now: float
    at_once: dict[str, bool] = field(default_factory=dict)
    """By account: whether an event is published with the row."""
    exhausted: set[str] = field(default_factory=set)

    def note_used(self, account: AccountBalance, *, first: bool) -> None:
        """Note that an account has its first octets, or has used so much that a level is passed."""
        told = self.at_once.get(account.session_id, False)
        self.at_once[account.session_id] = account.pass_levels() or first or told


def _change(account: AccountBalance, effect: Any) -> None:
    """Change a balance by an effect other than Committed and Reserved."""
    balance = account.balance
    match effect:
        case fx.Credited(octets=octets, withheld_octets=withheld):
            _add(balance, {_CREDITED: octets or 0, _AVAILABLE: octets or 0, _WITHHELD: withheld})
        case fx.Disbursed(octets=octets):
            _add(balance, {_CREDITED: octets, _AVAILABLE: octets, _WITHHELD: -octets})
        case fx.Released(octets=octets):
            _take(account, 0, -octets)
        case fx.Refunded(octets=octets):
            _take(account, -octets, 0)
        case fx.Reported(octets=octets, overrun_octets=overrun):
            _take(account, octets, 0)
            _add(balance, {_OVERRUN: overrun})
        case fx.Overran(octets=octets):
            _add(balance, {_OVERRUN: octets})
        case fx.Transferred() | fx.Sent() | fx.Received():
            moved = _received_by(account, effect)
            _add(balance, {_CREDITED: moved, _AVAILABLE: moved})
        case fx.Expired(octets=octets) | fx.Revoked(octets=octets):
            place = _EXPIRED if isinstance(effect, fx.Expired) else _REVOKED
            # What an account that has ended withholds is never credited.
            _add(balance, {_AVAILABLE: -octets, place: octets, _WITHHELD: -balance[_WITHHELD]})


def _received_by(account: AccountBalance, effect: fx.Transferred | fx.Sent | fx.Received) -> int:
    """Return the octets that an account received from others; negative if it sent them."""
    if isinstance(effect, fx.Transferred):
        return effect.octets if account.session_id == effect.to_account_id else -effect.octets
    return effect.octets if isinstance(effect, fx.Received) else -effect.octets


def _take(account: AccountBalance, used: int, reserved: int) -> None:
    """Book octets out of what is available; an uncapped account is credited with them at the same time."""
    balance = account.balance
    balance[USED] += used
    balance[_RESERVED] += reserved
    if account.allowance_octets is None:
        balance[_CREDITED] += used + reserved
    else:
        balance[_AVAILABLE] -= used + reserved


def _add(balance: list[int], more: dict[int, int]) -> None:
    for place, octets in more.items():
        balance[place] += octets


def _accounts_of(effect: Any) -> tuple[str, ...]:
    if isinstance(effect, fx.Transferred):
        return (effect.from_account_id, effect.to_account_id)
    return (effect.account_id,)
