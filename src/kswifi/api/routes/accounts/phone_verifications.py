"""Verify a phone number with a code that is sent to it."""

from functools import partial
from typing import Annotated, Literal

from fastapi import APIRouter, Depends, Path, Response
from pydantic import Field
from sqlalchemy import Connection

from kswifi.api.edge.dependencies import ClientAddress, ServicesDep, SignedInUser
from kswifi.api.edge.idempotency import Idempotent
from kswifi.api.edge.problems import problem_responses
from kswifi.api.edge.schemas import Instant, RequestBody, ResponseBody
from kswifi.phone_verification.errors import PHONE_VERIFICATION_NOT_SET_UP
from kswifi.phone_verification.model import PhoneVerification
from kswifi.phone_verification.service import PhoneVerifications
from kswifi.supply.errors import SUPPLY_NOT_SET_UP
from kswifi.supply.lines import SuppliedLines

router = APIRouter(prefix="/api/v1/phone-verifications", tags=["accounts"])

VerificationId = Annotated[str, Path(max_length=64, description="The verification's UUID.")]


class PhoneNumberBody(RequestBody):
    """The phone number to which the code is sent."""

    phone_number: Annotated[
        str,
        Field(
            min_length=1,
            max_length=40,
            description="A Nigerian mobile number as people write it, one of another country with +.",
            examples=["0803 123 4567", "+2348031234567"],
        ),
    ]


class CodeBody(RequestBody):
    """The code from the message."""

    code: Annotated[str, Field(min_length=1, max_length=40, description="Six digits.", examples=["042137"])]
    keep_for_network: Annotated[
        str | None,
        Field(
            max_length=32,
            description="Your consent to keep the number, encrypted, for the line that sessions are loaded onto, "
            "and the mobile network of that line. Without it the number is forgotten now.",
            examples=["mtn"],
        ),
    ] = None


class PhoneVerificationView(ResponseBody):
    """A code that you requested."""

    verification_id: str
    state: Annotated[
        Literal["waiting", "sending", "sent", "refused", "unknown"],
        Field(
            description="`refused`: no message goes to this number. `unknown`: nobody knows whether it went out; "
            "it is not sent again by itself."
        ),
    ]
    expires_at: Instant


class LabMessageView(ResponseBody):
    """A message that was not sent: it exists only in this lab."""

    lab: Annotated[Literal[True], Field(description="No network carried it.")] = True
    to: str
    words: str
    at: Instant


class PhoneVerifiedView(ResponseBody):
    """The number is verified as yours."""

    phone_verified: Literal[True] = True


async def phone_verifications(services: ServicesDep) -> PhoneVerifications:
    """Return the service that verifies phone numbers.

    Raises:
        PHONE_VERIFICATION_NOT_SET_UP: nothing sends text messages.
    """
    if services.phone_verifications is None:
        raise PHONE_VERIFICATION_NOT_SET_UP("no text messages are sent here: phone numbers cannot be verified")
    return services.phone_verifications


PhoneVerificationsDep = Annotated[PhoneVerifications, Depends(phone_verifications)]


@router.post(
    "",
    status_code=201,
    response_model=PhoneVerificationView,
    summary="Have a code sent",
    responses=problem_responses(
        "not_a_phone_number",
        "too_many_attempts",
        "phone_verification_not_set_up",
        "not_signed_in",
        "csrf_token_wrong",
    ),
)
async def send_code(
    body: PhoneNumberBody, request: Idempotent, phones: PhoneVerificationsDep, address: ClientAddress
) -> Response:
    """Send six digits to a phone number. The code is valid for ten minutes and five tries."""
    user_id = request.user.user.user_id

    async def work() -> PhoneVerificationView:
        return _view(await phones.begin(user_id, request.operation_id, body.phone_number, address))

    return await request.answer(work, status=201, location="/api/v1/phone-verifications/{verification_id}")


@router.get(
    "/{verification_id}",
    summary="Where the message stands",
    responses=problem_responses("unknown_phone_verification", "phone_verification_not_set_up", "not_signed_in"),
)
async def read_verification(
    verification_id: VerificationId, user: SignedInUser, phones: PhoneVerificationsDep
) -> PhoneVerificationView:
    """Return whether the message was sent."""
    return _view(await phones.verification(user.user.user_id, verification_id))


@router.post(
    "/{verification_id}/confirm",
    response_model=PhoneVerifiedView,
    summary="Type the code in",
    responses=problem_responses(
        "phone_code_wrong",
        "phone_code_over",
        "phone_verified_elsewhere",
        "unknown_phone_verification",
        "phone_verification_not_set_up",
        "supply_not_set_up",
        "not_a_provider_line",
        "network_unknown",
        "not_signed_in",
        "csrf_token_wrong",
    ),
)
async def confirm_code(
    verification_id: VerificationId,
    body: CodeBody,
    request: Idempotent,
    phones: PhoneVerificationsDep,
    services: ServicesDep,
) -> Response:
    """Confirm that the number is yours. A number verifies one account; a new number replaces your earlier one."""

    user_id, network = request.user.user.user_id, body.keep_for_network
    keep = None
    if network is not None:
        lines = services.sessions.lines if services.sessions is not None else None
        if lines is None:
            raise SUPPLY_NOT_SET_UP("sessions are not loaded onto lines here")
        keep = partial(_keep, lines, user_id, network)

    async def work() -> PhoneVerifiedView:
        await phones.confirm(user_id, verification_id, body.code, keep)
        return PhoneVerifiedView()

    return await request.answer(work)


@router.get(
    "/{verification_id}/lab-message",
    summary="The message, in the lab",
    responses=problem_responses(
        "no_lab_message", "unknown_phone_verification", "phone_verification_not_set_up", "not_signed_in"
    ),
)
async def read_lab_message(
    verification_id: VerificationId, user: SignedInUser, phones: PhoneVerificationsDep
) -> LabMessageView:
    """Return the message from the lab's outbox. A server that really sends messages has none."""
    found = await phones.lab_message(user.user.user_id, verification_id)
    return LabMessageView(to=found.to, words=found.words, at=found.at)


def _keep(lines: SuppliedLines, user_id: str, network: str, connection: Connection, msisdn: str) -> None:
    lines.keep_number(connection, user_id, msisdn, network)


def _view(verification: PhoneVerification) -> PhoneVerificationView:
    return PhoneVerificationView(
        verification_id=verification.verification_id,
        state=verification.state.value,
        expires_at=verification.expires_at,
    )
