"""Limits that people set on a line: how much a day uses, and a pause that ends by itself."""

from typing import Annotated

from fastapi import APIRouter, Path, Response
from pydantic import AwareDatetime, Field
from sqlalchemy import Connection

from kswifi.api.edge.dependencies import ServicesDep, SignedInUser
from kswifi.api.edge.idempotency import Idempotent
from kswifi.api.edge.problems import problem_responses
from kswifi.api.edge.schemas import WHOLE, Instant, RequestBody, ResponseBody
from kswifi.api.edge.session_dependencies import SessionServicesDep
from kswifi.esim.model import Hold
from kswifi.people.line_limits import LineLimits, NotOffered

router = APIRouter(prefix="/api/v1/esims", tags=["esims"])

EsimId = Annotated[str, Path(max_length=64, description="The eSIM's UUID.")]


class LimitBody(RequestBody):
    """The limit of a line's days."""

    daily_octets: Annotated[
        Annotated[int, Field(ge=1, le=10**15), WHOLE] | None,
        Field(description="The most that the line uses in a day; null removes the limit."),
    ]


class PauseBody(RequestBody):
    """Until when a line pauses."""

    until: Annotated[
        AwareDatetime, Field(strict=False, description="The line comes back within ten minutes after.")
    ]


class LimitsView(ResponseBody):
    """The limits of a line, as you set them and as the network keeps them."""

    esim_id: str
    offered: Annotated[bool, Field(description="Whether this line can have limits.")]
    not_offered_because: Annotated[
        NotOffered | None,
        Field(
            description="`switched_off`: the operator does not offer them. `data_provider`: one serves the line. "
            "`no_control_only_access`: the network ends a stopped line."
        ),
    ]
    least_octets: Annotated[int, Field(description="The smallest limit.")]
    longest_pause_hours: int
    daily_octets: Annotated[int | None, Field(description="As you set it last; null: no limit.")]
    used_today_octets: Annotated[
        int | None,
        Field(description="Under the limit; on the day on which it was set, from then on. null: no limit is kept."),
    ]
    lifted_today: Annotated[bool, Field(description="You lifted the limit until the day ends.")]
    day_ends_at: Annotated[Instant | None, Field(description="When a new day begins for this line.")]
    limit_reached: Annotated[
        bool, Field(description="The limit, and not the end of a session, has stopped the line.")
    ]
    pause_ends_at: Annotated[Instant | None, Field(description="The end of the pause that you asked for last.")]
    hold: Annotated[Hold | None, Field(description="Why the line is control-only, as the network confirmed it.")]
    back_at: Annotated[
        Instant | None,
        Field(
            description="When the line comes back by itself: within ten minutes after the day or the pause. "
            "If the phone has no data then, switch the line off and on."
        ),
    ]


@router.get(
    "/{esim_id}/limits",
    summary="The limits of a line",
    responses=problem_responses("unknown_esim", "not_signed_in"),
)
async def read_limits(
    esim_id: EsimId, user: SignedInUser, all_services: ServicesDep, services: SessionServicesDep
) -> LimitsView:
    """Return what you set, what the network counted today, and when a stopped line comes back."""
    limits = services.line_limits
    found = await all_services.database.read(lambda connection: limits.read(connection, user.user.user_id, esim_id))
    return _view(services, found)


@router.put(
    "/{esim_id}/limits",
    response_model=LimitsView,
    summary="Limit what a line uses in a day",
    responses=problem_responses("unknown_esim", "limit_not_offered", "limit_too_small", "not_signed_in"),
)
async def put_limits(
    esim_id: EsimId, body: LimitBody, request: Idempotent, services: SessionServicesDep
) -> Response:
    """Set, change or remove the most that a line uses in a day. The line stops at the octet that reaches it."""
    user_id = request.user.user.user_id

    def change(connection: Connection) -> LimitsView:
        return _view(services, services.line_limits.set_day(connection, user_id, esim_id, body.daily_octets))

    return await request.answer_step(change)


@router.post(
    "/{esim_id}/limits/lift",
    response_model=LimitsView,
    summary="Lift the limit of today",
    responses=problem_responses("unknown_esim", "not_signed_in"),
)
async def lift_limits(esim_id: EsimId, request: Idempotent, services: SessionServicesDep) -> Response:
    """Lift the limit until the day ends. Then switch the line off and on, or wait a little."""
    user_id = request.user.user.user_id

    def lift(connection: Connection) -> LimitsView:
        return _view(services, services.line_limits.lift_day(connection, user_id, esim_id))

    return await request.answer_step(lift)


@router.post(
    "/{esim_id}/pause",
    response_model=LimitsView,
    summary="Pause a line until an instant",
    responses=problem_responses(
        "unknown_esim", "limit_not_offered", "pause_too_long", "no_session_on_esim", "not_signed_in"
    ),
)
async def pause_line(
    esim_id: EsimId, body: PauseBody, request: Idempotent, services: SessionServicesDep
) -> Response:
    """Pause a line until an instant. `POST /api/v1/sessions/{session_id}/activate` ends the pause before."""
    user_id = request.user.user.user_id

    def pause(connection: Connection) -> LimitsView:
        return _view(services, services.line_limits.pause_until(connection, user_id, esim_id, body.until))

    return await request.answer_step(pause)


def _view(services: SessionServicesDep, it: LineLimits) -> LimitsView:
    rules = services.line_limits.rules
    return LimitsView(
        esim_id=it.line.esim_id,
        offered=it.not_offered is None,
        not_offered_because=it.not_offered,
        least_octets=rules.least_octets,
        longest_pause_hours=int(rules.longest_pause.total_seconds()) // 3600,
        daily_octets=it.daily_octets,
        used_today_octets=None if it.day is None else it.day.used_octets,
        lifted_today=it.day is not None and it.day.is_lifted,
        day_ends_at=None if it.day is None else it.day.ends_at,
        limit_reached=it.is_reached,
        pause_ends_at=it.pause_ends_at,
        hold=it.line.hold,
        back_at=it.back_at,
    )
