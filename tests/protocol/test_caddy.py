"""KSWiFi behind a real Caddy, with the sample of docs/reverse-proxy.md."""

import ssl
from pathlib import Path

import httpx2

from kswifi.lab.ports import free_ports
from tests.support.api import PASSWORD
from tests.support.caddy import caddy, documented_site
from tests.support.own_core import PORT_SETTINGS
from tests.support.programs import required_program
from tests.support.system import ForkedChild


def test_caddy_names_the_client_and_passes_on_https_and_event_streams(tmp_path: Path) -> None:
    required_program("caddy", "caddy")
    ports = free_ports((*PORT_SETTINGS, "caddy"))
    origin = f"https://127.0.0.1:{ports['caddy']}"
    settings = {
        "KSWIFI_DATA_DIR": str(tmp_path / "var"),
        "KSWIFI_MODE": "own-core",
        "KSWIFI_IDENTIFIER_PROOF": "false",
        "KSWIFI_PUBLIC_ORIGIN": origin,
        "KSWIFI_TRUSTED_PROXIES": "127.0.0.1",
        "KSWIFI_REGISTRATIONS_PER_HOUR": "1",
        **{f"KSWIFI_{name}": str(ports[name]) for name in PORT_SETTINGS},
    }
    server = ForkedChild("server", settings, tmp_path / "server.log")
    try:
        with caddy(
            tmp_path / "caddy", ports["caddy"], documented_site(ports["caddy"], ports["API_PORT"])
        ) as authority:
            tls = ssl.create_default_context(cafile=str(authority))

            def client(address: str) -> httpx2.Client:
                transport = httpx2.HTTPTransport(verify=tls, local_address=address)
                return httpx2.Client(transport=transport, base_url=origin, timeout=20)

            def sign_up(who: httpx2.Client, name: str) -> httpx2.Response:
                body = {"identifier": f"{name}@example.ng", "password": PASSWORD}
                headers = {"Origin": origin, "X-Forwarded-For": "198.51.100.1"}
                return who.post("/api/v1/accounts", json=body, headers=headers)

            with client("127.0.1.1") as one, client("127.0.1.2") as two:
                made = sign_up(one, "one")
                assert made.status_code == 201, made.text
                assert "Secure" in made.headers["set-cookie"]
                # Limits count the client's own address, whatever a client writes into the header.
                assert sign_up(one, "again").status_code == 429
                assert sign_up(two, "two").status_code == 201
                with one.stream("GET", "/api/v1/events") as stream:
                    assert stream.status_code == 200
                    assert next(stream.iter_lines()) is not None
    finally:
        server.stop()
