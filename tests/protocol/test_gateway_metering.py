"""The access gateway with real sockets: what is granted is delivered, to the octet, and not one octet more."""

import http.client
import json
import socket
import threading
import time
from collections.abc import Callable
from hashlib import sha256
from pathlib import Path

import pytest

from kswifi.diameter.constants import CcRequestType, FinalUnitAction, ReportingReason
from kswifi.lab.access_keys import proxy_authorization
from kswifi.lab.gateway.bearer import SlowLane
from kswifi.lab.phone.network import ProxyAnswerError
from kswifi.lab.phone.traffic import run_traffic
from kswifi.lab.phone.traffic_plan import TrafficPlan
from kswifi.lab.stream import stream_sha256
from tests.support.lab_network import LabNetwork, lab_network
from tests.support.small_ocs import IMSI, SmallOcs


def stream(lab: LabNetwork, octets: int, seed: str = "s") -> socket.socket:
    """Ask for a stream through the line; return the socket, its answer unread."""
    connection = lab.network.connect(*lab.content)
    host = f"{lab.content[0]}:{lab.content[1]}"
    connection.sendall(f"GET /stream?seed={seed}&octets={octets} HTTP/1.1\r\nHost: {host}\r\n\r\n".encode())
    return connection


def read_all(connection: socket.socket) -> bytes:
    connection.settimeout(20)
    octets = bytearray()
    while piece := connection.recv(65536):
        octets += piece
    connection.close()
    return bytes(octets)


def wait_until(true: object, seconds: float = 10) -> None:
    assert callable(true)
    until = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < until, "it did not come about"
        time.sleep(0.01)


@pytest.mark.parametrize("allowance", [30_000_001, 3_456_789])
def test_sixteen_flows_are_cut_to_the_octet(tmp_path: Path, allowance: int) -> None:
    ocs = SmallOcs(balance=allowance, grant=1_000_000)
    with lab_network(tmp_path, ocs) as lab:
        lab.attach()
        result = run_traffic(lab.network.credentials, lab.content, TrafficPlan.until_cut("seed", allowance))
        assert lab.modem.wait_for_access("ended", seconds=5)
    assert result.cut_off
    assert result.delivered_octets == allowance == ocs.used
    assert (ocs.overrun, ocs.reserved) == (0, 0)
    result.check()
    assert len(result.received) == 12
    assert not list((tmp_path / "gateway").glob("*.count"))


def each_way(ocs: SmallOcs) -> tuple[int, int]:
    """Return what was reported uplink and downlink; together they are what was reported, in every report."""
    used = [unit for request in ocs.requests for service in request.services for unit in service.used]
    uplink, downlink = [it.cc_input_octets or 0 for it in used], [it.cc_output_octets or 0 for it in used]
    assert [up + down for up, down in zip(uplink, downlink, strict=True)] == [it.cc_total_octets for it in used]
    return sum(uplink), sum(downlink)


def test_a_bounded_fetch_leaves_the_rest(tmp_path: Path) -> None:
    ocs = SmallOcs(balance=50_000_000, grant=1_000_000)
    with lab_network(tmp_path, ocs) as lab:
        lab.attach()
        plan = TrafficPlan("part", flows=6, post_flows=2, post_octets=300_000, get_octets=700_000)
        result = run_traffic(lab.network.credentials, lab.content, plan)
        result.check()
        assert not result.cut_off
        lab.modem.detach()
    assert result.body_octets > 6 * 700_000 + 2 * 300_000
    assert ocs.used == result.delivered_octets
    uplink, downlink = each_way(ocs)
    assert uplink + downlink == ocs.used
    assert 2 * 300_000 < uplink < 2 * 300_000 + 6 * 10_000  # the bodies, and the heads of a handful of requests
    assert ocs.balance == 50_000_000 - ocs.used
    assert ocs.requests[-1].cc_request_type is CcRequestType.TERMINATION


