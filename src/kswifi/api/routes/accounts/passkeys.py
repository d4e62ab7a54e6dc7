"""Sign up and sign in with passkeys, and manage your own passkeys."""

from typing import Annotated, Any

from fastapi import APIRouter, Request, Response
from pydantic import Field

from kswifi.accounts.model import PasskeyOptions, PasskeyRecord
from kswifi.api.edge.dependencies import (
    ClientAddress,
    ServicesDep,
    SignedInUser,
    SignedInWriter,
)
from kswifi.api.edge.devices import note_sign_up
from kswifi.api.edge.idempotency import Idempotent
from kswifi.api.edge.login_client import LoginClient, set_login_cookies
from kswifi.api.edge.pages import PageQuery, PageView
from kswifi.api.edge.problems import problem_responses
from kswifi.api.edge.schemas import Instant, RequestBody, ResponseBody
from kswifi.api.routes.accounts.accounts import (
    ACCOUNT_PATH,
    LOGIN_PATH,
    IdentifierText,
    LoginView,
    ProofId,
    RegistrationView,
    login_view,
)
from kswifi.api.routes.accounts.credentials import ChallengeId, MadeCredential, UsedPasskeyBody
from kswifi.api.routes.accounts.reauthentication import SHOWN_AGAIN, ReauthenticationBody, reauthenticate

router = APIRouter(prefix="/api/v1", tags=["passkeys"])


class NewAccountBody(RequestBody):
    """The identifier of a new account, and its proof if one is required."""

    identifier: IdentifierText
    proof_id: ProofId | None = None


class MadePasskeyBody(RequestBody):
    """A new passkey from the browser."""

    challenge_id: ChallengeId
    credential: MadeCredential


class NewPasskeyAccountBody(MadePasskeyBody):
    """The passkey of a new account, and the identifier's proof if one is required."""

    proof_id: ProofId | None = None


class NewPasskeyBody(MadePasskeyBody):
    """A further passkey of yours."""

    name: Annotated[str, Field(max_length=64, description="By which you know it again.", examples=["My phone"])]


class OptionsView(ResponseBody):
    """For `PublicKeyCredential.parseCreationOptionsFromJSON` or `parseRequestOptionsFromJSON`."""

    challenge_id: Annotated[str, Field(description="Send it back with the credential, within five minutes.")]
    options: dict[str, Any]


class PasskeyView(ResponseBody):
    """A passkey of yours."""

    passkey_id: str
    name: str
    created_at: Instant
    used_at: Instant | None


class PasskeysView(PageView):
    """Your passkeys, the oldest first."""

    passkeys: list[PasskeyView]


@router.post(
    "/accounts/passkey-options",
    summary="Begin to register with a passkey",
    responses=problem_responses(
        "invalid_identifier",
        "identifier_not_proved",
        "already_registered",
        "too_many_attempts",
        "passkeys_not_here",
    ),
)
async def sign_up_options(body: NewAccountBody, services: ServicesDep, address: ClientAddress) -> OptionsView:
    """Return the options with which a browser makes a passkey for an identifier without an account."""
    return _options_view(await services.passkeys.sign_up_options(body.identifier, address, body.proof_id))


@router.post(
    "/accounts/passkey",
    status_code=201,
    summary="Register with a passkey",
    responses=problem_responses(
        "passkey_challenge_over", "passkey_refused", "identifier_not_proved", "already_registered", "sign_in_busy"
    ),
)
async def sign_up(
    body: NewPasskeyAccountBody, services: ServicesDep, client: LoginClient, request: Request, response: Response
) -> RegistrationView:
    """Create the account, and sign in. It has no password until you set one."""
    made = await services.passkeys.sign_up(body.challenge_id, body.credential.model_dump(), client, body.proof_id)
    set_login_cookies(response, services, made.login)
    await note_sign_up(request, response, services, made.login.user.user_id)
    response.headers["Location"] = ACCOUNT_PATH
    return RegistrationView(**login_view(made.login).model_dump(), recovery_code=made.recovery_code)


