"""Event streams: one follower reads new events for all streams; limits per user; they end when the server stops."""

import asyncio
from collections import Counter, deque
from collections.abc import AsyncIterator, Callable, Collection, Iterator
from contextlib import contextmanager, suppress
from contextvars import Context
from functools import partial
from typing import Final

import structlog

from kswifi.api.edge.errors import TOO_MANY_STREAMS
from kswifi.database.engine import Database
from kswifi.database.errors import DatabaseBusyError
from kswifi.outbox.model import DomainEvent
from kswifi.outbox.service import EVENTS_TOPIC, event_bounds, events_after, events_of_all

STREAMS_LIMIT_OF_USER: Final = 6
STREAMS_LIMIT: Final = 2000
BATCH: Final = 100
"""Events per read, and events that a stream queues for a slow client; with more, the stream reads the database."""

POLL_SECONDS: Final = 15.0
"""How often the follower polls for events committed by other processes, which do not wake it."""

_log = structlog.get_logger(__name__)


def nobody_told(_user_id: str, _watches: bool, /) -> None:
    """Do nothing."""


class EventStream:
    """One client's stream.

    It first reads the missed events from the database, then takes events from the follower. The follower knows the
    stream before that read, so every event is in the read, or handed over, or both; the sequence removes
    duplicates.
    """

    def __init__(self, streams: "EventStreams", user_id: str) -> None:
        self._streams = streams
        self.user_id = user_id
        self._handed: deque[DomainEvent] = deque()
        self._behind = True
        self.wake = asyncio.Event()
        self.closing = False

    def hand(self, event: DomainEvent) -> None:
        """Queue a new event of the stream's user; if the queue is full, the stream later reads the database."""
        if len(self._handed) >= BATCH:
            self._behind = True
            self._handed.clear()
        if not self._behind:
            self._handed.append(event)
        self.wake.set()

    async def start_after(self, last_event_id: int | None) -> tuple[int, bool]:
        """Return the sequence to start after, and whether missed events are no longer stored.

        A client without a last event id starts with the events from now on.
        """
        oldest, newest = await self._streams.database.read(event_bounds)
        if last_event_id is None:
            return newest, False
        return (newest, True) if last_event_id > newest or last_event_id < oldest - 1 else (last_event_id, False)

    async def batches(self, sequence: int, look_every_seconds: float) -> AsyncIterator[list[DomainEvent]]:
        """Yield events after ``sequence`` as they happen; an empty batch if none for ``look_every_seconds``."""
        await self._streams.following.wait()
        while not self.closing:
            self.wake.clear()
            events = await self._next(sequence)
            if events:
                sequence = events[-1].sequence
                yield events
                continue
            with suppress(TimeoutError):
                async with asyncio.timeout(look_every_seconds):
                    await self.wake.wait()
                continue
            yield []

    async def _next(self, sequence: int) -> list[DomainEvent]:
        if self._behind:
            self._behind = False
            events = await self._streams.database.read(
                partial(events_after, user_id=self.user_id, sequence=sequence, limit=BATCH)
            )
            self._behind = self._behind or len(events) == BATCH
            return events
        events = [event for event in self._handed if event.sequence > sequence]
        self._handed.clear()
        return events


class EventStreams:
    """All streams of this server, and the follower that reads new events while a stream is open."""

    def __init__(self, database: Database) -> None:
        self.database = database
        self.following = asyncio.Event()
        """Set once the follower knows after which event it hands over all."""
        self.watching: Callable[[str, bool], None] = nobody_told
        """Called with a user whose first stream opens (True) or whose last one closes (False)."""
        self._open: set[EventStream] = set()
        self._of_user: Counter[str] = Counter()
        self._follower: asyncio.Task[None] | None = None
        self._closed = False

    def users(self) -> Collection[str]:
        """Return the users who have a stream open."""
        return self._of_user.keys()

    @contextmanager
    def open(self, user_id: str) -> Iterator[EventStream]:
        """Open a stream for the user; leaving the context closes it.

        Raises:
            TOO_MANY_STREAMS: this user has too many, or all users together.
        """
        if self._closed or self._of_user[user_id] >= STREAMS_LIMIT_OF_USER or len(self._open) >= STREAMS_LIMIT:
            raise TOO_MANY_STREAMS(
                "too many event streams are open: close a window",
                limit=STREAMS_LIMIT_OF_USER,
                retry_after_seconds=10,
            )
        stream = EventStream(self, user_id)
        self._open.add(stream)
        self._of_user[user_id] += 1
        if self._of_user[user_id] == 1:
            self.watching(user_id, True)
        if self._follower is None:
            self._follower = asyncio.create_task(
                self._follow(),
                name="event-follower",
                context=Context(),  # not that of the request that opens this
            )
        try:
            yield stream
        finally:
            self._open.discard(stream)
            self._of_user[user_id] -= 1
            if not self._of_user[user_id]:
                del self._of_user[user_id]
                self.watching(user_id, False)
            if not self._open:
                self._stop_following()

    def close(self) -> None:
        """End all streams and refuse new ones; call it before the HTTP server waits for its connections."""
        self._closed = True
        self._end_streams()
        self._stop_following()

    def _end_streams(self) -> None:
        for stream in self._open:
            stream.closing = True
            stream.wake.set()
        self.following.set()

    def _stop_following(self) -> None:
        if self._follower is not None:
            self._follower.cancel()
            self._follower = None
            if not self._closed:
                self.following.clear()

    async def _follow(self) -> None:
        """Read the new events of all users and hand each to the streams of its user."""
        wake = asyncio.Event()
        end = self.database.subscribe(EVENTS_TOPIC, wake.set)
        sequence: int | None = None
        try:
            while True:
                wake.clear()
                try:
                    sequence, is_all = await self._hand_over_after(sequence)
                except DatabaseBusyError:
                    _log.warning("event_streams_wait_for_database")
                    is_all = True
                if is_all:
                    with suppress(TimeoutError):
                        async with asyncio.timeout(POLL_SECONDS):
                            await wake.wait()
        except Exception:  # noqa: BLE001 - the edge of a task
            _log.exception("event_streams_ended")  # clients reconnect, and their new request answers with the error
            self._end_streams()
        finally:
            end()

    async def _hand_over_after(self, sequence: int | None) -> tuple[int, bool]:
        """Hand over the next batch; return the last sequence, and whether there are no more events now."""
        if sequence is None:
            sequence = (await self.database.read(event_bounds))[1]
            self.following.set()
        events = await self.database.read(partial(events_of_all, sequence=sequence, limit=BATCH))
        of_user: dict[str, list[EventStream]] = {}
        for stream in self._open:
            of_user.setdefault(stream.user_id, []).append(stream)
        for event in events:
            for stream in of_user.get(event.user_id, ()):
                stream.hand(event)
        return (events[-1].sequence if events else sequence), len(events) < BATCH
