"""Follows the domain events, and writes an outbox entry for each alert and device.

The position in the events, the mark that an alert was decided and its outbox entries are written in one
transaction, so each alert is sent once, also after a crash.
"""

import asyncio
from collections import Counter
from collections.abc import Mapping
from datetime import timedelta
from enum import StrEnum
from functools import partial
from typing import Any, Final
from urllib.parse import urlsplit

import msgspec
import structlog
from sqlalchemy import Connection, select

from kswifi.accounts.identifiers import SECURITY_EVENT
from kswifi.database.dialect import insert
from kswifi.database.engine import Database, transaction_instant
from kswifi.database.errors import DatabaseBusyError
from kswifi.kernel.clock import unix_seconds
from kswifi.notifications.model import Alert, AlertKind, Subscription, end_alert_at, shares_passed
from kswifi.notifications.ports import GONE, NOT_IDENTIFIED, PushTransport
from kswifi.notifications.service import (
    find_subscription,
    forget_subscription,
    note_acceptance,
    note_refusal,
    subscriptions_of,
    wishes_of,
)
from kswifi.notifications.sql import notified_sequence, told_alert
from kswifi.notifications.text_at_end import TEXT_AT_END
from kswifi.outbox.model import DomainEvent, Entry
from kswifi.outbox.results import Done, Handler, JobResult, Refused, Unknown
from kswifi.outbox.service import EVENTS_TOPIC, enqueue, event_bounds, events_of_all
from kswifi.people.model import TransferKind, TransferState
from kswifi.people.move_model import MoveState
from kswifi.people.moves import MOVE_CHANGED
from kswifi.people.standing_order_store import STANDING_ORDER_CHANGED
from kswifi.people.store import GIFT_CHANGED
from kswifi.sessions.errors import UnknownSessionError
from kswifi.sessions.model import InternetSession, SessionState
from kswifi.sessions.store import BALANCE_CHANGED, LIMIT_REACHED, STATE_CHANGED, find_session

PUSH: Final = "push_message"
END_ALERT: Final = "tell_of_the_end"
EVENTS_AT_ONCE: Final = 200
POLL_SECONDS: Final = 5.0
STALE: Final = timedelta(hours=12)
"""Older alerts are not sent any more."""

PEOPLE_ALERTS: Final = {
    (TransferKind.GIFT, "receiver", TransferState.RECEIVED): "gift_received",
    (TransferKind.GIFT, "giver", TransferState.CLAIMED): "gift_claimed",
    (TransferKind.GIFT, "giver", TransferState.RETURNED): "gift_returned",
}
"""The alert of a transfer: by its kind, the user's role, and its state."""
MOVE_ASKED: Final = "move_asked"
SESSION_DUE: Final = "session_due"
"""The alert of a standing order: the next session can be ordered on WiFi."""
LIMIT_ALERT: Final = "limit_reached"
"""The alert of a line that the limit of its day has stopped."""

_NAME: Final = "alerts"
_ON_THE_CARD: Final = (SessionState.STORED, SessionState.ACTIVE, SessionState.PAUSED)

_log = structlog.get_logger(__name__)


class PushOutcome(StrEnum):
    """What became of a message to a push service."""

    SENT = "sent"
    GONE = "gone"
    NOT_IDENTIFIED = "not_identified"
    REFUSED = "refused"
    UNKNOWN = "unknown"


def outcome_of(result: JobResult) -> PushOutcome:
    """Return the outcome that a result of the transport stands for."""
    match result:
        case Done():
            return PushOutcome.SENT
        case Refused(reason):
            return {GONE: PushOutcome.GONE, NOT_IDENTIFIED: PushOutcome.NOT_IDENTIFIED}.get(
                reason, PushOutcome.REFUSED
            )
        case Unknown():
            return PushOutcome.UNKNOWN


