import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from fastapi import APIRouter, Response
from pydantic import BaseModel
from sqlalchemy import Connection, Engine, event

from kswifi.accounts.errors import WeakPasswordError
from kswifi.api.edge import idempotency
from kswifi.api.edge.idempotency import Idempotent, prune_requests
from kswifi.api.edge.sql import idempotent_request
from kswifi.outbox.service import events_after, publish
from tests.support.api import problem, register, serving
from tests.support.clocks import ManualClock
from tests.support.databases import START

WHERE = "/api/v1/things"


class Thing(BaseModel):
    name: str


class Made(BaseModel):
    number: int
    operation_id: str


class Things:
    """A capability that counts how often it really worked."""

    def __init__(self) -> None:
        self.made: list[str] = []
        self.go = asyncio.Event()
        self.go.set()
        self.broken: Exception | None = None
        self.router = APIRouter()
        self.router.add_api_route(WHERE, self.make, methods=["POST"], response_model=None)

    async def make(self, body: Thing, request: Idempotent) -> Response:
        async def work() -> Made:
            await self.go.wait()
            if self.broken is not None:
                raise self.broken
            self.made.append(body.name)
            return Made(number=len(self.made), operation_id=request.operation_id)

        return await request.answer(work, status=201)


async def test_the_same_key_gives_the_same_answer_and_one_thing(tmp_path: Path) -> None:
    things = Things()

    async with serving(tmp_path, extra=things.router) as (client, _services):
        page = await register(client)
        first = await page.send("POST", WHERE, {"name": "a"}, key="key-00001")
        again = await page.send("POST", WHERE, {"name": "a"}, key="key-00001")
        other = await page.send("POST", WHERE, {"name": "a"}, key="key-00002")
        assert (first.status_code, again.status_code) == (201, 201)
        assert first.content == again.content
        assert "idempotency-replayed" not in first.headers
        assert again.headers["idempotency-replayed"] == "true"
        assert other.json()["operation_id"] != first.json()["operation_id"]
        assert things.made == ["a", "a"]
        answer = await page.send("POST", WHERE, {"name": "b"}, key="key-00001")
        problem(answer, 422, "idempotency_key_reused")
        stranger = await register(client, "obi@example.ng")
        theirs = await stranger.send("POST", WHERE, {"name": "b"}, key="key-00001")
        assert theirs.json()["number"] == 3


async def test_a_key_is_needed_and_has_a_form(tmp_path: Path) -> None:
    things = Things()

    async with serving(tmp_path, extra=things.router) as (client, _services):
        page = await register(client)
        csrf = {"X-CSRF-Token": page.csrf_token}
        answer = await client.post(WHERE, json={"name": "a"}, headers=csrf)
        problem(answer, 400, "idempotency_key_missing")
        for key in ("short", "x" * 129, "with a blank"):
            problem(await page.send("POST", WHERE, {"name": "a"}, key=key), 400, "idempotency_key_invalid")
        answer = await client.post(WHERE, json={"name": "a"}, headers={"Idempotency-Key": "key-00001"})
        problem(answer, 403, "csrf_token_wrong")
        client.cookies.clear()
        problem(await page.send("POST", WHERE, {"name": "a"}), 401, "not_signed_in")
        assert things.made == []


async def test_of_many_at_once_one_works_and_the_others_are_refused(tmp_path: Path) -> None:
    things = Things()

    async with serving(tmp_path, extra=things.router) as (client, _services):
        page = await register(client)
        things.go.clear()
        sending = [asyncio.create_task(page.send("POST", WHERE, {"name": "a"}, key="key-00001")) for _ in range(5)]
        done, waiting = await asyncio.wait(sending, timeout=0.5)
        assert len(waiting) == 1
        for task in done:
            problem(task.result(), 409, "request_in_flight")
            assert task.result().headers["retry-after"] == "1"
        things.go.set()
        assert (await waiting.pop()).status_code == 201
        assert things.made == ["a"]


async def test_a_refusal_or_a_defect_gives_the_key_back(tmp_path: Path) -> None:
    things = Things()

    async with serving(tmp_path, extra=things.router) as (client, _services):
        page = await register(client)
        things.broken = WeakPasswordError("not now")
        problem(await page.send("POST", WHERE, {"name": "a"}, key="key-00001"), 422, "weak_password")
        things.broken = RuntimeError("defect")
        problem(await page.send("POST", WHERE, {"name": "a"}, key="key-00001"), 500, "internal_error")
        things.broken = None
        assert (await page.send("POST", WHERE, {"name": "a"}, key="key-00001")).status_code == 201
        assert things.made == ["a"]


