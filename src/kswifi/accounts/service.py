"""Registration, sign-in, sign-out, and account recovery."""

import hmac
import os
import secrets
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

import structlog
from sqlalchemy import Connection, bindparam, delete, or_, select, update

from kswifi.accounts import model
from kswifi.accounts.device_cookies import DeviceCookies
from kswifi.accounts.errors import (
    LoginExpiredError,
    NotSignedInError,
    SignInLockedError,
    WrongCredentialsError,
    WrongRecoveryCodeError,
)
from kswifi.accounts.identifiers import (
    AccountRow,
    Identifiers,
    SecurityChange,
    already_registered,
    find_account,
    of_user,
    require_proof,
    tell_owner,
)
from kswifi.accounts.logins import Logins, begin_generation, end_login, end_logins, generation_of
from kswifi.accounts.model import (
    UNKNOWN_CLIENT,
    Client,
    Digest,
    Identifier,
    Login,
    Recovery,
    Registration,
    SignedIn,
    User,
)
from kswifi.accounts.password_guesses import PasswordGuesses
from kswifi.accounts.passwords import Passwords
from kswifi.accounts.rates import NO_VENUES, AddressLimiter, Rate, RateLimiter, Venues
from kswifi.accounts.sql import login_session, passkey, passkey_challenge, user_account
from kswifi.database.dialect import insert
from kswifi.database.engine import Database, transaction_instant
from kswifi.kernel.ids import uuid7
from kswifi.outbox.service import enqueue

SEEN_EVERY: Final = timedelta(minutes=5)
"""The resolution of a LoginSession's last use. A write for each request would cost too much."""

DELETED_DOMAIN: Final = "deleted.invalid"
"""The domain of the addresses that deleted accounts get; it can never exist (RFC 2606, 2)."""

PRUNE_LIMIT: Final = 500

SIGN_IN_LOCK_NOTICE: Final = "tell_of_sign_in_lock"
"""The kind of the outbox entries that inform an owner that sign-ins without a device cookie are refused."""

_log = structlog.get_logger(__name__)

_WRONG: Final = "phone number, email address or password is wrong"

# Many people share one address behind a mobile network's NAT, so the rates by address are generous. The statement
# is built once, because building costs more than running it.
_SIGNED_IN: Final = (
    select(*user_account.c, login_session.c.seen_at, login_session.c.expires_at)
    .select_from(login_session)
    .join(user_account, user_account.c.user_id == login_session.c.user_id)
    .where(login_session.c.token_hash == bindparam("wanted"))
)

GUESSES_BY_ACCOUNT: Final = Rate(10, timedelta(minutes=15))
LOGINS_BY_ADDRESS: Final = Rate(60, timedelta(minutes=15))
REGISTRATIONS_BY_ADDRESS: Final = Rate(30, timedelta(hours=1))


@dataclass(frozen=True, slots=True)
class AccountRules:
    """The lifetime of a LoginSession, the rate limits, and whether identifiers must be proved."""

    login_lifetime: timedelta = timedelta(days=30)
    login_idle: timedelta = timedelta(days=14)
    guesses_by_account: Rate = GUESSES_BY_ACCOUNT
    logins_by_address: Rate = LOGINS_BY_ADDRESS
    registrations_by_address: Rate = REGISTRATIONS_BY_ADDRESS
    venues: Venues = NO_VENUES
    proof_required: bool = False


