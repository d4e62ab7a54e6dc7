"""No answer of a provider, whatever it holds, raises an error or passes as a success that did not happen."""

import asyncio
import json
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import timedelta
from typing import Any, Final

import httpx2
import pytest
from starlette.requests import Request
from starlette.responses import Response

from kswifi.lab.rehearsal.providers.faults import Call, Wrong
from kswifi.providers.data import provider_http
from kswifi.providers.data.registry import open_provider
from kswifi.supply.model import Money
from kswifi.supply.ports import (
    Ambiguous,
    Bundle,
    BundleUsage,
    DataProvider,
    Done,
    LineRef,
    NotThere,
    Ordered,
    OrderStage,
    OrderStatus,
    Price,
    Refunded,
    Refused,
    ServiceStatus,
    Unknown,
)
from tests.support.data_providers import FACE_NAMES, Rehearsed, options, rehearsed, serving

ANSWERS: Final = (
    Refused,
    Unknown,
    Money,
    Price,
    Ordered,
    OrderStatus,
    NotThere,
    Ambiguous,
    Done,
    Refunded,
    ServiceStatus,
    tuple,
)
"""The types that a call of the port may return."""

BODIES: Final = {
    "nothing": b"",
    "null": b"null",
    "a number": b"7",
    "a huge number": b"9" * 5000,
    "success with a huge exponent": (
        b'{"balance":1e999999999,"currency":"USD","success":true,"obj":{"balance":1e99999}}'
    ),
    "success with no number": (
        b'{"balance":NaN,"contents":{"balance":NaN},"success":true,"obj":{"balance":Infinity}}'
    ),
    "text": b'"done"',
    "an empty list": b"[]",
    "an empty object": b"{}",
    "a list of nothing": b"[null]",
    "a list of numbers": b"[1,2,3]",
    "success without content": b'{"success":true,"errorCode":"0","obj":null}',
    "success as a list": b'{"success":true,"errorCode":"0","obj":[]}',
    "success as text": b'{"success":"true","obj":{}}',
    "success with an error": b'{"success":true,"errorCode":"200007","obj":{"orderNo":"1"}}',
    "processed without content": b'{"code":"000"}',
    "processed with a number": b'{"code":0,"content":7}',
    "delivered for another": b'{"code":"000","requestId":"x","content":{"transactions":{"status":"delivered"}}}',
    "an order of another bundle": (
        b'{"orderReference":"a","total":1,"currency":"USD","status":"completed",'
        b'"order":[{"item":"esim_other","quantity":1,"esims":[{"iccid":"1","matchingId":"M","smdpAddress":"a"}]}]}'
    ),
    "HTML": b"<!doctype html><title>Sign in</title>",
    "half a surrogate": b'{"code":"000","response_description":"\\ud800","content":{}}',
    "NUL": b'{"message":"\\u0000","code":"000"}',
    "not UTF-8": b'{"code":"\xff"}',
    "deep": b"[" * 100_000,
    "two values": b"{} {}",
}
FEW: Final = {label: BODIES[label] for label in ("nothing", "text", "an empty object", "HTML", "not UTF-8")}
"""The bodies that are sent with each status."""
STATUSES: Final = (200, 201, 204, 302, 400, 401, 403, 404, 410, 422, 429, 500, 503)
WRONG_VALUES: Final[tuple[Any, ...]] = (None, True, -1, 1.5, "x", "9" * 30, [], {"a": None}, 10**30)


