"""Project the ledger's journal into the control database: balances, session states and line states.

It follows the journal and writes how far it has read in the transaction that holds what that means, so each effect
counts exactly once, whenever the process dies. Nobody else makes a session stored, active, paused, exhausted or,
once it is stored, revoked.

There are two positions. States, alerts and tranches are written at once: ``STATES`` follows the journal closely.
Balances that only grew are gathered in memory (``BalanceBook``) and written as one row for many reports;
``BALANCES`` says how far all of them are written. A new start reads on from there, and passes over what its rows
and states have already. No transaction is long: the control plane has one writer.
"""

import asyncio
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import groupby
from time import monotonic
from typing import Final, TypeVar

import structlog
from sqlalchemy import Connection

from kswifi.database.engine import Database, Step
from kswifi.database.errors import DatabaseBusyError
from kswifi.free_data.rules import FreeDataRules
from kswifi.kernel.errors import KswifiError
from kswifi.ledger import effects as fx
from kswifi.ledger.ports import LedgerJournal
from kswifi.sessions import balance_store as store
from kswifi.sessions.balance_book import BalanceBook, BalanceRow, Item, Notice, StateChange
from kswifi.sessions.projected_states import apply_all_to_state, cut_off

_COST_AT_ONCE: Final = 64
"""What one transaction may write at once; together it takes some tens of milliseconds at most."""
_COST_OF_STATE: Final = 4
"""Of a change of state, which takes some milliseconds; a first octet or a notice costs 1."""
_ROWS_AT_ONCE: Final = 500
"""Balances in one transaction: each takes up to 0.06 ms."""
_LONGEST_PAUSE_SECONDS: Final = 0.1

_log = structlog.get_logger(__name__)
_T = TypeVar("_T")


class ProjectionOvertakenError(KswifiError):
    """Another projector has written meanwhile; nothing was written, and what is in memory is out of date."""

    code = "projection_overtaken"


@dataclass(frozen=True, slots=True)
class Pace:
    """How much at once, and how often.

    Attributes:
        records_at_once: journal records that are read and folded in one piece.
        pause_seconds: rest between two passes, so that a busy journal is read in larger pieces.
        look_seconds: how often to look where nobody calls ``wake``; None waits for it.
        light_rows: up to so many rows are written at the end of each pass: a quiet server has balances at once.
        row_seconds: of more rows, each is written when it has been behind for so long.
        leaves_gaps: after each transaction, leave the database to other processes for as long as it took. SQLite
            gives them no place in a queue.
    """

    records_at_once: int = 100
    pause_seconds: float = 0.1
    look_seconds: float | None = None
    light_rows: int = 256
    row_seconds: float = 10.0
    leaves_gaps: bool = False


async def projected_sequence(database: Database) -> int:
    """Return how far the journal was read: at least so much of it must still be there at the next start."""
    return (await database.read(partial(store.read_position, name=store.STATES)))[0]


async def wholly_projected_sequence(database: Database) -> int:
    """Return how far the journal is in all rows: what follows is still needed, and may not be pruned."""
    return (await database.read(partial(store.read_position, name=store.BALANCES)))[0]


def nobody_watches() -> Collection[str]:
    """Return no user."""
    return ()


