"""Follows the domain events, and leaves an outbox entry for each alert and device.

What is read, what is noted as told and what is to be sent stand in one transaction: each alert is told once,
whenever the process dies.
"""

import asyncio
from collections.abc import Mapping
from datetime import timedelta
from typing import Any, Final

import msgspec
import structlog
from sqlalchemy import select
from sqlalchemy.dialects.sqlite import insert
from sqlalchemy.ext.asyncio import AsyncConnection

from kswifi.database.engine import Database, transaction_instant
from kswifi.database.errors import DatabaseBusyError
from kswifi.kernel.clock import unix_seconds
from kswifi.notifications.model import Alert, AlertKind, shares_passed, tell_of_the_end_at
from kswifi.notifications.ports import PushTransport
from kswifi.notifications.service import find_subscription, forget_subscription, subscriptions_of, wishes_of
from kswifi.notifications.sql import notified_sequence, told_alert
from kswifi.outbox.model import DomainEvent, Entry
from kswifi.outbox.results import Done, Handler, JobResult, Refused
from kswifi.outbox.service import EVENTS_TOPIC, enqueue, event_bounds, events_of_all
from kswifi.sessions.errors import UnknownSessionError
from kswifi.sessions.model import InternetSession, SessionState
from kswifi.sessions.store import BALANCE_CHANGED, STATE_CHANGED, find_session

PUSH: Final = "push_message"
TELL_OF_THE_END: Final = "tell_of_the_end"
EVENTS_AT_ONCE: Final = 200
POLL_SECONDS: Final = 5.0
STALE: Final = timedelta(hours=12)
"""News this old is no news: it is not sent any more."""

GONE: Final = "gone"
_NAME: Final = "alerts"
_ON_THE_CARD: Final = (SessionState.STORED, SessionState.ACTIVE, SessionState.PAUSED)

_log = structlog.get_logger(__name__)


class AlertFollower:
    """Reads domain events and decides on alerts; its handlers send them."""

    def __init__(self, database: Database, transport: PushTransport) -> None:
        self._database = database
        self._transport = transport
        self._wake = asyncio.Event()
        self._stopping = False

    async def run(self) -> None:
        """Follow until ``stop``."""
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
        """Let ``run`` return after what it is at."""
        self._stopping = True
        self._wake.set()

    async def catch_up(self) -> None:
        """Decide on all events there are. What happened before the first start is nobody's news."""
        while not self._stopping:
            async with self._database.transaction() as connection:
                sequence = await _sequence(connection)
                if sequence is None:
                    await _put_sequence(connection, (await event_bounds(connection))[1])
                    return
                events = await events_of_all(connection, sequence, EVENTS_AT_ONCE)
                for event in events:
                    await _decide(connection, event)
                if not events:
                    return
                await _put_sequence(connection, events[-1].sequence)

    def handlers(self) -> Mapping[str, Handler]:
        """Return the handler of each kind."""
        return {PUSH: self.send, TELL_OF_THE_END: self.tell_of_the_end}

    async def send(self, entry: Entry) -> JobResult:
        """Send one alert to one device; a device that is gone is forgotten."""
        payload = entry.payload
        if unix_seconds(self._database.clock.now()) - payload["at"] > STALE.total_seconds():
            return Refused("it is no news any more")
        async with self._database.reading() as connection:
            subscription = await find_subscription(connection, payload["subscription_id"])
        if subscription is None:
            return Done()
        result = await self._transport.send(subscription, payload["message"].encode(), payload["topic"])
        if result == Refused(GONE):
            async with self._database.transaction() as connection:
                await forget_subscription(connection, subscription.subscription_id)
        return result

    async def tell_of_the_end(self, entry: Entry) -> JobResult:
        """Tell that a session ends within a day, if there still is something of it."""
        async with self._database.transaction() as connection:
            try:
                session = await find_session(connection, entry.payload["session_id"])
            except UnknownSessionError:
                return Done()
            if session.state in _ON_THE_CARD:
                await _tell(connection, session, [Alert(AlertKind.ENDS)])
        return Done()


async def _decide(connection: AsyncConnection, event: DomainEvent) -> None:
    if event.kind not in (BALANCE_CHANGED, STATE_CHANGED):
        return
    payload: Mapping[str, Any] = event.payload
    try:
        session = await find_session(connection, payload["session_id"])
    except UnknownSessionError:
        return
    if event.kind == BALANCE_CHANGED:
        if session.state in _ON_THE_CARD:
            await _tell(connection, session, list(shares_passed(payload["used"], session.allowance_octets)))
    elif payload["state"] == SessionState.EXHAUSTED:
        await _tell(connection, session, [Alert(AlertKind.FINISHED)])
    elif payload["state"] == SessionState.STORED:
        await enqueue(
            connection,
            kind=TELL_OF_THE_END,
            key=f"{TELL_OF_THE_END}:{session.session_id}",
            payload={"session_id": session.session_id},
            run_at=tell_of_the_end_at(session.valid_until),
        )


async def _tell(connection: AsyncConnection, session: InternetSession, alerts: list[Alert]) -> None:
    """Tell the last of these alerts that was not told yet; all of them count as told."""
    now = transaction_instant(connection)
    fresh: Alert | None = None
    for alert in alerts:
        noted = await connection.execute(
            insert(told_alert)
            .values(session_id=session.session_id, name=alert.name, at=now)
            .on_conflict_do_nothing()
        )
        if noted.rowcount == 1:
            fresh = alert
    if fresh is None or not (await wishes_of(connection, session.user_id)).wants(fresh):
        return
    message = _message(session, fresh)
    for subscription in await subscriptions_of(connection, session.user_id):
        await enqueue(
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


def _message(session: InternetSession, alert: Alert) -> str:
    """Return what the service worker makes words of, in its person's language."""
    return msgspec.json.encode(
        {
            "what": alert.kind,
            "percent": alert.percent,
            "session_id": session.session_id,
            "allowance_octets": session.allowance_octets,
            "valid_until": unix_seconds(session.valid_until),
        }
    ).decode()


async def _sequence(connection: AsyncConnection) -> int | None:
    query = select(notified_sequence.c.sequence).where(notified_sequence.c.name == _NAME)
    found: int | None = (await connection.execute(query)).scalar_one_or_none()
    return found


async def _put_sequence(connection: AsyncConnection, sequence: int) -> None:
    await connection.execute(
        insert(notified_sequence)
        .values(name=_NAME, sequence=sequence)
        .on_conflict_do_update(index_elements=["name"], set_={"sequence": sequence})
    )
