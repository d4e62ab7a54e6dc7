"""Notifications: the key by which push services know us, and the follower that sends alerts."""

from kswifi.bootstrap.context import Context
from kswifi.bootstrap.metrics.notifications import NotificationMetrics
from kswifi.bootstrap.part import Loop, Part
from kswifi.notifications.follower import AlertFollower
from kswifi.notifications.service import NotificationService
from kswifi.providers.push.web_push import WebPush, fresh_vapid_key_pem


async def open_notifications(context: Context) -> Part:
    """Open Web Push; in embedded mode the lab phone's push service may be reached as well.

    Raises:
        VAPID_KEY_DAMAGED: the key file is damaged.
    """
    settings, installation, database = context.settings, context.installation, context.database
    also = frozenset() if settings.lab_origin is None else frozenset({settings.lab_origin})
    pem = installation.read_or_make(installation.vapid_key, fresh_vapid_key_pem)
    contact = settings.push_contact or settings.origin
    transport = WebPush(pem, contact, context.clock, also)
    context.stack.push_async_callback(transport.close)
    follower = AlertFollower(database, transport)
    context.offer(NotificationService(database, transport))
    return Part(
        jobs=follower.handlers(),
        loops=(Loop("alerts", follower.run, follower.stop),),
        metrics=(NotificationMetrics(follower).text,),
    )
