"""Authenticate again before an action that a stolen LoginSession must not allow."""

from typing import Final, Self

from pydantic import ConfigDict, model_validator

from kswifi.accounts.identifiers import AccountRow
from kswifi.accounts.model import SignedIn
from kswifi.api.edge.schemas import RequestBody
from kswifi.api.routes.accounts.accounts import PasswordText
from kswifi.api.routes.accounts.credentials import UsedPasskeyBody
from kswifi.api.services import Services

SHOWN_AGAIN: Final = (
    "wrong_credentials",
    "passkey_challenge_over",
    "passkey_refused",
    "too_many_attempts",
    "sign_in_busy",
    "not_signed_in",
    "csrf_token_wrong",
)
"""The refusals of a request in which the user authenticates again."""


class ReauthenticationBody(RequestBody):
    """Proof that it is you: your password, or a sign-in challenge signed by a passkey of yours."""

    model_config = ConfigDict(
        json_schema_extra={
            "oneOf": [
                {
                    "required": [one],
                    "properties": {one: {"not": {"type": "null"}}, other: {"type": "null"}},
                }
                for one, other in (("password", "passkey"), ("passkey", "password"))
            ]
        }
    )

    password: PasswordText | None = None
    passkey: UsedPasskeyBody | None = None

    @model_validator(mode="after")
    def _one_of_them(self) -> Self:
        if (self.password is None) == (self.passkey is None):
            raise ValueError("send either the password or a passkey")
        return self


async def reauthenticate(
    body: ReauthenticationBody, signed_in: SignedIn, services: Services, address: str
) -> AccountRow | None:
    """Return the account whose password was verified; None if a passkey was verified.

    Raises:
        WrongCredentialsError, PasskeyChallengeOverError, PasskeyRefusedError: the proof is not the user's.
        TooManyAttemptsError, SignInBusyError: too many attempts at once.
    """
    if body.passkey is not None:
        shown = body.passkey
        await services.passkeys.require_owner(signed_in.user, shown.challenge_id, shown.credential.model_dump())
        return None
    return await services.accounts.require_password(signed_in, body.password or "", address)
