"""WebAuthn ceremonies (WebAuthn Level 2, 7): options, single-use challenges, and the verification of answers.

Accounts of people and of staff share this code. Each has purposes of its own, so a challenge of one is not accepted
by the other.

The webauthn library is imported by the first ceremony: with the certificate formats of all authenticators it costs
about 60 ms of CPU, and many servers start without one for a long time.
"""

import os
import secrets
from collections.abc import Callable, Mapping, Sequence
from datetime import timedelta
from typing import TYPE_CHECKING, Any, Final
from uuid import UUID

from sqlalchemy import Connection, Row, delete

from kswifi.accounts.errors import PasskeyChallengeOverError, PasskeyRefusedError, PasskeysNotHereError
from kswifi.accounts.model import ChallengePurpose, PasskeyOptions
from kswifi.accounts.relying_party import RelyingParty
from kswifi.accounts.sql import passkey_challenge
from kswifi.database.engine import Database, transaction_instant

if TYPE_CHECKING:
    from webauthn.registration.verify_registration_response import VerifiedRegistration

CHALLENGE_OCTETS: Final = 32
CHALLENGE_LIFETIME: Final = timedelta(minutes=5)
CREDENTIAL_ID_OCTETS: Final = 1023  # WebAuthn, 4

Credential = Mapping[str, Any]
"""The JSON object that a browser's ``PublicKeyCredential.toJSON()`` returns."""


