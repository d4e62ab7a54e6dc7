"""Standing orders: a next session that is ordered when the present one is nearly used up or over."""

from typing import Annotated, Self

from fastapi import APIRouter, Request, Response
from pydantic import Field, model_validator
from sqlalchemy import Connection

from kswifi.api.edge.dependencies import ServicesDep, SignedInUser
from kswifi.api.edge.devices import DeviceDep, set_device_cookie
from kswifi.api.edge.idempotency import Idempotent
from kswifi.api.edge.problems import problem_responses
from kswifi.api.edge.schemas import WHOLE, Instant, RequestBody, ResponseBody
from kswifi.api.edge.session_dependencies import SessionServicesDep
from kswifi.api.routes.payments.free_data import FREE_DATA_REFUSALS
from kswifi.api.routes.sessions.session_views import SessionView, session_view
from kswifi.kernel.listening import plain_address
from kswifi.people.rules import StandingOrderRules
from kswifi.people.standing_order_model import StandingOrder, StandingOrderState
from kswifi.people.standing_order_store import find_standing_order
from kswifi.people.standing_orders import CarriedOutBy, StandingWish, require_certain_wifi

router = APIRouter(prefix="/api/v1/standing-order", tags=["standing order"])


class StandingOrderBody(RequestBody):
    """What you want, with exactly one of the two conditions."""

    offer_id: Annotated[str, Field(max_length=32, examples=["free-1gb"])]
    below_percent: Annotated[
        Annotated[int, Field(ge=1, le=99), WHOLE] | None,
        Field(description="Order the next session when less than this is left of the present one.", examples=[20]),
    ] = None
    days_before_end: Annotated[
        Annotated[int, Field(ge=1, le=30), WHOLE] | None,
        Field(description="Order the next session so many days before the present one ends."),
    ] = None
    paused: Annotated[bool, Field(description="Pause it; false turns it on, also after it paused by itself.")] = (
        False
    )

    @model_validator(mode="after")
    def _one_condition(self) -> Self:
        if (self.below_percent is None) == (self.days_before_end is None):
            raise ValueError("send below_percent or days_before_end")
        return self


class CarryOutBody(RequestBody):
    """Which due date you carry out, who asks, and what the device knows of its network."""

    due_number: Annotated[Annotated[int, Field(ge=1, le=10**9), WHOLE], Field(description="From `GET`.")]
    by: Annotated[
        CarriedOutBy,
        Field(
            strict=False,
            description="`person`: you tapped. `background`: the device by itself, which is refused on a data "
            "provider's line.",
        ),
    ]
    on_wifi: Annotated[
        bool,
        Field(
            description="True if the browser reports WiFi, or the person said so. It counts only where the server "
            "cannot know it (`GET /api/v1/connection` says null); then false is refused."
        ),
    ] = False


class StandingOrderView(ResponseBody):
    """Your standing order, and whether a session is due."""

    standing_order_id: str
    offer_id: str
    below_percent: int | None
    days_before_end: int | None
    state: Annotated[
        StandingOrderState,
        Field(
            description="`on`; `waiting`: you are on the waiting list, because the money for free data is used up; "
            "`paused`: by you, or after several ignored due dates; `ended`."
        ),
    ]
    due: Annotated[bool, Field(description="Carry it out on WiFi: nothing is reserved until then.")]
    due_number: Annotated[int, Field(description="The number of the present, or the last, due date.")]
    due_since: Instant | None
    ignored: Annotated[int, Field(description="Due dates in a row that nobody carried out.")]
    last_result: Annotated[
        str | None,
        Field(
            description="`ordered`, `ignored`, `not_needed`: you got another session before; `no_esim`: no "
            "installed eSIM takes another session; `offer_gone`; or the code of the refusal.",
            examples=["ordered"],
        ),
    ]
    session_id: Annotated[str | None, Field(description="The session that it ordered last.")]
    created_at: Instant
    changed_at: Instant


class StandingOrderLimitsView(ResponseBody):
    """What a standing order may ask for here."""

    enabled: Annotated[bool, Field(description="False: the operator allows none.")]
    largest_percent: int
    largest_days: int
    ignored_limit: Annotated[int, Field(description="So many ignored due dates in a row pause it.")]
    ignored_after_hours: Annotated[int, Field(description="After so long a due date was ignored.")]


class StandingOrderAnswer(ResponseBody):
    """Your standing order, if you have one, and the limits."""

    standing_order: StandingOrderView | None
    limits: StandingOrderLimitsView


class CarriedOutView(ResponseBody):
    """The session that was ordered for the due date."""

    session: SessionView
    standing_order: StandingOrderView


