"""The whole server while crowds hold silent connections to each of its ports, and with few descriptors."""

import asyncio
import os
import shutil
import ssl
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import httpx2
import pytest

from kswifi.bootstrap.parts.web.console import CONNECTIONS_LIMIT as CONSOLE_CONNECTIONS
from kswifi.lab.ports import free_ports
from kswifi.listeners.descriptors import LEAST
from tests.support.crowd import Crowd, crowd_in_own_process, many_descriptors, seconds_of_request

NEEDS_PRLIMIT = pytest.mark.skipif(shutil.which("prlimit") is None, reason="needs prlimit of util-linux")
PORTS = ("API", "DIAMETER", "RSP", "LAN", "TRUST")


@contextmanager
def server(
    folder: Path, descriptors: int | None = None, **settings: str
) -> Iterator[tuple[dict[str, int], Path, int]]:
    """Run `kswifi serve` on free ports, with at most so many descriptors; give the ports, log and process id."""
    ports = free_ports((*PORTS, "METRICS", "CONSOLE"))
    environment: Mapping[str, str] = {
        "KSWIFI_DATA_DIR": str(folder / "var"),
        "KSWIFI_LAN_ADDRESS": "127.0.0.1",
        **{f"KSWIFI_{name}_PORT": str(port) for name, port in ports.items()},
        **{f"KSWIFI_{name}": value for name, value in settings.items()},
    }
    log = folder / "server.log"
    prefix = [] if descriptors is None else ["prlimit", f"--nofile={descriptors}:{descriptors}"]
    with log.open("wb") as lines:
        process = subprocess.Popen(
            [*prefix, sys.executable, "-m", "kswifi", "serve"],
            env={**os.environ, **environment},
            stdout=subprocess.PIPE,
            stderr=lines,
        )
    assert process.stdout is not None
    try:
        assert b"is ready" in process.stdout.readline(), log.read_text()
        yield ports, log, process.pid
    finally:
        process.terminate()
        assert process.wait(30) == 0
        process.stdout.close()


def _trusting_anybody() -> ssl.SSLContext:
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    return context


async def _answered(ports: Mapping[str, int], times: int) -> list[float]:
    """Ask every HTTP port in turn, as a well-behaved client does; return the seconds, sorted."""
    tls, seconds = _trusting_anybody(), []
    for _ in range(times):
        for name, path, context in (
            ("API", "/healthz", None),
            ("RSP", "/gsma/rsp2/es9plus/handleNotification", tls),
            ("LAN", "/healthz", tls),
            ("TRUST", "/", None),
        ):
            seconds.append(await seconds_of_request(ports[name], path, context))
    return sorted(seconds)


def test_a_few_hundred_silent_connections_on_each_port_keep_nobody_out(tmp_path: Path) -> None:
    with many_descriptors(), server(tmp_path, CONNECTIONS="200", DIAMETER_CONNECTIONS="16") as (ports, log, _):

        async def scenario() -> None:
            crowd = Crowd(tuple(ports.values()))
            try:
                await crowd.grow(200, addresses=4)
                await _answered(ports, 10)
                assert crowd.still_open < 300 + CONSOLE_CONNECTIONS
                metrics = await _metrics(ports["METRICS"])
            finally:
                crowd.close()

            assert 'kswifi_connections{listener="' in metrics
            for listener in ("api", "es9plus", "lan", "trust", "diameter"):
                closed = f'kswifi_connections_closed_total{{cause="evicted",listener="{listener}"}}'
                assert closed in metrics

        asyncio.run(scenario())
        assert log.stat().st_size < 100_000
        assert b"connection_evicted" in log.read_bytes()


@pytest.mark.soak
@NEEDS_PRLIMIT
def test_a_server_with_few_descriptors_holds_fewer_connections_and_serves(tmp_path: Path) -> None:
    with many_descriptors(), server(tmp_path, descriptors=256) as (ports, log, pid):

        async def scenario() -> None:
            crowd = Crowd((ports["API"], ports["RSP"]), b"GET /")
            try:
                await crowd.grow(200, addresses=2)
                await _answered(ports, 5)
                assert _open_files(pid) < 256 - 32
            finally:
                crowd.close()

        asyncio.run(scenario())
        assert b"descriptors_exhausted" not in log.read_bytes()
        assert log.stat().st_size < 100_000


@NEEDS_PRLIMIT
def test_a_process_that_may_open_too_few_files_refuses_to_start_and_says_why(tmp_path: Path) -> None:
    environment = {**os.environ, "KSWIFI_DATA_DIR": str(tmp_path / "var")}
    done = subprocess.run(
        ["prlimit", "--nofile=80:80", sys.executable, "-m", "kswifi", "serve"],
        env=environment,
        capture_output=True,
        timeout=60,
        check=False,
    )
    assert done.returncode != 0
    assert f"may open 80 files at once and needs at least {LEAST}".encode() in done.stderr
    assert b"Traceback" not in done.stderr


@pytest.mark.soak
def test_five_thousand_silent_connections_on_each_port_keep_nobody_waiting(tmp_path: Path) -> None:
    with server(tmp_path) as (ports, log, _):
        with crowd_in_own_process(tuple(ports.values()), 5_000, addresses=100) as grown:
            arriving = asyncio.run(_answered(ports, 50))
            assert grown.wait(100)
            silent = asyncio.run(_answered(ports, 100))
        for what, seconds in (("while they arrive", arriving), ("once they are silent", silent)):
            p50, p99 = (seconds[int(len(seconds) * part)] for part in (0.5, 0.99))
            print(f"{what}: p50 {p50 * 1000:.0f} ms, p99 {p99 * 1000:.0f} ms")
        assert log.stat().st_size < 200_000
        # Arriving, they compete for the machine: on two cores their own process takes one.
        assert arriving[int(len(arriving) * 0.9)] < 1.0
        assert silent[int(len(silent) * 0.99)] < 1.0


async def _metrics(port: int) -> str:
    async with httpx2.AsyncClient() as client:
        return (await client.get(f"http://127.0.0.1:{port}/metrics")).text


def _open_files(pid: int) -> int:
    return len(list(Path(f"/proc/{pid}/fd").iterdir()))
