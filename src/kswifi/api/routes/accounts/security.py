"""The security of an account: signed-in devices, password, recovery code, identifier."""

from typing import Annotated

from fastapi import APIRouter, Path, Response
from pydantic import Field

from kswifi.accounts.logins import end_login_of, logins_of
from kswifi.accounts.model import LoginRecord
from kswifi.api.edge.dependencies import (
    ClientAddress,
    ServicesDep,
    SignedInUser,
    SignedInWriter,
    clear_login_cookie,
)
from kswifi.api.edge.idempotency import Idempotent
from kswifi.api.edge.login_client import set_login_device_cookie
from kswifi.api.edge.pages import PageQuery, PageView
from kswifi.api.edge.problems import problem_responses
from kswifi.api.edge.schemas import Instant, RequestBody, ResponseBody
from kswifi.api.routes.accounts.accounts import (
    AccountView,
    IdentifierText,
    PasswordText,
    ProofId,
    RecoveryView,
    account_view,
)
from kswifi.api.routes.accounts.reauthentication import SHOWN_AGAIN, ReauthenticationBody, reauthenticate
from kswifi.database.types import unix_microseconds
from kswifi.kernel.pages import page_of

router = APIRouter(prefix="/api/v1", tags=["accounts"])


class LoginRecordView(ResponseBody):
    """A device on which you are signed in."""

    login_id: str
    created_at: Instant
    seen_at: Annotated[Instant, Field(description="When it was last used, to five minutes.")]
    expires_at: Instant
    browser: Annotated[str | None, Field(examples=["Chrome on Android"])]
    network: Annotated[
        str | None,
        Field(description="The provider's network at sign-in, never your address.", examples=["102.89.0.0/16"]),
    ]
    current: Annotated[bool, Field(description="Whether it is this one.")]


class LoginRecordsView(PageView):
    """Your devices, the oldest sign-in first."""

    logins: list[LoginRecordView]


class NewPasswordBody(ReauthenticationBody):
    """Your new password."""

    new_password: PasswordText
    end_other_logins: Annotated[bool, Field(description="Sign out every other device too.")] = True


class NewIdentifierBody(ReauthenticationBody):
    """Your new phone number or email address for signing in, and its proof."""

    identifier: IdentifierText
    proof_id: ProofId


class SignOutBody(RequestBody):
    """The devices to sign out."""

    keep_current: Annotated[bool, Field(description="Stay signed in on this device.")] = False


@router.get("/logins", summary="Your devices", responses=problem_responses("not_signed_in"))
async def list_logins(user: SignedInUser, services: ServicesDep, page: PageQuery) -> LoginRecordsView:
    """List the devices on which you are signed in."""
    found = await services.database.read(lambda connection: logins_of(connection, user.user.user_id))
    shown = page_of(found, lambda it: (unix_microseconds(it.created_at), it.login_id), page)
    return LoginRecordsView(logins=[login_record_view(it, user.login_id) for it in shown.items], next=shown.cursor)


@router.delete(
    "/logins/{login_id}",
    status_code=204,
    summary="Sign out a device",
    responses=problem_responses("unknown_login", "not_signed_in", "csrf_token_wrong", "idempotency_key_missing"),
)
async def end_one_login(
    login_id: Annotated[str, Path(max_length=64, description="The sign-in's id.")], request: Idempotent
) -> Response:
    """End one of your LoginSessions, for example on a lost phone."""
    user_id = request.user.user.user_id
    return await request.answer_step(lambda connection: end_login_of(connection, user_id, login_id), status=204)


@router.post(
    "/logins/sign-out",
    status_code=204,
    summary="Sign out everywhere",
    responses=problem_responses("not_signed_in", "csrf_token_wrong", "idempotency_key_missing"),
)
async def sign_out_everywhere(body: SignOutBody, request: Idempotent, services: ServicesDep) -> Response:
    """End all your LoginSessions, or all but this one. Other browsers also lose their device cookies."""
    cookies: list[str] = []

    async def work() -> None:
        cookies.append(await services.accounts.end_all_logins(request.user, but_this=body.keep_current))

    response = await request.answer(work, status=204)
    for cookie in cookies:  # empty if the request was repeated: the browser has its cookie already
        set_login_device_cookie(response, services, cookie)
    if not body.keep_current:
        clear_login_cookie(response, services)
    return response


# The next three routes take no Idempotency-Key. A stored request holds a digest of its body. Passwords can be
# guessed from that digest far faster than from their slow hashes, if the database is stolen.


@router.post(
    "/account/password",
    status_code=204,
    summary="Change your password",
    responses=problem_responses("weak_password", *SHOWN_AGAIN),
)
async def change_password(
    body: NewPasswordBody,
    user: SignedInWriter,
    services: ServicesDep,
    address: ClientAddress,
    response: Response,
) -> None:
    """Change your password, or set the first one of an account made with a passkey."""
    found = await reauthenticate(body, user, services, address)
    cookie = await services.accounts.change_password(
        user, body.new_password, end_others=body.end_other_logins, found=found
    )
    set_login_device_cookie(response, services, cookie)


@router.post(
    "/account/recovery-code",
    summary="Get a new recovery code",
    responses=problem_responses(*SHOWN_AGAIN),
)
async def replace_recovery_code(
    body: ReauthenticationBody, user: SignedInWriter, services: ServicesDep, address: ClientAddress
) -> RecoveryView:
    """Replace your recovery code. The new code is shown only once; the old code no longer works."""
    await reauthenticate(body, user, services, address)
    return RecoveryView(recovery_code=await services.accounts.new_recovery_code(user))


@router.put(
    "/account/identifier",
    summary="Change your phone number or email address",
    responses=problem_responses("invalid_identifier", "identifier_not_proved", "already_registered", *SHOWN_AGAIN),
)
async def change_identifier(
    body: NewIdentifierBody, user: SignedInWriter, services: ServicesDep, address: ClientAddress
) -> AccountView:
    """Change the phone number or email address that you sign in with, or prove the present one."""
    await reauthenticate(body, user, services, address)
    return account_view(await services.accounts.change_identifier(user, body.identifier, body.proof_id))


def login_record_view(record: LoginRecord, current: str) -> LoginRecordView:
    """Return the view of a LoginSession for its owner."""
    return LoginRecordView(
        login_id=record.login_id,
        created_at=record.created_at,
        seen_at=record.seen_at,
        expires_at=record.expires_at,
        browser=record.browser,
        network=record.network,
        current=record.login_id == current,
    )
