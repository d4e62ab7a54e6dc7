"""Assignment of phone numbers and email addresses to accounts, and the proofs by which an owner claims them.

A proof is a confirmed code that was sent to the identifier (``kswifi.identifier_proofs``). An account that has not
proved its identifier does not block the identifier's owner: the owner takes the identifier with a proof, and the
account that held it gets a placeholder address.
"""

import secrets
from datetime import timedelta
from enum import StrEnum
from typing import Any, Final

from sqlalchemy import Connection, Row, Update, select, update

from kswifi.accounts.errors import AlreadyRegisteredError, IdentifierNotProvedError
from kswifi.accounts.model import Digest, Identifier
from kswifi.accounts.sql import identifier_proof, user_account
from kswifi.database.engine import transaction_instant
from kswifi.outbox.service import enqueue, publish

PROOF_LIFETIME: Final = timedelta(minutes=30)
"""How long a confirmed proof may be used after its code has expired."""

RELEASED: Final = "released.invalid"
"""The domain of the placeholder addresses of accounts that lost their identifier (RFC 2606, 2: never exists)."""

SECURITY_EVENT: Final = "account.security"
"""The kind of the domain events about the security of an account; ``what`` in the payload names the change."""

SECURITY_NOTICE: Final = "mail_security_notice"
"""The kind of the outbox entries that inform an owner of such a change by e-mail."""

AccountRow = Row[*tuple[Any, ...]]


def find_account(connection: Connection, who: Identifier) -> AccountRow | None:
    """Return the account that signs in with an identifier; None if there is none."""
    column = user_account.c.phone_number if who.phone_number else user_account.c.email
    return connection.execute(select(user_account).where(column == str(who))).first()


def of_user(user_id: str) -> Update:
    """Return an UPDATE statement for the row of one account."""
    return update(user_account).where(user_account.c.user_id == user_id)


class SecurityChange(StrEnum):
    """What happened to the security of an account."""

    SIGN_IN_LOCKED = "sign_in_locked"
    NEW_DEVICE = "new_device"
    PASSWORD_CHANGED = "password_changed"  # noqa: S105 - no password
    RECOVERY_CODE_REPLACED = "recovery_code_replaced"
    RECOVERED = "recovered"
    SIGNED_OUT_EVERYWHERE = "signed_out_everywhere"
    IDENTIFIER_PROVED = "identifier_proved"
    IDENTIFIER_CHANGED = "identifier_changed"
    IDENTIFIER_LOST = "identifier_lost"
    PASSKEY_ADDED = "passkey_added"
    PASSKEY_REMOVED = "passkey_removed"


CREDENTIAL_CHANGES: Final = frozenset(
    {
        SecurityChange.RECOVERED,
        SecurityChange.PASSWORD_CHANGED,
        SecurityChange.RECOVERY_CODE_REPLACED,
        SecurityChange.IDENTIFIER_CHANGED,
        SecurityChange.IDENTIFIER_LOST,
        SecurityChange.PASSKEY_ADDED,
    }
)
"""The changes of what proves that somebody is the owner; for some time after one nothing moves to a new phone."""


def tell_owner(connection: Connection, user_id: str, what: SecurityChange, **facts: str | None) -> None:
    """Inform an account's owner of a change of its security.

    The event is for open pages, for notifications and for the data export. An account with an email address also
    gets an e-mail, at the address that it has now: call this before a change of the address.
    """
    sequence = publish(connection, user_id=user_id, kind=SECURITY_EVENT, payload={"what": what, **facts})
    if what in CREDENTIAL_CHANGES:
        now = transaction_instant(connection)
        connection.execute(of_user(user_id).values(credentials_changed_at=now))
    email = connection.scalar(select(user_account.c.email).where(user_account.c.user_id == user_id))
    if what is SecurityChange.IDENTIFIER_LOST:
        return  # the address is another person's now
    if email is not None and not email.endswith(f"@{RELEASED}"):
        payload = {"to": email, "what": what, "sequence": sequence}
        enqueue(connection, kind=SECURITY_NOTICE, key=f"{SECURITY_NOTICE}:{sequence}", payload=payload)


