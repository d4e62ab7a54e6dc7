"""The lab as a process of its own: killed at any moment it settles what it relayed; stopped it settles at once."""

import http.client
import json
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from kswifi.lab.gateway.count import LARGEST_WRITE_OCTETS
from kswifi.lab.phone.modem import Modem
from kswifi.lab.phone.network import Network
from kswifi.lab.phone.traffic import run_traffic
from kswifi.lab.phone.traffic_plan import TrafficPlan, TrafficResult
from tests.support.lab_network import LoopThread
from tests.support.small_ocs import IMSI, SimCard, SmallOcs

HEADER = {"X-KSWiFi-Lab": "1"}


class LabChild:
    def __init__(self, directory: Path, ocs: SmallOcs, **ports: int) -> None:
        settings = {"data_dir": str(directory), "diameter": ocs.address, **ports}
        self.process = subprocess.Popen(
            [sys.executable, "-m", "tests.support.lab_child", json.dumps(settings)],
            stdout=subprocess.PIPE,
            cwd=Path(__file__).parents[2],
        )
        assert self.process.stdout is not None
        self.addresses = {name: tuple(it) for name, it in json.loads(self._first_line()).items() if it}
        self.host, self.port = self.addresses["control"]

    def _first_line(self) -> bytes:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            if line.startswith(b"{"):
                return line
        raise AssertionError("the lab said nothing")

    def end(self, number: signal.Signals) -> int:
        self.process.send_signal(number)
        assert self.process.stdout is not None
        self.process.stdout.read()
        self.process.stdout.close()
        return self.process.wait(20)

    def ask(self, method: str, path: str, body: Any = None, headers: dict[str, str] = HEADER) -> tuple[int, Any]:
        connection = http.client.HTTPConnection(self.host, self.port, timeout=20)
        payload = body if isinstance(body, bytes) or body is None else json.dumps(body)
        connection.request(method, path, payload, headers)
        response = connection.getresponse()
        octets = response.read()
        connection.close()
        return response.status, json.loads(octets) if octets.startswith((b"{", b"[")) else octets.decode()


@contextmanager
def small_ocs(ocs: SmallOcs) -> Iterator[LoopThread]:
    loop = LoopThread()
    loop.run(ocs.start())
    try:
        yield loop
    finally:
        loop.run(ocs.stop())
        loop.close()


def settled(ocs: SmallOcs, seconds: float = 10) -> None:
    until = time.monotonic() + seconds
    while not ocs.sessions or not all(session.closed for session in ocs.sessions.values()):
        assert time.monotonic() < until, "the ChargingSession was not settled"
        time.sleep(0.02)


@pytest.mark.parametrize("after_octets", [100_000, 9_000_000, 23_456_789])
def test_a_killed_gateway_settles_what_it_relayed(tmp_path: Path, after_octets: int) -> None:
    ocs = SmallOcs(balance=10**9, grant=5_000_000, delay=0.002)
    with small_ocs(ocs):
        lab = LabChild(tmp_path, ocs)
        network = Network(tmp_path / "test-phone", (lab.addresses["attach"], lab.addresses["proxy"]))
        network.wifi = False
        modem = Modem(network, lab.addresses["attach"])
        modem.attach(SimCard(), IMSI)
        results: list[TrafficResult] = []
        enough = threading.Event()

        def move() -> None:
            def progress(octets: int) -> None:
                if octets >= after_octets:
                    enough.set()

            plan = TrafficPlan("crash", flows=8, post_flows=2, post_octets=20_000, posts_first=True)
            results.append(run_traffic(network.credentials, lab.addresses["content"], plan, progress))

        mover = threading.Thread(target=move)
        mover.start()
        assert enough.wait(20)
        assert lab.end(signal.SIGKILL) == -signal.SIGKILL
        mover.join()
        modem.detach()
        assert len(list((tmp_path / "gateway").glob("*.count"))) == 1
        (result,) = results
        assert result.delivered_octets >= after_octets
        ports = {name: lab.addresses[name][1] for name in ("attach", "proxy", "content", "control")}
        again = LabChild(tmp_path, ocs, **ports)
        settled(ocs)
        assert again.end(signal.SIGTERM) == 0
    # Right at the start, requests may have been sent that the gateway did not get to relay any more.
    relayed = sum(part.octets for part in result.received) if after_octets < 10**6 else result.delivered_octets
    assert relayed <= ocs.used <= result.delivered_octets + LARGEST_WRITE_OCTETS
    assert not list((tmp_path / "gateway").glob("*.count"))
    numbers = {request.cc_request_number for request in ocs.requests}
    assert numbers == set(range(max(numbers) + 1))