def test_requests_follow_the_field_notes(tmp_path: Path) -> None:
    ocs = SmallOcs(balance=5_000_000, grant=1_000_000)
    with lab_network(tmp_path, ocs) as lab:
        lab.attach()
        run_traffic(lab.network.credentials, lab.content, TrafficPlan.until_cut("seed", 5_000_000))
        assert lab.modem.wait_for_access("ended", seconds=5)
    first, *updates, last = ocs.requests
    assert [request.cc_request_number for request in ocs.requests] == list(range(len(ocs.requests)))
    assert first.cc_request_type is CcRequestType.INITIAL
    assert last.cc_request_type is CcRequestType.TERMINATION
    assert first.imsi == IMSI
    assert first.multiple_services_indicator == 0
    assert first.ps_information is not None
    assert first.ps_information.called_station_id == "internet"
    assert first.ps_information.pdp_addresses
    assert len({request.session_id for request in ocs.requests}) == 1
    assert all(service.rating_group is None for request in ocs.requests for service in request.services)
    assert {u.services[0].reporting_reason for u in updates} == {ReportingReason.QUOTA_EXHAUSTED}
    assert last.services[0].is_final_report


def test_a_slow_client_that_still_talks_gets_everything_paid_for(tmp_path: Path) -> None:
    allowance = 800_000  # what the sockets' buffers hold: the cut comes while nothing was read
    ocs = SmallOcs(balance=allowance, grant=10_000_000)
    with lab_network(tmp_path, ocs) as lab:
        lab.attach()
        connection = stream(lab, 100_000_000)
        assert lab.modem.wait_for_access("ended", seconds=10)
        talking = threading.Event()

        def talk() -> None:
            while not talking.is_set():
                try:
                    connection.send(b"still talking" * 100)
                except OSError:
                    return
                time.sleep(0.005)

        talker = threading.Thread(target=talk)
        talker.start()
        received = bytearray()
        connection.settimeout(20)
        while piece := connection.recv(20_000):
            received += piece
            time.sleep(0.002)
        talking.set()
        talker.join()
        connection.close()
    head, _, body = bytes(received).partition(b"\r\n\r\n")
    sent = len(f"GET /stream?seed=s&octets=100000000 HTTP/1.1\r\nHost: {lab.content[0]}:{lab.content[1]}\r\n\r\n")
    assert sent + len(received) == allowance == ocs.used
    assert each_way(ocs) == (sent, len(received))
    assert head.startswith(b"HTTP/1.1 200")
    assert stream_sha256("s", len(body)) == sha256(body).hexdigest()


def test_short_writes_to_a_slow_client_are_counted_once(tmp_path: Path) -> None:
    ocs = SmallOcs(balance=100_000_000, grant=5_000_000)
    with lab_network(tmp_path, ocs) as lab:
        lab.attach()
        connection = stream(lab, 20_000_000)
        connection.settimeout(20)
        received = 0
        while piece := connection.recv(1_000_000):
            received += len(piece)
            time.sleep(0.001)
        connection.close()
        lab.modem.detach()
    assert received > 20_000_000
    assert ocs.used == received + len(request_of(lab, 20_000_000))


def test_without_an_answer_traffic_stops_at_the_grant_and_goes_on_after_it(tmp_path: Path) -> None:
    ocs = SmallOcs(balance=40_000_000, grant=1_000_000)
    with lab_network(tmp_path, ocs) as lab:
        lab.attach()
        ocs.mute = True
        connection = stream(lab, 5_000_000)
        connection.settimeout(5)
        before = b""
        while len(before) < 900_000:
            before += connection.recv(65536)
        time.sleep(0.3)
        (bearer,) = lab.gateway.status()["bearers"]
        assert bearer["used_octets"] == 1_000_000  # all of the grant, and nothing beyond it
        ocs.mute = False
        lab.loop.call(ocs.drop_connections)  # the question is asked again on the next connection
        received = before + read_all(connection)
        assert len(received.partition(b"\r\n\r\n")[2]) == 5_000_000
        lab.modem.detach()
    repeated = [request for request in ocs.requests if request.retransmitted]
    assert repeated
    asked = [r for r in ocs.requests if r.cc_request_number == repeated[0].cc_request_number]
    assert len({r.end_to_end for r in asked}) == 1
    assert not asked[0].retransmitted
    assert ocs.used == len(received) + len(request_of(lab, 5_000_000))
    assert ocs.overrun == 0


def request_of(lab: LabNetwork, octets: int) -> bytes:
    host = f"{lab.content[0]}:{lab.content[1]}"
    return f"GET /stream?seed=s&octets={octets} HTTP/1.1\r\nHost: {host}\r\n\r\n".encode()


