import asyncio
import json
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

import httpx2
import pytest
from sqlalchemy import Connection, Engine
from sqlalchemy import event as sqlalchemy_event

from kswifi.api.edge import streams as streams_module
from kswifi.api.edge.streams import STREAMS_LIMIT_OF_USER
from kswifi.api.routes.service import events
from kswifi.api.services import Services
from kswifi.outbox.leases import prune_events
from kswifi.outbox.model import DomainEvent
from kswifi.outbox.service import publish
from tests.support.api import problem, register, serving
from tests.support.clocks import ManualClock
from tests.support.databases import START

WHERE = "/api/v1/events"


async def _publish(services: Services, user_id: str, *numbers: int) -> None:
    def change(connection: Connection) -> None:
        for number in numbers:
            publish(connection, user_id=user_id, kind="counted", payload={"n": number})

    await services.database.write(change)


class Reader:
    """Reads one stream, event by event."""

    def __init__(self, answer: httpx2.Response) -> None:
        self.answer = answer
        self._lines = answer.aiter_lines()

    async def next(self) -> dict[str, str] | None:
        """Return the next event's fields, None when the stream has ended."""
        fields: dict[str, str] = {}
        async with asyncio.timeout(5):
            async for line in self._lines:
                if line == "" and fields:
                    return fields
                name, _, value = line.partition(": ")
                if name:
                    fields[name] = value
        return None

    async def numbers(self, count: int) -> list[int]:
        found = []
        for _ in range(count):
            event = await self.next()
            assert event is not None
            assert event["event"] == "counted"
            found.append(int(json.loads(event["data"])["n"]))
        return found


@asynccontextmanager
async def _following(client: httpx2.AsyncClient, last_event_id: str | None = None) -> AsyncIterator[Reader]:
    headers = {} if last_event_id is None else {"Last-Event-ID": last_event_id}
    async with client.stream("GET", WHERE, headers=headers) as answer:
        assert answer.status_code == 200
        assert answer.headers["content-type"].startswith("text/event-stream")
        yield Reader(answer)


async def test_a_reload_misses_nothing_and_sees_nothing_twice_or_of_others(tmp_path: Path) -> None:
    async with serving(tmp_path) as (client, services):
        stranger = await register(client, "obi@example.ng")
        me = await register(client)
        await _publish(services, me.user_id, 1)
        async with _following(client) as reader:
            hello = await reader.next()
            assert hello is not None
            assert (hello["event"], hello["retry"]) == ("hello", "2000")
            await _publish(services, stranger.user_id, 100)
            await _publish(services, me.user_id, 2, 3)
            assert await reader.numbers(1) == [2]
            event = await reader.next()
            assert event is not None
            assert json.loads(event["data"]) == {"n": 3, "at": START.isoformat(timespec="milliseconds")}
            last = event["id"]
        await _publish(services, me.user_id, *range(4, 260))
        async with _following(client, last) as reader:
            await reader.next()
            assert await reader.numbers(256) == list(range(4, 260))
            await _publish(services, me.user_id, 260)
            assert await reader.numbers(1) == [260]
        async with _following(client, hello["id"]) as reader:
            await reader.next()
            assert await reader.numbers(2) == [2, 3]


async def test_a_reader_that_was_away_too_long_gets_an_event_to_load_anew(tmp_path: Path) -> None:
    clock = ManualClock(START)

    async with serving(tmp_path, clock=clock) as (client, services):
        me = await register(client)
        await _publish(services, me.user_id, 1, 2, 3)
        clock.advance(timedelta(days=1))
        await services.database.write(lambda connection: prune_events(connection, timedelta(hours=1)))
        await _publish(services, me.user_id, 4)
        for gone in ("1", "999"):
            async with _following(client, gone) as reader:
                reset = await reader.next()
                assert reset is not None
                assert (reset["event"], reset["id"]) == ("reset", "4")
        async with _following(client, "3") as reader:
            assert (await reader.next() or {})["event"] == "hello"
            assert await reader.numbers(1) == [4]


@pytest.mark.parametrize("wrong", ["x", "-1", "1.5", "9" * 30, "\u0663"])
async def test_an_id_that_is_none_of_ours_is_refused(tmp_path: Path, wrong: str) -> None:
    async with serving(tmp_path) as (client, _services):
        problem(await client.get(WHERE), 401, "not_signed_in")
        await register(client)
        headers = [(b"Last-Event-ID", wrong.encode())]
        problem(await client.get(WHERE, headers=headers), 400, "last_event_id_invalid")


