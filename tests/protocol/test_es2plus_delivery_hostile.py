"""An SM-DP+ that answers wrongly, slowly, hugely, or another thing each time: nothing of it becomes a right."""

import asyncio
import json
import threading
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from datetime import timedelta
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Any

import pytest

from kswifi.outbox.results import Done, JobResult, Refused, Unknown
from kswifi.providers.smdp.es2plus_call import ANSWER_LIMIT_OCTETS
from tests.support.es2 import Callback
from tests.support.peers import Delivered, Peer, delivered_by, running_peer
from tests.support.session_roads import ADA

SUCCESS = {"functionExecutionStatus": {"status": "Executed-Success"}}
OTHERS = "8999901000000000099"


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Peer]:
    with running_peer(tmp_path_factory.mktemp("peer")) as one:
        yield one


@pytest.fixture
def peer(server: Peer) -> Iterator[Peer]:
    relay = server.front.behave
    server.alter = server.before = None
    server.front.asked.clear()
    yield server
    server.front.behave = relay


@asynccontextmanager
async def _waiting(peer: Peer, folder: Path, seconds: float = 5.0) -> AsyncIterator[tuple[Delivered, str]]:
    """Open a session whose delivery nobody has asked for yet; check at the end that nothing can be spent."""
    async with delivered_by(peer, folder / "road", lines=1, seconds=seconds) as at:
        session = await at.road.downloaded()
        yield at, session.esim_id
        state = (await at.road.now(session)).state
        assert state in ("downloaded", "transferring"), "nothing can be spent"
        assert await at.profile_state(session) in ("allocated", "released")


async def _transfer(at: Delivered, esim_id: str) -> str:
    """Ask for the transfer; return why it failed."""
    (overview,) = await at.road.downloads.sessions(ADA)
    await at.road.downloads.transfer_to_esim(overview.session.session_id, esim_id)
    await at.road.settle()
    now = await at.road.now(overview.session)
    assert now.state == "downloaded"
    return now.state_reason or ""


@pytest.mark.parametrize(
    ("function", "answer", "words"),
    [
        ("downloadOrder", {"header": SUCCESS, "iccid": OTHERS}, "another profile"),
        ("downloadOrder", {"header": SUCCESS}, "another profile"),
        ("downloadOrder", {"header": SUCCESS, "iccid": 7}, "another profile"),
        ("downloadOrder", {"header": SUCCESS, "iccid": None}, "another profile"),
        ("confirmOrder", {"header": SUCCESS}, "no MatchingID"),
        ("confirmOrder", {"header": SUCCESS, "matchingId": ""}, "no MatchingID"),
        ("confirmOrder", {"header": SUCCESS, "matchingId": "SOMEBODY-ELSES"}, "another MatchingID"),
        ("confirmOrder", {"header": SUCCESS, "matchingId": ["x"]}, "another MatchingID"),
        ("confirmOrder", {"smdpAddress": "evil.example"}, "another address"),
        ("confirmOrder", {"smdpAddress": ["x"]}, "another address"),
    ],
    ids=range(10),
)
async def test_a_wrong_answer_fails_the_transfer_and_the_next_try_cancels_what_it_left(
    peer: Peer, tmp_path: Path, function: str, answer: dict[str, Any], words: str
) -> None:
    def wrong(asked: str, _body: dict[str, Any], honest: dict[str, Any]) -> dict[str, Any]:
        if asked != function:
            return honest
        return answer if "header" in answer else {**honest, **answer}

    async with _waiting(peer, tmp_path) as (at, esim_id):
        peer.alter = wrong
        assert words in await _transfer(at, esim_id)
        peer.alter = None
        assert await at.deliver(esim_id) == Done()
        assert peer.calls().count("cancelOrder") == 1


async def test_what_it_answers_on_the_repeat_counts_only_where_nothing_was_known(
    peer: Peer, tmp_path: Path
) -> None:
    """It reserves the profile, loses the answer, then denies it; and changes its mind on what is settled."""
    async with _waiting(peer, tmp_path) as (at, esim_id):
        peer.alter = lambda function, _body, answer: None if function == "downloadOrder" else answer
        assert isinstance(await at.deliver(esim_id), Unknown)
        peer.before = lambda function, _body, _answer: (
            _refusal("8.2.1", "3.3") if function == "downloadOrder" else None
        )
        peer.alter = None
        refused = await at.deliver(esim_id)
        assert isinstance(refused, Refused)
        assert "8.2.1/3.3" in refused.reason
        peer.before = None
        assert await at.deliver(esim_id) == Done()
        assert peer.calls()[-3:] == ["cancelOrder", "downloadOrder", "confirmOrder"]
        asked = len(peer.calls())
        peer.before = lambda _function, _body, _answer: _refusal("8.2.6", "3.3")
        assert await at.deliver(esim_id) == Done()
        assert len(peer.calls()) == asked, "what is known is not asked"