def test_a_slow_charging_server_costs_no_octet(tmp_path: Path) -> None:
    ocs = SmallOcs(balance=2_500_000, grant=400_000, delay=0.05)
    with lab_network(tmp_path, ocs) as lab:
        lab.attach()
        plan = TrafficPlan.until_cut("slow", 2_500_000)
        result = run_traffic(lab.network.credentials, lab.content, plan)
        assert lab.modem.wait_for_access("ended", seconds=5)
    assert result.delivered_octets == ocs.used == 2_500_000
    assert ocs.overrun == 0


def test_validity_time_is_asked_anew_even_when_idle(tmp_path: Path) -> None:
    ocs = SmallOcs(balance=40_000_000, grant=1_000_000, validity=1)
    with lab_network(tmp_path, ocs) as lab:
        lab.attach()
        wait_until(lambda: len(ocs.requests) >= 3)
        received = read_all(stream(lab, 2_000_000))
        lab.modem.detach()
    assert len(received.partition(b"\r\n\r\n")[2]) == 2_000_000
    assert ocs.requests[1].services[0].reporting_reason is ReportingReason.VALIDITY_TIME
    assert ocs.overrun == 0


def test_the_last_grant_restricts_to_kswifi_alone_and_a_new_one_opens_again(tmp_path: Path) -> None:
    ocs = SmallOcs(balance=500_000, grant=10_000_000, action=FinalUnitAction.RESTRICT_ACCESS, validity=1)
    origin = http_server(b"the page of KSWiFi")
    host, port = origin.getsockname()[:2]
    with lab_network(tmp_path, ocs, origins=((host, port),)) as lab:
        lab.attach()
        assert len(read_all(stream(lab, 10_000_000))) < 500_000
        assert lab.modem.wait_for_access("control_only", seconds=5)
        final = next(r for r in ocs.requests if r.services[0].reporting_reason is ReportingReason.FINAL)
        assert final.cc_request_type is CcRequestType.UPDATE
        assert ocs.used == 500_000
        with pytest.raises(ProxyAnswerError) as refused:
            lab.network.connect(*lab.content)
        assert refused.value.facts["status"] == 403
        answer, body = plain_get(lab, f"http://{lab.content[0]}:{lab.content[1]}/")
        assert answer == 403
        assert b"ack to WiFi" in body
        with lab.network.connect(host, port) as page:
            page.sendall(b"GET / HTTP/1.1\r\nHost: kswifi\r\n\r\n")
            assert b"the page of KSWiFi" in read_all(page)
        assert ocs.used == 500_000  # uncharged
        ocs.balance = 2_000_000
        assert lab.modem.wait_for_access("full", seconds=5)
        assert b"HTTP/1.1 200" in read_all(stream(lab, 1000))
    origin.close()
    assert ocs.overrun == 0