async def test_work_that_takes_too_long_is_given_up_with_its_key(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(idempotency, "WORK_SECONDS", 0.05)
    things = Things()

    async with serving(tmp_path, extra=things.router) as (client, _services):
        page = await register(client)
        things.go.clear()
        answer = await page.send("POST", WHERE, {"name": "a"}, key="key-00001")
        problem(answer, 503, "request_took_too_long")
        things.go.set()
        assert (await page.send("POST", WHERE, {"name": "a"}, key="key-00001")).status_code == 201


async def test_what_a_dead_process_was_at_is_continued_with_the_same_operation(tmp_path: Path) -> None:
    things = Things()
    clock = ManualClock(START)

    async with serving(tmp_path, extra=things.router, clock=clock) as (client, services):
        page = await register(client)
        first = await page.send("POST", WHERE, {"name": "a"}, key="key-00001")
        await services.database.write(
            lambda connection: connection.execute(idempotent_request.update().values(status=None, body=None))
        )
        problem(await page.send("POST", WHERE, {"name": "a"}, key="key-00001"), 409, "request_in_flight")
        clock.advance(timedelta(seconds=61))
        again = await page.send("POST", WHERE, {"name": "a"}, key="key-00001")
        assert again.json()["operation_id"] == first.json()["operation_id"]
        await services.database.write(
            lambda connection: connection.execute(idempotent_request.update().values(status=None, body=None))
        )
        cookies = client.cookies
    things.router = Things().router
    async with serving(tmp_path, extra=things.router, clock=clock) as (client, services):
        client.cookies = cookies
        page.client = client
        restarted = await page.send("POST", WHERE, {"name": "a"}, key="key-00001")
        assert restarted.json()["operation_id"] == first.json()["operation_id"]
        clock.advance(timedelta(days=3))
        assert await prune_requests(services.database) == 1
        assert await prune_requests(services.database) == 0


class Steps:
    """A capability whose work is one step: it publishes an event."""

    def __init__(self) -> None:
        self.broken: Exception | None = None
        self.router = APIRouter()
        self.router.add_api_route(WHERE, self.make, methods=["POST"], response_model=None)

    async def make(self, body: Thing, request: Idempotent) -> Response:
        def work(connection: Connection) -> Made:
            user_id = request.user.user.user_id
            number = publish(connection, user_id=user_id, kind="made", payload={"name": body.name})
            if self.broken is not None:
                raise self.broken
            return Made(number=number, operation_id=request.operation_id)

        return await request.answer_step(work, status=201)


@contextmanager
def _write_transactions() -> Iterator[list[str]]:
    begun: list[str] = []

    def note(_connection: Any, _cursor: Any, statement: str, *_: Any) -> None:
        if statement == "BEGIN IMMEDIATE":
            begun.append(statement)

    event.listen(Engine, "before_cursor_execute", note)
    try:
        yield begun
    finally:
        event.remove(Engine, "before_cursor_execute", note)


async def test_key_work_and_answer_of_one_step_are_one_transaction(tmp_path: Path) -> None:
    steps = Steps()
    async with serving(tmp_path, extra=steps.router) as (client, services):
        page = await register(client)
        with _write_transactions() as begun:
            first = await page.send("POST", WHERE, {"name": "a"}, key="key-00001")
        assert (first.status_code, len(begun)) == (201, 1)
        again = await page.send("POST", WHERE, {"name": "a"}, key="key-00001")
        assert (again.content, again.headers["idempotency-replayed"]) == (first.content, "true")
        problem(await page.send("POST", WHERE, {"name": "b"}, key="key-00001"), 422, "idempotency_key_reused")
        made = await services.database.read(lambda connection: events_after(connection, page.user_id, 0))
        assert [it.payload["name"] for it in made] == ["a"]


async def test_one_step_sent_twice_at_the_same_time_is_done_once(tmp_path: Path) -> None:
    steps = Steps()
    async with serving(tmp_path, extra=steps.router) as (client, _services):
        page = await register(client)
        sent = [page.send("POST", WHERE, {"name": "a"}, key="key-00001") for _ in range(5)]
        answers = await asyncio.gather(*sent)
        assert {it.status_code for it in answers} == {201}
        assert len({it.content for it in answers}) == 1
        assert sum("idempotency-replayed" in it.headers for it in answers) == 4


async def test_a_step_that_is_refused_keeps_neither_work_nor_key(tmp_path: Path) -> None:
    steps = Steps()
    async with serving(tmp_path, extra=steps.router) as (client, services):
        page = await register(client)
        steps.broken = WeakPasswordError("no")
        refused = await page.send("POST", WHERE, {"name": "a"}, key="key-00001")
        assert refused.status_code == 422
        assert await services.database.read(lambda connection: events_after(connection, page.user_id, 0)) == []
        steps.broken = None
        assert (await page.send("POST", WHERE, {"name": "a"}, key="key-00001")).status_code == 201
