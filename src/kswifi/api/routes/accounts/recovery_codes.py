"""A new recovery code for a user who is signed in: the old one was never shown, is lost, or was seen by others."""

from fastapi import APIRouter, Response

from kswifi.api.edge.dependencies import ClientAddress, ServicesDep, SignedInWriter
from kswifi.api.edge.problems import problem_responses
from kswifi.api.routes.accounts.account_data import DeletionBody
from kswifi.api.routes.accounts.accounts import RecoveryView

router = APIRouter(prefix="/api/v1/account/recovery-code", tags=["accounts"])


class ReauthenticationBody(DeletionBody):
    """That it is really you: your password, or a passkey of yours that signed a sign-in challenge."""


@router.post(
    "",
    status_code=201,
    summary="Get a new recovery code",
    responses=problem_responses(
        "wrong_credentials",
        "passkey_refused",
        "passkey_challenge_over",
        "too_many_attempts",
        "not_signed_in",
        "csrf_token_wrong",
    ),
)
async def renew_recovery_code(
    body: ReauthenticationBody,
    user: SignedInWriter,
    services: ServicesDep,
    address: ClientAddress,
    response: Response,
) -> RecoveryView:
    """Replace the recovery code. Sent again, it is replaced again; the answer is kept nowhere."""
    response.headers["Cache-Control"] = "no-store"
    if body.passkey is not None:
        shown = body.passkey
        await services.passkeys.require_owner(user.user, shown.challenge_id, shown.credential.model_dump())
        async with services.database.transaction() as connection:
            code = await services.accounts.replace_recovery_code(connection, user.user)
    else:
        code = await services.accounts.renew_recovery_code(user.user, body.password or "", address)
    return RecoveryView(recovery_code=code)