def test_control_only_from_the_start_and_at_a_trickle(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    waits: list[SlowLane] = []
    wait = SlowLane.wait

    def noted(lane: SlowLane, resume: Callable[[], None]) -> None:
        waits.append(lane)
        wait(lane, resume)

    monkeypatch.setattr(SlowLane, "wait", noted)
    ocs = SmallOcs(balance=0, action=FinalUnitAction.RESTRICT_ACCESS, validity=60)
    origin = http_server(b"x" * 60_000)
    host, port = origin.getsockname()[:2]
    settings = {"origins": ((host, port),), "control_only_octets_per_second": 40_000}
    with lab_network(tmp_path, ocs, **settings) as lab:
        lab.attach()
        assert lab.modem.access == "control_only"
        with lab.network.connect(host, port) as page:
            page.sendall(b"GET / HTTP/1.1\r\nHost: kswifi\r\n\r\n")
            assert len(read_all(page)) > 60_000
        assert waits, "more than the bucket holds went through without waiting for it to fill"
        lab.modem.detach()
    origin.close()
    assert ocs.used == 0


def http_server(body: bytes) -> socket.socket:
    """Serve one page for ever, one connection after another."""
    listener = socket.create_server(("127.0.0.1", 0))

    def serve() -> None:
        while True:
            try:
                client, _ = listener.accept()
            except OSError:
                return
            with client:
                client.recv(65536)
                head = f"HTTP/1.1 200 OK\r\nContent-Length: {len(body)}\r\nConnection: close\r\n\r\n"
                client.sendall(head.encode() + body)

    threading.Thread(target=serve, daemon=True).start()
    return listener


def plain_get(lab: LabNetwork, url: str, body: bytes | None = None) -> tuple[int, bytes]:
    """Ask the proxy for an absolute address, as `curl -x` does."""
    assert lab.network.credentials is not None
    connection = http.client.HTTPConnection(*lab.proxy_address, timeout=10)
    headers = {"Proxy-Authorization": lab.network.credentials.authorization}
    connection.request("GET" if body is None else "POST", url, body, headers)
    response = connection.getresponse()
    answer = response.status, response.read()
    connection.close()
    return answer


def test_plain_requests_with_bodies_are_metered_both_ways(tmp_path: Path) -> None:
    ocs = SmallOcs(balance=10_000_000, grant=1_000_000)
    with lab_network(tmp_path, ocs) as lab:
        lab.attach()
        url = f"http://{lab.content[0]}:{lab.content[1]}"
        status, page = plain_get(lab, f"{url}/")
        assert (status, b"metered" in page) == (200, True)
        status, answer = plain_get(lab, f"{url}/sink", b"z" * 500_000)
        assert (status, json.loads(answer)["octets"]) == (200, 500_000)
        lab.modem.detach()
    assert 500_000 < ocs.used < 503_000


def test_a_client_without_the_right_credentials_reaches_nothing(tmp_path: Path) -> None:
    ocs = SmallOcs(balance=10_000_000)
    with lab_network(tmp_path, ocs) as lab:
        lab.attach()
        assert lab.network.credentials is not None
        bearer_id = lab.network.credentials.bearer_id
        for wrong in (("b0", "x"), (bearer_id, "x"), (bearer_id, "")):
            connection = http.client.HTTPConnection(*lab.proxy_address, timeout=10)
            value = proxy_authorization(*wrong)
            connection.request("GET", "http://example.org/", headers={"Proxy-Authorization": value})
            response = connection.getresponse()
            assert response.status == 407
            assert b"credentials" in response.read()
            assert response.headers["Proxy-Authenticate"].startswith("Basic realm=")
            connection.close()
        credentials = lab.network.credentials
        lab.modem.detach()
        lab.network.credentials = credentials
        with pytest.raises(ProxyAnswerError) as refused:
            lab.network.connect(*lab.content)
        assert refused.value.facts["status"] == 407
    assert ocs.used == 0


def test_private_destinations_are_refused(tmp_path: Path) -> None:
    ocs = SmallOcs(balance=10_000_000)
    with lab_network(tmp_path, ocs) as lab:
        lab.attach()
        for host, port in (ocs.address, lab.attach_address, ("localhost", lab.proxy_address[1]), ("10.0.0.1", 80)):
            with pytest.raises(ProxyAnswerError) as refused:
                lab.network.connect(host, port)
            assert refused.value.facts["status"] == 403


def test_the_gateway_knows_its_own_sockets(tmp_path: Path) -> None:
    ocs = SmallOcs(balance=10_000_000)
    seen: list[tuple[str, int]] = []
    listener = socket.create_server(("127.0.0.1", 0))
    host, port = listener.getsockname()[:2]
    with lab_network(tmp_path, ocs, allowed=((host, port),)) as lab:
        lab.attach()
        connection = lab.network.connect(host, port)
        client, address = listener.accept()
        seen.append(address)
        assert lab.gateway.owns_socket(*address)
        assert not lab.gateway.owns_socket("127.0.0.1", connection.getsockname()[1])
        connection.close()
        client.close()
        wait_until(lambda: not lab.gateway.owns_socket(*address))
    listener.close()


def test_a_line_has_a_limit_of_connections(tmp_path: Path) -> None:
    ocs = SmallOcs(balance=10_000_000)
    with lab_network(tmp_path, ocs, most_flows_of_a_bearer=3) as lab:
        lab.attach()
        open_ones = [lab.network.connect(*lab.content) for _ in range(3)]
        with pytest.raises(ProxyAnswerError) as refused:
            lab.network.connect(*lab.content)
        assert refused.value.facts["status"] == 503
        open_ones.pop().close()
        wait_until(lambda: lab.gateway.status()["bearers"][0]["flows"] == 2)
        open_ones.append(lab.network.connect(*lab.content))
        for connection in open_ones:
            connection.close()
