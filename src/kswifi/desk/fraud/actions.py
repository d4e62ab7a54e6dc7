"""Actions on all accounts of a cluster at once, and their undoing."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any, Final

from sqlalchemy import Connection, Row, insert, select, update

from kswifi.database.engine import transaction_instant
from kswifi.desk.audit import checked_reason, record
from kswifi.desk.errors import ACTION_UNDONE, TOO_MANY_ACCOUNTS, UNKNOWN_ACTION
from kswifi.desk.fraud.sql import fraud_action, fraud_action_item
from kswifi.desk.lines import change_line
from kswifi.desk.roles import Operator, Permission
from kswifi.esim.lines.service import esims_of, find_esim
from kswifi.free_data.holds import Hold, HoldState, find_hold, holds_of, place_hold, set_state
from kswifi.kernel.ids import uuid7

ACCOUNTS_LIMIT: Final = 1_000
BY_HAND: Final = "by_hand"
"""The ``why`` of a hold that a person has placed."""

_a, _i = fraud_action.c, fraud_action_item.c


class ActionKind(StrEnum):
    """What an action does with each account: hold free data; hold it and freeze the lines; release the holds."""

    HOLD = "hold"
    FREEZE = "freeze"
    RELEASE = "release"


@dataclass(frozen=True, slots=True)
class FraudAction:
    """An action: ``accounts`` and ``lines`` that it has changed; those that were so before are not counted."""

    action_id: str
    kind: ActionKind
    reason: str
    done_by: str
    done_at: datetime
    accounts: int
    lines: int
    undone_by: str | None
    undone_at: datetime | None


@dataclass(frozen=True, slots=True)
class _Item:
    """A changed hold with what it was before, or a frozen line."""

    hold_id: str | None = None
    state_before: str | None = None
    decided_by_before: str | None = None
    reason_before: str | None = None
    esim_id: str | None = None


def act(
    connection: Connection, operator: Operator, kind: ActionKind, user_ids: Sequence[str], reason: str
) -> FraudAction:
    """Do something with many accounts, in one transaction.

    Raises:
        TOO_MANY_ACCOUNTS: more than ACCOUNTS_LIMIT.
        ROLE_MAY_NOT, REASON_MISSING
    """
    operator.require(Permission.HOLD_ACCOUNTS)
    reason = checked_reason(reason)
    if len(user_ids) > ACCOUNTS_LIMIT:
        raise TOO_MANY_ACCOUNTS(f"one action takes {ACCOUNTS_LIMIT:,} accounts at most")
    now = transaction_instant(connection)
    action_id = str(uuid7(now))
    holds: list[_Item] = []
    lines: list[_Item] = []
    for user_id in sorted(set(user_ids)):
        if kind is ActionKind.RELEASE:
            holds += _release(connection, operator, user_id, reason)
            continue
        holds += _hold(connection, operator, user_id, reason, len(user_ids))
        if kind is ActionKind.FREEZE:
            lines += _freeze(connection, operator, user_id, reason)
    values = {"action_id": action_id, "kind": kind, "reason": reason, "done_by": operator.name, "done_at": now}
    connection.execute(insert(fraud_action).values(**values, accounts=len(holds), lines=len(lines)))
    for number, item in enumerate([*holds, *lines]):
        connection.execute(insert(fraud_action_item).values(action_id=action_id, number=number, **_plain(item)))
    facts = {"asked": len(user_ids), "accounts": len(holds), "lines": len(lines)}
    record(connection, operator, f"fraud {kind}", f"action {action_id}", reason=reason, after=facts)
    return find_action(connection, action_id)


def undo(connection: Connection, operator: Operator, action_id: str, reason: str) -> FraudAction:
    """Undo an action once. What somebody has decided after it stays as decided.

    Raises:
        UNKNOWN_ACTION, ACTION_UNDONE
        ROLE_MAY_NOT, REASON_MISSING
    """
    operator.require(Permission.HOLD_ACCOUNTS)
    reason = checked_reason(reason)
    action = find_action(connection, action_id)
    if action.undone_at is not None:
        raise ACTION_UNDONE(f"{action.undone_by} has undone it")
    accounts, lines = 0, 0
    for row in connection.execute(select(fraud_action_item).where(_i.action_id == action_id)).all():
        if row.hold_id is not None:
            done = _restore(connection, operator, action, row, reason)
            accounts += done
        else:
            line = find_esim(connection, row.esim_id)
            done = line.wants_frozen
            lines += done
            if done:
                change_line(connection, operator, line, reason, frozen=False)
        mine = _i.action_id == action_id, _i.number == row.number
        connection.execute(update(fraud_action_item).where(*mine).values(undone=bool(done)))
    values = {"undone_by": operator.name, "undone_at": transaction_instant(connection)}
    connection.execute(update(fraud_action).where(_a.action_id == action_id).values(**values))
    facts = {"accounts": accounts, "lines": lines}
    before = {"accounts": action.accounts, "lines": action.lines}
    record(connection, operator, "fraud undo", f"action {action_id}", reason=reason, before=before, after=facts)
    return find_action(connection, action_id)


def find_action(connection: Connection, action_id: str) -> FraudAction:
    """Return an action.

    Raises:
        UNKNOWN_ACTION: there is none.
    """
    row = connection.execute(select(fraud_action).where(_a.action_id == action_id)).one_or_none()
    if row is None:
        raise UNKNOWN_ACTION("there is no such action", action_id=action_id[:64])
    return _read(row)


def fraud_actions(connection: Connection, limit: int = 50) -> list[FraudAction]:
    """Return the actions, the newest first."""
    query = select(fraud_action).order_by(_a.done_at.desc(), _a.action_id.desc()).limit(limit)
    return [_read(row) for row in connection.execute(query)]


def _hold(connection: Connection, operator: Operator, user_id: str, reason: str, together: int) -> list[_Item]:
    """Hold an account by a person's decision; nothing if a person has held it before."""
    current = _in_force(connection, user_id)
    if current is not None and current.state is HoldState.KEPT:
        return []
    if current is None:
        facts = {"accounts": together}
        placed = place_hold(connection, user_id, BY_HAND, facts, operator.name, HoldState.KEPT)
        assert placed is not None  # noqa: S101 - none was in force
        item = _Item(hold_id=placed.hold_id)
        set_state(connection, placed.hold_id, HoldState.KEPT, decided_by=operator.name, reason=reason)
    else:
        item = _item(current)
        set_state(connection, current.hold_id, HoldState.KEPT, decided_by=operator.name, reason=reason)
    record(connection, operator, "fraud hold", user_id, reason=reason, before={"state": item.state_before})
    return [item]


