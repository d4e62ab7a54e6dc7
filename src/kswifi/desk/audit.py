"""The audit trail: who did what to whom, when and why, in rows that nobody can change unnoticed.

Each row holds the SHA-256 hash of itself and the hash of the row before, so a changed, inserted or deleted row
breaks the chain. Rows that are cut off at the end leave a chain that is sound in itself: note the newest hash
outside this machine from time to time (`kswifi audit verify` prints it), and have it looked for by
`kswifi audit verify --contains HASH`.
"""

import hashlib
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from sqlalchemy import Connection, Row, func, insert, select

from kswifi.database.dialect import trigger_names
from kswifi.database.engine import transaction_instant
from kswifi.desk.errors import REASON_MISSING
from kswifi.desk.roles import Operator
from kswifi.desk.sql import REASON_LIMIT, TRIGGERS, operator_action

FIRST_HASH: Final = "0" * 64
"""The ``previous_hash`` of the first row."""

_PAGE: Final = 1000
_FINDINGS_LIMIT: Final = 50
_t: Final = operator_action.c

Facts = Mapping[str, Any]
"""What an action changed, as a JSON object. Never a secret, a phone number or an email address."""


@dataclass(frozen=True, slots=True)
class Action:
    """One row of the audit trail."""

    number: int
    at: datetime
    who: str
    role: str
    command: str
    subject: str
    reason: str
    before: Facts
    after: Facts
    previous_hash: str
    hash: str


@dataclass(frozen=True, slots=True)
class Verified:
    """The result: the number of rows, the newest hash, and all findings."""

    rows: int
    newest_hash: str
    findings: tuple[str, ...]


def checked_reason(reason: str) -> str:
    """Return a reason without needless white space.

    Raises:
        REASON_MISSING: it is empty, or longer than REASON_LIMIT characters.
    """
    words = " ".join(reason.split())
    if not 3 <= len(words) <= REASON_LIMIT:
        raise REASON_MISSING(f"give a reason of 3 to {REASON_LIMIT} characters: the audit trail keeps it")
    return words


def record(
    connection: Connection,
    operator: Operator,
    command: str,
    subject: str,
    *,
    reason: str = "",
    before: Facts | None = None,
    after: Facts | None = None,
) -> int:
    """Append an action to the audit trail, in the transaction that carries it out; return its number."""
    newest = connection.execute(select(_t.number, _t.hash).order_by(_t.number.desc()).limit(1)).one_or_none()
    values: dict[str, Any] = {
        "number": 1 if newest is None else newest.number + 1,
        "at": transaction_instant(connection),
        "who": operator.name,
        "role": str(operator.role),
        "command": command,
        "subject": subject[:120],
        "reason": reason[:REASON_LIMIT],
        "before": dict(before or {}),
        "after": dict(after or {}),
        "previous_hash": FIRST_HASH if newest is None else newest.hash,
    }
    connection.execute(insert(operator_action).values(**values, hash=_hash(values)))
    return int(values["number"])


def actions(
    connection: Connection,
    *,
    subject: str | None = None,
    who: str | None = None,
    before_number: int | None = None,
    limit: int = 100,
) -> list[Action]:
    """Return actions, the newest first."""
    query = select(operator_action).order_by(_t.number.desc()).limit(limit)
    if subject is not None:
        query = query.where(_t.subject == subject)
    if who is not None:
        query = query.where(_t.who == who)
    if before_number is not None:
        query = query.where(_t.number < before_number)
    return [_read(row) for row in connection.execute(query)]


def actions_on(connection: Connection, subjects: list[str], limit: int = 500) -> list[Action]:
    """Return the actions on some subjects, the oldest first."""
    query = select(operator_action).where(_t.subject.in_(subjects)).order_by(_t.number).limit(limit)
    return [_read(row) for row in connection.execute(query)]


def verify_trail(connection: Connection, contains: str | None = None) -> Verified:
    """Check the whole chain, its numbering and the database's triggers.

    ``contains`` is a hash that was noted earlier: without a row of this hash, rows were cut off or replaced.
    """
    findings = [f"the trigger {name} is missing" for name in sorted(TRIGGERS - trigger_names(connection))]
    previous, expected, found = FIRST_HASH, 1, contains is None
    for row in _rows(connection):
        if len(findings) >= _FINDINGS_LIMIT:
            break
        if row.number != expected:
            findings.append(f"row {expected} is missing: the next one has the number {row.number}")
        if row.previous_hash != previous:
            findings.append(f"row {row.number} does not follow the row before it")
        if row.hash != _hash(row._asdict()):
            findings.append(f"row {row.number} was changed")
        found = found or row.hash == contains
        previous, expected = row.hash, row.number + 1
    if not found:
        findings.append(f"no row has the hash {contains}: rows were cut off or replaced")
    rows = int(connection.scalar(select(func.count()).select_from(operator_action)) or 0)
    return Verified(rows, previous, tuple(findings))


def _rows(connection: Connection) -> Iterator[Row[*tuple[Any, ...]]]:
    number = 0
    while True:
        query = select(operator_action).where(_t.number > number).order_by(_t.number).limit(_PAGE)
        page = connection.execute(query).all()
        yield from page
        if len(page) < _PAGE:
            return
        number = page[-1].number


def _hash(values: Mapping[str, Any]) -> str:
    """Return the hash of a row: SHA-256 of its columns, without ``hash``, as canonical JSON."""
    plain = {name: value for name, value in values.items() if name != "hash"}
    plain["at"] = plain["at"].isoformat()
    text = json.dumps(plain, sort_keys=True, separators=(",", ":"), ensure_ascii=True)
    return hashlib.sha256(text.encode()).hexdigest()


def _read(row: Row[*tuple[Any, ...]]) -> Action:
    return Action(**row._asdict())
