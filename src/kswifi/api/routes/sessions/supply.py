"""Sessions that data providers deliver: installing the profile, the line's service, and portions of a session."""

from typing import Annotated, Final
from urllib.parse import parse_qsl

from fastapi import APIRouter, Path, Request, Response
from pydantic import Field
from sqlalchemy import Connection
from starlette.responses import PlainTextResponse

from kswifi.api.edge.dependencies import ClientAddress, ServicesDep, SignedInUser
from kswifi.api.edge.idempotency import Idempotent
from kswifi.api.edge.problems import problem_responses
from kswifi.api.edge.schemas import Instant, ResponseBody
from kswifi.api.edge.session_dependencies import OnWifi, SessionServicesDep
from kswifi.api.services import SessionServices
from kswifi.esim.lines.activation import qr_code_svg
from kswifi.esim.lines.service import find_esim
from kswifi.sessions.store import find_session
from kswifi.sessions.supplied import buy_for_session
from kswifi.sessions.ussd import UssdCall
from kswifi.supply import store
from kswifi.supply.errors import NO_INSTALLATION_YET, SUPPLY_NOT_SET_UP, UNKNOWN_USSD
from kswifi.supply.lines import SuppliedLines
from kswifi.supply.orders import OrderState
from kswifi.supply.ports import Delivery, ServiceStatus
from kswifi.supply.records import ProviderLine, ProviderOrder

router = APIRouter(tags=["supply"])
_MOST_FIELDS: Final = 20

EsimId = Annotated[str, Path(max_length=64, description="The line's UUID.")]
SessionId = Annotated[str, Path(max_length=64, description="The session's UUID.")]


class InstallationView(ResponseBody):
    """What a phone needs to install a data provider's profile and to connect with it."""

    activation_code: Annotated[
        str, Field(description="LPA:1$address$matching id (SGP.22), the text of the QR code.")
    ]
    qr_code_svg: Annotated[str, Field(description="The same as an SVG document.")]
    smdp_address: str
    confirmation_code: Annotated[str | None, Field(description="The phone asks for it, if there is one.")]
    apn: str | None
    user_name: str | None
    password: str | None
    roaming: Annotated[
        bool | None, Field(description="Whether the phone needs Data Roaming on for this line; null: not known.")
    ]


class ServiceView(ResponseBody):
    """Whether a data provider's line carries data: what is wanted, and what the provider reported."""

    esim_id: str
    kind: Delivery
    provider: str
    network: Annotated[str | None, Field(description="The mobile network of the line that you have.")]
    wants_on: bool
    observed: Annotated[ServiceStatus | None, Field(description="The newest report; null before the first.")]
    observed_at: Instant | None
    confirmed: Annotated[bool, Field(description="Whether the report is what is wanted.")]
    wanted_since: Annotated[Instant | None, Field(description="When the wish changed.")]
    pauses: Annotated[bool, Field(description="Whether this line can be paused and continued.")]
    tells_installation: Annotated[bool, Field(description="Whether the provider reports the installation.")]
    tethering: Annotated[bool | None, Field(description="Whether the phone may share the connection.")]
    roams: Annotated[bool, Field(description="Whether the service is roaming.")]
    usage_lag_seconds: Annotated[
        int | None, Field(description="How old a usage figure can be; null: the provider reports none.")
    ]
    verified_at: Annotated[Instant | None, Field(description="When your number was verified last.")]
    ussd_code: Annotated[
        str | None, Field(description="A dial to it from this line sends the next portion without data or WiFi.")
    ]
    ussd_is_free: Annotated[
        bool | None, Field(description="Whether that dial needs no airtime; null without a code.")
    ]


class PortionView(ResponseBody):
    """One bundle that was bought, or is being bought, for a session."""

    reference: str
    number: Annotated[int, Field(description="Of the session, from 1.")]
    octets: Annotated[int, Field(description="The octets of the session that it covers.")]
    bundle_octets: Annotated[int, Field(description="The octets that the provider gives.")]
    state: OrderState
    words: Annotated[str | None, Field(description="The provider's words, shortened.")]
    created_at: Instant
    delivered_at: Instant | None