@router.get("", summary="Your standing order", responses=problem_responses("not_signed_in"))
async def read_standing_order(
    user: SignedInUser, services: ServicesDep, sessions: SessionServicesDep
) -> StandingOrderAnswer:
    """Return your standing order. A phone that finds it due carries it out on WiFi."""
    order = await services.database.read(lambda connection: find_standing_order(connection, user.user.user_id))
    return StandingOrderAnswer(
        standing_order=None if order is None else standing_order_view(order),
        limits=_limits_view(sessions.standing_orders.rules),
    )


@router.put(
    "",
    response_model=StandingOrderView,
    summary="Order sessions ahead",
    responses=problem_responses(
        "unknown_offer",
        "standing_orders_off",
        "standing_order_not_offered",
        "idempotency_key_missing",
        "not_signed_in",
        "csrf_token_wrong",
    ),
)
async def put_standing_order(
    body: StandingOrderBody, request: Idempotent, services: SessionServicesDep
) -> Response:
    """Make your standing order, change it, pause it or turn it on again.

    The server says when the next session is due: by the event `standing_order_changed` and a push message. A phone
    on WiFi then carries it out. At most one session is ordered ahead, and every limit of free data applies.
    """
    user_id = request.user.user.user_id
    wish = StandingWish(body.offer_id, body.below_percent, body.days_before_end, body.paused)

    def put(connection: Connection) -> StandingOrderView:
        return standing_order_view(services.standing_orders.put(connection, user_id, wish))

    return await request.answer_step(put)


@router.delete(
    "",
    response_model=StandingOrderView,
    summary="End your standing order",
    responses=problem_responses(
        "unknown_standing_order", "idempotency_key_missing", "not_signed_in", "csrf_token_wrong"
    ),
)
async def end_standing_order(request: Idempotent, services: SessionServicesDep) -> Response:
    """End your standing order. Idempotent; a session that it ordered stays."""
    user_id = request.user.user.user_id

    def end(connection: Connection) -> StandingOrderView:
        return standing_order_view(services.standing_orders.end(connection, user_id))

    return await request.answer_step(end)


@router.post(
    "/carry-out",
    status_code=201,
    response_model=CarriedOutView,
    summary="Carry a due date out",
    responses=problem_responses(
        "unknown_standing_order",
        "standing_orders_off",
        "standing_order_not_due",
        "standing_order_needs_tap",
        "wifi_not_certain",
        "unknown_offer",
        "fair_use_reached",
        "too_many_pass_sessions",
        *FREE_DATA_REFUSALS,
        "not_on_wifi",
        "idempotency_key_missing",
        "not_signed_in",
        "csrf_token_wrong",
    ),
)
async def carry_out_standing_order(
    body: CarryOutBody,
    http_request: Request,
    request: Idempotent,
    all_services: ServicesDep,
    services: SessionServicesDep,
    device: DeviceDep,
) -> Response:
    """Order the session that is due, at the first certain WiFi. Download and store it like any other.

    However often a due date is carried out, it gives one session. If the money for free data is used up, you are
    put on the waiting list where one is kept, and the standing order waits.
    """
    client = http_request.client
    host, port = ("", 0) if client is None else (plain_address(client.host), client.port)
    await require_certain_wifi(services.network_access, host, port, device_knows=body.on_wifi)
    user_id = request.user.user.user_id

    async def work() -> CarriedOutView:
        session = await services.standing_orders.carry_out(user_id, body.due_number, body.by, device.device_id)
        overview = await services.downloads.overview(user_id, session.session_id)
        order = await all_services.database.read(lambda connection: find_standing_order(connection, user_id))
        assert order is not None  # noqa: S101 - it was carried out
        return CarriedOutView(session=session_view(overview), standing_order=standing_order_view(order))

    response = await request.answer(work, status=201, location="/api/v1/sessions/{session[session_id]}")
    set_device_cookie(response, all_services, device)
    return response


def standing_order_view(order: StandingOrder) -> StandingOrderView:
    """Return the view of a standing order."""
    return StandingOrderView(
        standing_order_id=order.standing_order_id,
        offer_id=order.offer_id,
        below_percent=order.below_percent,
        days_before_end=order.days_before_end,
        state=order.state,
        due=order.due_since is not None,
        due_number=order.due_number,
        due_since=order.due_since,
        ignored=order.ignored,
        last_result=order.last_result,
        session_id=order.session_id,
        created_at=order.created_at,
        changed_at=order.changed_at,
    )


def _limits_view(rules: StandingOrderRules) -> StandingOrderLimitsView:
    return StandingOrderLimitsView(
        enabled=rules.enabled,
        largest_percent=rules.largest_percent,
        largest_days=rules.largest_days,
        ignored_limit=rules.ignored_limit,
        ignored_after_hours=int(rules.ignored_after.total_seconds() // 3600),
    )
