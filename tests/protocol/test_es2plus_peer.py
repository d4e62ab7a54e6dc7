"""Our client of ES2+: done, refused or unknown, against our own server and hostile ones."""

import asyncio
import json
import socket
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.serialization import Encoding

from kswifi.outbox.results import Unknown
from kswifi.providers.smdp.es2plus_call import (
    ANSWER_LIMIT_OCTETS,
    Answered,
    CallResult,
    Es2PlusPeer,
    Es2PlusSettingsError,
    FunctionRefused,
    client_context,
)
from tests.support.cards import iccid
from tests.support.clocks import ManualClock
from tests.support.es2 import Callback, Keyed, Operator, callback_server, registered, self_signed
from tests.support.smdp import ADDRESS, NOW, RunningSmdp, running_smdp

SUCCESS = {"header": {"functionExecutionStatus": {"status": "Executed-Success"}}}


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningSmdp]:
    with running_smdp(tmp_path_factory.mktemp("smdp"), clock=ManualClock(NOW), es2_on_es9=False) as running:
        yield running


@pytest.fixture(scope="module")
def operator(server: RunningSmdp, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Operator]:
    operator = registered(server, tmp_path_factory.mktemp("operator"), "caller")
    operator.stock(500)
    operator.stock(501, 502, profile_type="lost")
    yield operator
    operator.close()


@pytest.fixture(scope="module")
def hostile(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callback]:
    with callback_server(tmp_path_factory.mktemp("hostile")) as one:
        yield one


def _call(
    url: str, own: Keyed, ca: str, function: str, identifier: str, seconds: float = 10.0, **body: Any
) -> CallResult:
    async def scenario() -> CallResult:
        peer = Es2PlusPeer(url, client_context(own.pem, own.key, ca), "2.999.77", call_seconds=seconds)
        try:
            return await peer.call(function, identifier, body)
        finally:
            await peer.close()

    return asyncio.run(scenario())


def test_our_own_server_does_and_refuses(
    server: RunningSmdp, operator: Operator, monkeypatch: pytest.MonkeyPatch
) -> None:
    honest = socket.getaddrinfo
    # Its certificate is for its name, which no DNS knows here.
    monkeypatch.setattr(
        socket,
        "getaddrinfo",
        lambda host, *rest, **more: honest(
            "127.0.0.1" if host in (ADDRESS, ADDRESS.encode()) else host, *rest, **more
        ),
    )
    assert server.smdp.operators is not None
    ca = "".join(each.certificate.parsed.public_bytes(Encoding.PEM).decode() for each in _issuers(server))
    url = f"https://{ADDRESS}:{server.smdp.operators.port}"
    done = _call(url, operator.keyed, ca, "downloadOrder", "one", iccid=iccid(500))
    assert done == Answered({"iccid": iccid(500)})
    assert _call(url, operator.keyed, ca, "downloadOrder", "one", iccid=iccid(500)) == done
    refused = _call(url, operator.keyed, ca, "downloadOrder", "two", iccid=iccid(500))
    assert isinstance(refused, FunctionRefused)
    assert refused.codes == "8.2.1/3.3"


def test_an_answer_that_was_lost_is_asked_for_again(operator: Operator, hostile: Callback, tmp_path: Path) -> None:
    real = operator.client()

    def lose(_callback: Callback, handler: BaseHTTPRequestHandler, body: dict[str, Any]) -> None:
        assert real.post(handler.path.rpartition("/")[2], body).codes is None
        handler.close_connection = True

    def relay(_callback: Callback, handler: BaseHTTPRequestHandler, body: dict[str, Any]) -> None:
        _send(handler, json.dumps(real.post(handler.path.rpartition("/")[2], body).json()).encode())

    own, ca = self_signed(tmp_path, "own"), hostile.keyed.pem.read_text()
    hostile.behave = lose
    assert isinstance(_call(hostile.url, own, ca, "downloadOrder", "lost", profileType="lost"), Unknown)
    hostile.behave = relay
    again = _call(hostile.url, own, ca, "downloadOrder", "lost", profileType="lost")
    assert again == Answered({"iccid": f"{iccid(501)}F"}), "the one that the lost call took"
    assert operator.order_of(502).profile_state == "available", "no second one was taken"


