"""Find customers and read what support needs to know of one; sign a customer out; replace a recovery code."""

import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final
from uuid import UUID

from sqlalchemy import Connection, Row, delete, select

from kswifi.accounts.errors import InvalidIdentifierError
from kswifi.accounts.identifiers import SecurityChange, tell_owner
from kswifi.accounts.kyc import kyc_level
from kswifi.accounts.logins import end_logins, logins_of
from kswifi.accounts.model import (
    LoginRecord,
    hash_recovery_code,
    new_recovery_code,
    parse_identifier,
)
from kswifi.accounts.service import is_deleted
from kswifi.accounts.sql import passkey, user_account
from kswifi.desk.audit import checked_reason, record
from kswifi.desk.errors import NO_SUCH_CUSTOMER
from kswifi.desk.roles import Operator, Permission
from kswifi.desk.sql import caller_check, customer_note
from kswifi.esim.lines.service import esims_of
from kswifi.esim.model import ESim
from kswifi.esim.sql import esim
from kswifi.kernel.errors import KswifiError
from kswifi.kernel.pages import PageRequest
from kswifi.kernel.pasted import clean_pasted
from kswifi.payments.model import PassPeriod, Payment
from kswifi.payments.sql import payment
from kswifi.payments.store import all_periods_of, payments_of
from kswifi.sessions.disputes import Dispute, disputes_of
from kswifi.sessions.model import SessionOverview
from kswifi.sessions.sql import internet_session
from kswifi.sessions.store import overviews_of
from kswifi.vouchers.codes import VoucherCodes
from kswifi.vouchers.sql import voucher

FOUND_LIMIT: Final = 20
_SHOWN: Final = 100
_LEAST_PREFIX: Final = 4
_AFTER_ALL: Final = "\U0010ffff"
_DIGITS: Final = re.compile(r"[\d\s().+-]+")
_u: Final = user_account.c


@dataclass(frozen=True, slots=True)
class Found:
    """One customer that a search has found: ``by`` names what matched (phone, email, iccid, ...)."""

    user_id: str
    identifier: str
    created_at: datetime
    by: str


@dataclass(frozen=True, slots=True)
class Customer:
    """One customer with everything that support sees on one page; lists are the newest first."""

    user_id: str
    phone_number: str | None
    email: str | None
    created_at: datetime
    phone_verified: bool
    identifier_proved_at: datetime | None
    deleted: bool
    kyc_level: int
    passkeys: int
    logins: list[LoginRecord]
    lines: list[ESim]
    sessions: list[SessionOverview]
    payments: list[Payment]
    passes: list[PassPeriod]
    disputes: list[Dispute]

    @property
    def identifier(self) -> str:
        """The phone number or email address."""
        return self.phone_number or self.email or ""

    def session(self, session_id: str) -> SessionOverview | None:
        """Return one of the sessions; None if it is not among them."""
        return next((it for it in self.sessions if it.session.session_id == session_id), None)


def masked(identifier: str) -> str:
    """Return a phone number or email address with its middle hidden: enough to recognise it, not to use it."""
    name, at, domain = identifier.partition("@")
    if at:
        return f"{name[:2]}•••@{domain}"
    return f"{identifier[:5]}••••{identifier[-3:]}" if len(identifier) > 8 else "•••"


def find_customers(connection: Connection, word: str, codes: VoucherCodes | None = None) -> list[Found]:
    """Return the customers that a word names, at most FOUND_LIMIT.

    The word is a phone number or email address or the beginning of one, an ICCID, an IMSI, the reference of a
    payment, the code of a redeemed voucher (where ``codes`` can read it), or the id of an account, a session or a
    line. Every search uses an index.
    """
    word = clean_pasted(word)
    for look in (_by_id, _by_card, _by_reference):
        if found := look(connection, word):
            return found
    if codes is not None and (found := _by_voucher(connection, word, codes)):
        return found
    return _by_identifier(connection, word)


def require_customer(connection: Connection, user_id: str) -> Row[*tuple[Any, ...]]:
    """Return the row of an account.

    Raises:
        NO_SUCH_CUSTOMER: there is none.
    """
    row = connection.execute(select(user_account).where(_u.user_id == user_id)).one_or_none()
    if row is None:
        raise NO_SUCH_CUSTOMER("there is no such account", user_id=user_id[:64])
    return row


def show_customer(connection: Connection, user_id: str) -> Customer:
    """Return one customer with lines, sessions, payments and disputes.

    Raises:
        NO_SUCH_CUSTOMER: there is none.
    """
    row = require_customer(connection, user_id)
    page = PageRequest(_SHOWN)
    sessions = list(overviews_of(connection, user_id, page).items)
    disputes = [it for one in sessions for it in disputes_of(connection, one.session.session_id, page).items]
    query = select(passkey.c.passkey_id).where(passkey.c.user_id == user_id)
    return Customer(
        user_id=row.user_id,
        phone_number=row.phone_number,
        email=row.email,
        created_at=row.created_at,
        phone_verified=row.phone_mark is not None,
        identifier_proved_at=row.identifier_proved_at,
        deleted=is_deleted(row.email),
        kyc_level=kyc_level(connection, user_id),
        passkeys=len(connection.scalars(query).all()),
        logins=logins_of(connection, user_id),
        lines=esims_of(connection, user_id, _SHOWN),
        sessions=sessions,
        payments=payments_of(connection, user_id, _SHOWN),
        passes=all_periods_of(connection, user_id, _SHOWN),
        disputes=sorted(disputes, key=lambda it: it.created_at, reverse=True),
    )


