"""The monitoring listener: metrics and health for who runs the server, apart from the listener people reach."""

import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from ipaddress import ip_network
from pathlib import Path

import httpx2

from kswifi.api.app import create_app
from kswifi.api.monitoring import create_monitoring_app
from kswifi.api.services import Metrics, Services
from kswifi.cli.up import PORT_TAKEN, check_ports
from kswifi.settings import load_settings
from tests.support.api import problem, serving
from tests.support.refusals import refused


async def text() -> bytes:
    return b"up 1\n"


@asynccontextmanager
async def asking(services: Services, address: str) -> AsyncIterator[httpx2.AsyncClient]:
    transport = httpx2.ASGITransport(
        create_monitoring_app(services, frozenset({"metrics.lan"})), client=(address, 1)
    )
    async with httpx2.AsyncClient(transport=transport, base_url="http://127.0.0.1:9464") as client:
        yield client


async def test_metrics_are_for_this_machine_and_named_networks(tmp_path: Path) -> None:
    async with serving(tmp_path) as (public, services):
        async with asking(services, "127.0.0.1") as client:
            problem(await client.get("/metrics"), 503, "not_ready")
        metered = replace(services, metrics=Metrics(text, (ip_network("10.9.0.0/16"),)))
        for address in ("127.0.0.1", "::1", "::ffff:127.0.0.1", "10.9.1.1", "::ffff:10.9.1.1"):
            async with asking(metered, address) as client:
                answer = await client.get("/metrics")
                assert (answer.status_code, answer.text) == (200, "up 1\n"), address
        for address in ("10.8.1.1", "64:ff9b::127.0.0.1", "2001:db8::1", "not-an-address"):
            async with asking(metered, address) as client:
                headers = {"X-Forwarded-For": "127.0.0.1", "Forwarded": "for=127.0.0.1"}
                answer = await client.get("/metrics", headers=headers)
                problem(answer, 403, "metrics_not_for_you")
                assert (await client.get("/healthz")).status_code == 200
        own = httpx2.ASGITransport(create_app(metered), client=("127.0.0.1", 1))
        async with httpx2.AsyncClient(transport=own, base_url=str(public.base_url)) as client:
            problem(await client.get("/metrics"), 404, "not_found")


async def test_health_and_what_is_missing(tmp_path: Path) -> None:
    there = True

    async def ledger() -> bool:
        return there

    async with (
        serving(tmp_path, readiness={"ledger": ledger}) as (_public, services),
        asking(services, "127.0.0.1") as client,
    ):
        assert (await client.get("/readyz")).json() == {"status": "ok"}
        assert (await client.head("/healthz")).status_code == 200
        there = False
        document = problem(await client.get("/readyz"), 503, "not_ready")
        assert document["facts"] == {"missing": "ledger"}
        assert (await client.get("/healthz")).json() == {"status": "ok"}


async def test_a_page_that_rebinds_its_name_to_this_machine_reads_nothing(tmp_path: Path) -> None:
    async with (
        serving(tmp_path) as (_public, services),
        asking(replace(services, metrics=Metrics(text)), "127.0.0.1") as client,
    ):
        for host in ("evil.example", "evil.example:9464", "127.0.0.1.evil.example", "[::1"):
            answer = await client.get("/metrics", headers={"Host": host})
            problem(answer, 421, "host_not_allowed")
        for host in ("localhost:9464", "10.1.2.3:9464", "[fd00::1]:9464", "metrics.lan"):
            assert (await client.get("/metrics", headers={"Host": host})).status_code == 200, host


def test_up_names_the_port_of_monitoring_when_it_is_taken() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        others = dict.fromkeys(
            ("api_port", "diameter_port", "rsp_port", "lab_port", "content_port", "proxy_port", "attach_port"), 0
        )
        with refused(PORT_TAKEN, match="KSWIFI_METRICS_PORT"):
            check_ports(load_settings(metrics_port=port, sandbox_port=0, console_port=0, **others))


async def test_no_browser_guesses_the_type_of_an_answer(tmp_path: Path) -> None:
    async with serving(tmp_path) as (_public, services), asking(services, "127.0.0.1") as client:
        for path, host in (
            ("/healthz", "127.0.0.1"),
            ("/metrics", "127.0.0.1"),
            ("/no", "127.0.0.1"),
            ("/", "evil.example"),
        ):
            answer = await client.get(path, headers={"Host": host})
            assert answer.headers["x-content-type-options"] == "nosniff", path