class PortionsView(ResponseBody):
    """The bundles of a session, the first first."""

    session_id: str
    portions: list[PortionView]
    drawn_octets: Annotated[int, Field(description="Octets of the session that were delivered.")]


def _lines(services: SessionServices) -> SuppliedLines:
    if services.lines is None:
        raise SUPPLY_NOT_SET_UP("no data provider delivers sessions here")
    return services.lines


@router.get(
    "/api/v1/esims/{esim_id}/installation",
    summary="Install a data provider's profile",
    dependencies=[OnWifi],
    responses=problem_responses(
        "unknown_esim", "not_a_provider_line", "no_installation_yet", "supply_not_set_up", "not_signed_in"
    ),
)
async def read_installation(
    esim_id: EsimId, user: SignedInUser, all_services: ServicesDep, services: SessionServicesDep, response: Response
) -> InstallationView:
    """Return the activation code of the profile, once the provider has delivered it, to any signed-in device."""
    lines = _lines(services)

    def look(connection: Connection) -> ProviderLine:
        return lines.line(connection, find_esim(connection, esim_id, user.user.user_id).esim_id)

    found = (await all_services.database.read(look)).installation
    if found is None:
        raise NO_INSTALLATION_YET("the profile is being ordered: ask again in a moment")
    response.headers["Cache-Control"] = "no-store"
    return InstallationView(
        activation_code=found.activation_code,
        qr_code_svg=qr_code_svg(found.activation_code),
        smdp_address=found.smdp_address,
        confirmation_code=found.confirmation_code,
        apn=found.apn,
        user_name=found.user_name,
        password=found.password,
        roaming=found.roaming,
    )


@router.get(
    "/api/v1/esims/{esim_id}/service",
    summary="Whether a data provider's line carries data",
    responses=problem_responses("unknown_esim", "not_a_provider_line", "supply_not_set_up", "not_signed_in"),
)
async def read_service(
    esim_id: EsimId, user: SignedInUser, all_services: ServicesDep, services: SessionServicesDep
) -> ServiceView:
    """Return what is wanted of the line, and what its provider reported last, with its age."""
    lines = _lines(services)

    def look(connection: Connection) -> tuple[ProviderLine, bool]:
        line = lines.line(connection, find_esim(connection, esim_id, user.user.user_id).esim_id)
        return line, bool(store.pauses(connection, line.line_id))

    line, pauses = await all_services.database.read(look)
    capabilities = lines.capabilities(line)
    ussd = all_services.ussd if line.kind is Delivery.ONTO_LINE else None
    return ServiceView(
        esim_id=line.line_id,
        kind=line.kind,
        provider=line.provider,
        network=line.network,
        wants_on=line.service.wants_on,
        observed=line.service.observed,
        observed_at=line.observed_at,
        confirmed=line.service.is_confirmed,
        wanted_since=line.service.wanted_since,
        pauses=pauses,
        tells_installation=capabilities.tells_installation,
        tethering=capabilities.tethering,
        roams=capabilities.roams,
        usage_lag_seconds=capabilities.usage_lag_seconds,
        verified_at=line.verified_at,
        ussd_code=None if ussd is None else ussd.rules.service_code,
        ussd_is_free=None if ussd is None else ussd.rules.paid_by_operator,
    )


@router.get(
    "/api/v1/sessions/{session_id}/portions",
    summary="The bundles of a session",
    responses=problem_responses("unknown_session", "supply_not_set_up", "not_signed_in"),
)
async def list_portions(
    session_id: SessionId, user: SignedInUser, all_services: ServicesDep, services: SessionServicesDep
) -> PortionsView:
    """List what was bought for a session, with the state at the provider."""
    _lines(services)

    def look(connection: Connection) -> PortionsView:
        return _portions(connection, find_session(connection, session_id, user.user.user_id).session_id)

    return await all_services.database.read(look)


