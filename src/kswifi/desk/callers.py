"""Who is calling: a six-digit code in the customer's app, before support sees or does anything for a caller.

The code is a keyed digest of the request and is not stored: the server computes it whenever the app asks.
"""

import hmac
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from sqlalchemy import Connection, select, update

from kswifi.accounts.model import Digest
from kswifi.database.dialect import insert
from kswifi.database.engine import transaction_instant
from kswifi.desk.audit import checked_reason, record
from kswifi.desk.customers import require_customer
from kswifi.desk.errors import CALLER_CODE_WRONG, CALLER_NOT_CHECKED
from kswifi.desk.roles import Permission
from kswifi.desk.sql import caller_check
from kswifi.desk.staff import Member
from kswifi.outbox.service import publish

CODE_LIFETIME: Final = timedelta(minutes=10)
OPEN_FOR: Final = timedelta(minutes=30)
"""How long a customer's page stays open to the member of staff who has checked the caller."""

TRIES: Final = 5
CALLER_EVENT: Final = "caller_code"
"""The kind of the event that support asks a customer for a code; the code is not in it."""

_t: Final = caller_check.c


@dataclass(frozen=True, slots=True)
class CallerCode:
    """A code that the customer's app shows now."""

    code: str
    expires_at: datetime


class CallerChecks:
    """Makes and checks codes; ``digest`` is the installation's keyed digest."""

    def __init__(self, digest: Digest) -> None:
        self._digest = digest

    def send(self, connection: Connection, member: Member, user_id: str) -> None:
        """Let the customer's app show a new code; earlier ones of this member are void.

        Raises:
            NO_SUCH_CUSTOMER, ROLE_MAY_NOT
        """
        member.operator.require(Permission.HELP_CUSTOMERS)
        require_customer(connection, user_id)
        values = {"sent_at": transaction_instant(connection), "tries": 0, "checked_at": None, "reason": None}
        connection.execute(
            insert(caller_check)
            .values(user_id=user_id, staff_id=member.staff_id, **values)
            .on_conflict_do_update(index_elements=["user_id", "staff_id"], set_=values)
        )
        publish(connection, user_id=user_id, kind=CALLER_EVENT, payload={"staff": member.name})
        record(connection, member.operator, "callers send", user_id)

    def check(self, connection: Connection, member: Member, user_id: str, code: str) -> bool:
        """Compare what the caller read out; True opens the customer's page. A wrong try is counted.

        Return False instead of raising, so that the count of tries is kept.
        """
        row = connection.execute(
            select(caller_check).where(_t.user_id == user_id, _t.staff_id == member.staff_id)
        ).one_or_none()
        now = transaction_instant(connection)
        mine = _t.user_id == user_id, _t.staff_id == member.staff_id
        if row is None or row.tries >= TRIES or now >= row.sent_at + CODE_LIFETIME or row.reason is not None:
            return False
        right = self._code(user_id, member.staff_id, row.sent_at)
        typed = "".join(sign for sign in code if sign.isdigit())
        if not hmac.compare_digest(typed.encode(), right.encode()):
            connection.execute(update(caller_check).where(*mine).values(tries=_t.tries + 1))
            return False
        connection.execute(update(caller_check).where(*mine).values(checked_at=now, tries=TRIES))
        record(connection, member.operator, "callers check", user_id)
        return True

    def codes_for(self, connection: Connection, user_id: str) -> list[CallerCode]:
        """Return the codes that a customer's app shows now."""
        now = transaction_instant(connection)
        query = select(caller_check).where(
            _t.user_id == user_id,
            _t.sent_at > now - CODE_LIFETIME,
            _t.checked_at.is_(None),
            _t.tries < TRIES,
            _t.reason.is_(None),
        )
        return [
            CallerCode(
                self._code(user_id, row.staff_id, row.sent_at),
                row.sent_at + CODE_LIFETIME,
            )
            for row in connection.execute(query)
        ]

    def _code(self, user_id: str, staff_id: str, sent_at: datetime) -> str:
        digest = self._digest("caller code", f"{user_id} {staff_id} {sent_at.isoformat()}")
        return f"{int.from_bytes(digest[:8]) % 1_000_000:06d}"


def open_without_caller(connection: Connection, member: Member, user_id: str, reason: str) -> None:
    """Open a customer's page without a caller, for a letter or a dispute; the reason is kept.

    Raises:
        NO_SUCH_CUSTOMER, ROLE_MAY_NOT, REASON_MISSING
    """
    member.operator.require(Permission.REVEAL)
    reason = checked_reason(reason)
    require_customer(connection, user_id)
    now = transaction_instant(connection)
    values = {"sent_at": now, "tries": TRIES, "checked_at": now, "reason": reason}
    connection.execute(
        insert(caller_check)
        .values(user_id=user_id, staff_id=member.staff_id, **values)
        .on_conflict_do_update(index_elements=["user_id", "staff_id"], set_=values)
    )
    record(connection, member.operator, "customers open", user_id, reason=reason)


@dataclass(frozen=True, slots=True)
class Opened:
    """Whether a member of staff sees a customer's page, and whether the caller was checked by a code."""

    is_open: bool
    by_code: bool


def opened(connection: Connection, member: Member, user_id: str) -> Opened:
    """Return whether a customer's page is open to a member of staff now."""
    query = select(_t.checked_at, _t.reason).where(_t.user_id == user_id, _t.staff_id == member.staff_id)
    row = connection.execute(query).one_or_none()
    if row is None or row.checked_at is None or transaction_instant(connection) >= row.checked_at + OPEN_FOR:
        return Opened(is_open=False, by_code=False)
    return Opened(is_open=True, by_code=row.reason is None)


def require_opened(connection: Connection, member: Member, user_id: str, *, by_code: bool = False) -> None:
    """Refuse an action for a customer whose page is not open; ``by_code``: only a checked caller counts.

    Raises:
        CALLER_NOT_CHECKED: it is not.
    """
    found = opened(connection, member, user_id)
    if not found.is_open or (by_code and not found.by_code):
        raise CALLER_NOT_CHECKED("check the caller first: have a code shown in the customer's app")


def require_right(right: bool) -> None:
    """Refuse a wrong code.

    Raises:
        CALLER_CODE_WRONG: it is wrong.
    """
    if not right:
        raise CALLER_CODE_WRONG("this is not the code that the app shows now: have a new one shown")
