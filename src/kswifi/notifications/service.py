"""Push subscriptions of devices, and the kinds of alerts that their owners want."""

from cryptography.hazmat.primitives.asymmetric import ec
from sqlalchemy import Connection, delete, select, update

from kswifi.database.dialect import insert
from kswifi.database.engine import Database, transaction_instant
from kswifi.kernel.ids import uuid7
from kswifi.notifications.errors import PUSH_KEY_INVALID, UNKNOWN_PUSH_SUBSCRIPTION
from kswifi.notifications.model import KEY_OCTETS, SECRET_OCTETS, Subscription, Wishes
from kswifi.notifications.ports import PushTransport
from kswifi.notifications.sql import notification_wish, push_subscription

SUBSCRIPTIONS_LIMIT = 10
"""The maximum of devices of one account; a further one replaces the oldest."""

_t = push_subscription.c
_COLUMNS = (_t.subscription_id, _t.endpoint, _t.key, _t.secret, _t.refused_at)


class NotificationService:
    """Subscriptions and wishes in the database of the control plane."""

    def __init__(self, database: Database, transport: PushTransport) -> None:
        self._database = database
        self._transport = transport

    @property
    def public_key(self) -> str:
        """The public key with which browsers subscribe, base64url."""
        return self._transport.public_key

    async def subscribe(self, user_id: str, endpoint: str, key: bytes, secret: bytes) -> str:
        """Store a device's subscription; return its id. The same endpoint again updates its keys and its owner.

        Raises:
            PushEndpointRefusedError, PUSH_KEY_INVALID: nothing could, or may, be sent to it.
        """
        self._transport.check_endpoint(endpoint)
        _check_keys(key, secret)

        def change(connection: Connection) -> str:
            now = transaction_instant(connection)
            values = {"user_id": user_id, "key": key, "secret": secret, "created_at": now, "refused_at": None}
            kept = connection.execute(
                insert(push_subscription)
                .values(subscription_id=str(uuid7(now)), endpoint=endpoint, **values)
                .on_conflict_do_update(index_elements=["endpoint"], set_=values)
                .returning(_t.subscription_id)
            )
            newest = (
                select(_t.subscription_id)
                .where(_t.user_id == user_id)
                .order_by(_t.created_at.desc())
                .limit(SUBSCRIPTIONS_LIMIT)
            )
            subscription_id = str(kept.scalar_one())
            connection.execute(
                delete(push_subscription).where(_t.user_id == user_id, _t.subscription_id.not_in(newest))
            )
            return subscription_id

        return await self._database.write(change)


def remove_subscription(connection: Connection, user_id: str, subscription_id: str) -> None:
    """Delete a subscription of a user.

    Raises:
        UNKNOWN_PUSH_SUBSCRIPTION: the user has no such subscription.
    """
    mine = _t.user_id == user_id, _t.subscription_id == subscription_id
    if connection.execute(delete(push_subscription).where(*mine)).rowcount != 1:
        raise UNKNOWN_PUSH_SUBSCRIPTION("you have no such subscription")


def put_wishes(connection: Connection, user_id: str, wishes: Wishes) -> None:
    """Store which kinds of alerts a user wants."""
    values = {"usage": wishes.usage, "expiry": wishes.expiry}
    connection.execute(
        insert(notification_wish)
        .values(user_id=user_id, **values)
        .on_conflict_do_update(index_elements=["user_id"], set_=values)
    )


def standing_of(connection: Connection, user_id: str) -> tuple[Wishes, list[Subscription]]:
    """Return the kinds of alerts that a user wants, and the user's subscriptions."""
    return wishes_of(connection, user_id), subscriptions_of(connection, user_id)


def wishes_of(connection: Connection, user_id: str) -> Wishes:
    """Return the kinds of alerts that a user wants; all kinds by default."""
    t = notification_wish.c
    row = connection.execute(select(t.usage, t.expiry).where(t.user_id == user_id)).one_or_none()
    return Wishes() if row is None else Wishes(row.usage, row.expiry)


def subscriptions_of(connection: Connection, user_id: str) -> list[Subscription]:
    """Return a user's subscriptions, in the order of their ids."""
    query = select(*_COLUMNS).where(_t.user_id == user_id).order_by(_t.subscription_id)
    return [Subscription(*row) for row in connection.execute(query)]


def find_subscription(connection: Connection, subscription_id: str) -> Subscription | None:
    """Return a subscription; None if it was deleted."""
    query = select(*_COLUMNS).where(_t.subscription_id == subscription_id)
    row = connection.execute(query).one_or_none()
    return None if row is None else Subscription(*row)


def note_refusal(connection: Connection, subscription_id: str) -> None:
    """Store that the push service refuses this server's identification; the instant of the first refusal stays."""
    connection.execute(
        update(push_subscription)
        .where(_t.subscription_id == subscription_id, _t.refused_at.is_(None))
        .values(refused_at=transaction_instant(connection))
    )


def note_acceptance(connection: Connection, subscription_id: str) -> None:
    """Store that the push service takes messages again."""
    connection.execute(
        update(push_subscription).where(_t.subscription_id == subscription_id).values(refused_at=None)
    )


def forget_subscription(connection: Connection, subscription_id: str) -> None:
    """Delete a subscription that no longer exists at the push service."""
    connection.execute(delete(push_subscription).where(_t.subscription_id == subscription_id))


def forget_notifications(connection: Connection, user_id: str) -> None:
    """Delete a user's subscriptions and wishes."""
    for table in (push_subscription, notification_wish):
        connection.execute(delete(table).where(table.c.user_id == user_id))


def _check_keys(key: bytes, secret: bytes) -> None:
    try:
        ec.EllipticCurvePublicKey.from_encoded_point(ec.SECP256R1(), key)
    except ValueError as error:
        raise PUSH_KEY_INVALID("the subscription's key is no point of P-256") from error
    if len(key) != KEY_OCTETS or len(secret) != SECRET_OCTETS:
        raise PUSH_KEY_INVALID("a subscription has a key of 65 octets and a secret of 16")
