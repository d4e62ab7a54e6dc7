"""LoginSessions as rows: begin, list and end them."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from typing import Final

from sqlalchemy import Connection, delete, select, update

from kswifi.accounts import model
from kswifi.accounts.device_cookies import DeviceCookies
from kswifi.accounts.errors import UnknownLoginError
from kswifi.accounts.model import Client, Login, LoginRecord, User
from kswifi.accounts.sql import login_session, user_account
from kswifi.database.engine import transaction_instant

LOGINS_LIMIT: Final = 20
"""The maximum number of LoginSessions of one account; a further one ends the oldest."""

_t = login_session.c


@dataclass(frozen=True, slots=True)
class Logins:
    """Begins LoginSessions with one lifetime and issues their device cookies."""

    cookies: DeviceCookies
    lifetime: timedelta
    random_bytes: Callable[[int], bytes]

    def begin(self, connection: Connection, user: User, client: Client) -> Login:
        """Begin a LoginSession of an authenticated user; above the limit the oldest one ends."""
        now = transaction_instant(connection)
        token = model.new_token(self.random_bytes)
        expires_at = now + self.lifetime
        newest = (
            select(_t.token_hash)
            .where(_t.user_id == user.user_id)
            .order_by(_t.created_at.desc())
            .limit(LOGINS_LIMIT - 1)
        )
        connection.execute(delete(login_session).where(_t.user_id == user.user_id, _t.token_hash.not_in(newest)))
        connection.execute(
            login_session.insert().values(
                token_hash=model.hash_token(token),
                user_id=user.user_id,
                created_at=now,
                seen_at=now,
                expires_at=expires_at,
                browser=client.browser,
                network=client.network,
            )
        )
        return Login(user, token, model.csrf_token(token), expires_at, self.cookie(connection, user.user_id))

    def knows(self, connection: Connection, user_id: str, client: Client) -> bool:
        """Return whether the client has a device cookie of the account's current credential generation."""
        generation = generation_of(connection, user_id)
        return self.cookies.nonce_of(client.device_cookie, user_id, generation) is not None

    def cookie(self, connection: Connection, user_id: str) -> str:
        """Return a new device cookie of an account's current credential generation."""
        return self.cookies.issue(user_id, generation_of(connection, user_id))


def generation_of(connection: Connection, user_id: str) -> int:
    """Return the credential generation of an account."""
    query = select(user_account.c.credential_generation).where(user_account.c.user_id == user_id)
    return int(connection.scalar(query) or 0)


def begin_generation(connection: Connection, user_id: str) -> None:
    """Begin a new credential generation: device cookies and unfinished sign-ins of the account become invalid."""
    column = user_account.c.credential_generation
    connection.execute(
        update(user_account).where(user_account.c.user_id == user_id).values(credential_generation=column + 1)
    )


def logins_of(connection: Connection, user_id: str) -> list[LoginRecord]:
    """Return a user's LoginSessions, the oldest first."""
    query = select(login_session).where(_t.user_id == user_id)
    found = [
        LoginRecord(model.login_id(it.token_hash), it.created_at, it.seen_at, it.expires_at, it.browser, it.network)
        for it in connection.execute(query)
    ]
    return sorted(found, key=lambda it: (it.created_at, it.login_id))


def end_login(connection: Connection, token: str) -> None:
    """End the LoginSession with this token. Idempotent."""
    connection.execute(delete(login_session).where(_t.token_hash == model.hash_token(token)))


def end_login_of(connection: Connection, user_id: str, login_id: str) -> None:
    """End one LoginSession of a user.

    Raises:
        UnknownLoginError: the user has none with this id.
    """
    for token_hash in connection.scalars(select(_t.token_hash).where(_t.user_id == user_id)).all():
        if model.login_id(token_hash) == login_id:
            connection.execute(delete(login_session).where(_t.token_hash == token_hash))
            return
    raise UnknownLoginError("you have no such sign-in: it may have ended")


def end_logins(connection: Connection, user_id: str, but: str | None = None) -> None:
    """End all LoginSessions of a user except the one with the id ``but``; earlier device cookies become invalid."""
    for token_hash in connection.scalars(select(_t.token_hash).where(_t.user_id == user_id)).all():
        if model.login_id(token_hash) != but:
            connection.execute(delete(login_session).where(_t.token_hash == token_hash))
    begin_generation(connection, user_id)