async def test_a_user_has_a_bounded_number_of_streams_and_closing_one_makes_room(tmp_path: Path) -> None:
    async with serving(tmp_path) as (client, services):
        await register(client)
        open_streams: list[Any] = [_following(client) for _ in range(STREAMS_LIMIT_OF_USER)]
        readers = [await stream.__aenter__() for stream in open_streams]
        for reader in readers:
            await reader.next()
        problem(await client.get(WHERE), 429, "too_many_streams")
        await open_streams.pop().__aexit__(None, None, None)
        async with asyncio.timeout(5):
            while sum(services.streams._of_user.values()) == STREAMS_LIMIT_OF_USER:  # noqa: ASYNC110
                await asyncio.sleep(0.01)
        async with _following(client) as reader:
            assert await reader.next()
        for stream in open_streams:
            await stream.__aexit__(None, None, None)


async def test_a_stream_ends_with_its_login(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(events, "LOOK_EVERY_SECONDS", 0.05)

    async with serving(tmp_path) as (client, _services):
        me = await register(client)
        async with _following(client) as reader:
            assert await reader.next()
            await me.send("DELETE", "/api/v1/logins/current")
            assert await reader.next() is None


async def test_streams_end_cleanly_when_the_server_stops(tmp_path: Path) -> None:
    async with httpx2.AsyncClient(timeout=10) as client:
        async with serving(tmp_path) as (inner, _services):
            await register(inner)
            client.cookies, client.base_url = inner.cookies, inner.base_url
            following = _following(client)
            reader = await following.__aenter__()
            await reader.next()
        assert await reader.next() is None
        await following.__aexit__(None, None, None)


async def test_one_reader_serves_the_streams_of_all_users(tmp_path: Path) -> None:
    async with serving(tmp_path) as (client, services), AsyncExitStack() as stack:
        pages = [await register(client, f"user{number}@example.ng") for number in range(3)]
        streams = [stack.enter_context(services.streams.open(page.user_id)) for page in pages]
        got = [stream.batches((await stream.start_after(None))[0], 15) for stream in streams]
        waiting = [asyncio.create_task(_next(one)) for one in got]
        await services.streams.following.wait()
        await asyncio.sleep(0.1)  # every stream has caught up and waits
        with _event_reads() as reads:
            await _publish(services, pages[1].user_id, 7)
            (event,) = await waiting[1]
        assert (event.user_id, dict(event.payload)) == (pages[1].user_id, {"n": 7})
        assert len(reads) == 1
        assert not waiting[0].done()
        services.streams.close()
        assert [await task for task in waiting] == [[], [event], []]


async def test_a_slow_stream_reads_what_it_was_not_kept_from_the_database(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(streams_module, "BATCH", 3)
    async with serving(tmp_path) as (client, services):
        page = await register(client)
        with services.streams.open(page.user_id) as stream:
            batches = stream.batches((await stream.start_after(None))[0], 15)
            await _publish(services, page.user_id, 1)
            seen = [it.payload["n"] for it in await anext(batches)]
            await _publish(services, page.user_id, *range(2, 12))
            await asyncio.sleep(0.1)  # the follower has handed over more than the stream keeps
            while seen[-1] < 11:
                seen += [it.payload["n"] for it in await anext(batches)]
            await _publish(services, page.user_id, 12)
            seen += [it.payload["n"] for it in await anext(batches)]
            assert seen == list(range(1, 13))


async def _next(batches: AsyncIterator[list[DomainEvent]]) -> list[DomainEvent]:
    return await anext(batches, [])


@contextmanager
def _event_reads() -> Iterator[list[str]]:
    reads: list[str] = []

    def note(_connection: Any, _cursor: Any, statement: str, *_: Any) -> None:
        if statement.startswith("SELECT") and "FROM domain_event" in statement:
            reads.append(statement)

    sqlalchemy_event.listen(Engine, "before_cursor_execute", note)
    try:
        yield reads
    finally:
        sqlalchemy_event.remove(Engine, "before_cursor_execute", note)