class AlertFollower:
    """Reads domain events and decides which alerts they cause; its handlers send the alerts."""

    def __init__(self, database: Database, transport: PushTransport, *, text_at_end: bool = False) -> None:
        """Args: ``text_at_end``: whether a text message also informs the owner of a used-up InternetSession."""
        self._database = database
        self._text_at_end = text_at_end
        self._transport = transport
        self._wake = asyncio.Event()
        self._stopping = False
        self.outcomes: Counter[PushOutcome] = Counter()
        """How many messages had which outcome."""

    async def run(self) -> None:
        """Follow the events until ``stop``."""
        unsubscribe = self._database.subscribe(EVENTS_TOPIC, self._wake.set)
        try:
            while not self._stopping:
                self._wake.clear()
                try:
                    await self.catch_up()
                except DatabaseBusyError:
                    _log.warning("alerts_wait_for_database")
                try:
                    async with asyncio.timeout(POLL_SECONDS):
                        await self._wake.wait()
                except TimeoutError:
                    continue
        finally:
            unsubscribe()

    def stop(self) -> None:
        """End ``run`` after its present batch."""
        self._stopping = True
        self._wake.set()

    async def catch_up(self) -> None:
        """Process all new events. Events before the first start cause no alerts."""
        while not self._stopping:
            if not await self._database.write(lambda connection: _decide_on_some(connection, self._text_at_end)):
                return

    def handlers(self) -> Mapping[str, Handler]:
        """Return the handler for each kind of entry."""
        return {PUSH: self.send, END_ALERT: self.alert_of_the_end}

    async def send(self, entry: Entry) -> JobResult:
        """Send one alert to one device; delete a subscription that no longer exists at the push service."""
        payload = entry.payload
        if unix_seconds(self._database.clock.now()) - payload["at"] > STALE.total_seconds():
            return Refused("it is no news any more")
        subscription = await self._database.read(
            lambda connection: find_subscription(connection, payload["subscription_id"])
        )
        if subscription is None:
            return Done()
        result = await self._transport.send(subscription, payload["message"].encode(), payload["topic"])
        await self._note(subscription, result)
        return result

    async def _note(self, subscription: Subscription, result: JobResult) -> None:
        """Count a result, and store what it says about the subscription."""
        outcome = outcome_of(result)
        self.outcomes[outcome] += 1
        step = None
        if outcome is PushOutcome.GONE:
            step = forget_subscription
        elif outcome is PushOutcome.NOT_IDENTIFIED:
            # Many devices share a push service: one event, whose lines the log limits.
            _log.error("push_service_refuses_this_server", service=urlsplit(subscription.endpoint).hostname)
            step = note_refusal
        elif outcome is PushOutcome.SENT and subscription.refused_at is not None:
            step = note_acceptance
        if step is not None:
            await self._database.write(partial(step, subscription_id=subscription.subscription_id))

    async def alert_of_the_end(self, entry: Entry) -> JobResult:
        """Alert the owner that an InternetSession ends within a day, if some of it is left."""

        def tell(connection: Connection) -> None:
            try:
                session = find_session(connection, entry.payload["session_id"])
            except UnknownSessionError:
                return
            if session.state in _ON_THE_CARD:
                _tell(connection, session, [Alert(AlertKind.ENDS)])

        await self._database.write(tell)
        return Done()


def _decide_on_some(connection: Connection, text_at_end: bool) -> bool:
    """Process the next events; return whether there were any."""
    sequence = _sequence(connection)
    if sequence is None:
        _put_sequence(connection, event_bounds(connection)[1])
        return False
    events = events_of_all(connection, sequence, EVENTS_AT_ONCE)
    for event in events:
        _decide(connection, event, text_at_end)
    if events:
        _put_sequence(connection, events[-1].sequence)
    return bool(events)


def _decide(connection: Connection, event: DomainEvent, text_at_end: bool) -> None:
    if event.kind == SECURITY_EVENT:
        _alert_of_security(connection, event)
    payload: Mapping[str, Any] = event.payload
    if event.kind in (LIMIT_REACHED, GIFT_CHANGED, MOVE_CHANGED, STANDING_ORDER_CHANGED):
        _alert_of_people(connection, event)
        return
    if event.kind not in (BALANCE_CHANGED, STATE_CHANGED):
        return
    try:
        session = find_session(connection, payload["session_id"])
    except UnknownSessionError:
        return
    if event.kind == BALANCE_CHANGED:
        if session.state in _ON_THE_CARD:
            _tell(connection, session, list(shares_passed(payload["used"], session.allowance_octets)))
    elif payload["state"] == SessionState.EXHAUSTED:
        if _tell(connection, session, [Alert(AlertKind.FINISHED)]) and text_at_end:
            enqueue(
                connection,
                kind=TEXT_AT_END,
                key=f"{TEXT_AT_END}:{session.session_id}",
                payload={"session_id": session.session_id, "at": unix_seconds(transaction_instant(connection))},
            )
    elif payload["state"] == SessionState.STORED:
        enqueue(
            connection,
            kind=END_ALERT,
            key=f"{END_ALERT}:{session.session_id}",
            payload={"session_id": session.session_id},
            run_at=end_alert_at(session.valid_until),
        )


