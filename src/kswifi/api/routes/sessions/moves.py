"""Move to a new phone: freeze the old eSIM at once, and move its sessions to a new one."""

from typing import Annotated, Self

from fastapi import APIRouter, Response
from pydantic import Field, model_validator
from sqlalchemy import Connection

from kswifi.api.edge.dependencies import ClientAddress, ServicesDep, SignedInUser
from kswifi.api.edge.idempotency import Idempotent
from kswifi.api.edge.pages import PageQuery, PageView
from kswifi.api.edge.problems import problem_responses
from kswifi.api.edge.schemas import Instant, RequestBody, ResponseBody
from kswifi.api.edge.session_dependencies import SessionServicesDep
from kswifi.api.routes.accounts.credentials import UsedPasskeyBody
from kswifi.api.routes.accounts.reauthentication import ReauthenticationBody, reauthenticate
from kswifi.people.move_model import Confirmation, MoveReason, MoveState, PhoneMove
from kswifi.people.moves import moves_of

router = APIRouter(prefix="/api/v1/moves", tags=["moves"])

_UUID = r"^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$"


class MoveBody(RequestBody):
    """Which of your eSIMs cannot be used any more, and why."""

    esim_id: Annotated[str, Field(pattern=_UUID)]
    why: Annotated[
        MoveReason,
        Field(strict=False, description="`lost` also signs out all your other devices."),
    ]


class ConfirmBody(RequestBody):
    """How you confirm: a passkey, your recovery code, or nothing on a device that was signed in before."""

    passkey: UsedPasskeyBody | None = None
    recovery_code: Annotated[str | None, Field(min_length=1, max_length=64)] = None

    @model_validator(mode="after")
    def _one_at_most(self) -> Self:
        if self.passkey is not None and self.recovery_code is not None:
            raise ValueError("send a passkey or the recovery code, not both")
        return self

    @property
    def shown(self) -> Confirmation:
        """The kind of confirmation."""
        if self.passkey is not None:
            return Confirmation.PASSKEY
        return Confirmation.OLD_DEVICE if self.recovery_code is None else Confirmation.RECOVERY_CODE


class MoveView(ResponseBody):
    """A move of one eSIM's sessions to a new eSIM of yours."""

    move_id: str
    esim_id: Annotated[str, Field(description="The old eSIM; it is frozen from the beginning.")]
    new_esim_id: Annotated[str | None, Field(description="Known once the sessions move.")]
    why: MoveReason
    state: Annotated[
        MoveState,
        Field(
            description="`waiting` until `due_at`; `moving`: sessions are ordered on the new eSIM, download and "
            "store them like any other; `moved`; `cancelled`."
        ),
    ]
    confirmed_by: Confirmation | None
    created_at: Instant
    due_at: Annotated[
        Instant,
        Field(description="24 hours after you asked, at once if confirmed; 72 hours after a changed password."),
    ]
    ended_at: Instant | None


class MovesView(PageView):
    """Your moves, the newest first."""

    moves: list[MoveView]


@router.post(
    "",
    status_code=201,
    response_model=MoveView,
    summary="Move to a new phone",
    responses=problem_responses(
        "unknown_esim",
        "move_under_way",
        "line_not_movable",
        "too_many_moves",
        "idempotency_key_missing",
        "not_signed_in",
        "csrf_token_wrong",
    ),
)
async def ask_to_move(body: MoveBody, request: Idempotent, services: SessionServicesDep) -> Response:
    """Freeze an eSIM at once, and ask for its sessions to move to a new one. Nothing is granted to it any more."""

    def ask(connection: Connection) -> MoveView:
        signed_in = request.user
        asked = services.moves.ask(
            connection, signed_in.user.user_id, body.esim_id, body.why, asked_by=signed_in.login_id
        )
        return move_view(asked)

    return await request.answer_step(ask, status=201, location="/api/v1/moves")


@router.get("", summary="List your moves", responses=problem_responses("not_signed_in"))
async def list_moves(user: SignedInUser, services: ServicesDep, page: PageQuery) -> MovesView:
    """List your moves."""
    found = await services.database.read(lambda connection: moves_of(connection, user.user.user_id, page))
    return MovesView(moves=[move_view(one) for one in found.items], next=found.cursor)


@router.post(
    "/{move_id}/confirm",
    response_model=MoveView,
    summary="Confirm a move",
    responses=problem_responses(
        "unknown_move",
        "move_not_confirmed",
        "passkey_challenge_over",
        "passkey_refused",
        "too_many_attempts",
        "not_signed_in",
        "csrf_token_wrong",
        "idempotency_key_missing",
    ),
)
async def confirm_move(
    move_id: str, body: ConfirmBody, request: Idempotent, all_services: ServicesDep, services: SessionServicesDep
) -> Response:
    """Confirm a move with a passkey, with the recovery code, or on a device that was signed in before it."""

    async def work() -> MoveView:
        if body.passkey is not None:
            challenge, credential = body.passkey.challenge_id, body.passkey.credential.model_dump()
            await all_services.passkeys.require_owner(request.user.user, challenge, credential)
        if body.recovery_code is not None:
            services.moves.count_attempt(request.user.user.user_id, all_services.database.clock.now())
        confirmed = await all_services.database.write(
            lambda connection: services.moves.confirm(
                connection, request.user, move_id, body.shown, body.recovery_code or ""
            )
        )
        return move_view(confirmed)

    return await request.answer(work)


@router.delete(
    "/{move_id}",
    response_model=MoveView,
    summary="Cancel a move",
    responses=problem_responses(
        "unknown_move",
        "illegal_move_transition",
        "wrong_credentials",
        "passkey_challenge_over",
        "passkey_refused",
        "too_many_attempts",
        "sign_in_busy",
        "not_signed_in",
        "csrf_token_wrong",
        "idempotency_key_missing",
    ),
)
async def cancel_move(
    move_id: str,
    body: ReauthenticationBody,
    request: Idempotent,
    all_services: ServicesDep,
    services: SessionServicesDep,
    address: ClientAddress,
) -> Response:
    """Cancel a move that waits, and thaw the eSIM. It asks who you are again, because a thief could do it too."""

    async def work() -> MoveView:
        await reauthenticate(body, request.user, all_services, address)
        cancelled = await all_services.database.write(
            lambda connection: services.moves.cancel(connection, request.user.user.user_id, move_id)
        )
        return move_view(cancelled)

    return await request.answer(work)


def move_view(move: PhoneMove) -> MoveView:
    """Return the view of a move."""
    return MoveView(
        move_id=move.move_id,
        esim_id=move.old_esim_id,
        new_esim_id=move.new_esim_id,
        why=move.why,
        state=move.state,
        confirmed_by=move.confirmed_by,
        created_at=move.created_at,
        due_at=move.due_at,
        ended_at=move.ended_at,
    )
