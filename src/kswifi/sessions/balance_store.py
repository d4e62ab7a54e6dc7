"""The projector's rows: positions in the journal, and balances, many at a time in the caller's transaction."""

from collections.abc import Collection, Iterator, Sequence
from typing import Any, Final

from sqlalchemy import Connection, select

from kswifi.database.dialect import insert, select_rows, upsert_rows
from kswifi.free_data.grants import GrantUsage, follow_all
from kswifi.free_data.rules import FreeDataRules
from kswifi.kernel.clock import from_unix_seconds
from kswifi.outbox.model import Payload
from kswifi.outbox.service import publish_all
from kswifi.sessions import tranches
from kswifi.sessions.balance_book import BALANCE_NAMES, USED, AccountBalance, BalanceRow
from kswifi.sessions.model import LIVE_STATES
from kswifi.sessions.sql import ledger_projection
from kswifi.sessions.store import BALANCE_CHANGED

STATES: Final = "sessions"
"""How far states, and balances that were written at once, are projected."""
BALANCES: Final = "balances"
"""How far all balances are written: never further than ``STATES``."""

_AT_ONCE: Final = 1_000
_MICROSECONDS: Final = 1_000_000
_RESERVED: Final = BALANCE_NAMES.index("reserved")
_ROW: Final = ("session_id", *BALANCE_NAMES, "as_of", "sequence")


def read_position(connection: Connection, name: str) -> tuple[int, int]:
    """Return the last record that was projected whole, and how many effects of the next one were."""
    t = ledger_projection.c
    row = connection.execute(select(t.sequence, t.effects).where(t.name == name)).one_or_none()
    return (0, 0) if row is None else (row.sequence, row.effects)


def write_position(connection: Connection, name: str, position: tuple[int, int]) -> None:
    """Write a position."""
    values = {"sequence": position[0], "effects": position[1]}
    connection.execute(
        insert(ledger_projection)
        .values(name=name, **values)
        .on_conflict_do_update(index_elements=["name"], set_=values)
    )


def read_accounts(connection: Connection, session_ids: Collection[str]) -> list[AccountBalance]:
    """Return the balances of sessions, as far as there are such sessions."""
    found: dict[str, AccountBalance] = {}
    columns = ("session_id", "user_id", "esim_id", "free", "allowance_octets")
    for row in _rows(connection, "internet_session", columns, session_ids):
        found[row[0]] = AccountBalance(row[0], row[1], row[2], bool(row[3]), row[4])
    for session_id, *balance, as_of, sequence in _rows(connection, "session_balance", _ROW, found):
        account = found[session_id]
        account.balance, account.as_of = balance, as_of // _MICROSECONDS
        account.sequence = account.row_sequence = sequence
    free = [it.session_id for it in found.values() if it.free]
    for row in _rows(connection, "free_grant", ("session_id", "tranche_octets", "octets"), free):
        found[row[0]].tranche_octets, found[row[0]].grant_octets = row[1] or 0, row[2]
    for account in found.values():
        account.pass_levels()
    return list(found.values())


def write_balances(connection: Connection, rows: Sequence[BalanceRow], rules: FreeDataRules) -> None:
    """Write balances, and what they mean for the money of free sessions and for their next tranche."""
    if not rows:
        return
    values = [(it.account.session_id, *it.balance, it.as_of * _MICROSECONDS, it.sequence) for it in rows]
    upsert_rows(connection, "session_balance", _ROW, values, key=("session_id",), replace=_ROW[1:])
    free = {it.account.session_id: it for it in rows if it.account.free}
    ended = dict(_ended(connection, free))
    # In the order of the rows, so that the work it leaves does not depend on how rows are gathered.
    usages = [
        GrantUsage(session_id, row.balance[USED], row.balance[_RESERVED], ended[session_id])
        for session_id, row in free.items()
        if session_id in ended
    ]
    for grant in follow_all(connection, usages):
        if grant.wants_release:
            tranches.release(connection, grant.session_id, rules)


def publish_balances(connection: Connection, rows: Sequence[BalanceRow]) -> None:
    """Publish an event for each of these balances."""
    publish_all(connection, BALANCE_CHANGED, [(row.account.user_id, _told(row)) for row in rows])


def _told(row: BalanceRow) -> Payload:
    return {
        "session_id": row.account.session_id,
        "esim_id": row.account.esim_id,
        **row.octets(),
        "as_of": from_unix_seconds(row.as_of).isoformat(),
    }


def _ended(connection: Connection, session_ids: Collection[str]) -> Iterator[tuple[str, bool]]:
    for session_id, state in _rows(connection, "internet_session", ("session_id", "state"), session_ids):
        yield session_id, state not in LIVE_STATES


def _rows(
    connection: Connection, table: str, columns: Sequence[str], session_ids: Collection[str]
) -> Iterator[tuple[Any, ...]]:
    wanted = list(session_ids)
    for start in range(0, len(wanted), _AT_ONCE):
        some = wanted[start : start + _AT_ONCE]
        yield from select_rows(connection, table, columns, key="session_id", among=some)