def _tell(connection: Connection, session: InternetSession, alerts: list[Alert]) -> bool:
    """Send the last of these alerts that was not sent yet; mark all of them as sent.

    Returns:
        Whether there was such an alert and the owner wants it, also without any device that takes push messages.
    """
    now = transaction_instant(connection)
    fresh: Alert | None = None
    for alert in alerts:
        noted = connection.execute(
            insert(told_alert)
            .values(session_id=session.session_id, name=alert.name, at=now)
            .on_conflict_do_nothing()
        )
        if noted.rowcount == 1:
            fresh = alert
    if fresh is None or not wishes_of(connection, session.user_id).wants(fresh):
        return False
    message = _message(session, fresh)
    for subscription in subscriptions_of(connection, session.user_id):
        enqueue(
            connection,
            kind=PUSH,
            key=f"push:{session.session_id}:{fresh.name}:{subscription.subscription_id}",
            payload={
                "subscription_id": subscription.subscription_id,
                "message": message,
                "topic": session.session_id.replace("-", ""),  # RFC 8030, 5.4: at most 32 characters
                "at": unix_seconds(now),
            },
        )
    return True


def _alert_of_security(connection: Connection, event: DomainEvent) -> None:
    """Send a change of the account's security to all its devices, whatever alerts its owner wants."""
    message = msgspec.json.encode({"what": "security", "change": event.payload["what"]}).decode()
    for subscription in subscriptions_of(connection, event.user_id):
        enqueue(
            connection,
            kind=PUSH,
            key=f"push:security:{event.sequence}:{subscription.subscription_id}",
            payload={
                "subscription_id": subscription.subscription_id,
                "message": message,
                "topic": f"security-{event.sequence}"[:32],
                "at": unix_seconds(event.at),
            },
        )


def _alert_of_people(connection: Connection, event: DomainEvent) -> None:
    """Send an alert of a gift, a due session, a reached limit or a move that was asked for, to its owner's devices.

    The alert of a move is always sent: an owner who did not ask for it has a day to cancel it.
    """
    payload: Mapping[str, Any] = event.payload
    if event.kind == MOVE_CHANGED:
        what = MOVE_ASKED if payload["state"] == MoveState.WAITING and payload["confirmed_by"] is None else None
        name, valid_until = payload["move_id"], payload["due_at"]
    elif event.kind == LIMIT_REACHED:
        if not wishes_of(connection, event.user_id).usage:
            return
        # One message a day: the instant at which the line comes back names the day.
        what, valid_until = LIMIT_ALERT, None
        name = f"{payload['esim_id']}:{payload['back_at']}"
    elif event.kind == STANDING_ORDER_CHANGED:
        if not payload["due"] or not wishes_of(connection, event.user_id).usage:
            return
        what, valid_until = SESSION_DUE, None
        name = f"{payload['standing_order_id']}:{payload['due_number']}"
    else:
        what = PEOPLE_ALERTS.get((payload["kind"], payload["role"], payload["state"]))
        name, valid_until = payload["transfer_id"], payload["valid_until"]
        if not wishes_of(connection, event.user_id).usage:
            return
    if what is None:
        return
    # A message about a session opens it; a due session does not exist yet.
    session_id = None if what == SESSION_DUE else payload.get("session_id")
    message = msgspec.json.encode(
        {
            "what": what,
            "percent": None,
            "session_id": session_id,
            "allowance_octets": payload.get("octets"),
            "valid_until": valid_until,
        }
    ).decode()
    for subscription in subscriptions_of(connection, event.user_id):
        enqueue(
            connection,
            kind=PUSH,
            key=f"push:{name}:{what}:{subscription.subscription_id}",
            payload={
                "subscription_id": subscription.subscription_id,
                "message": message,
                "topic": name.replace("-", "")[:32],  # RFC 8030, 5.4: at most 32 characters
                "at": unix_seconds(transaction_instant(connection)),
            },
        )


def _message(session: InternetSession, alert: Alert) -> str:
    """Return the data from which the service worker makes the text, in the user's language."""
    return msgspec.json.encode(
        {
            "what": alert.kind,
            "percent": alert.percent,
            "session_id": session.session_id,
            "allowance_octets": session.allowance_octets,
            "valid_until": unix_seconds(session.valid_until),
        }
    ).decode()


def _sequence(connection: Connection) -> int | None:
    query = select(notified_sequence.c.sequence).where(notified_sequence.c.name == _NAME)
    found: int | None = connection.execute(query).scalar_one_or_none()
    return found


def _put_sequence(connection: Connection, sequence: int) -> None:
    connection.execute(
        insert(notified_sequence)
        .values(name=_NAME, sequence=sequence)
        .on_conflict_do_update(index_elements=["name"], set_={"sequence": sequence})
    )
