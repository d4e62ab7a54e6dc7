"""Staff accounts: add them with a one-time link, register and use passkeys, sign in for twelve hours."""

import os
import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

from sqlalchemy import Connection, Row, delete, func, insert, select, update
from sqlalchemy.exc import IntegrityError

from kswifi.accounts.ceremonies import Ceremonies, Credential
from kswifi.accounts.errors import PasskeyRefusedError
from kswifi.accounts.model import ChallengePurpose, PasskeyOptions, csrf_token, hash_token, new_token
from kswifi.database.engine import Database, transaction_instant
from kswifi.desk.audit import record
from kswifi.desk.errors import (
    ENROLMENT_OVER,
    LAST_FOUNDER,
    NOT_SIGNED_IN_STAFF,
    STAFF_EXISTS,
    STAFF_NAME_INVALID,
    UNKNOWN_STAFF,
)
from kswifi.desk.roles import STAFF_ROLES, Operator, Permission, Role
from kswifi.desk.sql import staff, staff_enrolment, staff_login, staff_passkey
from kswifi.kernel.ids import uuid7

LOGIN_LIFETIME: Final = timedelta(hours=12)
ENROLMENT_LIFETIME: Final = timedelta(hours=24)
_NAME: Final = re.compile(r"[a-z0-9][a-z0-9.-]{1,39}")
_s: Final = staff.c


@dataclass(frozen=True, slots=True)
class Member:
    """A member of staff; ``disabled_at`` is None for one who may sign in."""

    staff_id: str
    name: str
    role: Role
    created_at: datetime
    disabled_at: datetime | None
    passkeys: int = 0

    @property
    def operator(self) -> Operator:
        """The member as the audit trail names them."""
        return Operator(self.name, self.role)


@dataclass(frozen=True, slots=True)
class StaffLogin:
    """A new sign-in; ``token`` goes into the cookie and is not stored."""

    member: Member
    token: str
    expires_at: datetime


@dataclass(frozen=True, slots=True)
class SignedInStaff:
    """The member of staff of a request, and the CSRF token that its forms carry."""

    member: Member
    csrf_token: str


def add_member(
    connection: Connection,
    operator: Operator,
    name: str,
    role: Role,
    random_bytes: Callable[[int], bytes] = os.urandom,
) -> str:
    """Add a member of staff; return the token of a one-time link with which they register a passkey.

    Raises:
        STAFF_NAME_INVALID: the name or the role cannot be given.
        STAFF_EXISTS: there is a member of this name.
        ROLE_MAY_NOT
    """
    operator.require(Permission.MANAGE_STAFF)
    if not _NAME.fullmatch(name) or role not in STAFF_ROLES:
        raise STAFF_NAME_INVALID("a name has 2 to 40 lower-case letters, digits, dots or hyphens")
    if connection.scalar(select(_s.staff_id).where(_s.name == name)) is not None:
        raise STAFF_EXISTS(f"{name} is a member of staff already", name=name)
    now = transaction_instant(connection)
    staff_id = str(uuid7(now))
    connection.execute(insert(staff).values(staff_id=staff_id, name=name, role=str(role), created_at=now))
    record(connection, operator, "staff add", name, after={"role": str(role)})
    return _new_enrolment(connection, staff_id, random_bytes)


def invite_again(
    connection: Connection, operator: Operator, name: str, random_bytes: Callable[[int], bytes] = os.urandom
) -> str:
    """Return the token of a new one-time link for a member, who has lost the passkey or the first link.

    Raises:
        UNKNOWN_STAFF: there is none of this name, or they are disabled.
        ROLE_MAY_NOT
    """
    operator.require(Permission.MANAGE_STAFF)
    member = find_member(connection, name)
    if member.disabled_at is not None:
        raise UNKNOWN_STAFF(f"{name} is disabled", name=name)
    record(connection, operator, "staff invite", name)
    return _new_enrolment(connection, member.staff_id, random_bytes)


def set_role(connection: Connection, operator: Operator, name: str, role: Role) -> Member:
    """Change a member's role; it counts from the next request on.

    Raises:
        UNKNOWN_STAFF, STAFF_NAME_INVALID, ROLE_MAY_NOT
        LAST_FOUNDER: nobody could manage staff any more.
    """
    operator.require(Permission.MANAGE_STAFF)
    if role not in STAFF_ROLES:
        raise STAFF_NAME_INVALID(f"{role} is not a role of staff")
    member = find_member(connection, name)
    if role is not Role.FOUNDER:
        _require_another_founder(connection, member)
    connection.execute(update(staff).where(_s.staff_id == member.staff_id).values(role=str(role)))
    record(connection, operator, "staff role", name, before={"role": str(member.role)}, after={"role": str(role)})
    return find_member(connection, name)