@router.post(
    "/api/v1/sessions/{session_id}/portions",
    status_code=202,
    response_model=PortionsView,
    summary="Send the next portion to your line",
    dependencies=[OnWifi],
    responses=problem_responses(
        "unknown_session",
        "no_session_on_esim",
        "portion_pending",
        "no_portion_left",
        "number_not_verified",
        "too_many_bundles",
        "bundle_not_mapped",
        "bundle_sold_out",
        "supply_not_set_up",
        "not_on_wifi",
        "csrf_token_wrong",
    ),
)
async def send_portion(session_id: SessionId, request: Idempotent, services: SessionServicesDep) -> Response:
    """Buy the next portion of a session for the line that you have. Your network counts it from then on.

    A portion counts as used when it is bought: it cannot be taken back.
    """
    user_id, lines = request.user.user.user_id, _lines(services)

    def send(connection: Connection) -> PortionsView:
        session = find_session(connection, session_id, user_id)
        buy_for_session(connection, lines, session)
        return _portions(connection, session.session_id)

    return await request.answer_step(send, status=202)


@router.post(
    "/webhooks/ussd/{secret}",
    summary="A dial to the operator's USSD code",
    tags=["webhooks"],
    response_class=PlainTextResponse,
    responses=problem_responses("unknown_ussd", "provider_webhook_forged", "body_too_large"),
    openapi_extra={
        "requestBody": {
            "required": True,
            "content": {"application/x-www-form-urlencoded": {"schema": {"type": "object"}}},
        }
    },
)
async def ussd_callback(
    secret: Annotated[str, Path(max_length=64, description="The secret path; `kswifi providers dial` shows it.")],
    request: Request,
    services: ServicesDep,
    address: ClientAddress,
) -> PlainTextResponse:
    """Answer a callback of the USSD aggregator with the next screen; one confirmation sends the next portion."""
    if services.ussd is None:
        raise UNKNOWN_USSD("no USSD code is configured")
    body = (await request.body()).decode("utf-8", "replace")
    try:
        form = dict(parse_qsl(body, keep_blank_values=True, max_num_fields=_MOST_FIELDS))
    except ValueError:
        form = {}
    names = ("sessionId", "phoneNumber", "networkCode", "serviceCode", "text")
    call = UssdCall(*(form.get(name, "") for name in names))
    return PlainTextResponse(await services.ussd.answer(secret, call, address))


@router.post(
    "/webhooks/{provider}/{secret}",
    summary="A data provider reports an event",
    tags=["webhooks"],
    responses=problem_responses(
        "unknown_provider_webhook", "provider_webhook_forged", "provider_webhook_unreadable", "body_too_large"
    ),
    openapi_extra={
        "requestBody": {"required": True, "content": {"application/json": {"schema": {"type": "object"}}}}
    },
)
async def provider_webhook(
    provider: Annotated[str, Path(max_length=40, description="The provider's name: `esim_go`, `vtpass` …")],
    secret: Annotated[str, Path(max_length=64, description="The secret path; `kswifi providers check` shows it.")],
    request: Request,
    services: ServicesDep,
    address: ClientAddress,
) -> Response:
    """Receive an event of a data provider. It changes nothing by itself: the server then looks at the provider."""
    if services.provider_webhooks is None:
        raise SUPPLY_NOT_SET_UP("no data provider delivers sessions here")
    headers = {name.lower(): value for name, value in request.headers.items()}
    answer = await services.provider_webhooks.take(provider, secret, headers, await request.body(), address)
    return Response(answer, media_type="application/json")


def _portions(connection: Connection, session_id: str) -> PortionsView:
    orders = store.orders_of(connection, session_id)
    return PortionsView(
        session_id=session_id,
        portions=[_portion(order) for order in orders],
        drawn_octets=sum(order.covers_octets for order in orders if order.delivered_at and not _is_back(order)),
    )


def _is_back(order: ProviderOrder) -> bool:
    return order.state in (OrderState.REFUNDED, OrderState.REFUSED)


def _portion(order: ProviderOrder) -> PortionView:
    return PortionView(
        reference=order.reference,
        number=order.number,
        octets=order.covers_octets,
        bundle_octets=order.bundle_octets,
        state=order.state,
        words=order.words,
        created_at=order.created_at,
        delivered_at=order.delivered_at,
    )
