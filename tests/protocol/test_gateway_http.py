"""Plain requests through the proxy: one connection, one request, each message framed to its end both ways."""

import socket
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import h11
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.support.lab_network import LabNetwork, lab_network
from tests.support.origin import Origin, Seen, origin
from tests.support.small_ocs import SmallOcs

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: keep-alive\r\nKeep-Alive: timeout=5\r\n\r\nok"
PATIENCE_SECONDS = 10.0


@contextmanager
def line(directory: Path, *origins: Origin, ocs: SmallOcs | None = None, **more: Any) -> Iterator[LabNetwork]:
    allowed = tuple((it.host, it.port) for it in origins)
    with lab_network(directory, ocs or SmallOcs(balance=10**9), allowed=allowed, **more) as lab:
        lab.attach()
        yield lab


def authorization(lab: LabNetwork) -> bytes:
    assert lab.network.credentials is not None
    return f"Proxy-Authorization: {lab.network.credentials.authorization}\r\n".encode()


def head(lab: LabNetwork, to: Origin, line: str = "GET {} HTTP/1.1", more: bytes = b"") -> bytes:
    first = line.format(f"http://{to.authority}/x").encode()
    return first + b"\r\nHost: " + to.authority.encode() + b"\r\n" + authorization(lab) + more + b"\r\n"


def say(lab: LabNetwork, octets: bytes) -> socket.socket:
    connection = socket.create_connection(lab.proxy_address, PATIENCE_SECONDS)
    connection.sendall(octets)
    return connection


def hear(connection: socket.socket) -> bytes:
    """Return all until the proxy closes."""
    connection.settimeout(PATIENCE_SECONDS)
    octets = b""
    while piece := connection.recv(65536):
        octets += piece
    connection.close()
    return octets


def ask(lab: LabNetwork, octets: bytes) -> bytes:
    return hear(say(lab, octets))


def wait_until(is_so: Callable[[], bool]) -> None:
    until = time.monotonic() + PATIENCE_SECONDS
    while not is_so():
        assert time.monotonic() < until, "it did not come about"
        time.sleep(0.01)


def flows(lab: LabNetwork) -> int:
    count = lab.gateway.status()["bearers"][0]["flows"]
    assert isinstance(count, int)
    return count


def parsed(octets: bytes, method: str = "GET") -> tuple[h11.Response, bytes, bool]:
    """Return an answer, its body, and whether its framing says that it is whole."""
    http = h11.Connection(h11.CLIENT)
    http.send(h11.Request(method=method, target="/", headers=[("Host", "a")]))
    http.send(h11.EndOfMessage())
    http.receive_data(octets)
    http.receive_data(b"")
    response, body = None, b""
    while True:
        try:
            event = http.next_event()
        except h11.RemoteProtocolError:
            break
        if isinstance(event, h11.Response):
            response = event
        elif isinstance(event, h11.Data):
            body += event.data
        elif isinstance(event, h11.EndOfMessage):
            assert response is not None
            return response, body, True
    assert response is not None
    return response, body, False


def test_a_second_request_never_reaches_the_origin_of_the_first(tmp_path: Path) -> None:
    with origin(lambda _: OK) as first, origin(lambda _: OK) as second, line(tmp_path, first, second) as lab:
        upload = head(lab, first, "PUT {} HTTP/1.1", b"Transfer-Encoding: chunked\r\n") + b"3\r\nabc\r\n0\r\n\r\n"
        response, body, whole = parsed(ask(lab, upload + head(lab, second)))
        assert (response.status_code, body, whole) == (200, b"ok", True)
        assert [seen.body for seen in first.requests] == [b"abc"]
        assert b"Proxy-Authorization" not in first.octets[0]
        assert len(first.octets[0]) == bytes(first.octets[0]).index(b"0\r\n\r\n") + 5
        assert not second.requests