@router.post(
    "/logins/passkey-options",
    summary="Begin to sign in with a passkey",
    responses=problem_responses("too_many_attempts", "passkeys_not_here"),
)
async def sign_in_options(services: ServicesDep, address: ClientAddress) -> OptionsView:
    """Return the options with which a browser signs in with any passkey it has; no identifier is needed."""
    return _options_view(await services.passkeys.sign_in_options(address))


@router.post(
    "/logins/passkey",
    status_code=201,
    summary="Sign in with a passkey",
    responses=problem_responses("passkey_challenge_over", "passkey_refused"),
)
async def sign_in(
    body: UsedPasskeyBody, services: ServicesDep, client: LoginClient, response: Response
) -> LoginView:
    """Begin a LoginSession for the passkey's owner."""
    login = await services.passkeys.sign_in(body.challenge_id, body.credential.model_dump(), client)
    set_login_cookies(response, services, login)
    response.headers["Location"] = LOGIN_PATH
    return login_view(login)


@router.get("/passkeys", summary="Your passkeys", responses=problem_responses("not_signed_in"))
async def list_passkeys(user: SignedInUser, services: ServicesDep, page: PageQuery) -> PasskeysView:
    """List your passkeys, the oldest first."""
    found = await services.passkeys.passkeys(user.user.user_id, page)
    return PasskeysView(passkeys=[passkey_view(one) for one in found.items], next=found.cursor)


@router.post(
    "/passkeys/options",
    summary="Begin to add a passkey",
    responses=problem_responses(*SHOWN_AGAIN, "too_many_passkeys", "passkeys_not_here"),
)
async def add_options(
    body: ReauthenticationBody, user: SignedInWriter, services: ServicesDep, address: ClientAddress
) -> OptionsView:
    """Return the options with which a browser makes a further passkey for you.

    A passkey opens the account for as long as it exists, so a LoginSession alone cannot add one.
    """
    await reauthenticate(body, user, services, address)
    return _options_view(await services.passkeys.add_options(user.user))


@router.post(
    "/passkeys",
    status_code=201,
    summary="Add a passkey",
    response_model=PasskeyView,
    responses=problem_responses(
        "not_signed_in", "csrf_token_wrong", "passkey_challenge_over", "passkey_refused", "too_many_passkeys"
    ),
)
async def add_passkey(body: NewPasskeyBody, request: Idempotent, services: ServicesDep) -> Response:
    """Store a further passkey of yours."""

    async def work() -> PasskeyView:
        credential = body.credential.model_dump()
        made = await services.passkeys.add(request.user.user, body.challenge_id, credential, body.name.strip())
        return passkey_view(made)

    return await request.answer(work, status=201, location="/api/v1/passkeys/{passkey_id}")


# No Idempotency-Key, as for the other requests that hold a password: see ``security``.
@router.delete(
    "/passkeys/{passkey_id}",
    status_code=204,
    summary="Remove a passkey",
    responses=problem_responses(*SHOWN_AGAIN, "unknown_passkey"),
)
async def remove_passkey(
    passkey_id: str, body: ReauthenticationBody, user: SignedInWriter, services: ServicesDep, address: ClientAddress
) -> None:
    """Delete a passkey of yours; nobody can sign in with it any more."""
    await reauthenticate(body, user, services, address)
    await services.passkeys.remove(user.user, passkey_id)


def passkey_view(record: PasskeyRecord) -> PasskeyView:
    """Return the view of a passkey."""
    return PasskeyView(
        passkey_id=record.passkey_id, name=record.name, created_at=record.created_at, used_at=record.used_at
    )


def _options_view(made: PasskeyOptions) -> OptionsView:
    return OptionsView(challenge_id=made.challenge_id, options=dict(made.options))
