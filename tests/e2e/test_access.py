"""Who gets onto the line, and what they reach there: the card, the keys, the proof, the hold."""

import http.client
import json
import os
import shutil
import socket
import subprocess
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from hashlib import sha256
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx2
import pytest

from kswifi.kernel.numbers import Imsi
from kswifi.lab.demo.road import Road
from kswifi.lab.phone.activation_code import ActivationCode
from kswifi.lab.phone.card import Card
from kswifi.lab.phone.modem import AttachError, Modem
from kswifi.lab.phone.network import Network, ProxyAnswerError
from kswifi.lab.phone.traffic import run_traffic
from kswifi.lab.phone.traffic_plan import TrafficPlan
from kswifi.lab.stream import stream_sha256
from tests.support.cards import EID, RogueCard, iccid, profile_package
from tests.support.system import WholeSystem


def content(system: WholeSystem) -> tuple[str, int]:
    parts = urlsplit(system.children["lab"].ready["content"])
    assert parts.hostname is not None
    assert parts.port is not None
    return parts.hostname, parts.port


def bearers(system: WholeSystem) -> list[dict[str, Any]]:
    status = httpx2.get(f"{system.children['lab'].ready['control']}/v1/status", trust_env=False).json()
    return [dict(bearer) for bearer in status["bearers"]]


def go_on_line(road: Road) -> str:
    road.leave_wifi()
    road.switch_line_on()
    return road.modem.access


def back_on_wifi(road: Road) -> None:
    road.modem.detach()
    road.network.line = False
    road.network.wifi = True


def use(road: Road, octets: int, host: tuple[str, int]) -> int:
    """Fetch octets over the line; return what this process sent and received for it."""
    plan = TrafficPlan("use", flows=1, post_flows=0, get_octets=octets)
    result = run_traffic(road.network.credentials, host, plan)
    result.check()
    assert not result.cut_off
    return result.delivered_octets


def refused_by_the_gateway(road: Road, host: tuple[str, int]) -> int:
    with pytest.raises(ProxyAnswerError) as refused:
        road.network.connect_over_line(*host)
    return refused.value.status


@contextmanager
def over_the_line(road: Road, system: WholeSystem) -> Iterator[httpx2.Client]:
    """Give the app's signed-in HTTP client, but over the line: a plain proxy, as `curl -x` uses it."""
    credentials = road.network.credentials
    assert credentials is not None
    host, port = credentials.address
    proxy = httpx2.Proxy(f"http://{host}:{port}", auth=(credentials.bearer_id, credentials.password))
    app = road.app
    with httpx2.Client(
        base_url=system.origin,
        proxy=proxy,
        trust_env=False,
        cookies=app._client.cookies,
        headers={"X-CSRF-Token": app._csrf_token},
    ) as client:
        yield client


# -- the card ----------------------------------------------------------------------------------------------------


def test_a_card_with_another_key_refuses_the_network_and_gets_nothing(system: WholeSystem, tmp_path: Path) -> None:
    with system.stored() as road:
        imsi = road.card.imsi()
        with Card.create(tmp_path / "forged", EID) as forged:
            forged._euicc.load_profile_package(profile_package(imsi=imsi, k=os.urandom(16), opc=os.urandom(16)))
            forged.enable(iccid())
            assert forged.imsi() == imsi
            with pytest.raises(AttachError, match="authentication rejected"):
                road.modem.attach(forged, imsi)
        assert road.modem.attachment is None
        assert road.network.credentials is None
        assert [it for it in bearers(system) if it["imsi"] == imsi] == []
        assert system.account(road.walked.session_id).used == 0
        assert go_on_line(road) == "full"  # the genuine card is not harmed


def test_a_rogue_card_that_skips_the_mac_check_is_refused_on_res(system: WholeSystem) -> None:
    with system.stored() as road:
        rogue = RogueCard(Imsi(road.card.imsi()))
        with pytest.raises(AttachError, match="authentication rejected"):
            road.modem.attach(rogue, rogue.imsi())
        assert "wrong RES" in (system.log_dir / "lab.log").read_text()
        assert [it for it in bearers(system) if it["imsi"] == rogue.imsi()] == []
        assert system.account(road.walked.session_id).reserved == 0


def test_an_unknown_subscriber_is_refused(system: WholeSystem, tmp_path: Path) -> None:
    with system.road(name="unknown") as road, pytest.raises(AttachError, match="does not know this subscriber"):
        road.modem.attach(RogueCard(Imsi("621990000000001")), "621990000000001")