class Ceremonies:
    """The ceremonies of one relying party; ``party`` is None where passkeys are not possible."""

    def __init__(
        self, database: Database, party: RelyingParty | None, random_bytes: Callable[[int], bytes] = os.urandom
    ) -> None:
        self._database = database
        self._party = party
        self._random_bytes = random_bytes

    @property
    def rp_id(self) -> str | None:
        """The relying party's id; None where passkeys are not possible."""
        return None if self._party is None else self._party.rp_id

    def require_party(self) -> RelyingParty:
        """Return the relying party.

        Raises:
            PasskeysNotHereError: passkeys are not possible here.
        """
        if self._party is None:
            raise PasskeysNotHereError(
                "passkeys need a host name and HTTPS (or localhost): sign in with a password"
            )
        return self._party

    async def creation_options(
        self, purpose: ChallengePurpose, user_id: str, name: str, known: Sequence[bytes]
    ) -> PasskeyOptions:
        """Return the options for a browser to make a passkey; ``known`` are the user's credential ids."""
        from webauthn import generate_registration_options  # noqa: PLC0415 - lazily, see above
        from webauthn.helpers import options_to_json_dict, structs  # noqa: PLC0415

        party = self.require_party()
        challenge = self._random_bytes(CHALLENGE_OCTETS)
        options = generate_registration_options(
            rp_id=party.rp_id,
            rp_name="KSWiFi",
            user_name=name,
            user_id=UUID(user_id).bytes,  # the user handle contains no personal data (WebAuthn, 14.6.1)
            challenge=challenge,
            authenticator_selection=structs.AuthenticatorSelectionCriteria(
                resident_key=structs.ResidentKeyRequirement.REQUIRED,
                user_verification=structs.UserVerificationRequirement.REQUIRED,
            ),
            exclude_credentials=[structs.PublicKeyCredentialDescriptor(id=one) for one in known],
        )
        challenge_id = await self._note(challenge, purpose, user_id, name)
        return PasskeyOptions(challenge_id, options_to_json_dict(options))

    async def request_options(self, purpose: ChallengePurpose) -> PasskeyOptions:
        """Return the options for a browser to sign in with any discoverable passkey of the relying party."""
        from webauthn import generate_authentication_options  # noqa: PLC0415 - lazily, see above
        from webauthn.helpers import options_to_json_dict, structs  # noqa: PLC0415

        party = self.require_party()
        challenge = self._random_bytes(CHALLENGE_OCTETS)
        options = generate_authentication_options(
            rp_id=party.rp_id, challenge=challenge, user_verification=structs.UserVerificationRequirement.REQUIRED
        )
        challenge_id = await self._note(challenge, purpose, None, None)
        return PasskeyOptions(challenge_id, options_to_json_dict(options))

    async def take(self, challenge_id: str, purpose: ChallengePurpose) -> Row[*tuple[Any, ...]]:
        """Return a challenge and delete it, so that it can be answered only once, with any outcome.

        Raises:
            PasskeyChallengeOverError: it is unknown, of another purpose, answered or expired.
        """
        self.require_party()

        def take(connection: Connection) -> Row[*tuple[Any, ...]] | None:
            now = transaction_instant(connection)
            row = connection.execute(
                delete(passkey_challenge)
                .where(passkey_challenge.c.challenge_id == challenge_id, passkey_challenge.c.purpose == purpose)
                .returning(*passkey_challenge.c)
            ).one_or_none()
            return None if row is None or row.expires_at <= now else row

        row = await self._database.write(take)
        if row is None:
            raise PasskeyChallengeOverError("this took too long, or was answered before: try again")
        return row

    def verified_registration(
        self, challenge: Row[*tuple[Any, ...]], credential: Credential
    ) -> "VerifiedRegistration":
        """Return a new passkey that answers a challenge.

        Raises:
            PasskeyRefusedError: the answer is wrong, or the credential's id is too long.
        """
        from webauthn import verify_registration_response  # noqa: PLC0415 - lazily, see above
        from webauthn.helpers.exceptions import WebAuthnException  # noqa: PLC0415

        party = self.require_party()
        try:
            made = verify_registration_response(
                credential=dict(credential),
                expected_challenge=challenge.challenge,
                expected_rp_id=party.rp_id,
                expected_origin=list(party.origins),
                require_user_verification=True,
            )
        except (WebAuthnException, ValueError) as error:
            raise PasskeyRefusedError("this passkey could not be verified", reason=str(error)[:200]) from error
        if len(made.credential_id) > CREDENTIAL_ID_OCTETS:
            raise PasskeyRefusedError("this passkey could not be verified", reason="its id is too long")
        return made

    def credential_id(self, credential: Credential) -> bytes:
        """Return the id of an answered credential.

        Raises:
            PasskeyRefusedError: it is not base64url.
        """
        from webauthn.helpers import base64url_to_bytes  # noqa: PLC0415 - lazily, see above

        try:
            return base64url_to_bytes(str(credential.get("rawId", "")))
        except ValueError as error:
            raise PasskeyRefusedError("this passkey could not be verified", reason=str(error)[:200]) from error

    def verified_sign_count(
        self,
        challenge: Row[*tuple[Any, ...]],
        credential: Credential,
        *,
        user_id: str,
        public_key: bytes,
        sign_count: int,
    ) -> int:
        """Verify an assertion by a stored passkey of a user; return the new signature counter.

        Raises:
            PasskeyRefusedError: the signature is wrong, or the user handle is that of another account.
        """
        from webauthn import verify_authentication_response  # noqa: PLC0415 - lazily, see above
        from webauthn.helpers import base64url_to_bytes  # noqa: PLC0415
        from webauthn.helpers.exceptions import WebAuthnException  # noqa: PLC0415

        party = self.require_party()
        try:
            # WebAuthn, 7.2, step 6: without a requested identifier, the authenticator must return the user handle.
            handle = (credential.get("response") or {}).get("userHandle")
            if handle is not None and base64url_to_bytes(str(handle)) != UUID(user_id).bytes:
                raise PasskeyRefusedError("this passkey opens no account here")
            verified = verify_authentication_response(
                credential=dict(credential),
                expected_challenge=challenge.challenge,
                expected_rp_id=party.rp_id,
                expected_origin=list(party.origins),
                credential_public_key=public_key,
                credential_current_sign_count=sign_count,
                require_user_verification=True,
            )
        except (WebAuthnException, ValueError) as error:
            raise PasskeyRefusedError("this passkey could not be verified", reason=str(error)[:200]) from error
        return verified.new_sign_count

    async def _note(
        self, challenge: bytes, purpose: ChallengePurpose, user_id: str | None, identifier: str | None
    ) -> str:
        challenge_id = secrets.token_hex(16)
        await self._database.write(
            lambda connection: connection.execute(
                passkey_challenge.insert().values(
                    challenge_id=challenge_id,
                    challenge=challenge,
                    purpose=purpose,
                    user_id=user_id,
                    identifier=identifier,
                    expires_at=transaction_instant(connection) + CHALLENGE_LIFETIME,
                )
            )
        )
        return challenge_id
