"""Sign-up and sign-in with a passkey (WebAuthn Level 2), and the passkeys of an account.

Passkeys are discoverable: sign-in does not ask for an identifier, because the authenticator returns the user
handle. User verification is required, so a passkey alone is two factors: possession of the device, and a PIN or
biometric.
"""

import os
from collections.abc import Callable
from datetime import datetime
from typing import TYPE_CHECKING, Any, Final

from sqlalchemy import Connection, Row, bindparam, delete, func, select, update
from sqlalchemy.exc import IntegrityError

from kswifi.accounts import model
from kswifi.accounts.ceremonies import Ceremonies, Credential
from kswifi.accounts.errors import (
    PasskeyChallengeOverError,
    PasskeyRefusedError,
    TooManyPasskeysError,
    UnknownPasskeyError,
)
from kswifi.accounts.identifiers import SecurityChange, tell_owner
from kswifi.accounts.model import (
    UNKNOWN_CLIENT,
    ChallengePurpose,
    Client,
    Login,
    PasskeyOptions,
    PasskeyRecord,
    Registration,
    User,
)
from kswifi.accounts.relying_party import RelyingParty
from kswifi.accounts.service import AccountService
from kswifi.accounts.sql import passkey, passkey_challenge, user_account
from kswifi.database.engine import Database, transaction_instant
from kswifi.database.pages import PagedQuery
from kswifi.kernel.ids import uuid7
from kswifi.kernel.pages import FIRST_PAGE, Page, PageRequest

if TYPE_CHECKING:
    from webauthn.registration.verify_registration_response import VerifiedRegistration

PASSKEYS_LIMIT: Final = 10
PRUNE_LIMIT: Final = 500


_OF_USER: Final = PagedQuery(
    select(passkey).where(passkey.c.user_id == bindparam("wanted_user")), passkey.c.created_at, passkey.c.passkey_id
)


def passkeys_of(connection: Connection, user_id: str, page: PageRequest = FIRST_PAGE) -> Page[PasskeyRecord]:
    """Return a page of a user's passkeys, the oldest first."""
    return _OF_USER.read(connection, page, _record, wanted_user=user_id)