class Projector:
    """Follows the ledger's journal; ``wake`` is what the ledger's ``on_durable`` calls.

    ``watched_by`` returns the users who have an event stream open: they are sent every balance.
    """

    def __init__(
        self,
        database: Database,
        ledger: LedgerJournal,
        rules: FreeDataRules | None = None,
        *,
        pace: Pace | None = None,
        watched_by: Callable[[], Collection[str]] = nobody_watches,
    ) -> None:
        self._database = database
        self._ledger = ledger
        self._rules = rules or FreeDataRules()
        self._pace = pace or Pace()
        self._watched_by = watched_by
        self._wake = asyncio.Event()
        self._stopping = asyncio.Event()
        self._started = False
        self._book = BalanceBook()
        self._read_until = 0
        """The last record in the book."""
        self._states = self._balances = (0, 0)
        """The positions as they are in the database."""

    def wake(self, _sequence: int = 0) -> None:
        """Signal new journal records. Call it on the event loop's thread."""
        self._wake.set()

    def stop(self) -> None:
        """Make ``run`` return after the current batch."""
        self._stopping.set()
        self._wake.set()

    async def run(self) -> None:
        """Project until ``stop``. What is not written then, the next start reads again."""
        while not self._stopping.is_set():
            self._wake.clear()
            try:
                if not await self._pass():
                    await self._flush(before=monotonic())
            except ProjectionOvertakenError:
                self._started = False
            except DatabaseBusyError:
                self._started = False
                _log.warning("projector_waits_for_database")
                self._wake.set()
            await self._rest()

    async def catch_up(self) -> int:
        """Project everything durable; return the sequence that was reached, which ``stop`` makes an earlier one."""
        if self._started and await self._database.read(_positions) != (self._states, self._balances):
            self._started = False
        while not self._stopping.is_set():
            try:
                if not await self._pass():
                    await self._flush(before=monotonic())
                    break
            except ProjectionOvertakenError:
                self._started = False
        return self._states[0]

    async def _rest(self) -> None:
        try:
            async with asyncio.timeout(self._pace.pause_seconds):
                await self._stopping.wait()
        except TimeoutError:
            # Rows that wait for their time need another pass, also if the journal is quiet from here on.
            seconds = self._pace.pause_seconds if len(self._book) else self._pace.look_seconds
            try:
                async with asyncio.timeout(seconds):
                    await self._wake.wait()
            except TimeoutError:
                return

    async def _pass(self) -> int:
        """Read the next records, and write what must not wait; return how many records there were."""
        if not self._started:
            await self._start()
        records = await asyncio.to_thread(self._ledger.read_effects, self._read_until, self._pace.records_at_once)
        if not records:
            return 0
        self._started = False  # whatever fails in between, memory is not trusted any more
        unknown = await asyncio.to_thread(self._book.unknown, records)
        if unknown:
            await self._meet(unknown)
        items = await asyncio.to_thread(self._book.fold, records, self._states, monotonic())
        self._read_until = records[-1][0]
        await self._write_items(items)
        is_light = len(self._book) <= self._pace.light_rows
        await self._flush(before=monotonic() - (0.0 if is_light else self._pace.row_seconds))
        self._book.shrink()
        self._started = True
        return len(records)

    async def _start(self) -> None:
        """Read the positions, and forget what is in memory."""
        self._states, self._balances = await self._database.read(_positions)
        self._book = BalanceBook()
        self._read_until = self._balances[0]
        self._started = True

    async def _meet(self, unknown: set[str]) -> None:
        accounts = await self._database.read(partial(store.read_accounts, session_ids=unknown))
        for account in accounts:
            self._book.put(account.session_id, account)
        for session_id in unknown - {account.session_id for account in accounts}:
            self._book.put(session_id, None)
            _log.error("ledger_account_without_session", account_id=session_id)

    async def _write_items(self, items: Sequence[Item]) -> None:
        """Write changes of states and notices, in their order and some in each transaction."""
        watched_by = frozenset(self._watched_by())
        start = 0
        while start < len(items):
            some = _first_of(items, start)
            start += len(some)
            is_last = start == len(items)
            reached = (self._read_until, 0) if is_last else _position_after(some[-1], items[start])
            step = partial(
                _write_some,
                items=some,
                expected=self._states,
                reached=reached,
                rules=self._rules,
                watched=watched_by,
            )
            await self._write(step)
            self._states = reached
            self._book.wrote(item.row for item in some if isinstance(item, Notice))

    async def _flush(self, before: float) -> None:
        """Write the rows that have been behind since ``before``, and those of users who watch."""
        watched_by = frozenset(self._watched_by())
        while True:
            rows = self._book.due(before, watched_by, _ROWS_AT_ONCE)
            whole = self._book.whole_until(self._read_until, rows)
            positions = (self._read_until, 0), (whole, 0)
            if not rows and (positions == (self._states, self._balances)):
                return
            step = partial(
                _write_rows,
                rows=rows,
                expected=(self._states, self._balances),
                reached=positions,
                rules=self._rules,
                watched=watched_by,
            )
            await self._write(step)
            self._states, self._balances = positions
            self._book.wrote(rows)
            if len(rows) < _ROWS_AT_ONCE:
                return

    async def _write(self, step: Step[_T]) -> _T:
        began = monotonic()
        result = await self._database.write(step, alone=True)
        if self._pace.leaves_gaps:
            await asyncio.sleep(min(monotonic() - began, _LONGEST_PAUSE_SECONDS))
        return result