def test_a_count_that_is_damaged_is_set_aside_and_told(tmp_path: Path) -> None:
    ocs = SmallOcs(balance=10**9)
    with small_ocs(ocs):
        lab = LabChild(tmp_path, ocs)
        network = Network(tmp_path / "test-phone", (lab.addresses["attach"],))
        modem = Modem(network, lab.addresses["attach"])
        modem.attach(SimCard(), IMSI)
        lab.end(signal.SIGKILL)
        modem.detach()
        (count,) = (tmp_path / "gateway").glob("*.count")
        count.write_bytes(count.read_bytes()[:2000])
        again = LabChild(tmp_path, ocs)
        status = again.ask("GET", "/v1/status")[1]
        again.end(signal.SIGTERM)
    assert [path.name for path in (tmp_path / "gateway" / "damaged").iterdir()] == [count.name]
    assert status["damaged_counts"] == 1
    assert len(ocs.requests) == 1


def test_a_stop_settles_and_a_second_lab_on_the_same_folder_is_refused(tmp_path: Path) -> None:
    ocs = SmallOcs(balance=10**9)
    with small_ocs(ocs):
        lab = LabChild(tmp_path, ocs)
        network = Network(tmp_path / "test-phone", (lab.addresses["attach"],))
        modem = Modem(network, lab.addresses["attach"])
        modem.attach(SimCard(), IMSI)
        second = subprocess.run(
            [
                *(sys.executable, "-m", "tests.support.lab_child"),
                json.dumps({"data_dir": str(tmp_path), "diameter": ocs.address}),
            ],
            capture_output=True,
            cwd=Path(__file__).parents[2],
            check=False,
            timeout=30,
        )
        assert second.returncode != 0
        assert b"another gateway runs" in second.stderr
        assert lab.end(signal.SIGTERM) == 0
        modem.detach()
    assert all(session.closed for session in ocs.sessions.values())
    assert not list((tmp_path / "gateway").glob("*.count"))


def test_the_phone_by_its_control(tmp_path: Path) -> None:
    ocs = SmallOcs(balance=10**9)
    with small_ocs(ocs):
        lab = LabChild(tmp_path, ocs)
        try:
            assert lab.ask("GET", "/phone", headers={})[0] == 403
            assert lab.ask("GET", "/phone", headers={**HEADER, "Host": "evil.example"})[0] == 400
            status, phone = lab.ask("GET", "/phone")
            assert (status, phone["wifi"], phone["line"], phone["profiles"]) == (200, True, False, [])
            assert len(phone["eid"]) == 32
            assert lab.ask("POST", "/phone/browse", {"octets": 5000}) == (
                200,
                {"status": 200, "octets": 5000, "cut_off": False},
            )
            assert lab.ask("POST", "/phone/wifi", {"on": False}) == (200, {"wifi": False})
            assert lab.ask("POST", "/phone/browse", {"octets": 5000})[1]["code"] == "no_network"
            assert lab.ask("POST", "/phone/line", {"on": True})[1]["code"] == "card_refused"
            code = {"activation_code": "LPA:1$localhost$ORDER"}
            assert lab.ask("POST", "/phone/profiles/download", code)[1]["code"] == "no_network"
            lab.ask("POST", "/phone/wifi", {"on": True})
            assert lab.ask("POST", "/phone/profiles/download", code)[1]["code"] == "no_profile_server"
            assert lab.ask("POST", "/phone/profiles/notifications", {})[1]["code"] == "no_profile_server"
            assert (
                lab.ask("POST", "/phone/profiles/download", {"activation_code": "1$"})[1]["code"]
                == "activation_code_invalid"
            )
            lab.ask("POST", "/phone/wifi", {"on": False})
            for path, body in (
                ("wifi", {"on": 1}),
                ("wifi", b"{"),
                ("browse", {}),
                ("profiles/download", {}),
                ("profiles/download", {"activation_code": "x" * 256}),
            ):
                assert lab.ask("POST", f"/phone/{path}", body)[0] == 400
            assert lab.ask("POST", "/phone/browse", b"x" * 200_000)[0] == 400
            assert lab.ask("GET", "/v1/sockets?host=127.0.0.1&port=9") == (200, {"owned": False})
            assert lab.ask("GET", "/v1/sockets?host=127.0.0.1")[0] == 400
        finally:
            assert lab.end(signal.SIGTERM) == 0
        again = LabChild(tmp_path, ocs)
        assert again.ask("GET", "/phone")[1]["wifi"] is False  # the switch is kept
        again.end(signal.SIGTERM)


def test_only_kswifis_own_pages_may_drive_the_phone(tmp_path: Path) -> None:
    ocs = SmallOcs()
    with small_ocs(ocs):
        lab = LabChild(tmp_path, ocs)
        allowed = {}
        for origin in ("http://localhost:8080", "http://evil.example"):
            connection = http.client.HTTPConnection(lab.host, lab.port, timeout=10)
            preflight = {"Origin": origin, "Access-Control-Request-Method": "POST"}
            preflight["Access-Control-Request-Headers"] = "x-kswifi-lab"
            connection.request("OPTIONS", "/phone/wifi", headers=preflight)
            response = connection.getresponse()
            response.read()
            allowed[origin] = response.status, response.headers.get("Access-Control-Allow-Origin")
            connection.close()
        lab.end(signal.SIGTERM)
    assert allowed["http://localhost:8080"] == (200, "http://localhost:8080")
    assert allowed["http://evil.example"] == (400, None)