def disable(connection: Connection, operator: Operator, name: str) -> Member:
    """Disable a member: every sign-in ends, and passkeys and links no longer work. Idempotent.

    Raises:
        UNKNOWN_STAFF, LAST_FOUNDER, ROLE_MAY_NOT
    """
    operator.require(Permission.MANAGE_STAFF)
    member = find_member(connection, name)
    if member.disabled_at is None:
        _require_another_founder(connection, member)
        now = transaction_instant(connection)
        connection.execute(update(staff).where(_s.staff_id == member.staff_id).values(disabled_at=now))
        for table in (staff_login, staff_enrolment, staff_passkey):
            connection.execute(delete(table).where(table.c.staff_id == member.staff_id))
        record(connection, operator, "staff disable", name, before={"role": str(member.role)})
    return find_member(connection, name)


def members(connection: Connection) -> list[Member]:
    """Return all members of staff by name."""
    held = select(func.count()).where(staff_passkey.c.staff_id == _s.staff_id).correlate(staff).scalar_subquery()
    return [_member(row) for row in connection.execute(select(staff, held.label("passkeys")).order_by(_s.name))]


def find_member(connection: Connection, name: str) -> Member:
    """Return the member of a name.

    Raises:
        UNKNOWN_STAFF: there is none.
    """
    row = connection.execute(select(staff).where(_s.name == name)).one_or_none()
    if row is None:
        raise UNKNOWN_STAFF(f"there is no member of staff {name[:40]!r}", name=name[:40])
    return _member(row)


def enrolling(connection: Connection, token: str) -> Member:
    """Return the member whom a one-time link invites.

    Raises:
        ENROLMENT_OVER: the link was used, has expired, or is not ours.
    """
    e = staff_enrolment.c
    row = connection.execute(
        select(staff)
        .join_from(staff_enrolment, staff, e.staff_id == _s.staff_id)
        .where(e.token_hash == hash_token(token), e.expires_at > transaction_instant(connection))
    ).one_or_none()
    if row is None:
        raise ENROLMENT_OVER("this link was used or has expired: have another one made")
    return _member(row)


class StaffPasskeys:
    """Registers passkeys of staff and signs staff in with them."""

    def __init__(
        self, database: Database, ceremonies: Ceremonies, random_bytes: Callable[[int], bytes] = os.urandom
    ) -> None:
        self._database = database
        self._ceremonies = ceremonies
        self._random_bytes = random_bytes

    async def enrolment_options(self, token: str) -> PasskeyOptions:
        """Return the options for a browser to make the passkey of an invited member.

        Raises:
            ENROLMENT_OVER, PasskeysNotHereError
        """

        def look(connection: Connection) -> tuple[Member, list[bytes]]:
            member = enrolling(connection, token)
            query = select(staff_passkey.c.credential_id).where(staff_passkey.c.staff_id == member.staff_id)
            return member, list(connection.scalars(query))

        member, known = await self._database.read(look)
        purpose = ChallengePurpose.STAFF_ENROL
        return await self._ceremonies.creation_options(purpose, member.staff_id, f"{member.name} (desk)", known)

    async def enrol(self, token: str, challenge_id: str, credential: Credential) -> StaffLogin:
        """Store the passkey of an invited member, use the link up, and sign the member in.

        Raises:
            ENROLMENT_OVER, PasskeyChallengeOverError, PasskeyRefusedError
        """
        challenge = await self._ceremonies.take(challenge_id, ChallengePurpose.STAFF_ENROL)
        made = self._ceremonies.verified_registration(challenge, credential)

        def change(connection: Connection) -> StaffLogin:
            member = enrolling(connection, token)
            if member.staff_id != challenge.user_id:
                raise ENROLMENT_OVER("this link is for another member of staff")
            connection.execute(delete(staff_enrolment).where(staff_enrolment.c.token_hash == hash_token(token)))
            try:
                connection.execute(
                    insert(staff_passkey).values(
                        credential_id=made.credential_id,
                        staff_id=member.staff_id,
                        public_key=made.credential_public_key,
                        sign_count=made.sign_count,
                        created_at=transaction_instant(connection),
                    )
                )
            except IntegrityError as error:
                raise PasskeyRefusedError("this passkey is known already") from error
            record(connection, member.operator, "staff enrol", member.name)
            return begin_login(connection, member, self._random_bytes)

        return await self._database.write(change)

    async def sign_in_options(self) -> PasskeyOptions:
        """Return the options for a browser to sign in with any passkey of staff."""
        return await self._ceremonies.request_options(ChallengePurpose.STAFF_SIGN_IN)

    async def sign_in(self, challenge_id: str, credential: Credential) -> StaffLogin:
        """Sign in the member whose passkey signed the challenge.

        Raises:
            PasskeyChallengeOverError, PasskeyRefusedError
        """
        challenge = await self._ceremonies.take(challenge_id, ChallengePurpose.STAFF_SIGN_IN)
        credential_id = self._ceremonies.credential_id(credential)

        def change(connection: Connection) -> StaffLogin:
            k = staff_passkey.c
            row = connection.execute(
                select(staff, k.public_key, k.sign_count)
                .join_from(staff_passkey, staff, k.staff_id == _s.staff_id)
                .where(k.credential_id == credential_id, _s.disabled_at.is_(None))
            ).one_or_none()
            if row is None:
                raise PasskeyRefusedError("this passkey opens no staff account")
            sign_count = self._ceremonies.verified_sign_count(
                challenge,
                credential,
                user_id=row.staff_id,
                public_key=row.public_key,
                sign_count=row.sign_count,
            )
            used = {"sign_count": sign_count, "used_at": transaction_instant(connection)}
            connection.execute(update(staff_passkey).where(k.credential_id == credential_id).values(**used))
            member = _member(row)
            record(connection, member.operator, "staff sign-in", member.name)
            return begin_login(connection, member, self._random_bytes)

        return await self._database.write(change)