def _positions(connection: Connection) -> tuple[tuple[int, int], tuple[int, int]]:
    return store.read_position(connection, store.STATES), store.read_position(connection, store.BALANCES)


def _first_of(items: Sequence[Item], start: int) -> Sequence[Item]:
    """Return the items from ``start`` that one transaction may write: at least one."""
    cost, end = 0, start
    while end < len(items) and (cost < _COST_AT_ONCE or end == start):
        item = items[end]
        is_cheap = isinstance(item, Notice) or isinstance(item.effect, fx.Committed)
        cost += 1 if is_cheap else _COST_OF_STATE
        end += 1
    return items[start:end]


def _position_after(last: Item, following: Item) -> tuple[int, int]:
    """Return the position after an item that another one follows.

    A record's notices follow its changes of states, and the row of each shows whether it was written.
    """
    if following.sequence > last.sequence:
        return following.sequence - 1, 0
    if isinstance(last, StateChange):
        return last.sequence - 1, last.index
    return last.sequence - 1, _ALL_EFFECTS


_ALL_EFFECTS: Final = 1 << 30
"""More effects than a record has."""


def _write_some(
    connection: Connection,
    items: Sequence[Item],
    expected: tuple[int, int],
    reached: tuple[int, int],
    rules: FreeDataRules,
    watched: frozenset[str],
) -> None:
    _require(connection, store.STATES, expected)
    for are_notices, group in groupby(items, lambda item: isinstance(item, Notice)):
        if not are_notices:
            apply_all_to_state(connection, [item.effect for item in group if isinstance(item, StateChange)])
            continue
        notices = [item for item in group if isinstance(item, Notice)]
        for notice in notices:
            if notice.exhausted:
                cut_off(connection, notice.row.account.session_id)
        store.write_balances(connection, [notice.row for notice in notices], rules)
        told = [it.row for it in notices if it.publish or it.row.account.user_id in watched]
        store.publish_balances(connection, told)
    store.write_position(connection, store.STATES, reached)


def _write_rows(
    connection: Connection,
    rows: Sequence[BalanceRow],
    expected: tuple[tuple[int, int], tuple[int, int]],
    reached: tuple[tuple[int, int], tuple[int, int]],
    rules: FreeDataRules,
    watched: frozenset[str],
) -> None:
    for name, position in zip((store.STATES, store.BALANCES), expected, strict=True):
        _require(connection, name, position)
    store.write_balances(connection, rows, rules)
    store.publish_balances(connection, [row for row in rows if row.account.user_id in watched])
    for name, before, position in zip((store.STATES, store.BALANCES), expected, reached, strict=True):
        if before != position:
            store.write_position(connection, name, position)


def _require(connection: Connection, name: str, expected: tuple[int, int]) -> None:
    """Check inside the transaction that nobody else has projected meanwhile.

    Raises:
        ProjectionOvertakenError: somebody has.
    """
    if store.read_position(connection, name) != expected:
        raise ProjectionOvertakenError("another projector has written meanwhile", name=name)
