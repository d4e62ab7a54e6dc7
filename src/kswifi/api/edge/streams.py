"""Event streams: bounded for each user, woken by commits, and ended together when the server stops."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager, suppress
from typing import Final

from kswifi.api.edge.errors import TooManyStreamsError
from kswifi.database.engine import Database
from kswifi.outbox.model import DomainEvent
from kswifi.outbox.service import event_bounds, events_after, events_topic

STREAMS_LIMIT_OF_USER: Final = 6
STREAMS_LIMIT: Final = 2000
BATCH: Final = 100


class EventStream:
    """One client's stream. ``start`` is the id its reader has, or was given at the beginning."""

    def __init__(self, streams: "EventStreams", user_id: str) -> None:
        self._streams = streams
        self._user_id = user_id
        self.wake = asyncio.Event()
        self.closing = False

    async def start_after(self, last_event_id: int | None) -> tuple[int, bool]:
        """Return the sequence to begin after, and whether the reader has missed events that are gone.

        A reader without an id begins with what happens from now on.
        """
        async with self._streams.database.reading() as connection:
            oldest, newest = await event_bounds(connection)
        if last_event_id is None:
            return newest, False
        return (newest, True) if last_event_id > newest or last_event_id < oldest - 1 else (last_event_id, False)

    async def batches(self, sequence: int, look_every_seconds: float) -> AsyncIterator[list[DomainEvent]]:
        """Give what happened after ``sequence``, as it happens; an empty batch when nothing did for a while."""
        while not self.closing:
            self.wake.clear()
            async with self._streams.database.reading() as connection:
                events = await events_after(connection, self._user_id, sequence, BATCH)
            if events:
                sequence = events[-1].sequence
                yield events
                continue
            with suppress(TimeoutError):
                async with asyncio.timeout(look_every_seconds):
                    await self.wake.wait()
                continue
            yield []


class EventStreams:
    """All streams of this server."""

    def __init__(self, database: Database) -> None:
        self.database = database
        self._open: set[EventStream] = set()
        self._of_user: Counter[str] = Counter()
        self._closed = False

    @contextmanager
    def open(self, user_id: str) -> Iterator[EventStream]:
        """Give a stream for the user, for as long as the context lasts.

        Raises:
            TooManyStreamsError: this user has too many, or all users together.
        """
        if self._closed or self._of_user[user_id] >= STREAMS_LIMIT_OF_USER or len(self._open) >= STREAMS_LIMIT:
            raise TooManyStreamsError(
                "too many event streams are open: close a window",
                limit=STREAMS_LIMIT_OF_USER,
                retry_after_seconds=10,
            )
        stream = EventStream(self, user_id)
        end = self.database.subscribe(events_topic(user_id), stream.wake.set)
        self._open.add(stream)
        self._of_user[user_id] += 1
        try:
            yield stream
        finally:
            end()
            self._open.discard(stream)
            self._of_user[user_id] -= 1
            if not self._of_user[user_id]:
                del self._of_user[user_id]

    def close(self) -> None:
        """End every stream and open no more: before the HTTP server waits for its connections."""
        self._closed = True
        for stream in self._open:
            stream.closing = True
            stream.wake.set()
