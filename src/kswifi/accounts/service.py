"""Registering, signing in and out, and recovering an account."""

import os
import secrets
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Final

from sqlalchemy import Row, Update, delete, or_, select, update
from sqlalchemy.dialects.sqlite import insert
from sqlalchemy.ext.asyncio import AsyncConnection

from kswifi.accounts import model
from kswifi.accounts.errors import (
    AlreadyRegisteredError,
    LoginExpiredError,
    NotSignedInError,
    WrongCredentialsError,
    WrongRecoveryCodeError,
)
from kswifi.accounts.model import Identifier, Login, LoginRecord, Registration, SignedIn, User
from kswifi.accounts.passwords import Passwords
from kswifi.accounts.rates import NO_VENUES, AddressLimiter, Rate, RateLimiter, Venues
from kswifi.accounts.sql import login_session, passkey, passkey_challenge, user_account
from kswifi.database.engine import Database, transaction_instant
from kswifi.kernel.ids import uuid7

SEEN_EVERY: Final = timedelta(minutes=5)
"""How exactly it is noted when a LoginSession was last used: a write for each request would be too dear."""

NOWHERE: Final = "deleted.invalid"
"""The domain of the addresses that deleted accounts get: one that can never exist (RFC 2606, 2)."""

LOGINS_LIMIT: Final = 20
"""LoginSessions of one account; a further one ends the oldest."""

PRUNE_LIMIT: Final = 500

# Many people share one address behind a mobile network's NAT, so the rates by address are generous.
GUESSES_BY_ACCOUNT: Final = Rate(10, timedelta(minutes=15))
LOGINS_BY_ADDRESS: Final = Rate(60, timedelta(minutes=15))
REGISTRATIONS_BY_ADDRESS: Final = Rate(30, timedelta(hours=1))


@dataclass(frozen=True, slots=True)
class AccountRules:
    """How long a LoginSession lasts, and how often one may try."""

    login_lifetime: timedelta = timedelta(days=30)
    login_idle: timedelta = timedelta(days=14)
    guesses_by_account: Rate = GUESSES_BY_ACCOUNT
    logins_by_address: Rate = LOGINS_BY_ADDRESS
    registrations_by_address: Rate = REGISTRATIONS_BY_ADDRESS
    venues: Venues = NO_VENUES


