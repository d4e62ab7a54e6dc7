"""Registration, sign-in, sign-out, the present account, and recovery."""

from typing import Annotated, Final

from fastapi import APIRouter, Request, Response
from pydantic import Field

from kswifi.accounts.logins import end_login
from kswifi.accounts.model import PASSWORD_LENGTHS, Login, User
from kswifi.api.edge.dependencies import (
    ClientAddress,
    LoginToken,
    ServicesDep,
    SignedInUser,
    clear_login_cookie,
)
from kswifi.api.edge.devices import note_sign_up
from kswifi.api.edge.idempotency import Idempotent
from kswifi.api.edge.login_client import LoginClient, set_login_cookies, set_login_device_cookie
from kswifi.api.edge.problems import problem_responses
from kswifi.api.edge.schemas import Instant, RequestBody, ResponseBody

router = APIRouter(prefix="/api/v1", tags=["accounts"])

ACCOUNT_PATH: Final = "/api/v1/account"
"""The resource that a registration creates."""

LOGIN_PATH: Final = "/api/v1/logins/current"
"""The resource that a sign-in creates: the LoginSession of the cookie."""

IdentifierText = Annotated[
    str,
    Field(
        min_length=1,
        max_length=254,
        description="A phone number (Nigerian as people write it, others with +) or an email address.",
        examples=["0803 123 4567", "ada@example.ng"],
    ),
]
PasswordText = Annotated[
    str,
    Field(
        min_length=1,
        max_length=256,
        description=f"{PASSWORD_LENGTHS[0]} to {PASSWORD_LENGTHS[-1]} characters, any of them.",
        examples=["three warm rivers"],
        json_schema_extra={"format": "password"},
    ),
]


ProofId = Annotated[
    str, Field(max_length=64, description="Of a confirmed `POST /api/v1/identifier-proofs` for this identifier.")
]


class CredentialsBody(RequestBody):
    """The identifier, the password, and optionally a proof of the identifier."""

    identifier: IdentifierText
    password: PasswordText
    proof_id: Annotated[
        ProofId | None,
        Field(
            description="A confirmed proof. Registering takes one where `GET /api/v1/environment` says "
            "`identifier_proof`. Signing in with one is never refused because of other people's wrong passwords."
        ),
    ] = None


class RecoveryBody(RequestBody):
    """The recovery code and the new password."""

    identifier: IdentifierText
    recovery_code: Annotated[str, Field(min_length=1, max_length=64, examples=["7K2M-9QXA-T4WE-1D5H-8PZC-3RVB"])]
    new_password: PasswordText


class AccountView(ResponseBody):
    """An account; exactly one of phone number and email is set."""

    user_id: str
    phone_number: Annotated[str | None, Field(examples=["+2348031234567"])]
    email: str | None
    phone_verified: Annotated[bool, Field(description="Whether you have shown that a phone number is yours.")]
    created_at: Instant


class LoginView(ResponseBody):
    """A LoginSession. Its token is in the cookie, which scripts cannot read."""

    account: AccountView
    csrf_token: Annotated[str, Field(description="Send it as X-CSRF-Token with everything that changes something.")]
    expires_at: Instant


class RegistrationView(LoginView):
    """A new account with its LoginSession."""

    recovery_code: Annotated[str, Field(description="Shown this once: write it down.")]


class RecoveryView(ResponseBody):
    """The account's next recovery code."""

    recovery_code: Annotated[str, Field(description="The next one: the old one is used up. Write it down.")]


@router.post(
    "/accounts",
    status_code=201,
    summary="Register",
    responses=problem_responses(
        "invalid_identifier",
        "weak_password",
        "identifier_not_proved",
        "already_registered",
        "too_many_attempts",
        "sign_in_busy",
        "origin_not_allowed",
    ),
)
async def register(
    body: CredentialsBody,
    services: ServicesDep,
    address: ClientAddress,
    client: LoginClient,
    request: Request,
    response: Response,
) -> RegistrationView:
    """Create an account for a phone number or an email address, and sign in.

    If a proof is required, only the owner of the identifier learns whether it has an account.
    """
    made = await services.accounts.register(body.identifier, body.password, address, client, body.proof_id)
    set_login_cookies(response, services, made.login)
    await note_sign_up(request, response, services, made.login.user.user_id)
    response.headers["Location"] = ACCOUNT_PATH
    view = login_view(made.login)
    return RegistrationView(**view.model_dump(), recovery_code=made.recovery_code)


@router.post(
    "/logins",
    status_code=201,
    summary="Sign in",
    responses=problem_responses(
        "wrong_credentials", "identifier_not_proved", "too_many_attempts", "sign_in_busy", "origin_not_allowed"
    ),
)
async def log_in(
    body: CredentialsBody, services: ServicesDep, address: ClientAddress, client: LoginClient, response: Response
) -> LoginView:
    """Begin a LoginSession. An unknown account and a wrong password get the same answer after the same work."""
    login = await services.accounts.log_in(body.identifier, body.password, address, client, body.proof_id)
    set_login_cookies(response, services, login)
    response.headers["Location"] = LOGIN_PATH
    return login_view(login)


@router.delete(
    "/logins/current",
    status_code=204,
    summary="Sign out",
    responses=problem_responses("not_signed_in", "csrf_token_wrong", "idempotency_key_missing"),
)
async def log_out(request: Idempotent, token: LoginToken, services: ServicesDep) -> Response:
    """End this LoginSession; its cookie is no longer valid."""
    response = await request.answer_step(lambda connection: end_login(connection, token), status=204)
    clear_login_cookie(response, services)
    return response


@router.get("/account", summary="Who am I", responses=problem_responses("not_signed_in", "login_expired"))
async def who_am_i(user: SignedInUser) -> LoginView:
    """Return the signed-in account and the CSRF token of this LoginSession."""
    return LoginView(account=account_view(user.user), csrf_token=user.csrf_token, expires_at=user.expires_at)


@router.post(
    "/recoveries",
    summary="Recover an account",
    responses=problem_responses("wrong_recovery_code", "weak_password", "too_many_attempts", "sign_in_busy"),
)
async def recover(
    body: RecoveryBody, services: ServicesDep, address: ClientAddress, response: Response
) -> RecoveryView:
    """Set a new password with the recovery code. All LoginSessions of the account end."""
    made = await services.accounts.recover(body.identifier, body.recovery_code, body.new_password, address)
    clear_login_cookie(response, services)
    set_login_device_cookie(response, services, made.device_cookie)
    return RecoveryView(recovery_code=made.recovery_code)


def account_view(user: User) -> AccountView:
    """Return the view of an account."""
    return AccountView(
        user_id=user.user_id,
        phone_number=user.phone_number,
        email=user.email,
        phone_verified=user.phone_verified,
        created_at=user.created_at,
    )


def login_view(login: Login) -> LoginView:
    """Return the view of a new LoginSession."""
    return LoginView(account=account_view(login.user), csrf_token=login.csrf_token, expires_at=login.expires_at)
