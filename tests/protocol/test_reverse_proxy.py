"""KSWiFi behind a real nginx, with the configuration that docs/reverse-proxy.md gives."""

import ssl
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from ipaddress import IPv4Address
from itertools import count
from typing import Any, Final
from uuid import uuid4

import httpx2
import pytest
from cryptography.hazmat.primitives.serialization import Encoding

from kswifi.lab.ports import free_ports
from kswifi.servers.lan import ca_certificate, lan_context, new_ca
from tests.support.api import PASSWORD, problem
from tests.support.nginx import documented_server, nginx, required
from tests.support.own_core import PORT_SETTINGS
from tests.support.system import ForkedChild

VENUE: Final = "127.0.1.0/24"
REGISTRATIONS, LOGINS, FACTOR = 2, 3, 2
_numbers = count(1)


@dataclass
class Site:
    """The server behind its proxy. Loopback has many addresses, so clients come from different ones."""

    origin: str
    api: str
    monitoring: str
    tls: ssl.SSLContext

    def client(self, address: str, claims: str = "", **headers: str) -> httpx2.Client:
        """Return a client at this address that writes this into X-Forwarded-For itself."""
        return self._client(self.origin, address, {"X-Forwarded-For": claims} if claims else {}, headers)

    def direct(self, address: str, **headers: str) -> httpx2.Client:
        """Return a client that passes the proxy by."""
        return self._client(self.api, address, {}, headers)

    def _client(self, base: str, address: str, first: dict[str, str], more: dict[str, str]) -> httpx2.Client:
        transport = httpx2.HTTPTransport(verify=self.tls, local_address=address)
        named = {name.replace("_", "-"): value for name, value in more.items()}
        return httpx2.Client(transport=transport, base_url=base, headers={**first, **named}, timeout=20)


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    required()
    folder = tmp_path_factory.mktemp("site")
    ports = free_ports((*PORT_SETTINGS, "nginx"))
    proxy_port, origin = ports["nginx"], f"https://127.0.0.1:{ports['nginx']}"
    settings = {
        "KSWIFI_DATA_DIR": str(folder / "var"),
        "KSWIFI_MODE": "own-core",
        "KSWIFI_IDENTIFIER_PROOF": "false",
        "KSWIFI_FREE_WITHOUT_SAFEGUARDS": "true",
        "KSWIFI_PUBLIC_ORIGIN": origin,
        "KSWIFI_TRUSTED_PROXIES": "127.0.0.1",
        "KSWIFI_WIFI_NETWORKS": VENUE,
        "KSWIFI_VENUE_RATE_FACTOR": str(FACTOR),
        "KSWIFI_REGISTRATIONS_PER_HOUR": str(REGISTRATIONS),
        "KSWIFI_LOGINS_PER_QUARTER_HOUR": str(LOGINS),
        **{f"KSWIFI_{name}": str(ports[name]) for name in PORT_SETTINGS},
    }
    now, ca = datetime.now(UTC), new_ca(datetime.now(UTC))
    certificate = folder / "certificate.pem"
    lan_context(ca, IPv4Address("127.0.0.1"), now, certificate)
    tls = ssl.create_default_context(cadata=ca_certificate(ca).public_bytes(Encoding.PEM).decode())
    server = ForkedChild("server", settings, folder / "server.log")
    try:
        with nginx(folder / "nginx", proxy_port, documented_server(proxy_port, ports["API_PORT"], certificate)):
            api, monitoring = (f"http://127.0.0.1:{ports[name]}" for name in ("API_PORT", "METRICS_PORT"))
            assert server.ready["metrics"] == f"127.0.0.1:{ports['METRICS_PORT']}"
            yield Site(origin, api, monitoring, tls)
    finally:
        server.stop()


def sign_up(client: httpx2.Client, **headers: str) -> httpx2.Response:
    body = {"identifier": f"guest{next(_numbers)}@example.ng", "password": PASSWORD}
    return client.post("/api/v1/accounts", json=body, headers=headers)


def order(client: httpx2.Client) -> httpx2.Response:
    csrf_token: Any = sign_up(client).json()["csrf_token"]
    headers = {"X-CSRF-Token": csrf_token, "Idempotency-Key": str(uuid4())}
    return client.post("/api/v1/sessions", json={"offer_id": "free-1gb"}, headers=headers)


