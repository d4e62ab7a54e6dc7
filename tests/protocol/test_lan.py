"""HTTPS in one's own network: what a browser that trusts the CA takes, and what the CA can never vouch for."""

import asyncio
import socket
import ssl
from datetime import UTC, datetime
from ipaddress import IPv4Address
from pathlib import Path

import httpx2
import pytest
from cryptography.hazmat.primitives.serialization import Encoding
from starlette.testclient import TestClient

from kswifi.cli.up import System
from kswifi.servers.lan import LanAddressError, ca_certificate, lan_context, new_ca, private_address, trust_app

LOCAL = IPv4Address("127.0.0.1")


def _trusting(ca: bytes) -> ssl.SSLContext:
    return ssl.create_default_context(cadata=ca_certificate(ca).public_bytes(Encoding.PEM).decode())


async def _shake_hands(server: ssl.SSLContext, client: ssl.SSLContext) -> None:
    async def serve(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.close()

    listening = await asyncio.start_server(serve, "127.0.0.1", 0, ssl=server, family=socket.AF_INET)
    async with listening:
        port = listening.sockets[0].getsockname()[1]
        _reader, writer = await asyncio.open_connection("127.0.0.1", port, ssl=client)
        writer.close()


async def test_who_trusts_the_ca_gets_through_and_nobody_else(tmp_path: Path) -> None:
    now = datetime.now(UTC)
    ca = new_ca(now)
    file = tmp_path / "lan.pem"
    context = lan_context(ca, LOCAL, now, file)
    assert file.stat().st_mode & 0o777 == 0o600
    await _shake_hands(context, _trusting(ca))
    with pytest.raises(ssl.SSLCertVerificationError):
        await _shake_hands(context, _trusting(new_ca(now)))
    other = lan_context(ca, IPv4Address("192.168.7.7"), now, file)
    with pytest.raises(ssl.SSLCertVerificationError, match="IP address mismatch"):
        await _shake_hands(other, _trusting(ca))


async def test_the_ca_cannot_vouch_for_the_internet(tmp_path: Path) -> None:
    now = datetime.now(UTC)
    ca = new_ca(now)
    public = lan_context(ca, IPv4Address("8.8.8.8"), now, tmp_path / "lan.pem")
    client = _trusting(ca)
    client.check_hostname = False
    with pytest.raises(ssl.SSLCertVerificationError, match="permitted subtree violation"):
        await _shake_hands(public, client)


def test_the_trust_page_has_the_certificate_alone_and_never_the_key() -> None:
    ca = new_ca(datetime.now(UTC))
    with TestClient(trust_app(ca, "https://192.168.1.5:8444")) as client:
        page = client.get("/")
        assert 'href="https://192.168.1.5:8444"' in page.text
        certificate = client.get("/kswifi-ca.crt")
        assert certificate.headers["content-type"] == "application/x-x509-ca-cert"
        assert certificate.content == ca_certificate(ca).public_bytes(Encoding.DER)
        assert "default-src 'none'" in page.headers["content-security-policy"]
        assert client.get("/anything-else").status_code == 404


def test_the_whole_app_is_there_by_https_for_who_trusts_the_ca(tmp_path: Path) -> None:
    names = ("API", "METRICS", "CONSOLE", "DIAMETER", "LAB", "CONTENT", "PROXY", "ATTACH", "LAN", "TRUST")
    ports = dict(zip(names, _free_ports(len(names)), strict=True))
    environment = {
        "KSWIFI_DATA_DIR": str(tmp_path / "var"),
        "KSWIFI_LAN_ADDRESS": "127.0.0.1",
        **{f"KSWIFI_{name}_PORT": str(port) for name, port in ports.items()},
    }
    system = System(environment, tmp_path / "log")
    origin = f"https://127.0.0.1:{ports['LAN']}"
    try:
        ready = system.start()["server"]
        assert (ready["origin"], ready["trust"]) == (origin, f"http://127.0.0.1:{ports['TRUST']}")
        assert ready["ca_sha256"] in httpx2.get(ready["trust"]).text
        with pytest.raises(httpx2.ConnectError):
            httpx2.get(origin)
        der = httpx2.get(f"{ready['trust']}/kswifi-ca.crt").content
        with httpx2.Client(base_url=origin, verify=ssl.create_default_context(cadata=der)) as client:
            assert "importmap" in client.get("/").text
            credentials = {"identifier": "08031234567", "password": "three warm rivers"}
            made = client.post("/api/v1/accounts", json=credentials, headers={"Origin": origin})
            assert made.status_code == 201, made.text
            assert made.headers["set-cookie"].startswith("__Host-kswifi_login=")
            assert "Secure" in made.headers["set-cookie"]
            assert client.get("/api/v1/account").status_code == 200
        system.stop()
        again = system.start()["server"]
        assert again["ca_sha256"] == ready["ca_sha256"]  # who has trusted it need not do so again
    finally:
        system.stop()


def _free_ports(count: int) -> list[int]:
    held = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    ports = [one.getsockname()[1] for one in held]
    for one in held:
        one.close()
    return ports


@pytest.mark.parametrize("text", ["8.8.8.8", "0.0.0.0", "::1", "localhost", "", "172.32.0.1"])
def test_only_private_addresses_are_taken(text: str) -> None:
    with pytest.raises(LanAddressError):
        private_address(text)
    assert private_address("172.31.255.254") == IPv4Address("172.31.255.254")
