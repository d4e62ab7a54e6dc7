"""Everything that is stored of a user, to take away; and its end."""

from typing import Annotated, Any, Final, Self

from fastapi import APIRouter, Response
from pydantic import ConfigDict, Field, model_validator
from sqlalchemy import Connection

from kswifi.api.edge.dependencies import ClientAddress, ServicesDep, SignedInUser, clear_login_cookie
from kswifi.api.edge.idempotency import Idempotent, forget_requests, requests_of
from kswifi.api.edge.problems import problem_responses
from kswifi.api.edge.schemas import Instant, RequestBody, ResponseBody
from kswifi.api.routes.accounts.accounts import AccountView, PasswordText, account_view
from kswifi.api.routes.accounts.notifications import NotificationsView, notifications_view
from kswifi.api.routes.accounts.passkeys import PasskeyView, UsedPasskeyBody, passkey_view
from kswifi.api.routes.payments.payment_views import PassPeriodView, PaymentView, payment_view, period_view
from kswifi.api.routes.payments.vouchers import VoucherView, voucher_view
from kswifi.api.routes.sessions.disputes import DisputeView, dispute_view
from kswifi.api.routes.sessions.session_views import EsimView, SessionView, esim_view, session_view
from kswifi.charging_records.service import RecordFilter, find_records
from kswifi.esim.lines.service import esims_of
from kswifi.esim.model import ESim
from kswifi.free_data.waiting import leave as leave_waiting_list
from kswifi.kernel.clock import from_unix_seconds
from kswifi.notifications.service import forget_notifications
from kswifi.outbox.service import events_after
from kswifi.payments.store import all_periods_of, payments_of
from kswifi.phone_verification.service import forget_verifications
from kswifi.sessions.account_deletion import forget_owner
from kswifi.sessions.disputes import disputes_of
from kswifi.sessions.store import overviews_of
from kswifi.vouchers.service import vouchers_of

router = APIRouter(prefix="/api/v1/account", tags=["accounts"])

EXPORT_LIMIT: Final = 10_000
"""Of each kind; nobody has as many."""


class DeletionBody(RequestBody):
    """That it is really you: your password, or a passkey of yours that signed a sign-in challenge."""

    model_config = ConfigDict(
        json_schema_extra={
            "oneOf": [
                {
                    "required": [one],
                    "properties": {one: {"not": {"type": "null"}}, other: {"type": "null"}},
                }
                for one, other in (("password", "passkey"), ("passkey", "password"))
            ]
        }
    )

    password: PasswordText | None = None
    passkey: UsedPasskeyBody | None = None

    @model_validator(mode="after")
    def _one_of_them(self) -> Self:
        if (self.password is None) == (self.passkey is None):
            raise ValueError("send either the password or a passkey")
        return self


class LoginRecordView(ResponseBody):
    """A LoginSession of yours that has not ended."""

    created_at: Instant
    seen_at: Instant
    expires_at: Instant


class ConnectionView(ResponseBody):
    """A connection of your line, as the network told it (a charging data record)."""

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


class EventView(ResponseBody):
    """Something that happened to your things."""

    sequence: int
    at: Instant
    kind: str
    data: dict[str, Any]


class RequestView(ResponseBody):
    """A change you asked for, kept for two days so that it is done once."""

    key: str
    begun_at: Instant


class ExportView(ResponseBody):
    """All that is stored of you. Hashes of your password and recovery code, and the line's keys, are left out."""

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
    events: list[EventView]
    requests: list[RequestView]


@router.get("/export", summary="All that is stored of you", responses=problem_responses("not_signed_in"))
async def export_account(user: SignedInUser, services: ServicesDep, response: Response) -> ExportView:
    """Give everything that is stored of you, as a file."""
    response.headers["Content-Disposition"] = 'attachment; filename="kswifi.json"'
    user_id = user.user.user_id
    logins, passkeys = await services.accounts.logins(user_id), await services.passkeys.passkeys(user_id)

    def export(connection: Connection) -> tuple[ExportView, list[ESim]]:
        sessions = overviews_of(connection, user_id, limit=EXPORT_LIMIT)
        disputes = [it for one in sessions for it in disputes_of(connection, one.session.session_id)]
        esims = esims_of(connection, user_id, EXPORT_LIMIT)
        payments = payments_of(connection, user_id, EXPORT_LIMIT)
        passes = all_periods_of(connection, user_id, EXPORT_LIMIT)
        vouchers = vouchers_of(connection, user_id, EXPORT_LIMIT)
        events = events_after(connection, user_id, 0, EXPORT_LIMIT)
        requests = requests_of(connection, user_id, EXPORT_LIMIT)
        view = ExportView(
            account=account_view(user.user),
            logins=[
                LoginRecordView(created_at=it.created_at, seen_at=it.seen_at, expires_at=it.expires_at)
                for it in logins
            ],
            notifications=notifications_view(connection, services, user_id),
            passkeys=[passkey_view(one) for one in passkeys],
            sessions=[session_view(one) for one in sessions],
            disputes=[dispute_view(one) for one in disputes],
            esims=[esim_view(one) for one in esims],
            connections=[],
            payments=[payment_view(it) for it in payments],
            passes=[period_view(it) for it in passes],
            vouchers=[voucher_view(it) for it in vouchers],
            events=[
                EventView(sequence=it.sequence, at=it.at, kind=it.kind, data=dict(it.payload)) for it in events
            ],
            requests=[RequestView(key=key, begun_at=begun_at) for key, begun_at in requests],
        )
        return view, esims

    view, esims = await services.database.read(export)
    connections = [one for line in esims for one in await _connections(services, line)]
    return view.model_copy(update={"connections": connections})


@router.delete(
    "",
    status_code=204,
    summary="Delete your account",
    responses=problem_responses(
        "wrong_credentials", "too_many_attempts", "not_signed_in", "csrf_token_wrong", "idempotency_key_missing"
    ),
)
async def delete_account(
    body: DeletionBody, request: Idempotent, services: ServicesDep, address: ClientAddress
) -> Response:
    """Delete your account, with all that is yours: what is unspent is lost, and every device is signed out.

    What the books need stays without your name. Nobody can sign in to it again, you neither; your phone number or
    email address may make a new account.
    """
    user = request.user.user

    def also(connection: Connection) -> None:
        forget_owner(connection, user.user_id)
        forget_notifications(connection, user.user_id)
        forget_verifications(connection, user.user_id)
        leave_waiting_list(connection, user.user_id)
        forget_requests(connection, user.user_id)

    async def work() -> None:
        if body.passkey is not None:
            shown = body.passkey
            await services.passkeys.require_owner(user, shown.challenge_id, shown.credential.model_dump())
            await services.accounts.erase(user, also)
        elif body.password is not None:
            await services.accounts.delete(user, body.password, address, also)

    response = await request.answer(work, status=204)
    clear_login_cookie(response, services)
    return response


async def _connections(services: ServicesDep, line: ESim) -> list[ConnectionView]:
    records = find_records(services.database, RecordFilter(imsi=str(line.imsi)), EXPORT_LIMIT)
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