@asynccontextmanager
async def raw_server(answer: bytes) -> AsyncIterator[str]:
    """Send these octets to every request, and close the connection."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            await reader.readuntil(b"\r\n\r\n")
            writer.write(answer)
            await writer.drain()
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    try:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    finally:
        server.close()
        await server.wait_closed()


@asynccontextmanager
async def adapter_at(there: Rehearsed, url: str, answer_seconds: float = 5.0) -> AsyncIterator[DataProvider]:
    """Give another adapter to ``there``, which calls this address."""
    there.provider, before = (
        open_provider(there.name, options(there.name, url, answer_seconds=answer_seconds), there.clock),
        there.provider,
    )
    try:
        yield there.provider
    finally:
        await there.provider.close()
        there.provider = before


def is_success(found: object) -> bool:
    """Tell whether an answer says that something happened at the provider."""
    if isinstance(found, OrderStatus):
        return found.stage not in (OrderStage.PENDING, OrderStage.FAILED)
    return isinstance(found, (Ordered, Done, Refunded, Money, Price)) or found is ServiceStatus.OFF


@pytest.mark.parametrize("name", FACE_NAMES)
async def test_nonsense_is_never_an_error_and_never_a_success(name: str) -> None:
    async with rehearsed(name) as there:
        sent = [(200, b"")]

        async def serve(request: Request) -> Response:
            await request.body()
            status, body = sent[0]
            return Response(b"" if status == 204 else body, status, {"Location": "http://127.0.0.1:9/"})

        async with serving({"/{path:path}": serve}) as origin, adapter_at(there, origin):
            for status in STATUSES:
                for label, body in BODIES.items() if status == 200 else FEW.items():
                    sent[0] = (status, body)
                    for call, ask in there.calls().items():
                        found = await ask()
                        assert isinstance(found, ANSWERS), (status, label, call, found)
                        # eSIM Go answers a switch by its status alone: 2xx is done, and a look confirms it.
                        by_status = name == "esim_go" and call == "set_service" and 200 <= status < 300
                        by_envelope = (
                            name == "esim_access" and call == "set_service" and label.startswith("success")
                        )
                        assert not is_success(found) or by_status or by_envelope, (status, label, call, found)


@pytest.mark.parametrize("name", FACE_NAMES)
@pytest.mark.parametrize(
    "answer",
    [
        b"",
        b'HTTP/1.1 200 OK\r\nContent-Length: 500\r\n\r\n{"code":',
        b'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\n{"cod',
        b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 4\r\n\r\nabcd",
        b"not HTTP at all\r\n\r\n",
        b"HTTP/1.1 999 ?\r\nContent-Length: 2\r\n\r\n{}",
    ],
    ids=["closed", "cut", "cut chunk", "not gzip", "not HTTP", "status 999"],
)
async def test_broken_connections_are_unknown(name: str, answer: bytes) -> None:
    async with rehearsed(name) as there, raw_server(answer) as origin, adapter_at(there, origin):
        unsupported = 0
        for call, ask in there.calls().items():
            found = await ask()
            unsupported += isinstance(found, Refused)
            assert isinstance(found, (Unknown, Refused)), (call, found)
        assert unsupported <= (4 if there.onto_line else 0)  # those that VTpass refuses without a call


@pytest.mark.parametrize("name", FACE_NAMES)
async def test_an_answer_that_drips_ends_after_the_time_of_the_call(name: str) -> None:
    async def drip(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            await reader.readuntil(b"\r\n\r\n")
            writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n")
            while True:
                writer.write(b" ")
                await writer.drain()
                await asyncio.sleep(0.02)
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            writer.close()

    server = await asyncio.start_server(drip, "127.0.0.1", 0)
    async with rehearsed(name) as there:
        url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
        async with adapter_at(there, url, answer_seconds=0.4) as dripped:
            assert isinstance(await dripped.balance(), Unknown)
    server.close()


@pytest.mark.parametrize("name", FACE_NAMES)
async def test_an_answer_that_is_too_long_is_unknown(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(provider_http, "LARGEST_ANSWER_OCTETS", 100)
    async with rehearsed(name) as there:
        assert isinstance(await there.provider.catalogue(), Unknown)


@pytest.mark.parametrize("name", FACE_NAMES)
async def test_keys_do_not_follow_a_redirect(name: str) -> None:
    seen: list[str] = []

    async def elsewhere(request: Request) -> Response:
        seen.append(request.url.path)
        return Response(b"{}", 200)

    async def redirect(request: Request) -> Response:
        return Response(status_code=307, headers={"Location": f"{other}/stolen"})

    async with serving({"/{path:path}": elsewhere}) as other, serving({"/{path:path}": redirect}) as origin:
        async with rehearsed(name) as there, adapter_at(there, origin):
            for ask in there.calls().values():
                assert isinstance(await ask(), (Unknown, Refused))
        assert seen == []


@pytest.mark.parametrize("name", FACE_NAMES)
@pytest.mark.parametrize("wrong", [it for it in Wrong if it not in (Wrong.CHANGED_FIELDS, Wrong.OTHER_CURRENCY)])
async def test_each_call_of_which_the_answer_is_lost_is_unknown(name: str, wrong: Wrong) -> None:
    async with rehearsed(
        name, answer_seconds=0.4 if wrong in (Wrong.NO_ANSWER, Wrong.NEVER_ARRIVED) else 5.0
    ) as there:
        for call, ask in there.calls().items():
            there.running.faults.forget()
            there.fault(wrong, seconds=7)
            found = await ask()
            if isinstance(found, Refused):
                assert there.onto_line, (call, found)
                continue
            assert isinstance(found, Unknown), (call, found)
            if call == "balance":
                assert found.retry_after_seconds == (7 if wrong is Wrong.RATE_LIMITED else None)


def mangled(value: Any) -> Iterator[Any]:
    """Yield the value with each leaf and each member replaced, one at a time, by wrong values."""
    yield from WRONG_VALUES
    if isinstance(value, dict):
        for member, inner in value.items():
            yield {name: it for name, it in value.items() if name != member}
            for changed in mangled(inner):
                yield {**value, member: changed}
    elif isinstance(value, list) and value:
        for changed in mangled(value[0]):
            yield [changed, *value[1:]]


@pytest.mark.parametrize("name", FACE_NAMES)
@pytest.mark.parametrize(
    "call", ["balance", "check", "order", "look", "search", "usage", "service", "set_service", "cancel"]
)
async def test_no_single_wrong_value_in_an_answer_raises_or_turns_into_a_wrong_fact(name: str, call: str) -> None:
    """Record the real answers of a call, then replay them, one value of one of them wrong."""
    async with rehearsed(name) as there:
        intent = await there.bought()
        line = await there.line(intent)
        recorded: list[tuple[int, bytes]] = []

        async def record(request: Request) -> Response:
            async with httpx2.AsyncClient(trust_env=False) as client:
                headers = {n: v for n, v in request.headers.items() if n not in ("host", "content-length")}
                url = f"{there.running.origin}{request.url.path}?{request.url.query}"
                answer = await client.request(
                    request.method, url, content=await request.body(), headers=headers, timeout=10
                )
            recorded.append((answer.status_code, answer.content))
            return Response(answer.content, answer.status_code, media_type="application/json")

        replay: list[Response] = []

        async def play(_request: Request) -> Response:
            return replay.pop(0) if replay else Response(b"{}", 500)

        path = there.running.url.removeprefix(there.running.origin)
        bundle = Bundle(intent.bundle_id, "a bundle", ("NG",), None, 10**9, False, 7, intent.price)
        again = there.intent()
        asks: dict[str, Callable[[DataProvider], Any]] = {
            "balance": lambda it: it.balance(),
            "check": lambda it: it.check(bundle, there.person),
            "order": lambda it: it.order(again),
            "look": lambda it: it.look(intent),
            "search": lambda it: it.look(replace(intent, provider_ref=None), frozenset({"another"})),
            "usage": lambda it: it.usage([line]),
            "service": lambda it: it.service(line),
            "set_service": lambda it: it.set_service(line, False),
            "cancel": lambda it: it.cancel(intent),
        }
        if name == "vtpass":
            there.clock.advance(timedelta(minutes=1))
        async with serving({"/{path:path}": record}) as origin, adapter_at(there, f"{origin}{path}") as recorder:
            true = await asks[call](recorder)
        if not recorded:
            assert isinstance(true, Refused)
            return
        async with serving({"/{path:path}": play}) as origin, adapter_at(there, f"{origin}{path}") as player:
            for place, (status, body) in enumerate(recorded):
                for changed in mangled(json.loads(body)):
                    replay[:] = [Response(content, code) for code, content in recorded[:place]]
                    replay.append(Response(json.dumps(changed).encode(), status))
                    replay += [Response(content, code) for code, content in recorded[place + 1 :]]
                    found = await asks[call](player)
                    assert isinstance(found, ANSWERS), (changed, found)
                    check_facts(found, changed, line, again.bundle_id)


def check_facts(found: object, changed: object, line: LineRef, bundle_id: str) -> None:
    """Check what may never be wrong: the line of an order, its bundle, currencies, and counters."""
    if isinstance(found, Ordered):
        found = found.status
    if isinstance(found, OrderStatus):
        assert found.bundle_id in (None, bundle_id), changed
        if found.line is not None:
            assert found.line.provider_ref, changed
        if found.charged is not None:
            assert found.charged.currency in ("NGN", "USD"), changed
            assert found.charged.amount_minor >= 0
        if found.installation is not None:
            assert found.installation.activation_code.startswith("LPA:1$"), changed
    if isinstance(found, tuple):
        for it in found:
            assert isinstance(it, BundleUsage)
            assert it.line_ref == line.provider_ref, changed
            if it.total_octets is not None and it.remaining_octets is not None:
                assert 0 <= it.remaining_octets <= it.total_octets, changed
    if isinstance(found, (Money, Price)):
        amount = found if isinstance(found, Money) else found.amount
        assert amount.amount_minor >= 0


def test_the_calls_that_faults_name_are_those_of_the_port() -> None:
    assert {str(it) for it in Call} >= {"catalogue", "balance", "order", "look", "usage", "cancel"}
