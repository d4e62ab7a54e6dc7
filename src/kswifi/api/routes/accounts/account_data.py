"""Export all stored data of a user, and delete the account."""

from typing import Annotated, Any, Final

from fastapi import APIRouter, Response
from pydantic import Field
from sqlalchemy import Connection

from kswifi.accounts.logins import logins_of
from kswifi.accounts.model import User
from kswifi.accounts.passkeys import passkeys_of
from kswifi.api.edge.dependencies import ClientAddress, ServicesDep, SignedInUser, clear_login_cookie
from kswifi.api.edge.idempotency import Idempotent, forget_requests, requests_of
from kswifi.api.edge.login_client import clear_login_device_cookie
from kswifi.api.edge.problems import problem_responses
from kswifi.api.edge.schemas import Instant, ResponseBody
from kswifi.api.routes.accounts.accounts import AccountView, account_view
from kswifi.api.routes.accounts.notifications import NotificationsView, notifications_view
from kswifi.api.routes.accounts.passkeys import PasskeyView, passkey_view
from kswifi.api.routes.accounts.reauthentication import ReauthenticationBody, reauthenticate
from kswifi.api.routes.accounts.security import LoginRecordView, login_record_view
from kswifi.api.routes.payments.payment_views import PassPeriodView, PaymentView, payment_view, period_view
from kswifi.api.routes.payments.vouchers import VoucherView, voucher_view
from kswifi.api.routes.sessions.disputes import DisputeView, dispute_view
from kswifi.api.routes.sessions.gifts import GiftView, gift_view
from kswifi.api.routes.sessions.session_views import EsimView, SessionView, esim_view, session_view
from kswifi.api.routes.sessions.standing_orders import StandingOrderView, standing_order_view
from kswifi.charging_records.service import RecordFilter, find_records
from kswifi.database.engine import Database
from kswifi.desk.customers import forget_support_data
from kswifi.esim.lines.service import esims_of
from kswifi.esim.model import ESim
from kswifi.free_data.holds import forget_devices
from kswifi.free_data.waiting import leave as leave_waiting_list
from kswifi.kernel.clock import from_unix_seconds
from kswifi.kernel.pages import PageRequest
from kswifi.notifications.service import forget_notifications
from kswifi.outbox.service import events_after
from kswifi.payments.store import all_periods_of, payments_of
from kswifi.people.line_limits import daily_limits_of, forget_limits
from kswifi.people.returns import forget_owner as withdraw_gifts
from kswifi.people.standing_order_store import find_standing_order, forget_standing_order
from kswifi.people.store import gifts_of
from kswifi.phone_verification.service import forget_verifications
from kswifi.sessions.account_deletion import forget_owner
from kswifi.sessions.disputes import disputes_of
from kswifi.sessions.store import overviews_of
from kswifi.vouchers.service import vouchers_of

router = APIRouter(prefix="/api/v1/account", tags=["accounts"])

EXPORT_LIMIT: Final = 10_000
"""The maximum number of rows of each kind; more than any user has."""


class ConnectionView(ResponseBody):
    """A connection of your line, from its charging data record."""

    imsi: str
    opened_at: Instant
    last_at: Instant
    closed_at: Instant | None
    octets: int
    apn: str | None
    network: Annotated[str | None, Field(description="The visited network: MCC and MNC.")]
    address: Annotated[str | None, Field(description="The address that your phone had.")]
    location: Annotated[str | None, Field(description="3GPP-User-Location-Info, hexadecimal.")]
    last_location: str | None


class LimitView(ResponseBody):
    """What you let a line use in a day at most."""

    esim_id: str
    daily_octets: int


class EventView(ResponseBody):
    """An event in your account."""

    sequence: int
    at: Instant
    kind: str
    data: dict[str, Any]


class RequestView(ResponseBody):
    """A change that you requested, stored for two days so that it is executed once."""

    key: str
    begun_at: Instant


class ExportView(ResponseBody):
    """All stored data about you. Hashes of your password and recovery code, and the line's keys, are left out."""

    account: AccountView
    logins: list[LoginRecordView]
    passkeys: list[PasskeyView]
    notifications: NotificationsView
    sessions: list[SessionView]
    disputes: list[DisputeView]
    esims: list[EsimView]
    connections: list[ConnectionView]
    payments: list[PaymentView]
    passes: list[PassPeriodView]
    vouchers: list[VoucherView]
    gifts: list[GiftView]
    standing_order: StandingOrderView | None
    limits: list[LimitView]
    events: list[EventView]
    requests: list[RequestView]


@router.get("/export", summary="All that is stored of you", responses=problem_responses("not_signed_in"))
async def export_account(user: SignedInUser, services: ServicesDep, response: Response) -> ExportView:
    """Return all stored data about you as a file."""
    response.headers["Content-Disposition"] = 'attachment; filename="kswifi.json"'
    return await export_of(
        services.database,
        user.user,
        services.notifications.public_key,
        user.login_id,
        services.environment.public_origin,
    )


