"""Notifications joined: the key by which push services know us, and who is told over which of them."""

from contextlib import AsyncExitStack
from dataclasses import dataclass

from kswifi.data_directory.layout import Installation
from kswifi.database.engine import Database
from kswifi.kernel.clock import Clock
from kswifi.notifications.follower import AlertFollower
from kswifi.notifications.service import NotificationService
from kswifi.providers.push.web_push import WebPush, fresh_vapid_key_pem
from kswifi.settings import Settings


@dataclass(frozen=True, slots=True)
class Notifications:
    """What tells people, for whom the bootstrap hands it to."""

    transport: WebPush
    service: NotificationService
    follower: AlertFollower


def open_notifications(
    settings: Settings, installation: Installation, database: Database, clock: Clock, stack: AsyncExitStack
) -> Notifications:
    """Return the parts of notifications; in embedded mode the lab phone's push service is spoken to as well.

    ``stack`` closes the connections to push services.
    """
    also = frozenset() if settings.lab_origin is None else frozenset({settings.lab_origin})
    pem = installation.read_or_make(installation.vapid_key, fresh_vapid_key_pem)
    contact = settings.push_contact or settings.origin
    transport = WebPush(pem, contact, clock, also)
    stack.push_async_callback(transport.close)
    return Notifications(transport, NotificationService(database, transport), AlertFollower(database, transport))
