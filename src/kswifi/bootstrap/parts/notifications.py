"""Notifications: the key by which push services know us, the follower that sends alerts, and texts at the end."""

from collections.abc import Mapping

from kswifi.bootstrap.context import Context
from kswifi.bootstrap.metrics.notifications import NotificationMetrics
from kswifi.bootstrap.part import Loop, Part
from kswifi.free_data.pseudonyms import Marks
from kswifi.identifier_proofs.service import ProofSenders
from kswifi.notifications.errors import TEXT_AT_END_IMPOSSIBLE
from kswifi.notifications.follower import AlertFollower
from kswifi.notifications.service import NotificationService
from kswifi.notifications.text_at_end import TextsAtEnd
from kswifi.outbox.results import Handler
from kswifi.providers.push.web_push import WebPush, fresh_vapid_key_pem


async def open_notifications(context: Context) -> Part:
    """Open Web Push; in embedded mode the lab phone's push service may be reached as well.

    Raises:
        VAPID_KEY_DAMAGED: the key file is damaged.
        TEXT_AT_END_IMPOSSIBLE: text messages at the end are switched on, and nothing sends text messages.
    """
    settings, installation, database = context.settings, context.installation, context.database
    also = frozenset() if settings.lab_origin is None else frozenset({settings.lab_origin})
    pem = installation.read_or_make(installation.vapid_key, fresh_vapid_key_pem)
    contact = settings.push_contact or settings.origin
    transport = WebPush(pem, contact, context.clock, also)
    context.stack.push_async_callback(transport.close)
    texts = _texts_at_end(context)
    follower = AlertFollower(database, transport, text_at_end=bool(texts))
    context.offer(NotificationService(database, transport))
    return Part(
        jobs={**follower.handlers(), **texts},
        loops=(Loop("alerts", follower.run, follower.stop),),
        metrics=(NotificationMetrics(follower).text,),
    )


def _texts_at_end(context: Context) -> Mapping[str, Handler]:
    """Return the handler of text messages at the end; none if the operator has not switched them on."""
    a_day = context.settings.sms_at_end_a_day
    if not a_day:
        return {}
    sender = context.need(ProofSenders).sms
    if sender is None:
        raise TEXT_AT_END_IMPOSSIBLE(
            "KSWIFI_SMS_AT_END_A_DAY is set and nothing sends text messages: set KSWIFI_SMS_PROVIDER too"
        )
    return TextsAtEnd(context.database, context.need(Marks).digest, sender, a_day).handlers()