def begin_login(
    connection: Connection, member: Member, random_bytes: Callable[[int], bytes] = os.urandom
) -> StaffLogin:
    """Begin a sign-in of an authenticated member."""
    now = transaction_instant(connection)
    connection.execute(delete(staff_login).where(staff_login.c.expires_at <= now))
    token, expires_at = new_token(random_bytes), now + LOGIN_LIFETIME
    values = {"token_hash": hash_token(token), "staff_id": member.staff_id, "created_at": now}
    connection.execute(insert(staff_login).values(**values, expires_at=expires_at))
    return StaffLogin(member, token, expires_at)


def end_login(connection: Connection, token: str) -> None:
    """End a sign-in. Idempotent."""
    connection.execute(delete(staff_login).where(staff_login.c.token_hash == hash_token(token)))


def who(connection: Connection, token: str) -> SignedInStaff:
    """Return the member of a sign-in.

    Raises:
        NOT_SIGNED_IN_STAFF: there is no such sign-in, it is over, or the member is disabled.
    """
    t = staff_login.c
    row = connection.execute(
        select(staff)
        .join_from(staff_login, staff, t.staff_id == _s.staff_id)
        .where(
            t.token_hash == hash_token(token),
            t.expires_at > transaction_instant(connection),
            _s.disabled_at.is_(None),
        )
    ).one_or_none()
    if row is None:
        raise NOT_SIGNED_IN_STAFF("sign in first")
    return SignedInStaff(_member(row), csrf_token(token))


def _new_enrolment(connection: Connection, staff_id: str, random_bytes: Callable[[int], bytes]) -> str:
    token = new_token(random_bytes)
    connection.execute(delete(staff_enrolment).where(staff_enrolment.c.staff_id == staff_id))
    until = transaction_instant(connection) + ENROLMENT_LIFETIME
    values = {"token_hash": hash_token(token), "staff_id": staff_id, "expires_at": until}
    connection.execute(insert(staff_enrolment).values(**values))
    return token


def _require_another_founder(connection: Connection, member: Member) -> None:
    """Refuse to take the last founder away."""
    query = select(_s.staff_id).where(
        _s.role == Role.FOUNDER, _s.disabled_at.is_(None), _s.staff_id != member.staff_id
    )
    if member.role is Role.FOUNDER and connection.scalar(query.limit(1)) is None:
        raise LAST_FOUNDER("this is the last founder: make another one first")


def _member(row: Row[*tuple[Any, ...]]) -> Member:
    held = getattr(row, "passkeys", 0)
    return Member(row.staff_id, row.name, Role(row.role), row.created_at, row.disabled_at, int(held))
