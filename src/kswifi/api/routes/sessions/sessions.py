"""Internet sessions: order, download, transfer, activate, pause, cancel."""

from typing import Annotated, Final

from fastapi import APIRouter, Path, Request, Response
from sqlalchemy import Connection

from kswifi.api.edge.dependencies import ServicesDep, SignedInUser
from kswifi.api.edge.devices import DeviceDep, set_device_cookie
from kswifi.api.edge.idempotency import Idempotent
from kswifi.api.edge.pages import PageQuery
from kswifi.api.edge.problems import problem_responses
from kswifi.api.edge.ranges import RANGE_NOT_SATISFIABLE, ranged_response
from kswifi.api.edge.session_dependencies import OnWifi, SessionServicesDep
from kswifi.api.routes.payments.free_data import FREE_DATA_REFUSALS
from kswifi.api.routes.sessions.session_views import (
    DownloadedBody,
    EsimView,
    FreeAllowanceView,
    OrderBody,
    SessionsView,
    SessionView,
    TransferBody,
    UsageView,
    esim_view,
    notice_view,
    session_view,
    usage_view,
)
from kswifi.api.services import SessionServices
from kswifi.desk.notices import notices_of
from kswifi.sessions import orders
from kswifi.sessions.line import switch_line
from kswifi.sessions.orders import overview_of
from kswifi.sessions.store import find_session

router = APIRouter(prefix="/api/v1/sessions", tags=["sessions"])

PACKAGE_TYPE: Final = "application/vnd.kswifi.session-package"

SessionId = Annotated[str, Path(max_length=64, description="The session's UUID.")]


async def _view(services: SessionServices, user_id: str, session_id: str) -> SessionView:
    return session_view(await services.downloads.overview(user_id, session_id))


@router.post(
    "",
    status_code=201,
    response_model=SessionView,
    summary="Order a session",
    dependencies=[OnWifi],
    responses=problem_responses(
        "unknown_offer",
        "payment_required",
        "payments_not_set_up",
        "fair_use_reached",
        "too_many_pass_sessions",
        *FREE_DATA_REFUSALS,
        "esim_not_fresh",
        "card_full",
        "not_on_wifi",
        "idempotency_key_missing",
        "not_signed_in",
        "csrf_token_wrong",
    ),
)
async def order_session(
    body: OrderBody, request: Idempotent, all_services: ServicesDep, services: SessionServicesDep, device: DeviceDep
) -> Response:
    """Order a session. It becomes `packaged` shortly after; its validity runs from now.

    Two requests with the same `Idempotency-Key` give one session. `facts.do` of a refusal says what helps.
    """
    user_id = request.user.user.user_id

    catalogue = all_services.catalogue

    def order(connection: Connection) -> SessionView:
        if body.offer_id is not None:
            offer = catalogue.offer(body.offer_id)
        else:
            offer = catalogue.offer_of_size(body.session_size_octets)
        made = services.downloads.order_step(
            connection, user_id, offer, request.operation_id, body.wanted_esim, device.device_id
        )
        return session_view(overview_of(connection, user_id, made.session_id))

    with services.free_data.counting_refusals():
        response = await request.answer_step(order, status=201, location="/api/v1/sessions/{session_id}")
    set_device_cookie(response, all_services, device)
    return response


@router.get("", summary="List your sessions", responses=problem_responses("not_signed_in"))
async def list_sessions(
    user: SignedInUser, services: SessionServicesDep, all_services: ServicesDep, page: PageQuery
) -> SessionsView:
    """List your sessions with their states, what is left of the free allowance, and the operator's notices."""
    found, left_octets = await services.downloads.standing(user.user.user_id, page)
    rules, callers, notices = services.free_data.rules, services.callers, []
    if callers is not None:
        notices = await all_services.database.read(
            lambda connection: notices_of(connection, callers, user.user.user_id)
        )
    return SessionsView(
        sessions=[session_view(one) for one in found.items],
        free=FreeAllowanceView(octets=rules.allowance_octets, days=rules.allowance_days, left_octets=left_octets),
        notices=[notice_view(it) for it in notices],
        next=found.cursor,
    )


@router.get("/{session_id}", summary="One session", responses=problem_responses("unknown_session", "not_signed_in"))
async def read_session(session_id: SessionId, user: SignedInUser, services: SessionServicesDep) -> SessionView:
    """Return one session with its state and balance."""
    return await _view(services, user.user.user_id, session_id)