class AccountService:
    """Accounts in the database of the control plane.

    ``digest`` is the installation's keyed digest. Without one, device cookies are valid until the process ends.
    """

    def __init__(
        self,
        database: Database,
        passwords: Passwords,
        rules: AccountRules | None = None,
        random_bytes: Callable[[int], bytes] = os.urandom,
        digest: Digest | None = None,
    ) -> None:
        self._database = database
        self._passwords = passwords
        self._rules = rules or AccountRules()
        self._random_bytes = random_bytes
        digest = digest or _digest_of_this_process()
        self._cookies = DeviceCookies(digest, random_bytes)
        self._logins_begun = Logins(self._cookies, self._rules.login_lifetime, random_bytes)
        self._identifiers = Identifiers(digest, proof_required=self._rules.proof_required)
        self._guesses = PasswordGuesses(self._rules.guesses_by_account)
        self._confirmations = RateLimiter(self._rules.guesses_by_account)
        self._logins = AddressLimiter(self._rules.logins_by_address, self._rules.venues)
        self._registrations = AddressLimiter(self._rules.registrations_by_address, self._rules.venues)

    @property
    def proof_required(self) -> bool:
        """Whether an identifier must be proved before it can have an account."""
        return self._rules.proof_required

    async def register(
        self,
        identifier: str,
        password: str,
        address: str,
        client: Client = UNKNOWN_CLIENT,
        proof_id: str | None = None,
    ) -> Registration:
        """Create an account for a phone number or email address, and sign it in.

        With a proof, the identifier is taken from an account that has not proved it.

        Raises:
            InvalidIdentifierError, WeakPasswordError: the input is not valid.
            IdentifierNotProvedError: a proof is required, and ``proof_id`` is no proof of the identifier.
            AlreadyRegisteredError: another account has the identifier.
            TooManyAttemptsError, SignInBusyError: a limit is reached.
        """
        who = model.parse_identifier(identifier)
        model.check_password(password, who)
        await self.require_available(who, address, proof_id)
        password_hash = await self._passwords.hash(password)
        return await self._database.write(
            lambda connection: self.create(connection, who, password_hash, client=client, proof_id=proof_id)
        )

    async def require_available(self, who: Identifier, address: str, proof_id: str | None = None) -> None:
        """Count a registration attempt, and refuse a phone number or email address that cannot have an account now.

        Raises:
            IdentifierNotProvedError, AlreadyRegisteredError, TooManyAttemptsError
        """
        self._registrations.attempt(address, self._database.clock.now())
        await self._database.read(lambda connection: self._identifiers.require_available(connection, who, proof_id))

    def create(
        self,
        connection: Connection,
        who: Identifier,
        password_hash: str,
        user_id: str | None = None,
        client: Client = UNKNOWN_CLIENT,
        proof_id: str | None = None,
    ) -> Registration:
        """Create an account, and sign it in. Of two concurrent calls for one identifier, one is refused.

        Raises:
            IdentifierNotProvedError, AlreadyRegisteredError: as ``register``.
        """
        columns = self._identifiers.take(connection, who, proof_id)
        now = transaction_instant(connection)
        code = model.new_recovery_code(self._random_bytes)
        verified = "phone_mark" in columns
        user = User(user_id or str(uuid7(now)), who.phone_number, who.email, now, phone_verified=verified)
        result = connection.execute(
            insert(user_account)
            .values(
                user_id=user.user_id,
                password_hash=password_hash,
                recovery_code_hash=model.hash_recovery_code(code),
                created_at=now,
                **columns,
            )
            .on_conflict_do_nothing()
        )
        if result.rowcount != 1:
            raise already_registered(who)
        return Registration(self._logins_begun.begin(connection, user, client), code)

    def open_login(self, connection: Connection, user: User, client: Client = UNKNOWN_CLIENT) -> Login:
        """Begin a LoginSession of an authenticated user; above the limit the oldest one ends.

        Inform the owner of a browser that has not signed in since the credentials of the account changed.
        """
        if not self._logins_begun.knows(connection, user.user_id, client):
            facts = {"browser": client.browser, "network": client.network}
            tell_owner(connection, user.user_id, SecurityChange.NEW_DEVICE, **facts)
        return self._logins_begun.begin(connection, user, client)

    async def hash_of_undisclosed_password(self) -> str:
        """Return the hash of a random password that is not disclosed, for an account without a password.

        Raises:
            SignInBusyError: too many checks are waiting.
        """
        return await self._passwords.hash(secrets.token_hex())

    def count_login(self, address: str) -> None:
        """Count a sign-in attempt.

        Raises:
            TooManyAttemptsError: too many from this address.
        """
        self._logins.attempt(address, self._database.clock.now())

    async def log_in(
        self,
        identifier: str,
        password: str,
        address: str,
        client: Client = UNKNOWN_CLIENT,
        proof_id: str | None = None,
    ) -> Login:
        """Sign in with a password. Unknown accounts and wrong passwords get the same answer after the same work.

        Wrong passwords of clients without a device cookie of the account never lock out a client that has one, nor
        a client that has proved the identifier by a code (``proof_id``).

        Raises:
            WrongCredentialsError: there is no such account, or the password is wrong.
            IdentifierNotProvedError: ``proof_id`` is no proof of the identifier.
            SignInLockedError: too many wrong passwords of clients without a device cookie.
            TooManyAttemptsError, SignInBusyError: a limit is reached.
        """
        who = model.parse_identifier(identifier)
        now = self._database.clock.now()
        self._logins.attempt(address, now)

        def look(connection: Connection) -> AccountRow | None:
            if proof_id is not None:
                require_proof(connection, who, proof_id)
            return find_account(connection, who)

        found = await self._database.read(look)
        known = self._known(client, found) if proof_id is None else f"proof {proof_id}"
        try:
            self._guesses.attempt(str(who), known, now)
        except SignInLockedError:
            await self._note_lock(who, found, now)
            raise
        encoded = None if found is None else found.password_hash
        if not await self._passwords.matches(encoded, password) or found is None:
            raise WrongCredentialsError(_WRONG)
        self._guesses.right(str(who), known)
        renewed = await self._passwords.hash(password) if self._passwords.is_outdated(found.password_hash) else None

        def change(connection: Connection) -> Login:
            _require_same_generation(connection, found)
            if renewed is not None:
                connection.execute(of_user(found.user_id).values(password_hash=renewed))
            return self.open_login(connection, _user(found), client)

        return await self._database.write(change)

    def _known(self, client: Client, found: AccountRow | None) -> str | None:
        """Return the nonce of the client's device cookie if it is valid for the account, in constant work."""
        user_id, generation = ("", 0) if found is None else (found.user_id, found.credential_generation)
        nonce = self._cookies.nonce_of(client.device_cookie, user_id, generation)
        return None if nonce is None or found is None else f"cookie {nonce}"

    async def _note_lock(self, who: Identifier, found: AccountRow | None, now: datetime) -> None:
        """Enqueue a notice of a locked sign-in once in a window.

        An unknown account gets one too, so that the work is the same.
        """
        if not self._guesses.notice_is_due(str(who), now):
            return
        _log.warning("sign_in_locked")
        payload = {"user_id": None if found is None else found.user_id}
        key = f"{SIGN_IN_LOCK_NOTICE}:{secrets.token_hex(16)}"
        await self._database.write(
            lambda connection: enqueue(connection, kind=SIGN_IN_LOCK_NOTICE, key=key, payload=payload)
        )

    async def who(self, token: str) -> SignedIn:
        """Return the user of a LoginSession token.

        Raises:
            NotSignedInError: no LoginSession has this token.
            LoginExpiredError: the LoginSession has expired, or was idle too long.
        """
        hashed = model.hash_token(token)
        row = await self._database.read(
            lambda connection: connection.execute(_SIGNED_IN, {"wanted": hashed}).first()
        )
        if row is None:
            raise NotSignedInError("sign in first")
        now = self._database.clock.now()
        if now >= row.expires_at or now >= row.seen_at + self._rules.login_idle:
            await self.log_out(token)
            raise LoginExpiredError("your sign-in has ended: sign in again")
        if now >= row.seen_at + SEEN_EVERY:
            await self._database.write(
                lambda connection: connection.execute(
                    update(login_session).where(login_session.c.token_hash == hashed).values(seen_at=now)
                )
            )
        return SignedIn(_user(row), model.csrf_token(token), row.expires_at, model.login_id(hashed))

    async def log_out(self, token: str) -> None:
        """End a LoginSession. Idempotent."""
        await self._database.write(lambda connection: end_login(connection, token))

    async def recover(self, identifier: str, recovery_code: str, new_password: str, address: str) -> Recovery:
        """Set a new password with the recovery code; end all LoginSessions and passkeys; return the next code.

        The code works once: of two concurrent recoveries, one is refused. It has 120 random bits, so attempts are
        counted by network address only, and nobody can use up the attempts of another person's account.

        Raises:
            WrongRecoveryCodeError: there is no such account, or the code is wrong.
            WeakPasswordError, InvalidIdentifierError: the input is not valid.
            TooManyAttemptsError, SignInBusyError: a limit is reached.
        """
        who = model.parse_identifier(identifier)
        model.check_password(new_password, who)
        now = self._database.clock.now()
        self._logins.attempt(address, now)
        password_hash = await self._passwords.hash(new_password)  # before the look-up: equal time
        code = model.new_recovery_code(self._random_bytes)
        column = user_account.c.phone_number if who.phone_number else user_account.c.email

        def change(connection: Connection) -> Recovery:
            result = connection.execute(
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
            # An intruder may have added a passkey to the account.
            for table in (passkey, passkey_challenge):
                connection.execute(delete(table).where(table.c.user_id == user_id))
            end_logins(connection, user_id)
            tell_owner(connection, user_id, SecurityChange.RECOVERED)
            return Recovery(code, self._logins_begun.cookie(connection, user_id))

        recovery = await self._database.write(change)
        self._guesses.unlock(str(who))
        return recovery

    async def require_password(self, signed_in: SignedIn, password: str, address: str) -> AccountRow:
        """Return the account of a signed-in user who typed in their password again.

        Attempts are counted by LoginSession, so other clients cannot use them up.

        Raises:
            WrongCredentialsError: the password is wrong, or the account no longer exists.
            TooManyAttemptsError, SignInBusyError: a limit is reached.
        """
        now = self._database.clock.now()
        self._logins.attempt(address, now)
        self._confirmations.attempt(signed_in.login_id, now)
        query = select(user_account).where(user_account.c.user_id == signed_in.user.user_id)
        found = await self._database.read(lambda connection: connection.execute(query).first())
        if found is None or not await self._passwords.matches(found.password_hash, password):
            raise WrongCredentialsError("the password is wrong")
        self._confirmations.forgive(signed_in.login_id)
        return found

    async def change_password(
        self, signed_in: SignedIn, new_password: str, *, end_others: bool, found: AccountRow | None = None
    ) -> str:
        """Set a new password of a user who authenticated again; return a device cookie for this browser.

        ``found`` is the result of ``require_password``; None where a passkey was used. Earlier device cookies
        become invalid. ``end_others`` ends all other LoginSessions.

        Raises:
            WeakPasswordError: the new password is easy to guess.
            WrongCredentialsError: the password was changed meanwhile.
            SignInBusyError: too many checks are waiting.
        """
        user = signed_in.user
        model.check_password(new_password, Identifier(user.phone_number, user.email))
        password_hash = await self._passwords.hash(new_password)

        def change(connection: Connection) -> str:
            if found is not None:
                _require_same_generation(connection, found)
            connection.execute(of_user(user.user_id).values(password_hash=password_hash))
            if end_others:
                end_logins(connection, user.user_id, but=signed_in.login_id)
            else:
                begin_generation(connection, user.user_id)
            tell_owner(connection, user.user_id, SecurityChange.PASSWORD_CHANGED)
            return self._logins_begun.cookie(connection, user.user_id)

        return await self._database.write(change)

    async def new_recovery_code(self, signed_in: SignedIn) -> str:
        """Replace the recovery code of a user who authenticated again; return the new one, shown only once."""
        code = model.new_recovery_code(self._random_bytes)

        def change(connection: Connection) -> None:
            user_id = signed_in.user.user_id
            connection.execute(of_user(user_id).values(recovery_code_hash=model.hash_recovery_code(code)))
            tell_owner(connection, user_id, SecurityChange.RECOVERY_CODE_REPLACED)

        await self._database.write(change)
        return code

    async def change_identifier(self, signed_in: SignedIn, identifier: str, proof_id: str) -> User:
        """Change the identifier of an account to a proved one, or prove the present one.

        Raises:
            InvalidIdentifierError, IdentifierNotProvedError, AlreadyRegisteredError
        """
        who = model.parse_identifier(identifier)
        user_id = signed_in.user.user_id

        def change(connection: Connection) -> User:
            present = connection.execute(select(user_account).where(user_account.c.user_id == user_id)).one()
            if str(who) not in (present.phone_number, present.email):
                tell_owner(connection, user_id, SecurityChange.IDENTIFIER_CHANGED)
            columns = self._identifiers.take(connection, who, proof_id, user_id)
            row = connection.execute(of_user(user_id).values(**columns).returning(user_account)).one()
            tell_owner(connection, user_id, SecurityChange.IDENTIFIER_PROVED)
            return _user(row)

        return await self._database.write(change)

    async def end_all_logins(self, signed_in: SignedIn, *, but_this: bool) -> str:
        """End all LoginSessions of a user, or all but this one; return a device cookie for this browser."""

        def change(connection: Connection) -> str:
            user_id = signed_in.user.user_id
            end_logins(connection, user_id, but=signed_in.login_id if but_this else None)
            tell_owner(connection, user_id, SecurityChange.SIGNED_OUT_EVERYWHERE)
            return self._logins_begun.cookie(connection, user_id)

        return await self._database.write(change)

    async def erase(self, user: User, also: Callable[[Connection], None], found: AccountRow | None = None) -> None:
        """Delete the account of a user who authenticated again.

        Its row stays, because the books refer to it: without an identifier, and with a random password and recovery
        code that are not disclosed.

        Args:
            user: the account's owner.
            also: deletes the data that other capabilities hold about the account, in the same transaction.
            found: the result of ``require_password``; None where a passkey was used.

        Raises:
            WrongCredentialsError: the password was changed meanwhile.
            SignInBusyError: too many checks are waiting.
        """
        undisclosed = await self.hash_of_undisclosed_password()

        def change(connection: Connection) -> None:
            if found is not None:
                _require_same_generation(connection, found)
            also(connection)
            for table in (passkey, passkey_challenge):
                connection.execute(delete(table).where(table.c.user_id == user.user_id))
            connection.execute(delete(login_session).where(login_session.c.user_id == user.user_id))
            connection.execute(
                of_user(user.user_id).values(
                    phone_number=None,
                    phone_mark=None,
                    identifier_proved_at=None,
                    email=f"{secrets.token_hex(16)}@{DELETED_DOMAIN}",
                    password_hash=undisclosed,
                    recovery_code_hash=model.hash_recovery_code(model.new_recovery_code(self._random_bytes)),
                )
            )

        await self._database.write(change)

    async def prune(self) -> int:
        """Delete a batch of expired LoginSessions; return their number."""

        def change(connection: Connection) -> int:
            now = transaction_instant(connection)
            over = or_(login_session.c.expires_at <= now, login_session.c.seen_at <= now - self._rules.login_idle)
            old = select(login_session.c.token_hash).where(over).limit(PRUNE_LIMIT)
            return connection.execute(delete(login_session).where(login_session.c.token_hash.in_(old))).rowcount

        return await self._database.write(change, alone=True)


def _digest_of_this_process() -> Digest:
    key = secrets.token_bytes(32)
    return lambda purpose, value: hmac.digest(key, f"{purpose} {value}".encode("utf-8", "replace"), "sha256")


def _require_same_generation(connection: Connection, found: AccountRow) -> None:
    """Refuse a sign-in if the password was changed while it was being checked."""
    if generation_of(connection, found.user_id) != found.credential_generation:
        raise WrongCredentialsError(_WRONG)


def _user(row: AccountRow) -> User:
    return User(row.user_id, row.phone_number, row.email, row.created_at, row.phone_mark is not None)


def find_user(connection: Connection, user_id: str) -> User | None:
    """Return the owner of an account; None if there is no such account."""
    row = connection.execute(select(user_account).where(user_account.c.user_id == user_id)).one_or_none()
    return None if row is None else _user(row)


def is_deleted(email: str | None) -> bool:
    """Return whether an account's email address is one that deleted accounts get."""
    return email is not None and email.endswith(f"@{DELETED_DOMAIN}")