class ReplayingWire:
    """Somebody between modem and gateway, who puts the first challenge in the place of every later one."""

    def __init__(self, gateway: tuple[str, int]) -> None:
        self._gateway = gateway
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.address: tuple[str, int] = self._listener.getsockname()[:2]
        self.first: bytes | None = None
        self.modem_said: list[dict[str, Any]] = []
        threading.Thread(target=self._serve, daemon=True).start()

    def close(self) -> None:
        self._listener.close()

    def _serve(self) -> None:
        while True:
            try:
                modem, _ = self._listener.accept()
            except OSError:
                return
            network = socket.create_connection(self._gateway)
            threading.Thread(target=self._up, args=(modem, network), daemon=True).start()
            threading.Thread(target=self._down, args=(network, modem), daemon=True).start()

    def _up(self, modem: socket.socket, network: socket.socket) -> None:
        for line in modem.makefile("rb"):
            self.modem_said.append(json.loads(line))
            network.sendall(line)
        network.close()

    def _down(self, network: socket.socket, modem: socket.socket) -> None:
        for line in network.makefile("rb"):
            if json.loads(line)["type"] == "authentication_request":
                self.first = self.first or line
                line = self.first  # noqa: PLW2901 - this is the attack
            modem.sendall(line)
        modem.close()


def test_a_replayed_challenge_yields_no_keys_and_does_no_harm(system: WholeSystem, tmp_path: Path) -> None:
    with system.stored() as road:
        imsi = road.card.imsi()
        wire = ReplayingWire(next(it for it in road.network.gateway if it == road.modem._address))
        network = Network(tmp_path, (wire.address, *road.network.gateway))
        modem = Modem(network, wire.address)
        modem.attach(road.card, imsi)  # the first time the challenge is fresh
        modem.detach()
        with pytest.raises(AttachError):
            modem.attach(road.card, imsi)
        wire.close()
        failures = [it for it in wire.modem_said if it["type"] == "authentication_failure"]
        assert [it["emm_cause"] for it in failures][:1] == [21]  # synch failure, with the card's AUTS
        assert len(failures[0]["auts"]) == 28
        assert network.credentials is None
        assert go_on_line(road) == "full"


# -- the proof ---------------------------------------------------------------------------------------------------


def download_without_telling(road: Road) -> None:
    """Have the card install and enable the profile, and keep its signed result to itself."""
    assert road.walked.package is not None
    road.app.wait_for_profile(road.walked.esim_id)
    code = ActivationCode.parse(road.walked.package.activation["activation_code"])
    with road._servers._lpa(road.card) as lpa:
        road.card.enable(lpa.download(code).iccid)


def test_without_the_cards_proof_the_network_gives_not_one_octet(system: WholeSystem) -> None:
    with system.road(name="unproved") as road:
        from tests.support.system import PASSWORD, new_identifier

        road.register(new_identifier(), PASSWORD)
        road.choose("free-3mb")
        road.order()
        road.download(break_off=False)
        road.app.transfer(road.walked.session_id, road.walked.esim_id)
        download_without_telling(road)
        assert go_on_line(road) == "control_only"
        assert refused_by_the_gateway(road, content(system)) == 403
        back_on_wifi(road)
        account = system.account(road.walked.session_id)
        assert (account.credited, account.available) == (3_000_000, 3_000_000)
        assert (account.used, account.reserved) == (0, 0)
        assert road.app.internet_session(road.walked.session_id)["state"] == "transferring"

        road.store()  # now the card proves it, and the same line carries
        assert go_on_line(road) == "full"
        used = use(road, 10_000, content(system))
        back_on_wifi(road)
        assert system.account(road.walked.session_id).used == used


# -- pause, hold, cut-off ----------------------------------------------------------------------------------------


def test_pause_gives_control_only_access_and_resume_the_rest(system: WholeSystem) -> None:
    with system.stored() as road:
        session_id = road.walked.session_id
        assert road.app.internet_session(session_id)["state"] == "stored"
        assert go_on_line(road) == "full"
        used = use(road, 500_000, content(system))
        back_on_wifi(road)
        assert road.app.wait_until(session_id, ("active",))["balance"]["used"] == used

        road.app.switch(session_id, "deactivate")
        assert road.app.wait_until(session_id, ("paused",))["hold"] == "paused"
        assert go_on_line(road) == "control_only"
        assert refused_by_the_gateway(road, content(system)) == 403
        with over_the_line(road, system) as client:
            assert client.get(f"/api/v1/sessions/{session_id}").json()["state"] == "paused"
            answer = client.post(f"/api/v1/sessions/{session_id}/activate", headers={"Idempotency-Key": "resume-1"})
            assert answer.status_code == 200
        back_on_wifi(road)
        road.app.wait_until(session_id, ("active",))
        assert system.account(session_id).used == used  # control-only access is not charged

        assert go_on_line(road) == "full"
        used += use(road, 500_000, content(system))
        back_on_wifi(road)
        assert system.account(session_id).used == used