class AccountService:
    """Accounts, on the control plane's database."""

    def __init__(
        self,
        database: Database,
        passwords: Passwords,
        rules: AccountRules | None = None,
        random_bytes: Callable[[int], bytes] = os.urandom,
    ) -> None:
        self._database = database
        self._passwords = passwords
        self._rules = rules or AccountRules()
        self._random_bytes = random_bytes
        self._guesses = RateLimiter(self._rules.guesses_by_account)
        self._logins = AddressLimiter(self._rules.logins_by_address, self._rules.venues)
        self._registrations = AddressLimiter(self._rules.registrations_by_address, self._rules.venues)

    async def register(self, identifier: str, password: str, address: str) -> Registration:
        """Make an account for a phone number or email address, and sign it in.

        Raises:
            InvalidIdentifierError, WeakPasswordError: what was written cannot be used.
            AlreadyRegisteredError: it has an account.
            TooManyAttemptsError, SignInBusyError: too much at once.
        """
        who = model.parse_identifier(identifier)
        model.check_password(password, who)
        await self.require_free(who, address)
        password_hash = await self._passwords.hash(password)
        async with self._database.transaction() as connection:
            return await self.create(connection, who, password_hash)

    async def require_free(self, who: Identifier, address: str) -> None:
        """Count a registration, and refuse a phone number or email address that has an account.

        Raises:
            AlreadyRegisteredError, TooManyAttemptsError
        """
        self._registrations.attempt(address, self._database.clock.now())
        async with self._database.reading() as connection:
            if await _find(connection, who) is not None:
                raise _already_registered(who)

    async def create(
        self, connection: AsyncConnection, who: Identifier, password_hash: str, user_id: str | None = None
    ) -> Registration:
        """Make an account, and sign it in; of two at the same moment, one is refused.

        Raises:
            AlreadyRegisteredError: the phone number or email address has an account.
        """
        now = transaction_instant(connection)
        code = model.new_recovery_code(self._random_bytes)
        user = User(user_id or str(uuid7(now)), who.phone_number, who.email, now)
        result = await connection.execute(
            insert(user_account)
            .values(
                user_id=user.user_id,
                phone_number=who.phone_number,
                email=who.email,
                password_hash=password_hash,
                recovery_code_hash=model.hash_recovery_code(code),
                created_at=now,
            )
            .on_conflict_do_nothing()
        )
        if result.rowcount != 1:
            raise _already_registered(who)
        return Registration(await self.open_login(connection, user), code)

    async def hash_of_nobodys_password(self) -> str:
        """Return the hash of a password that nobody has, for an account that is opened in other ways.

        Raises:
            SignInBusyError: too many wait already.
        """
        return await self._passwords.hash(secrets.token_hex())

    def count_login(self, address: str) -> None:
        """Count an attempt to sign in.

        Raises:
            TooManyAttemptsError: too many from this address.
        """
        self._logins.attempt(address, self._database.clock.now())

    async def log_in(self, identifier: str, password: str, address: str) -> Login:
        """Sign in. Unknown accounts take as long as wrong passwords and get the same answer.

        Raises:
            WrongCredentialsError: no such account, or not its password.
            TooManyAttemptsError, SignInBusyError: too much at once.
        """
        who = model.parse_identifier(identifier)
        now = self._database.clock.now()
        self._logins.attempt(address, now)
        self._guesses.attempt(f"password {who}", now)
        async with self._database.reading() as connection:
            found = await _find(connection, who)
        encoded = None if found is None else found.password_hash
        if not await self._passwords.matches(encoded, password) or found is None:
            raise WrongCredentialsError("phone number, email address or password is wrong")
        self._guesses.forgive(f"password {who}")
        renewed = await self._passwords.hash(password) if self._passwords.is_outdated(found.password_hash) else None
        async with self._database.transaction() as connection:
            await _require_not_recovered_since(connection, found)
            if renewed is not None:
                await connection.execute(_of_user(found.user_id).values(password_hash=renewed))
            return await self.open_login(connection, _user(found))

    async def who(self, token: str) -> SignedIn:
        """Return who holds this LoginSession's token.

        Raises:
            NotSignedInError: it is not a LoginSession's.
            LoginExpiredError: its time is over, or it was not used for too long.
        """
        hashed = model.hash_token(token)
        async with self._database.reading() as connection:
            row = (
                await connection.execute(
                    select(login_session, user_account)
                    .join(user_account, user_account.c.user_id == login_session.c.user_id)
                    .where(login_session.c.token_hash == hashed)
                    .with_only_columns(*user_account.c, login_session.c.seen_at, login_session.c.expires_at)
                )
            ).first()
        if row is None:
            raise NotSignedInError("sign in first")
        now = self._database.clock.now()
        if now >= row.expires_at or now >= row.seen_at + self._rules.login_idle:
            await self.log_out(token)
            raise LoginExpiredError("your sign-in has ended: sign in again")
        if now >= row.seen_at + SEEN_EVERY:
            async with self._database.transaction() as connection:
                await connection.execute(
                    update(login_session).where(login_session.c.token_hash == hashed).values(seen_at=now)
                )
        return SignedIn(_user(row), model.csrf_token(token), row.expires_at)

    async def log_out(self, token: str) -> None:
        """End a LoginSession; ending it twice is no error."""
        async with self._database.transaction() as connection:
            await connection.execute(
                delete(login_session).where(login_session.c.token_hash == model.hash_token(token))
            )

    async def recover(self, identifier: str, recovery_code: str, new_password: str, address: str) -> str:
        """Set a new password with the recovery code; end all LoginSessions and passkeys; return the next code.

        The code works once: of two recoveries at the same moment, one is refused.

        Raises:
            WrongRecoveryCodeError: no such account, or not its code.
            WeakPasswordError, InvalidIdentifierError: what was written cannot be used.
            TooManyAttemptsError, SignInBusyError: too much at once.
        """
        who = model.parse_identifier(identifier)
        model.check_password(new_password, who)
        now = self._database.clock.now()
        self._logins.attempt(address, now)
        self._guesses.attempt(f"recovery {who}", now)
        password_hash = await self._passwords.hash(new_password)  # before looking: as long for every answer
        code = model.new_recovery_code(self._random_bytes)
        column = user_account.c.phone_number if who.phone_number else user_account.c.email
        async with self._database.transaction() as connection:
            result = await connection.execute(
                update(user_account)
                .where(
                    column == str(who),
                    user_account.c.recovery_code_hash == model.hash_recovery_code(recovery_code),
                )
                .values(password_hash=password_hash, recovery_code_hash=model.hash_recovery_code(code))
                .returning(user_account.c.user_id)
            )
            user_id = result.scalar_one_or_none()
            if user_id is None:
                raise WrongRecoveryCodeError("phone number, email address or recovery code is wrong")
            # Whoever had the account until now may have added a passkey of theirs.
            for table in (login_session, passkey, passkey_challenge):
                await connection.execute(delete(table).where(table.c.user_id == user_id))
        self._guesses.forgive(f"password {who}")
        self._guesses.forgive(f"recovery {who}")
        return code

    async def logins(self, user_id: str) -> list[LoginRecord]:
        """Return a user's LoginSessions, the oldest first."""
        t = login_session.c
        query = select(t.created_at, t.seen_at, t.expires_at).where(t.user_id == user_id).order_by(t.created_at)
        async with self._database.reading() as connection:
            return [LoginRecord(*row) for row in await connection.execute(query)]

    async def delete(
        self, user: User, password: str, address: str, also: Callable[[AsyncConnection], Awaitable[None]]
    ) -> None:
        """Delete an account; ``also`` forgets what others keep of it, in the same transaction.

        Its row stays, for the books refer to it: without a name, and with a password and a code that nobody has.

        Raises:
            WrongCredentialsError: it is not the password, or the account is gone.
            TooManyAttemptsError, SignInBusyError: too much at once.
        """
        found = await self._require_password(user, password, address)

        async def first(connection: AsyncConnection) -> None:
            await _require_not_recovered_since(connection, found)
            await also(connection)

        await self.erase(user, first)

    async def erase(self, user: User, also: Callable[[AsyncConnection], Awaitable[None]]) -> None:
        """Delete the account of somebody who has proved who they are, as ``delete`` does.

        Raises:
            SignInBusyError: too many wait already.
        """
        nobodys = await self.hash_of_nobodys_password()
        async with self._database.transaction() as connection:
            await also(connection)
            for table in (passkey, passkey_challenge):
                await connection.execute(delete(table).where(table.c.user_id == user.user_id))
            await connection.execute(delete(login_session).where(login_session.c.user_id == user.user_id))
            await connection.execute(
                _of_user(user.user_id).values(
                    phone_number=None,
                    phone_mark=None,
                    email=f"{secrets.token_hex(16)}@{NOWHERE}",
                    password_hash=nobodys,
                    recovery_code_hash=model.hash_recovery_code(model.new_recovery_code(self._random_bytes)),
                )
            )

    async def renew_recovery_code(self, user: User, password: str, address: str) -> str:
        """Replace the recovery code of a signed-in user, who shows the password again; return the new code.

        Raises:
            WrongCredentialsError: it is not the password, or the account is gone.
            TooManyAttemptsError, SignInBusyError: too much at once.
        """
        found = await self._require_password(user, password, address)
        async with self._database.transaction() as connection:
            await _require_not_recovered_since(connection, found)
            return await self.replace_recovery_code(connection, user)

    async def replace_recovery_code(self, connection: AsyncConnection, user: User) -> str:
        """Store the hash of a new recovery code and return the code; the caller has authenticated the user."""
        code = model.new_recovery_code(self._random_bytes)
        await connection.execute(_of_user(user.user_id).values(recovery_code_hash=model.hash_recovery_code(code)))
        return code

    async def _require_password(self, user: User, password: str, address: str) -> "_Row":
        """Return the account's row if this is its password; count the attempt."""
        who = Identifier(user.phone_number, user.email)
        now = self._database.clock.now()
        self._logins.attempt(address, now)
        self._guesses.attempt(f"password {who}", now)
        async with self._database.reading() as connection:
            found = await _find(connection, who)
        if found is None or not await self._passwords.matches(found.password_hash, password):
            raise WrongCredentialsError("the password is wrong")
        self._guesses.forgive(f"password {who}")
        return found

    async def prune(self) -> int:
        """Forget a batch of LoginSessions that have had their time; return how many."""
        async with self._database.transaction() as connection:
            now = transaction_instant(connection)
            over = or_(login_session.c.expires_at <= now, login_session.c.seen_at <= now - self._rules.login_idle)
            old = select(login_session.c.token_hash).where(over).limit(PRUNE_LIMIT)
            return (
                await connection.execute(delete(login_session).where(login_session.c.token_hash.in_(old)))
            ).rowcount

    async def open_login(self, connection: AsyncConnection, user: User) -> Login:
        """Begin a LoginSession of somebody who has proved who they are; beyond the limit the oldest ends."""
        now = transaction_instant(connection)
        token = model.new_token(self._random_bytes)
        expires_at = now + self._rules.login_lifetime
        newest = (
            select(login_session.c.token_hash)
            .where(login_session.c.user_id == user.user_id)
            .order_by(login_session.c.created_at.desc())
            .limit(LOGINS_LIMIT - 1)
        )
        await connection.execute(
            delete(login_session).where(
                login_session.c.user_id == user.user_id, login_session.c.token_hash.not_in(newest)
            )
        )
        await connection.execute(
            login_session.insert().values(
                token_hash=model.hash_token(token),
                user_id=user.user_id,
                created_at=now,
                seen_at=now,
                expires_at=expires_at,
            )
        )
        return Login(user, token, model.csrf_token(token), expires_at)