def test_the_answer_announces_that_its_connection_ends(tmp_path: Path) -> None:
    with origin(lambda _: OK) as to, line(tmp_path, to) as lab:
        answer = ask(lab, head(lab, to))
        assert answer == (b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nVia: 1.1 kswifi\r\nConnection: close\r\n\r\nok")
        assert dict(to.requests[0].request.headers)[b"connection"] == b"close"


@pytest.mark.parametrize(
    ("fields", "body"),
    [
        (b"Content-Length: 5\r\nConnection: Content-Length, X-Hop\r\nX-Hop: 1\r\n", b"hello"),
        (b"Transfer-Encoding: chunked\r\nConnection: Transfer-Encoding\r\n", b"5\r\nhello\r\n0\r\n\r\n"),
        (b"Transfer-Encoding: chunked\r\nContent-Length: 3\r\n", b"5\r\nhello\r\n0\r\n\r\n"),
        (b"Proxy-Authenticate: Basic\r\nUpgrade: h2c\r\nTrailer: X\r\nContent-Length: 5\r\n", b"hello"),
    ],
)
def test_hop_by_hop_fields_of_an_answer_stay_and_its_framing_passes(
    tmp_path: Path, fields: bytes, body: bytes
) -> None:
    with (
        origin(lambda _: b"HTTP/1.1 200 OK\r\n" + fields + b"\r\n" + body) as to,
        line(tmp_path, to) as lab,
    ):
        response, received, whole = parsed(ask(lab, head(lab, to)))
        assert (received, whole) == (b"hello", True)
        names = {name for name, _ in response.headers}
        assert names in ({b"content-length", b"via", b"connection"}, {b"transfer-encoding", b"via", b"connection"})


CHUNKED = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhe\r\n3\r\nllo\r\n0\r\nX-Sum: 1\r\n\r\n"


def test_a_chunked_answer_fits_the_clients_version(tmp_path: Path) -> None:
    with origin(lambda _: CHUNKED) as to, line(tmp_path, to) as lab:
        newer = ask(lab, head(lab, to))
        assert newer.endswith(b"\r\n\r\n5\r\nhello\r\n0\r\nX-Sum: 1\r\n\r\n")
        older = ask(lab, head(lab, to, "GET {} HTTP/1.0"))
        assert older.endswith(b"\r\n\r\nhello")
        assert b"Transfer-Encoding" not in older
        assert b"Connection: close" in older


def test_an_answer_that_ends_with_its_connection_is_chunked_for_the_client(tmp_path: Path) -> None:
    with (
        origin(lambda _: b"HTTP/1.0 200 OK\r\n\r\nhello", closes=True) as to,
        line(tmp_path, to) as lab,
    ):
        response, body, whole = parsed(ask(lab, head(lab, to)))
        assert (body, whole) == (b"hello", True)
        assert (b"via", b"1.0 kswifi") in list(response.headers)


@pytest.mark.parametrize(
    ("method", "answer"),
    [
        ("HEAD", b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n"),
        ("GET", b"HTTP/1.1 304 Not Modified\r\nContent-Length: 5\r\n\r\n"),
        ("GET", b"HTTP/1.1 204 No Content\r\nContent-Length: 5\r\n\r\n"),
    ],
)
def test_an_answer_without_a_body_is_whole_at_once(tmp_path: Path, method: str, answer: bytes) -> None:
    with origin(lambda _: answer) as to, line(tmp_path, to) as lab:
        received = ask(lab, head(lab, to, method + " {} HTTP/1.1"))
        assert received.endswith(b"\r\n\r\n")
        assert (b"Content-Length" in received) is (b"204" not in answer)
        assert b"Transfer-Encoding" not in received


def test_interim_answers_pass_to_those_who_know_them(tmp_path: Path) -> None:
    interim = b"HTTP/1.1 103 Early Hints\r\nLink: </a>\r\nConnection: X-Y\r\nX-Y: 1\r\n\r\n"
    with origin(lambda _: interim + OK) as to, line(tmp_path, to) as lab:
        answer = ask(lab, head(lab, to))
        assert answer.startswith(b"HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\nHTTP/1.1 200 OK\r\n")
        assert ask(lab, head(lab, to, "GET {} HTTP/1.0")).startswith(b"HTTP/1.1 200 OK\r\n")


def test_a_client_that_waits_for_100_continue_gets_the_origins(tmp_path: Path) -> None:
    listener = socket.create_server(("127.0.0.1", 0))
    to = Origin(lambda _: None, "127.0.0.1", listener.getsockname()[1])
    with listener, line(tmp_path, to) as lab:
        client = say(lab, head(lab, to, "PUT {} HTTP/1.1", b"Content-Length: 5\r\nExpect: 100-continue\r\n"))
        upstream, _ = listener.accept()
        with upstream, upstream.makefile("rb") as arriving:
            fields = list(iter(arriving.readline, b"\r\n"))
            assert b"Expect: 100-continue\r\n" in fields
            upstream.sendall(b"HTTP/1.1 100 Continue\r\n\r\n")
            assert client.recv(1000) == b"HTTP/1.1 100 Continue\r\n\r\n"
            client.sendall(b"hello")
            assert arriving.read(5) == b"hello"
            upstream.sendall(OK)
            assert hear(client).endswith(b"\r\n\r\nok")


@pytest.mark.parametrize(
    "answer",
    [
        b"no answer at all\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\nhello",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip, chunked\r\n\r\n",
        b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\n\r\n",
        b"HTTP/1.1 103 Early Hints\r\n\r\n" * 100,
        b"HTTP/1.1 200 OK\r\nX: " + b"y" * 100_000,
        b"",
    ],
)
def test_a_malformed_answer_is_502(tmp_path: Path, answer: bytes) -> None:
    with origin(lambda _: answer, closes=True) as to, line(tmp_path, to) as lab:
        received = ask(lab, head(lab, to))
        assert b"HTTP/1.1 502 Bad Gateway\r\n" in received
        assert b"Connection: close\r\n" in received
        wait_until(lambda: flows(lab) == 0)


@pytest.mark.parametrize(
    "answer",
    [
        b"HTTP/1.1 200 OK\r\nContent-Length: 50\r\n\r\nhello",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\nzz\r\n",
    ],
)
def test_an_answer_that_breaks_off_is_seen_to(tmp_path: Path, answer: bytes) -> None:
    with origin(lambda _: answer, closes=True) as to, line(tmp_path, to) as lab:
        assert parsed(ask(lab, head(lab, to)))[1:] == (b"hello", False)


@pytest.mark.parametrize(
    "request_line",
    [
        "GET http://[::1/ HTTP/1.1",
        "GET http://a:0/ HTTP/1.1",
        "GET http://u@a/ HTTP/1.1",
        "CONNECT [::1 HTTP/1.1",
        "HEAD http://[x]/ HTTP/1.1",
    ],
)
def test_an_address_that_is_none_is_400_and_no_traceback(
    tmp_path: Path, request_line: str, capfd: pytest.CaptureFixture[str]
) -> None:
    with line(tmp_path) as lab:
        answer = ask(lab, request_line.encode() + b"\r\nHost: a\r\n" + authorization(lab) + b"\r\n")
    assert answer.startswith(b"HTTP/1.1 400 Bad Request\r\n")
    assert answer.endswith(b"\r\n\r\n") is request_line.startswith("HEAD")
    assert "Traceback" not in capfd.readouterr().err


def test_a_malformed_body_is_400_and_ends_both_sides(tmp_path: Path) -> None:
    with origin(lambda _: OK) as to, line(tmp_path, to) as lab:
        client = say(lab, head(lab, to, "PUT {} HTTP/1.1", b"Transfer-Encoding: chunked\r\n"))
        wait_until(lambda: to.open_connections == 1)
        client.sendall(b"zz\r\nabc")
        assert hear(client).startswith(b"HTTP/1.1 400 Bad Request\r\n")
        wait_until(lambda: (flows(lab), to.open_connections) == (0, 0))
        assert not to.requests


def test_clients_that_went_away_give_their_places_back(tmp_path: Path) -> None:
    with origin(lambda _: None) as silent, line(tmp_path, silent, most_flows_of_a_bearer=3) as lab:
        for _ in range(3):
            client = say(lab, head(lab, silent))
            wait_until(lambda: silent.open_connections == flows(lab) > 0)
            client.close()
            wait_until(lambda: flows(lab) == 0)
        wait_until(lambda: silent.open_connections == 0)
        assert len(silent.requests) == 3


def test_a_client_that_only_ended_its_side_still_gets_its_answer(tmp_path: Path) -> None:
    def slow(_: Seen) -> bytes:
        time.sleep(0.3)
        return OK

    with origin(slow) as to, line(tmp_path, to) as lab:
        client = say(lab, head(lab, to))
        client.shutdown(socket.SHUT_WR)
        assert hear(client).endswith(b"\r\n\r\nok")


def test_a_silent_origin_is_504_when_the_time_is_over(tmp_path: Path) -> None:
    with origin(lambda _: None) as silent, line(tmp_path, silent, request_idle_seconds=0.3) as lab:
        assert ask(lab, head(lab, silent)).startswith(b"HTTP/1.1 504 Gateway Timeout\r\n")
        wait_until(lambda: flows(lab) == 0)


def test_a_request_that_does_not_come_to_its_end_is_408(tmp_path: Path) -> None:
    with origin(lambda _: OK) as to, line(tmp_path, to, request_idle_seconds=0.3) as lab:
        half = head(lab, to, "PUT {} HTTP/1.1", b"Content-Length: 9\r\n") + b"abc"
        assert ask(lab, half).startswith(b"HTTP/1.1 408 Request Timeout\r\n")


def test_a_tunnel_in_which_nothing_moves_is_ended(tmp_path: Path) -> None:
    with origin(lambda _: None) as silent, line(tmp_path, silent, tunnel_idle_seconds=0.3) as lab:
        client = lab.network.connect(silent.host, silent.port)
        assert hear(client) == b""
        wait_until(lambda: flows(lab) == 0)


def test_both_ends_of_a_flow_are_probed(tmp_path: Path) -> None:
    with origin(lambda _: None) as silent, line(tmp_path, silent) as lab:
        client = lab.network.connect(silent.host, silent.port)
        wait_until(lambda: flows(lab) == 1)
        (flow,) = next(iter(lab.gateway._bearers.values())).flows
        for each in (flow._client, flow._upstream):
            assert each.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE) == 1
            idle, interval, probes = (
                each.getsockopt(socket.IPPROTO_TCP, it)
                for it in (socket.TCP_KEEPIDLE, socket.TCP_KEEPINTVL, socket.TCP_KEEPCNT)
            )
            assert idle + interval * probes <= 90
        client.close()


def test_an_origin_with_an_ipv6_address(tmp_path: Path) -> None:
    with origin(lambda _: OK, "::1") as to, line(tmp_path, to) as lab:
        assert ask(lab, head(lab, to)).endswith(b"\r\n\r\nok")
        assert dict(to.requests[0].request.headers)[b"host"] == to.authority.encode()
        connect = b"CONNECT " + to.authority.encode() + b" HTTP/1.1\r\nHost: a\r\n" + authorization(lab) + b"\r\n"
        tunnel = say(lab, connect)
        assert tunnel.recv(1000).startswith(b"HTTP/1.1 200 ")
        tunnel.sendall(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
        assert tunnel.recv(1000) == OK
        tunnel.close()


def chunked(parts: list[bytes], trailers: bytes) -> bytes:
    return b"".join(b"%x;n=1\r\n%s\r\n" % (len(it), it) for it in parts if it) + b"0\r\n" + trailers + b"\r\n"


def framed(framing: str, parts: list[bytes], trailers: bytes) -> tuple[bytes, bytes]:
    """Return a message's framing fields and its body on the wire."""
    if framing == "chunked":
        return b"Transfer-Encoding: chunked\r\n", chunked(parts, trailers)
    body = b"".join(parts)
    return (b"Content-Length: %d\r\n" % len(body), body) if framing == "length" else (b"", body)


PARTS = st.lists(st.binary(max_size=300) | st.just(b"z" * 70_000), max_size=8)
TRAILERS = st.sampled_from([b"", b"X-Sum: 1\r\n"])


def test_every_message_arrives_whole_and_alone_and_is_counted_exactly(tmp_path: Path) -> None:
    answers: list[tuple[str, list[bytes], bytes]] = []
    heard: list[int] = []

    def answer(_: Seen) -> bytes:
        fields, body = framed(*answers[-1])
        return b"HTTP/1.1 200 OK\r\n" + fields + b"\r\n" + body

    with (
        origin(answer) as keeping,
        origin(answer, closes=True) as closing,
        line(tmp_path, keeping, closing, ocs=SmallOcs(balance=10**9, grant=100_000)) as lab,
    ):

        @settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
        @given(
            up=st.tuples(st.sampled_from(["length", "chunked"]), PARTS, TRAILERS),
            down=st.tuples(st.sampled_from(["length", "chunked", "close"]), PARTS, TRAILERS),
            behind=st.sampled_from([b"", b"\r\n", b"GET / HTTP/1.1\r\nHost: b\r\n\r\n", b"0\r\n\r\n"]),
            cuts=st.lists(st.integers(0, 2_000), max_size=6),
        )
        def exchange(
            up: tuple[str, list[bytes], bytes], down: tuple[str, list[bytes], bytes], behind: bytes, cuts: list[int]
        ) -> None:
            answers.append(down)
            to = closing if down[0] == "close" else keeping
            fields, body = framed(*up)
            octets = head(lab, to, "POST {} HTTP/1.1", fields) + body + behind
            seen_before, used_before = len(to.requests), lab.gateway.status()["bearers"][0]["used_octets"]
            with socket.create_connection(lab.proxy_address, PATIENCE_SECONDS) as client:
                client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                begin = 0
                for end in [*sorted(set(cuts)), len(octets)]:
                    client.sendall(octets[begin:end])
                    begin = max(begin, end)
                received = hear(client)
            heard.append(len(received))
            _, arrived, whole = parsed(received, "POST")
            assert (arrived, whole) == (b"".join(down[1]), True)
            wait_until(lambda: (flows(lab), to.open_connections) == (0, 0))
            (seen,) = to.requests[seen_before:]
            assert seen.body == b"".join(up[1])
            assert seen.trailers == ([(b"x-sum", b"1")] if up[0] == "chunked" and up[2] else [])
            used = lab.gateway.status()["bearers"][0]["used_octets"] - used_before
            assert used == len(to.octets[-1]) + len(received)

        exchange()
        assert keeping.malformed == closing.malformed == []
        lab.modem.detach()
        assert lab.ocs.used == keeping.received_octets + closing.received_octets + sum(heard)
