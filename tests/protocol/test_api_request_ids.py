"""Every answer and every log line of a request carry the id of the request."""

import asyncio
import io
import logging
from collections.abc import Iterator
from ipaddress import ip_network
from pathlib import Path

import httpx2
import pytest
import structlog
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from kswifi.api.edge.forwarded import ProxyTrust
from kswifi.api.edge.request_ids import RequestIds
from kswifi.bootstrap import log_lines
from tests.support.api import serving

TRUST = ProxyTrust((ip_network("10.0.0.0/8"),))
PROXY = "10.0.0.7"
GIVEN = "0b1f3c52-64f2-5d0c_9d4e"


@pytest.fixture
def lines() -> Iterator[io.StringIO]:
    root, out = logging.getLogger(), io.StringIO()
    before, level = list(root.handlers), root.level
    log_lines.configure(logging.INFO, out)
    yield out
    root.handlers[:] = before
    root.setLevel(level)
    structlog.reset_defaults()


async def _logging_app(scope: Scope, receive: Receive, send: Send) -> None:
    structlog.get_logger("ours").info("ours_seen")
    logging.getLogger("theirs").info("theirs seen")
    await Response("ok")(scope, receive, send)


async def _id_of(peer: str, *given: str) -> str:
    transport = httpx2.ASGITransport(RequestIds(_logging_app, TRUST), client=(peer, 50505))
    async with httpx2.AsyncClient(transport=transport, base_url="http://127.0.0.1") as client:
        answer = await client.get("/", headers=[("X-Request-Id", one) for one in given])
    assert len(answer.headers.get_list("x-request-id")) == 1
    return answer.headers["x-request-id"]


@pytest.mark.parametrize("peer", [PROXY, f"::ffff:{PROXY}"])
async def test_the_id_of_a_trusted_proxy_is_kept(peer: str) -> None:
    assert await _id_of(peer, GIVEN) == GIVEN


@pytest.mark.parametrize(
    ("peer", "given"),
    [
        ("192.0.2.9", (GIVEN,)),
        (PROXY, ()),
        (PROXY, (GIVEN, GIVEN)),
        (PROXY, ("short",)),
        (PROXY, ("x" * 65,)),
        (PROXY, ("with space and level='error'",)),
        (PROXY, (f"{GIVEN},{GIVEN}",)),
    ],
)
async def test_any_other_id_is_replaced_by_a_new_one(peer: str, given: tuple[str, ...]) -> None:
    made = [await _id_of(peer, *given) for _ in range(2)]
    assert made[0] != made[1]
    assert all(len(one) == 36 and one not in given for one in made)


async def test_log_lines_of_both_kinds_carry_the_id_until_the_request_ends(lines: io.StringIO) -> None:
    ids = [await _id_of(PROXY), await _id_of(PROXY)]
    structlog.get_logger("ours").info("afterwards")
    written = [line for line in lines.getvalue().splitlines() if "logger='httpx2'" not in line]
    assert len(written) == 5
    for place, line in enumerate(written[:4]):
        assert f"request_id='{ids[place // 2]}'" in line
    assert "request_id" not in written[4]


async def test_refusals_of_the_edge_and_lines_of_steps_carry_the_id(tmp_path: Path, lines: io.StringIO) -> None:
    async with serving(tmp_path, proxies=ProxyTrust((ip_network("127.0.0.0/8"),))) as (client, services):
        for path, headers, status in (
            ("/healthz", {}, 200),
            ("/healthz", {"Host": "evil.example"}, 421),
            ("/api/v1/nothing", {}, 404),
            ("/api/v1/account", {}, 401),
            ("/api/v1/offers/none", {}, 404),
        ):
            answer = await client.get(path, headers={"X-Request-Id": GIVEN, **headers})
            assert (answer.status_code, answer.headers["x-request-id"]) == (status, GIVEN)

        with structlog.contextvars.bound_contextvars(request_id=GIVEN):
            await services.database.write(lambda _connection: structlog.get_logger("ours").info("in_a_step"))
            await services.database.read(lambda _connection: structlog.get_logger("ours").info("in_a_step"))
    steps = [line for line in lines.getvalue().splitlines() if "in_a_step" in line]
    assert len(steps) == 2
    assert all(f"request_id='{GIVEN}'" in line for line in steps)


async def test_the_follower_of_event_streams_carries_no_id(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    carried: list[dict[str, object]] = []

    async def follow() -> None:
        carried.append(structlog.contextvars.get_contextvars())

    async with serving(tmp_path) as (_client, services):
        monkeypatch.setattr(services.streams, "_follow", follow)
        with structlog.contextvars.bound_contextvars(request_id=GIVEN), services.streams.open("someone"):
            await asyncio.sleep(0)
    assert carried == [{}]