def test_after_exhaustion_only_kswifi_is_reachable_and_uncharged(system: WholeSystem) -> None:
    with system.stored() as road:
        session_id = road.walked.session_id
        go_on_line(road)
        road.browse_until_cut_off()
        road.return_to_wifi()
        assert road.walked.final["hold"] == "exhausted"

        assert go_on_line(road) == "control_only"
        assert refused_by_the_gateway(road, content(system)) == 403
        with over_the_line(road, system) as client:
            assert client.get("/api/v1/offers").status_code == 200
            elsewhere = client.get("http://example.org/")
            assert elsewhere.status_code == 403
            assert "ack to WiFi" in elsewhere.text
            assert client.get(f"http://{content(system)[0]}:{content(system)[1]}/").status_code == 403
            again = client.post(
                "/api/v1/sessions", json={"offer_id": "free-3mb"}, headers={"Idempotency-Key": "over-line"}
            )
            assert (again.status_code, again.json()["code"]) == (403, "not_on_wifi")
        back_on_wifi(road)
        account = system.account(session_id)
        assert (account.used, account.reserved, account.available, account.overrun) == (3_000_000, 0, 0, 0)


def test_a_download_over_the_session_itself_is_refused(system: WholeSystem) -> None:
    with system.stored() as road:
        session_id = road.walked.session_id
        assert go_on_line(road) == "full"
        with over_the_line(road, system) as client:
            package = client.get(f"/api/v1/sessions/{session_id}/package")
            assert (package.status_code, package.json()["code"]) == (403, "not_on_wifi")
            transfer = client.post(
                f"/api/v1/sessions/{session_id}/transfer", json={}, headers={"Idempotency-Key": "t-1"}
            )
            assert (transfer.status_code, transfer.json()["code"]) == (403, "not_on_wifi")
        back_on_wifi(road)
        assert road.app._client.get(f"/api/v1/sessions/{session_id}/package").status_code == 200


def test_a_slow_client_that_still_uploads_gets_all_that_was_paid_for(system: WholeSystem) -> None:
    with system.stored() as road:
        go_on_line(road)
        host, port = content(system)
        upload = road.network.connect_over_line(host, port)
        upload.sendall(f"POST /sink HTTP/1.1\r\nHost: {host}\r\nContent-Length: 1000000000\r\n\r\n".encode())
        uploaded = 0
        stop = threading.Event()

        def talk() -> None:
            nonlocal uploaded
            while not stop.is_set():
                try:
                    uploaded += upload.send(b"still talking " * 500)
                except OSError:
                    return
                time.sleep(0.002)

        talker = threading.Thread(target=talk)
        talker.start()
        request = f"GET /stream?seed=slow&octets=100000000 HTTP/1.1\r\nHost: {host}\r\n\r\n".encode()
        download = road.network.connect_over_line(host, port)
        download.sendall(request)
        download.settimeout(20)
        received = bytearray()
        while piece := download.recv(30_000):  # ends cleanly, never by a reset
            received += piece
            time.sleep(0.002)
        upload.settimeout(20)
        assert upload.recv(1000) == b""
        stop.set()
        talker.join()
        upload.close()
        download.close()
        assert road.modem.wait_for_access("control_only", "ended", seconds=10)
        back_on_wifi(road)
        road.app.wait_until(road.walked.session_id, ("exhausted",))
        account = system.account(road.walked.session_id)
        assert (account.used, account.overrun, account.available) == (3_000_000, 0, 0)
        head, _, body = bytes(received).partition(b"\r\n\r\n")
        assert head.startswith(b"HTTP/1.1 200")
        assert sha256(body).hexdigest() == stream_sha256("slow", len(body))
        relayed_up = 3_000_000 - len(request) - len(received)
        assert 0 < relayed_up <= uploaded + 200


# -- any client --------------------------------------------------------------------------------------------------


def test_a_plain_proxy_request_works_and_is_metered(system: WholeSystem) -> None:
    with system.stored() as road:
        go_on_line(road)
        host, port = content(system)
        with over_the_line(road, system) as client:
            answer = client.get(f"http://{host}:{port}/stream?seed=plain&octets=400000")
        assert sha256(answer.content).hexdigest() == stream_sha256("plain", 400_000)
        body = 400_000
        if shutil.which("curl"):
            credentials = road.network.credentials
            assert credentials is not None
            proxy = f"http://{credentials.bearer_id}:{credentials.password}@{credentials.address[0]}"
            command = ["curl", "-s", "-x", f"{proxy}:{credentials.address[1]}", "-d", "x" * 50_000]
            told = subprocess.run(
                [*command, f"http://{host}:{port}/sink"], capture_output=True, check=True, timeout=20
            )
            assert json.loads(told.stdout)["octets"] == 50_000
            body += 50_000
        back_on_wifi(road)
        used = system.account(road.walked.session_id).used
        assert body < used < body + 3000


def test_wrong_proxy_credentials_reach_nothing(system: WholeSystem) -> None:
    with system.stored() as road:
        go_on_line(road)
        assert road.network.credentials is not None
        connection = http.client.HTTPConnection(*road.network.credentials.address, timeout=10)
        connection.request("GET", "http://example.org/", headers={"Proxy-Authorization": "Basic YjA6eA=="})
        assert connection.getresponse().status == 407
        connection.close()
        back_on_wifi(road)
        assert system.account(road.walked.session_id).used == 0
