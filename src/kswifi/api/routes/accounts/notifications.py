"""Choose your notifications, and the devices that receive them by Web Push."""

from base64 import urlsafe_b64decode
from typing import Annotated
from urllib.parse import urlsplit

from fastapi import APIRouter, Response
from pydantic import Field
from sqlalchemy import Connection

from kswifi.api.edge.dependencies import ServicesDep, SignedInUser
from kswifi.api.edge.idempotency import Idempotent
from kswifi.api.edge.pages import PageQuery, PageView
from kswifi.api.edge.problems import problem_responses
from kswifi.api.edge.schemas import Instant, RequestBody, ResponseBody
from kswifi.kernel.pages import FIRST_PAGE, PageRequest, page_of
from kswifi.notifications.model import Wishes
from kswifi.notifications.service import put_wishes, remove_subscription, standing_of

router = APIRouter(prefix="/api/v1", tags=["notifications"])


class SubscriptionKeys(RequestBody):
    """The keys with which messages to this device are encrypted (RFC 8291), in base64url."""

    p256dh: Annotated[str, Field(pattern=r"^[A-Za-z0-9_-]{87}=?$")]
    auth: Annotated[str, Field(pattern=r"^[A-Za-z0-9_-]{22}(==)?$")]


class SubscriptionBody(RequestBody):
    """`PushSubscription.toJSON()` of a browser."""

    endpoint: Annotated[str, Field(max_length=1000, examples=["https://push.example/wpush/v2/g"])]
    keys: SubscriptionKeys
    expirationTime: float | None = None  # noqa: N815 - the Push API's own name


class SubscriptionView(ResponseBody):
    """A device of yours that receives notifications; of its address, only the push service is shown."""

    subscription_id: str
    service: Annotated[str, Field(examples=["push.example"])]
    refused_since: Annotated[
        Instant | None,
        Field(
            description="Since when its push service refuses messages of this server. A device that subscribes "
            "anew may be reached again. null: nothing is wrong."
        ),
    ] = None


class WishesBody(RequestBody):
    """The notifications that you want."""

    usage: Annotated[bool, Field(description="At 50, 80 and 95 %, and when a session is used up.")]
    expiry: Annotated[bool, Field(description="A day before a session ends.")]


class NotificationsView(PageView):
    """The notifications that you want, and your devices."""

    application_server_key: Annotated[str, Field(description="What browsers subscribe with (RFC 8292), base64url.")]
    usage: bool
    expiry: bool
    subscriptions: list[SubscriptionView]


@router.get(
    "/notifications", summary="Read your notification settings", responses=problem_responses("not_signed_in")
)
async def read_notifications(user: SignedInUser, services: ServicesDep, page: PageQuery) -> NotificationsView:
    """Return the notifications that you want, your devices, and the key for a subscription."""
    user_id = user.user.user_id
    return await services.database.read(
        lambda connection: notifications_view(connection, services.notifications.public_key, user_id, page)
    )


@router.put(
    "/notifications",
    response_model=NotificationsView,
    summary="Choose your notifications",
    responses=problem_responses("not_signed_in", "csrf_token_wrong"),
)
async def choose_notifications(body: WishesBody, request: Idempotent, services: ServicesDep) -> Response:
    """Choose the notifications that you want."""
    user_id = request.user.user.user_id

    def choose(connection: Connection) -> NotificationsView:
        put_wishes(connection, user_id, Wishes(body.usage, body.expiry))
        return notifications_view(connection, services.notifications.public_key, user_id)

    return await request.answer_step(choose)


@router.post(
    "/push-subscriptions",
    status_code=201,
    response_model=SubscriptionView,
    summary="Receive notifications on this device",
    responses=problem_responses("push_endpoint_refused", "push_key_invalid", "not_signed_in", "csrf_token_wrong"),
)
async def subscribe(body: SubscriptionBody, request: Idempotent, services: ServicesDep) -> Response:
    """Store this device's subscription. Idempotent."""

    async def work() -> SubscriptionView:
        keys = (_octets(body.keys.p256dh), _octets(body.keys.auth))
        made = await services.notifications.subscribe(request.user.user.user_id, body.endpoint, *keys)
        return SubscriptionView(subscription_id=made, service=urlsplit(body.endpoint).netloc)

    return await request.answer(work, status=201, location="/api/v1/push-subscriptions/{subscription_id}")


@router.delete(
    "/push-subscriptions/{subscription_id}",
    status_code=204,
    summary="Stop notifications on a device",
    responses=problem_responses("unknown_push_subscription", "not_signed_in", "csrf_token_wrong"),
)
async def unsubscribe(subscription_id: str, request: Idempotent) -> Response:
    """Delete the subscription of a device of yours."""
    user_id = request.user.user.user_id
    return await request.answer_step(
        lambda connection: remove_subscription(connection, user_id, subscription_id), status=204
    )


def notifications_view(
    connection: Connection, public_key: str, user_id: str, page: PageRequest = FIRST_PAGE
) -> NotificationsView:
    """Return the view of a user's notifications, and a page of their devices."""
    wishes, devices = standing_of(connection, user_id)
    shown = page_of(devices, lambda it: (it.subscription_id,), page)
    return NotificationsView(
        application_server_key=public_key,
        usage=wishes.usage,
        expiry=wishes.expiry,
        subscriptions=[
            SubscriptionView(
                subscription_id=one.subscription_id,
                service=urlsplit(one.endpoint).netloc,
                refused_since=one.refused_at,
            )
            for one in shown.items
        ],
        next=shown.cursor,
    )


def _octets(text: str) -> bytes:
    return urlsafe_b64decode(text.rstrip("=") + "=" * (-len(text.rstrip("=")) % 4))