def sign_out(connection: Connection, operator: Operator, user_id: str, reason: str) -> int:
    """End all LoginSessions of a customer; return their number.

    Raises:
        NO_SUCH_CUSTOMER, ROLE_MAY_NOT, REASON_MISSING
    """
    operator.require(Permission.HELP_CUSTOMERS)
    require_customer(connection, user_id)
    count = len(logins_of(connection, user_id))
    end_logins(connection, user_id)
    tell_owner(connection, user_id, SecurityChange.SIGNED_OUT_EVERYWHERE)
    facts = {"logins": count}
    record(
        connection,
        operator,
        "customers logout",
        user_id,
        reason=checked_reason(reason),
        before=facts,
        after={"logins": 0},
    )
    return count


def replace_recovery_code(
    connection: Connection,
    operator: Operator,
    user_id: str,
    reason: str,
    random_bytes: Callable[[int], bytes],
) -> str:
    """Replace the recovery code of a customer who has lost it and the password; return the new code.

    The customer is notified on every signed-in device. The trail does not hold the code.

    Raises:
        NO_SUCH_CUSTOMER, ROLE_MAY_NOT, REASON_MISSING
    """
    operator.require(Permission.HELP_CUSTOMERS)
    require_customer(connection, user_id)
    code = new_recovery_code(random_bytes)
    connection.execute(
        user_account.update().where(_u.user_id == user_id).values(recovery_code_hash=hash_recovery_code(code))
    )
    tell_owner(connection, user_id, SecurityChange.RECOVERY_CODE_REPLACED)
    record(connection, operator, "customers recovery", user_id, reason=checked_reason(reason))
    return code


def forget_support_data(connection: Connection, user_id: str) -> None:
    """Delete the notes and caller checks of a deleted account; the audit trail holds ids only and stays."""
    for table in (customer_note, caller_check):
        connection.execute(delete(table).where(table.c.user_id == user_id))


def _by_id(connection: Connection, word: str) -> list[Found]:
    try:
        canonical = str(UUID(word))
    except ValueError:
        return []
    for by, query in (
        ("account", select(_u.user_id).where(_u.user_id == canonical)),
        ("session", select(internet_session.c.user_id).where(internet_session.c.session_id == canonical)),
        ("line", select(esim.c.user_id).where(esim.c.esim_id == canonical)),
    ):
        user_id = connection.scalar(query)
        if user_id is not None:
            return _accounts(connection, [user_id], by)
    return []


def _by_card(connection: Connection, word: str) -> list[Found]:
    digits = re.sub(r"[\s-]", "", word)
    if not (digits.isascii() and digits.isdigit() and len(digits) >= 15):
        return []
    by, column = ("imsi", esim.c.imsi) if len(digits) == 15 else ("iccid", esim.c.iccid)
    return _accounts(connection, connection.scalars(select(esim.c.user_id).where(column == digits)).all(), by)


def _by_reference(connection: Connection, word: str) -> list[Found]:
    owner = connection.scalar(select(payment.c.user_id).where(payment.c.reference == word))
    return [] if owner is None else _accounts(connection, [owner], "payment")


def _by_voucher(connection: Connection, word: str, codes: VoucherCodes) -> list[Found]:
    try:
        serial = codes.serial(word)
    except KswifiError:
        return []
    owner = connection.scalar(select(voucher.c.user_id).where(voucher.c.serial == serial))
    return [] if owner is None else _accounts(connection, [owner], "voucher")


def _by_identifier(connection: Connection, word: str) -> list[Found]:
    try:
        who = parse_identifier(word)
    except InvalidIdentifierError:
        return _by_beginning(connection, word)
    column = _u.phone_number if who.phone_number else _u.email
    exact = connection.scalars(select(_u.user_id).where(column == str(who))).all()
    return _accounts(connection, exact, "phone" if who.phone_number else "email")


def _by_beginning(connection: Connection, word: str) -> list[Found]:
    """Search by the beginning of an email address, or of a phone number as people write it."""
    column, by, start = _u.email, "email", word.lower()
    if _DIGITS.fullmatch(word):
        digits = re.sub(r"\D", "", word)
        national = digits.removeprefix("234").removeprefix("0")
        column, by, start = _u.phone_number, "phone", f"+234{national}" if national else ""
        start = f"+{digits}" if word.lstrip().startswith("+") and not digits.startswith("234") else start
    if len(start) < _LEAST_PREFIX:
        return []
    query = select(_u.user_id).where(column >= start, column < start + _AFTER_ALL).order_by(column)
    return _accounts(connection, connection.scalars(query.limit(FOUND_LIMIT)).all(), by)


def _accounts(connection: Connection, user_ids: Any, by: str) -> list[Found]:
    query = select(_u.user_id, _u.phone_number, _u.email, _u.created_at).where(_u.user_id.in_(list(user_ids)))
    rows = {row.user_id: row for row in connection.execute(query)}
    return [
        Found(row.user_id, row.phone_number or row.email or "", row.created_at, by)
        for user_id in user_ids
        if (row := rows.get(user_id)) is not None
    ]