def _release(connection: Connection, operator: Operator, user_id: str, reason: str) -> list[_Item]:
    current = _in_force(connection, user_id)
    if current is None:
        return []
    set_state(connection, current.hold_id, HoldState.RELEASED, decided_by=operator.name, reason=reason)
    record(connection, operator, "fraud release", user_id, reason=reason, before={"state": str(current.state)})
    return [_item(current)]


def _freeze(connection: Connection, operator: Operator, user_id: str, reason: str) -> list[_Item]:
    frozen = []
    for line in esims_of(connection, user_id):
        if not line.wants_frozen:
            change_line(connection, operator, line, reason, frozen=True)
            frozen.append(_Item(esim_id=line.esim_id))
    return frozen


def _restore(
    connection: Connection, operator: Operator, action: FraudAction, row: Row[*tuple[Any, ...]], reason: str
) -> bool:
    """Put a hold back to what it was, if nobody has decided on it since; return whether that was done."""
    hold = find_hold(connection, row.hold_id)
    made = HoldState.RELEASED if action.kind is ActionKind.RELEASE else HoldState.KEPT
    if hold is None or hold.state is not made or hold.decided_at != action.done_at:
        return False
    if row.state_before is None:
        set_state(connection, row.hold_id, HoldState.RELEASED, decided_by=operator.name, reason=reason)
    elif _in_force(connection, hold.user_id) not in (None, hold):  # a newer hold is in force: one is enough
        return False
    else:
        state = HoldState(row.state_before)
        by, why = row.decided_by_before, row.reason_before
        set_state(connection, row.hold_id, state, decided_by=by, reason=why)
    record(connection, operator, "fraud undo", hold.user_id, reason=reason, before={"state": str(hold.state)})
    return True


def _in_force(connection: Connection, user_id: str) -> Hold | None:
    return next((it for it in holds_of(connection, [user_id]) if it.in_force), None)


def _item(hold: Hold) -> _Item:
    return _Item(hold.hold_id, str(hold.state), hold.decided_by, hold.reason)


def _plain(item: _Item) -> dict[str, str | None]:
    return {
        "hold_id": item.hold_id,
        "state_before": item.state_before,
        "decided_by_before": item.decided_by_before,
        "reason_before": item.reason_before,
        "esim_id": item.esim_id,
    }


def _read(row: Row[*tuple[Any, ...]]) -> FraudAction:
    return FraudAction(**(row._asdict() | {"kind": ActionKind(row.kind)}))