def test_wifi_is_where_nginx_saw_the_client(site: Site) -> None:
    with site.client("127.0.1.1", claims="127.0.2.1") as guest:
        assert order(guest).status_code in (201, 202)
    for claims in ("127.0.1.9", "127.0.1.9, 127.0.0.1", "127.0.1.9,"):
        with site.client(f"127.0.2.{next(_numbers)}", claims, Forwarded="for=127.0.1.9") as elsewhere:
            problem(order(elsewhere), 403, "not_on_wifi")


def test_the_proxy_itself_is_not_on_wifi(site: Site) -> None:
    with site.client("127.0.0.1", "unknown") as here:
        problem(order(here), 403, "not_on_wifi")


def test_sign_ups_are_counted_for_each_client_and_a_venue_has_more(site: Site) -> None:
    for address, allowed in (("127.0.3.1", REGISTRATIONS), ("127.0.3.2", REGISTRATIONS), ("127.0.1.3", 2 * FACTOR)):
        for number in range(allowed + 1):
            with site.client(address, claims=f"198.51.100.{number}") as client:
                answer = sign_up(client)
            if number < allowed:
                assert answer.status_code == 201, answer.text
            else:
                problem(answer, 429, "too_many_attempts")


def test_wrong_passwords_of_one_host_lock_out_nobody_else(site: Site) -> None:
    wrong = {"identifier": "nobody@example.ng", "password": "a wrong password"}
    with site.client("127.0.4.1") as attacker:
        for _ in range(LOGINS):
            problem(attacker.post("/api/v1/logins", json=wrong), 401, "wrong_credentials")
        problem(attacker.post("/api/v1/logins", json=wrong), 429, "too_many_attempts")
        problem(
            attacker.post("/api/v1/logins", json=wrong, headers={"X-Forwarded-For": "::1"}),
            429,
            "too_many_attempts",
        )
    with site.client("127.0.4.2") as other:
        problem(other.post("/api/v1/logins", json=wrong), 401, "wrong_credentials")


def test_headers_of_a_peer_that_is_no_trusted_proxy_are_ignored(site: Site) -> None:
    statuses = []
    for number in range(REGISTRATIONS + 1):
        claims = {"X_Forwarded_For": f"127.0.1.{number}", "Forwarded": f"for=127.0.1.{number}"}
        with site.direct("127.0.5.1", **claims) as client:
            statuses.append(sign_up(client).status_code)
    assert statuses == [201] * REGISTRATIONS + [429]


def test_a_page_under_another_of_our_names_is_ours_by_the_proxys_scheme(site: Site) -> None:
    host = site.origin.removeprefix("https://").replace("127.0.0.1", "localhost")
    own = {"Host": host, "Origin": f"https://{host}"}
    with site.client("127.0.6.1", X_Forwarded_Proto="http") as client:
        assert sign_up(client, **own).status_code == 201
        problem(sign_up(client, **own | {"Origin": f"http://{host}"}), 403, "origin_not_allowed")
    with site.direct("127.0.6.2", X_Forwarded_Proto="https") as client:
        problem(sign_up(client, **own), 403, "origin_not_allowed")


def test_metrics_are_on_their_own_listener_alone(site: Site) -> None:
    with site.client("127.0.0.1", claims="127.0.0.1") as client:
        problem(client.get("/metrics"), 404, "not_found")
        assert client.get("/healthz").status_code == 200
    told = httpx2.get(f"{site.monitoring}/metrics", trust_env=False)
    assert "kswifi_gy_latency_seconds_count" in told.text
    assert httpx2.get(f"{site.monitoring}/readyz", trust_env=False).json() == {"status": "ok"}


def test_events_come_through_at_once(site: Site) -> None:
    with site.client("127.0.7.1") as client:
        assert sign_up(client).status_code == 201
        with client.stream("GET", "/api/v1/events") as stream:
            assert stream.headers["content-type"].startswith("text/event-stream")
            assert next(line for line in stream.iter_lines() if line.startswith("event:")) == "event: hello"