class PasskeyService:
    """Registers passkeys and signs users in with them. ``party`` is None where passkeys are not possible."""

    def __init__(
        self,
        database: Database,
        accounts: AccountService,
        party: RelyingParty | None,
        random_bytes: Callable[[int], bytes] = os.urandom,
    ) -> None:
        self._database = database
        self._accounts = accounts
        self._ceremonies = Ceremonies(database, party, random_bytes)

    @property
    def rp_id(self) -> str | None:
        """The relying party id of this installation's passkeys; None where passkeys are not possible."""
        return self._ceremonies.rp_id

    async def sign_up_options(self, identifier: str, address: str, proof_id: str | None = None) -> PasskeyOptions:
        """Return the options for a browser to make a passkey for a new account.

        Raises:
            InvalidIdentifierError, TooManyAttemptsError, PasskeysNotHereError
            IdentifierNotProvedError, AlreadyRegisteredError: as ``AccountService.register``.
        """
        who = model.parse_identifier(identifier)
        await self._accounts.require_available(who, address, proof_id)
        user_id = str(uuid7(self._database.clock.now()))
        return await self._ceremonies.creation_options(ChallengePurpose.SIGN_UP, user_id, str(who), [])

    async def sign_up(
        self,
        challenge_id: str,
        credential: Credential,
        client: Client = UNKNOWN_CLIENT,
        proof_id: str | None = None,
    ) -> Registration:
        """Create the account of a sign-up challenge with this passkey and a random password that is not disclosed.

        Raises:
            PasskeyChallengeOverError, PasskeyRefusedError, PasskeysNotHereError
            IdentifierNotProvedError, AlreadyRegisteredError: as ``AccountService.register``.
        """
        challenge = await self._ceremonies.take(challenge_id, ChallengePurpose.SIGN_UP)
        made = self._ceremonies.verified_registration(challenge, credential)
        password_hash = await self._accounts.hash_of_undisclosed_password()

        def register(connection: Connection) -> Registration:
            who = model.parse_identifier(challenge.identifier)
            registration = self._accounts.create(
                connection, who, password_hash, challenge.user_id, client, proof_id
            )
            self._insert(connection, challenge.user_id, made, "")
            return registration

        return await self._database.write(register)

    async def sign_in_options(self, address: str) -> PasskeyOptions:
        """Return the options for a browser to sign in with any discoverable passkey of this installation.

        Raises:
            TooManyAttemptsError, PasskeysNotHereError
        """
        self._ceremonies.require_party()
        self._accounts.count_login(address)
        return await self._ceremonies.request_options(ChallengePurpose.SIGN_IN)

    async def sign_in(self, challenge_id: str, credential: Credential, client: Client = UNKNOWN_CLIENT) -> Login:
        """Begin a LoginSession for the owner of the passkey that signed the challenge.

        Raises:
            PasskeyChallengeOverError, PasskeyRefusedError, PasskeysNotHereError
        """
        challenge = await self._ceremonies.take(challenge_id, ChallengePurpose.SIGN_IN)

        def change(connection: Connection) -> Login:
            owner = self._authenticated(connection, challenge, credential)
            return self._accounts.open_login(connection, owner, client)

        return await self._database.write(change)

    async def require_owner(self, user: User, challenge_id: str, credential: Credential) -> None:
        """Refuse a passkey that does not belong to this user.

        Raises:
            PasskeyChallengeOverError, PasskeyRefusedError, PasskeysNotHereError
        """
        challenge = await self._ceremonies.take(challenge_id, ChallengePurpose.SIGN_IN)

        def change(connection: Connection) -> None:
            if self._authenticated(connection, challenge, credential).user_id != user.user_id:
                raise PasskeyRefusedError("this passkey belongs to another account")

        await self._database.write(change)

    async def add_options(self, user: User) -> PasskeyOptions:
        """Return the options for a browser to make a further passkey for a user.

        Raises:
            TooManyPasskeysError, PasskeysNotHereError
        """
        query = select(passkey.c.credential_id).where(passkey.c.user_id == user.user_id)
        known = await self._database.read(lambda connection: list(connection.scalars(query)))
        _require_room(len(known))
        name = user.phone_number or user.email or ""
        return await self._ceremonies.creation_options(ChallengePurpose.ADD, user.user_id, name, known)

    async def add(self, user: User, challenge_id: str, credential: Credential, name: str) -> PasskeyRecord:
        """Store a further passkey of a user. ``name`` lets the user recognise it in the list.

        Raises:
            PasskeyChallengeOverError, PasskeyRefusedError, TooManyPasskeysError, PasskeysNotHereError
        """
        challenge = await self._ceremonies.take(challenge_id, ChallengePurpose.ADD)
        if challenge.user_id != user.user_id:
            raise PasskeyChallengeOverError("this was asked for by another account")
        made = self._ceremonies.verified_registration(challenge, credential)

        def change(connection: Connection) -> PasskeyRecord:
            held = connection.scalar(
                select(func.count()).select_from(passkey).where(passkey.c.user_id == user.user_id)
            )
            _require_room(held or 0)
            tell_owner(connection, user.user_id, SecurityChange.PASSKEY_ADDED)
            return self._insert(connection, user.user_id, made, name)

        return await self._database.write(change)

    async def remove(self, user: User, passkey_id: str) -> None:
        """Delete a passkey of a user; it can no longer sign in.

        Raises:
            UnknownPasskeyError: the user has none with this id.
        """

        def change(connection: Connection) -> None:
            mine = passkey.c.user_id == user.user_id, passkey.c.passkey_id == passkey_id
            if connection.execute(delete(passkey).where(*mine)).rowcount != 1:
                raise UnknownPasskeyError("you have no such passkey")
            tell_owner(connection, user.user_id, SecurityChange.PASSKEY_REMOVED)

        await self._database.write(change)

    async def passkeys(self, user_id: str, page: PageRequest = FIRST_PAGE) -> Page[PasskeyRecord]:
        """Return a page of a user's passkeys, the oldest first."""
        return await self._database.read(lambda connection: passkeys_of(connection, user_id, page))

    async def prune(self) -> int:
        """Delete a batch of expired challenges; return their number."""

        def change(connection: Connection) -> int:
            old = (
                select(passkey_challenge.c.challenge_id)
                .where(passkey_challenge.c.expires_at <= transaction_instant(connection))
                .limit(PRUNE_LIMIT)
            )
            gone = connection.execute(delete(passkey_challenge).where(passkey_challenge.c.challenge_id.in_(old)))
            return gone.rowcount

        return await self._database.write(change, alone=True)

    def _insert(
        self, connection: Connection, user_id: str, made: "VerifiedRegistration", name: str
    ) -> PasskeyRecord:
        now: datetime = transaction_instant(connection)
        record = PasskeyRecord(str(uuid7(now)), name, now, None)
        values = {
            "passkey_id": record.passkey_id,
            "user_id": user_id,
            "credential_id": made.credential_id,
            "public_key": made.credential_public_key,
            "sign_count": made.sign_count,
            "name": name,
            "created_at": now,
        }
        try:
            connection.execute(passkey.insert().values(**values))
        except IntegrityError as error:  # WebAuthn, 7.1: a credential id belongs to one account
            raise PasskeyRefusedError("this passkey is known already") from error
        return record

    def _authenticated(
        self, connection: Connection, challenge: Row[*tuple[Any, ...]], credential: Credential
    ) -> User:
        row = connection.execute(
            select(passkey, *(column.label(f"owner_{column.name}") for column in user_account.c))
            .join(user_account, user_account.c.user_id == passkey.c.user_id)
            .where(passkey.c.credential_id == self._ceremonies.credential_id(credential))
        ).one_or_none()
        if row is None:
            raise PasskeyRefusedError("this passkey opens no account here")
        sign_count = self._ceremonies.verified_sign_count(
            challenge, credential, user_id=row.user_id, public_key=row.public_key, sign_count=row.sign_count
        )
        connection.execute(
            update(passkey)
            .where(passkey.c.passkey_id == row.passkey_id)
            .values(sign_count=sign_count, used_at=transaction_instant(connection))
        )
        return User(
            row.owner_user_id,
            row.owner_phone_number,
            row.owner_email,
            row.owner_created_at,
            row.owner_phone_mark is not None,
        )


def _require_room(held: int) -> None:
    if held >= PASSKEYS_LIMIT:
        raise TooManyPasskeysError(f"an account has at most {PASSKEYS_LIMIT} passkeys: remove one first")


def _record(row: Row[*tuple[Any, ...]]) -> PasskeyRecord:
    return PasskeyRecord(row.passkey_id, row.name, row.created_at, row.used_at)