@pytest.mark.parametrize(
    ("status", "content", "kind"),
    [
        (200, b"", Unknown),
        (200, b"no json", Unknown),
        (200, b"[" * 30_000, Unknown),
        (200, b"[]", Unknown),
        (200, b'{"header": 7}', Unknown),
        (200, b'{"header": {"functionExecutionStatus": {"status": "Perhaps"}}}', Unknown),
        (200, b'{"iccid": "8900"}', Unknown),
        (200, b" " * (ANSWER_LIMIT_OCTETS + 1), Unknown),
        (302, b"", Unknown),
        (429, b"", Unknown),
        (500, b"", Unknown),
        (404, b"", FunctionRefused),
        (200, b'{"header": {"functionExecutionStatus": {"status": "Failed"}}}', FunctionRefused),
        (
            200,
            b'{"header": {"functionExecutionStatus": {"status": "Failed", "statusCodeData": 3}}}',
            FunctionRefused,
        ),
        (200, json.dumps(SUCCESS).encode(), Answered),
        (204, b"", Answered),
    ],
    ids=range(16),
)
def test_whatever_a_server_answers_is_one_of_three(
    hostile: Callback, tmp_path: Path, status: int, content: bytes, kind: type
) -> None:
    hostile.behave = lambda _callback, handler, _body: _send(handler, content, status)
    own, ca = self_signed(tmp_path, "own"), hostile.keyed.pem.read_text()
    result = _call(hostile.url, own, ca, "downloadOrder", "x")
    assert type(result) is kind
    if isinstance(result, Unknown | FunctionRefused):
        assert len(result.reason) <= 300


def test_words_of_a_server_are_cut_and_plain(hostile: Callback, tmp_path: Path) -> None:
    data = {"subjectCode": "8.1\n", "reasonCode": ["3"], "message": "\x1b[2J" + "x" * 9000}
    failed = {"header": {"functionExecutionStatus": {"status": "Failed", "statusCodeData": data}}}
    hostile.behave = lambda _callback, handler, _body: _send(handler, json.dumps(failed).encode())
    own, ca = self_signed(tmp_path, "own"), hostile.keyed.pem.read_text()
    result = _call(hostile.url, own, ca, "downloadOrder", "x")
    assert isinstance(result, FunctionRefused)
    assert result.reason.isprintable()


def test_one_that_is_slow_or_somebody_else_is_unknown(hostile: Callback, tmp_path: Path) -> None:
    own, other = self_signed(tmp_path, "own"), self_signed(tmp_path, "other")
    hostile.behave = _drip
    slow = _call(hostile.url, own, hostile.keyed.pem.read_text(), "downloadOrder", "x", seconds=0.4)
    assert isinstance(slow, Unknown)
    assert "seconds" in slow.reason
    hostile.behave = None
    before = len(hostile.asked)
    assert isinstance(_call(hostile.url, own, other.pem.read_text(), "downloadOrder", "x"), Unknown)
    assert len(hostile.asked) == before, "a server that did not prove itself receives no call"
    with pytest.raises(Es2PlusSettingsError):
        client_context(own.pem, other.key, None)


def _drip(_callback: Callback, handler: BaseHTTPRequestHandler, _body: dict[str, Any]) -> None:
    """Send an octet now and then: no single wait is long."""
    handler.send_response(200)
    handler.send_header("Content-Length", "1000")
    handler.end_headers()
    try:
        for _ in range(30):
            handler.wfile.write(b" ")
            handler.wfile.flush()
            time.sleep(0.05)
    except OSError:
        return


def _send(handler: BaseHTTPRequestHandler, content: bytes, status: int = 200) -> None:
    handler.send_response(status)
    if status == 302:
        handler.send_header("Location", "https://localhost:1/")
    if status != 204:
        handler.send_header("Content-Length", str(len(content)))
    handler.end_headers()
    try:
        handler.wfile.write(content)
    except OSError:
        return


def _issuers(server: RunningSmdp) -> list[Any]:
    return [each for each in server.pki.certificates if each.certificate.role.value == "ci"]