@pytest.mark.parametrize(
    ("status", "content"),
    [
        (200, b""),
        (200, b"no json"),
        (200, b"[" * 30_000),
        (200, json.dumps({"header": SUCCESS, "iccid": "x" * ANSWER_LIMIT_OCTETS}).encode()),
        (200, b'{"header": {"functionExecutionStatus": {"status": "Perhaps"}}}'),
        (302, b""),
        (500, b""),
        (503, b"later"),
        (429, b""),
    ],
    ids=range(9),
)
async def test_what_says_nothing_is_unknown_and_the_same_call_goes_again(
    peer: Peer, tmp_path: Path, status: int, content: bytes
) -> None:
    honest = peer.front.behave

    def say(_callback: Callback, handler: BaseHTTPRequestHandler, _body: dict[str, Any]) -> None:
        handler.send_response(status)
        handler.send_header("Content-Length", str(len(content)))
        handler.end_headers()
        try:
            handler.wfile.write(content)
        except OSError:
            return

    async with _waiting(peer, tmp_path) as (at, esim_id):
        peer.front.behave = say
        for _ in range(2):
            assert isinstance(await at.deliver(esim_id), Unknown)
        peer.front.behave = honest
        assert await at.deliver(esim_id) == Done()
        assert peer.calls() == ["downloadOrder"] * 3 + ["confirmOrder"]
        first, second, third = (body for _, body in peer.front.asked[:3])
        assert first == second == third


async def test_a_cancellation_that_a_proxy_refuses_is_asked_for_again_and_costs_no_line(
    peer: Peer, tmp_path: Path
) -> None:
    honest = peer.front.behave

    def forbid(_callback: Callback, handler: BaseHTTPRequestHandler, _body: dict[str, Any]) -> None:
        handler.send_response(403)
        handler.send_header("Content-Length", "0")
        handler.end_headers()

    async with delivered_by(peer, tmp_path / "road", lines=1) as at:
        session = await at.road.transferring()
        peer.front.behave = forbid
        await at.road.downloads.cancel(ADA, session.session_id)
        await at.road.settle()
        assert await at.profile_state(session) == "unavailable"
        peer.front.behave = honest
        at.road.clock.advance(timedelta(hours=1))
        await at.road.settle()
        assert peer.states()[str((await at.line(session)).iccid)] == "available"
        again = await at.road.transferring()
        assert again.esim_id == session.esim_id


async def test_one_that_never_ends_its_answer_is_not_waited_for(peer: Peer, tmp_path: Path) -> None:
    hung_up = threading.Event()

    def drip(_callback: Callback, handler: BaseHTTPRequestHandler, _body: dict[str, Any]) -> None:
        handler.send_response(200)
        handler.send_header("Content-Length", "1000")
        handler.end_headers()
        try:
            for _ in range(1000):
                handler.wfile.write(b" ")
                time.sleep(0.05)
        except OSError:
            hung_up.set()

    async with _waiting(peer, tmp_path, seconds=0.4) as (at, esim_id):
        peer.front.behave = drip
        result: JobResult = await at.deliver(esim_id)
        assert isinstance(result, Unknown)
        assert await asyncio.to_thread(hung_up.wait, 30), "the whole answer was waited for"


async def test_a_profile_that_it_does_not_have_fails_with_its_own_words(peer: Peer, tmp_path: Path) -> None:
    async with _waiting(peer, tmp_path) as (at, esim_id):
        peer.before = lambda _function, _body, _answer: _refusal("8.2.1", "3.9")
        assert "8.2.1/3.9" in await _transfer(at, esim_id)
        peer.before = None  # it was loaded since
        assert await at.deliver(esim_id) == Done()


async def test_a_line_whose_profile_is_not_there_is_not_given_to_its_user_again(peer: Peer, tmp_path: Path) -> None:
    """It would be in their way for good; one that was refused for another reason is kept."""
    async with delivered_by(peer, tmp_path / "road", lines=2) as at:
        lines = []
        for codes in (("1.1", "1.1"), ("8.2.1", "3.9")):
            refusal = _refusal(*codes)
            peer.before = lambda _function, _body, _answer, refusal=refusal: refusal
            session = await at.road.transferring()
            lines.append(session.esim_id)
            await at.road.downloads.cancel(ADA, session.session_id)
            await at.road.settle()
        peer.before = None
        last = await at.road.transferring()
        assert lines[0] == lines[1] != last.esim_id
        assert await at.profile_state(last) == "released"


def _refusal(subject: str, reason: str) -> dict[str, Any]:
    data = {"subjectCode": subject, "reasonCode": reason, "message": "no"}
    return {"header": {"functionExecutionStatus": {"status": "Failed", "statusCodeData": data}}}