async def export_of(
    database: Database, user: User, push_key: str, login_id: str = "", origin: str = ""
) -> ExportView:
    """Return all stored data about a user.

    Args:
        database: the control plane's database.
        user: the account's owner.
        push_key: the public key with which browsers subscribe to notifications.
        login_id: the LoginSession that asks, which is marked as the current one.
        origin: the origin of the app, for the links of gifts.
    """
    user_id = user.user_id

    def export(connection: Connection) -> tuple[ExportView, list[ESim]]:
        whole = PageRequest(EXPORT_LIMIT)
        sessions = overviews_of(connection, user_id, whole).items
        disputes = [it for one in sessions for it in disputes_of(connection, one.session.session_id, whole).items]
        esims = esims_of(connection, user_id, EXPORT_LIMIT)
        payments = payments_of(connection, user_id, EXPORT_LIMIT)
        passes = all_periods_of(connection, user_id, EXPORT_LIMIT)
        vouchers = vouchers_of(connection, user_id, EXPORT_LIMIT)
        events = events_after(connection, user_id, 0, EXPORT_LIMIT)
        requests = requests_of(connection, user_id, EXPORT_LIMIT)
        standing = find_standing_order(connection, user_id)
        limits = daily_limits_of(connection, [it.esim_id for it in esims])
        view = ExportView(
            account=account_view(user),
            logins=[login_record_view(it, login_id) for it in logins_of(connection, user_id)],
            notifications=notifications_view(connection, push_key, user_id),
            passkeys=[passkey_view(one) for one in passkeys_of(connection, user_id, whole).items],
            sessions=[session_view(one) for one in sessions],
            disputes=[dispute_view(one) for one in disputes],
            esims=[esim_view(one) for one in esims],
            connections=[],
            payments=[payment_view(it) for it in payments],
            passes=[period_view(it) for it in passes],
            vouchers=[voucher_view(it) for it in vouchers],
            gifts=[gift_view(it, user_id, origin) for it in gifts_of(connection, user_id, whole).items],
            standing_order=None if standing is None else standing_order_view(standing),
            limits=[LimitView(esim_id=line, daily_octets=octets) for line, octets in limits.items()],
            events=[
                EventView(sequence=it.sequence, at=it.at, kind=it.kind, data=dict(it.payload)) for it in events
            ],
            requests=[RequestView(key=key, begun_at=begun_at) for key, begun_at in requests],
        )
        return view, esims

    view, esims = await database.read(export)
    connections = [one for line in esims for one in await _connections(database, line)]
    return view.model_copy(update={"connections": connections})


@router.delete(
    "",
    status_code=204,
    summary="Delete your account",
    responses=problem_responses(
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
async def delete_account(
    body: ReauthenticationBody, request: Idempotent, services: ServicesDep, address: ClientAddress
) -> Response:
    """Delete your account: unspent sessions are lost, and every device is signed out.

    What the books need is kept without your name. Nobody can sign in to the account again. Your phone number or
    email address may be used for a new account.
    """
    user = request.user.user

    async def work() -> None:
        found = await reauthenticate(body, request.user, services, address)
        await services.accounts.erase(user, lambda connection: forget_account(connection, user.user_id), found)

    response = await request.answer(work, status=204)
    clear_login_cookie(response, services)
    clear_login_device_cookie(response, services)
    return response


def forget_account(connection: Connection, user_id: str) -> None:
    """Delete what the capabilities hold about an account that is being deleted, except what the books need."""
    withdraw_gifts(connection, user_id)
    forget_standing_order(connection, user_id)
    forget_limits(connection, user_id)
    forget_owner(connection, user_id)
    forget_notifications(connection, user_id)
    forget_verifications(connection, user_id)
    leave_waiting_list(connection, user_id)
    forget_requests(connection, user_id)
    forget_support_data(connection, user_id)
    forget_devices(connection, user_id)


async def _connections(database: Database, line: ESim) -> list[ConnectionView]:
    if line.imsi is None:  # a data provider's network counts; its records have no places
        return []
    records = find_records(database, RecordFilter(imsi=str(line.imsi)), EXPORT_LIMIT)
    return [
        ConnectionView(
            imsi=it.imsi,
            opened_at=from_unix_seconds(it.opened_at),
            last_at=from_unix_seconds(it.last_at),
            closed_at=None if it.closed_at is None else from_unix_seconds(it.closed_at),
            octets=it.octets,
            apn=it.apn,
            network=it.sgsn_mcc_mnc,
            address=it.pdp_address,
            location=it.user_location,
            last_location=it.last_user_location,
        )
        async for it in records
    ]