class Identifiers:
    """Assigns identifiers to accounts. With ``proof_required``, no identifier is assigned without a proof."""

    def __init__(self, digest: Digest, *, proof_required: bool) -> None:
        self._digest = digest
        self._proof_required = proof_required

    def require_available(
        self, connection: Connection, who: Identifier, proof_id: str | None, user_id: str | None = None
    ) -> None:
        """Refuse an identifier that cannot be assigned now; the one that ``user_id`` has is accepted.

        With ``proof_required``, the proof is checked before any account is looked up, so that the answer does not
        show whether an account exists.

        Raises:
            IdentifierNotProvedError: a proof is required, and ``proof_id`` is not one of this identifier.
            AlreadyRegisteredError: another account has it.
        """
        if proof_id is not None or self._proof_required:
            require_proof(connection, who, proof_id)
        holder = find_account(connection, who)
        if holder is not None and holder.user_id != user_id and (proof_id is None or self._is_proved(holder)):
            raise already_registered(who)

    def take(
        self, connection: Connection, who: Identifier, proof_id: str | None, user_id: str | None = None
    ) -> dict[str, Any]:
        """Use up the proof and release the identifier from its present account.

        Return the columns for the row of the account that receives the identifier.

        Raises:
            IdentifierNotProvedError, AlreadyRegisteredError: as ``require_available``.
        """
        self.require_available(connection, who, proof_id, user_id)
        columns: dict[str, Any] = {"phone_number": who.phone_number, "email": who.email}
        if proof_id is None:
            return columns
        now = transaction_instant(connection)
        connection.execute(
            update(identifier_proof).where(identifier_proof.c.proof_id == proof_id).values(used_at=now)
        )
        holder = find_account(connection, who)
        if holder is not None and holder.user_id != user_id:
            free = f"{secrets.token_hex(16)}@{RELEASED}"
            connection.execute(of_user(holder.user_id).values(phone_number=None, email=free))
            tell_owner(connection, holder.user_id, SecurityChange.IDENTIFIER_LOST)
        columns["identifier_proved_at"] = now
        if who.phone_number is not None:
            mark = self._mark(who.phone_number)
            taken = connection.scalar(select(user_account.c.user_id).where(user_account.c.phone_mark == mark))
            if taken in (
                None,
                user_id,
            ):  # otherwise another account has verified the number and keeps its mark
                columns["phone_mark"] = mark
        return columns

    def _is_proved(self, holder: AccountRow) -> bool:
        if holder.identifier_proved_at is not None:
            return True
        return holder.phone_number is not None and holder.phone_mark == self._mark(holder.phone_number)

    def _mark(self, phone_number: str) -> str:
        return self._digest("phone", phone_number).hex()


def require_proof(connection: Connection, who: Identifier, proof_id: str | None) -> None:
    """Refuse a proof that is not a confirmed, unused proof of an identifier.

    Raises:
        IdentifierNotProvedError: ``proof_id`` is None, unknown, of another identifier, used or expired.
    """
    p = identifier_proof.c
    query = select(p.proof_id).where(
        p.proof_id == (proof_id or ""),
        p.identifier == str(who),
        p.confirmed_at.is_not(None),
        p.used_at.is_(None),
        p.expires_at > transaction_instant(connection) - PROOF_LIFETIME,
    )
    if connection.execute(query).first() is None:
        raise IdentifierNotProvedError(
            "have a code sent to this phone number or email address, and type it in first"
        )


def already_registered(who: Identifier) -> AlreadyRegisteredError:
    """Return the error for an identifier that already has an account."""
    what = "phone number" if who.phone_number else "email address"
    return AlreadyRegisteredError(f"this {what} has an account: sign in, or use your recovery code")