_Row = Row[*tuple[Any, ...]]


async def _require_not_recovered_since(connection: AsyncConnection, found: _Row) -> None:
    """Refuse a login whose password a recovery has replaced while it was being checked."""
    current = await connection.scalar(
        select(user_account.c.recovery_code_hash).where(user_account.c.user_id == found.user_id)
    )
    if current != found.recovery_code_hash:
        raise WrongCredentialsError("phone number, email address or password is wrong")


async def _find(connection: AsyncConnection, who: Identifier) -> _Row | None:
    column = user_account.c.phone_number if who.phone_number else user_account.c.email
    return (await connection.execute(select(user_account).where(column == str(who)))).first()


def _of_user(user_id: str) -> Update:
    return update(user_account).where(user_account.c.user_id == user_id)


def _user(row: _Row) -> User:
    return User(row.user_id, row.phone_number, row.email, row.created_at, row.phone_mark is not None)


def _already_registered(who: Identifier) -> AlreadyRegisteredError:
    what = "phone number" if who.phone_number else "email address"
    return AlreadyRegisteredError(f"this {what} has an account: sign in, or use your recovery code")


def is_deleted(email: str | None) -> bool:
    """Tell whether an account's address is one that deleted accounts get."""
    return email is not None and email.endswith(f"@{NOWHERE}")