@router.get(
    "/{session_id}/package",
    summary="Download the session package",
    response_class=Response,
    dependencies=[OnWifi],
    responses={
        200: {"description": "The whole package", "content": {PACKAGE_TYPE: {}}},
        206: {"description": "The range asked for", "content": {PACKAGE_TYPE: {}}},
        304: {"description": "You have it"},
        **problem_responses(
            "unknown_session", "package_not_ready", "session_ended", "not_on_wifi", RANGE_NOT_SATISFIABLE
        ),
    },
)
async def download_package(
    session_id: SessionId, request: Request, user: SignedInUser, services: SessionServicesDep
) -> Response:
    """Download the signed package over WiFi. An interrupted download resumes at any octet (`Range`, `If-Range`)."""
    session, package = await services.downloads.package(user.user.user_id, session_id)
    return ranged_response(
        package,
        request.headers,
        etag=f'"{session.package_sha256}"',
        media_type=PACKAGE_TYPE,
        file_name=f"{session.session_id}.kswifi",
    )


@router.post(
    "/{session_id}/downloaded",
    response_model=SessionView,
    summary="Confirm the download",
    responses=problem_responses("unknown_session", "package_digest_mismatch", "illegal_transition"),
)
async def confirm_download(
    session_id: SessionId, body: DownloadedBody, request: Idempotent, _services: SessionServicesDep
) -> Response:
    """Confirm by its digest that the whole package is on the device."""
    user_id = request.user.user.user_id

    def confirm(connection: Connection) -> SessionView:
        session = orders.confirm_download(connection, user_id, session_id, body.sha256)
        return session_view(overview_of(connection, user_id, session.session_id))

    return await request.answer_step(confirm)


@router.post(
    "/{session_id}/transfer",
    response_model=SessionView,
    summary="Transfer to the eSIM",
    dependencies=[OnWifi],
    responses=problem_responses(
        "unknown_session", "session_is_for_another_esim", "illegal_transition", "not_on_wifi"
    ),
)
async def transfer_session(
    session_id: SessionId, body: TransferBody, request: Idempotent, services: SessionServicesDep
) -> Response:
    """Start the transfer of the session to its eSIM: the profile is released shortly after.

    The session becomes `stored` once the card has proved that it holds the record. Repeat it after a failed
    transfer.
    """
    user_id = request.user.user.user_id

    async def work() -> SessionView:
        session = await services.downloads.session(user_id, session_id)
        await services.downloads.transfer_to_esim(session.session_id, body.esim_id or session.esim_id)
        return await _view(services, user_id, session_id)

    return await request.answer(work)


@router.post(
    "/{session_id}/activate",
    response_model=EsimView,
    summary="Switch the line on",
    responses=problem_responses("unknown_session", "no_session_on_esim"),
)
async def activate_session(session_id: SessionId, request: Idempotent, _services: SessionServicesDep) -> Response:
    """Request that the line's hold is lifted. `hold` is the network's confirmed state; events report changes.

    A stored session needs no activation: enable its profile on the phone, offline. The session becomes `active`
    with its first octet.
    """
    user_id = request.user.user.user_id

    def activate(connection: Connection) -> EsimView:
        session = find_session(connection, session_id, user_id)
        return esim_view(switch_line(connection, session.esim_id, pause=False, session_id=session.session_id))

    return await request.answer_step(activate)


@router.post(
    "/{session_id}/deactivate",
    response_model=EsimView,
    summary="Pause the line",
    responses=problem_responses("unknown_session", "no_session_on_esim"),
)
async def deactivate_session(session_id: SessionId, request: Idempotent, _services: SessionServicesDep) -> Response:
    """Request a hold of the line: it has control-only access until it is activated again."""
    user_id = request.user.user.user_id

    def deactivate(connection: Connection) -> EsimView:
        session = find_session(connection, session_id, user_id)
        return esim_view(switch_line(connection, session.esim_id, pause=True))

    return await request.answer_step(deactivate)


@router.post(
    "/{session_id}/cancel",
    response_model=SessionView,
    summary="Take the order back",
    responses=problem_responses("unknown_session", "not_cancellable"),
)
async def cancel_session(session_id: SessionId, request: Idempotent, _services: SessionServicesDep) -> Response:
    """Cancel an order without usage: the free allowance comes back.

    A stored session becomes `revoked` once the ledger has confirmed.
    """
    user_id = request.user.user.user_id

    def cancel(connection: Connection) -> SessionView:
        session = orders.cancel_session(connection, user_id, session_id)
        return session_view(overview_of(connection, user_id, session.session_id))

    return await request.answer_step(cancel)


@router.get(
    "/{session_id}/usage", summary="How it stands", responses=problem_responses("unknown_session", "not_signed_in")
)
async def read_usage(session_id: SessionId, user: SignedInUser, services: SessionServicesDep) -> UsageView:
    """Return the session's usage in the ledger, and the instant to which it is known."""
    return usage_view((await services.downloads.overview(user.user.user_id, session_id)).usage)
