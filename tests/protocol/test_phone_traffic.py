"""What the phone makes of a sink's answer: it believes an upload only when all of it arrived as it was sent."""

import json
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from kswifi.lab.phone.network import ProxyCredentials
from kswifi.lab.phone.traffic import run_traffic
from kswifi.lab.phone.traffic_plan import TrafficError, TrafficPlan, TrafficResult
from kswifi.lab.settings import HostPort
from kswifi.lab.stream import SeededStream, stream_sha256

POSTED_OCTETS = 5000
STREAMED_OCTETS = 100


def _head(peer: socket.socket) -> bytes:
    head = b""
    while not head.endswith(b"\r\n\r\n"):
        head += peer.recv(1)
    return head


def _say(peer: socket.socket, body: bytes) -> None:
    peer.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(body) + body)


@contextmanager
def _gateway(said: dict[str, object]) -> Iterator[HostPort]:
    """Play gateway and content server for one POST, answered with ``said``, and the GET that follows it."""
    listener = socket.create_server(("127.0.0.1", 0))
    listener.settimeout(10)

    def serve() -> None:
        for _ in range(2):
            try:
                peer, _address = listener.accept()
            except OSError:
                return
            with peer:
                if not peer.recv(1, socket.MSG_PEEK):
                    return
                _head(peer)
                peer.sendall(b"HTTP/1.1 200 OK\r\n\r\n")
                if _head(peer).startswith(b"POST"):
                    posted = 0
                    while posted < POSTED_OCTETS:
                        posted += len(peer.recv(POSTED_OCTETS))
                    _say(peer, json.dumps(said).encode())
                else:
                    _say(peer, bytes(SeededStream("up-1").next_chunk()[:STREAMED_OCTETS]))

    thread = threading.Thread(target=serve)
    thread.start()
    try:
        yield listener.getsockname()[:2]
    finally:
        listener.shutdown(socket.SHUT_RDWR)
        listener.close()
        thread.join()


def _upload(said: dict[str, object]) -> TrafficResult:
    with _gateway(said) as address:
        plan = TrafficPlan("up", flows=1, post_flows=1, post_octets=POSTED_OCTETS, get_octets=STREAMED_OCTETS)
        return run_traffic(ProxyCredentials(address, "b1", "secret"), ("192.0.2.1", 80), plan)


def test_an_upload_that_arrived_whole_is_believed() -> None:
    result = _upload({"octets": POSTED_OCTETS, "sha256": stream_sha256("up-0", POSTED_OCTETS)})
    result.check()
    assert (
        result.body_octets == POSTED_OCTETS + len(json.dumps({"octets": POSTED_OCTETS, "sha256": "0" * 64})) + 100
    )


@pytest.mark.parametrize("octets", [0, POSTED_OCTETS - 1, POSTED_OCTETS + 1])
def test_an_upload_of_another_length_is_not_believed_though_its_hash_fits(octets: int) -> None:
    with pytest.raises(TrafficError, match="another number of octets") as refused:
        _upload({"octets": octets, "sha256": stream_sha256("up-0", octets)})
    assert refused.value.facts["octets"] == octets


def test_an_upload_with_another_hash_is_not_believed() -> None:
    with pytest.raises(TrafficError, match="did not arrive as it was sent"):
        _upload({"octets": POSTED_OCTETS, "sha256": stream_sha256("other", POSTED_OCTETS)})
