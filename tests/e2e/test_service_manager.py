"""Readiness, watchdog and handed-over sockets, as systemd has them."""

import asyncio
import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import httpx2
import pytest

from kswifi.bootstrap.service_manager import ServiceManager, keeping_alive, service_manager
from kswifi.kernel.handed_over import HandedOverError, HandedOverSockets
from kswifi.lab.ports import free_ports

PORTS = ("api", "metrics", "diameter", "rsp", "lab", "content", "proxy", "attach", "sandbox")

_EXEC = """
import os, sys
if sys.argv[1] != "3":
    os.dup2(int(sys.argv[1]), 3)
os.set_inheritable(3, True)
os.environ["LISTEN_PID"] = str(os.getpid())
os.execv(sys.executable, [sys.executable, "-m", "kswifi", "serve"])
"""
"""Becomes the server with its socket as descriptor 3, as systemd starts a service."""


@pytest.fixture
def notices(tmp_path: Path) -> Iterator[socket.socket]:
    """The datagram socket of a service manager."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as listener:
        listener.bind(str(tmp_path / "notify"))
        listener.settimeout(30)
        yield listener


async def test_the_watchdog_is_pinged_while_the_loop_runs(notices: socket.socket) -> None:
    manager = ServiceManager(notices.getsockname(), watchdog_seconds=0.03)
    with keeping_alive(manager):
        await asyncio.sleep(0.2)
    notices.setblocking(False)
    pings = 0
    while True:
        try:
            assert notices.recv(64) == b"WATCHDOG=1"
        except BlockingIOError:
            break
        pings += 1
    assert pings >= 2
    await asyncio.sleep(0.05)
    with pytest.raises(BlockingIOError):
        notices.recv(64)


def test_the_environment_names_the_manager_and_keeps_nothing_for_children() -> None:
    environment = {"NOTIFY_SOCKET": "@here", "WATCHDOG_USEC": "30000000", "PATH": "/bin"}
    assert service_manager(environment) == ServiceManager("@here", 30.0)
    assert environment == {"PATH": "/bin"}
    other = {"NOTIFY_SOCKET": "/n", "WATCHDOG_USEC": "30000000", "WATCHDOG_PID": str(os.getpid() + 1)}
    assert service_manager(other).watchdog_seconds is None
    assert service_manager({}) == ServiceManager()


def test_without_a_manager_nothing_is_sent() -> None:
    ServiceManager().ready()
    ServiceManager("/there/is/none").ready()


def test_sockets_are_for_the_process_that_is_named() -> None:
    environment = {"LISTEN_PID": "1", "LISTEN_FDS": "3", "LISTEN_FDNAMES": "a:b:c"}
    assert HandedOverSockets().take(environment, 2) == 0
    assert environment == {}


def test_a_socket_is_claimed_once_and_by_its_address() -> None:
    handed = HandedOverSockets()
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
        handed.add(os.dup(listener.fileno()))
        assert handed.claim("127.0.0.2", port) is None
        assert handed.claim("127.0.0.1", 0) is None
        with pytest.raises(HandedOverError, match=f"127.0.0.1 port {port}, and no setting says so"):
            handed.require_all_claimed()
        claimed = handed.claim("127.0.0.1", port)
        assert claimed is not None
        with claimed:
            assert claimed.getsockname() == listener.getsockname()
        assert handed.claim("127.0.0.1", port) is None
        handed.require_all_claimed()


def test_what_is_no_listening_tcp_socket_is_refused() -> None:
    ends = socket.socketpair()
    for end in ends:
        with pytest.raises(HandedOverError, match="not a TCP socket that listens"):
            HandedOverSockets().add(end.detach())
    reading, writing = os.pipe()
    os.close(writing)
    with pytest.raises(HandedOverError, match="is not a socket"):
        HandedOverSockets().add(reading)
    os.close(reading)


def serve(folder: Path, ports: dict[str, int], listener: socket.socket, notify: str) -> "subprocess.Popen[bytes]":
    """Start a server as systemd does: descriptor 3 is the API's socket, and LISTEN_PID is the new process."""
    own = {name: value for name, value in os.environ.items() if not name.startswith("KSWIFI_")}
    own |= {f"KSWIFI_{name.upper()}_PORT": str(port) for name, port in ports.items()}
    own |= {"KSWIFI_DATA_DIR": str(folder / "var"), "NOTIFY_SOCKET": notify, "LISTEN_FDS": "1"}
    return subprocess.Popen(
        [sys.executable, "-c", _EXEC, str(listener.fileno())], env=own, pass_fds=[listener.fileno()]
    )


async def test_a_connection_waits_while_the_server_is_restarted(tmp_path: Path, notices: socket.socket) -> None:
    ports = free_ports(PORTS)
    with socket.create_server(("127.0.0.1", ports["api"])) as listener:
        address = f"http://127.0.0.1:{ports['api']}/healthz"
        async with httpx2.AsyncClient(trust_env=False, timeout=60) as client:
            early = asyncio.create_task(client.get(address))  # before anything serves
            first = serve(tmp_path, ports, listener, notices.getsockname())
            try:
                assert (await early).status_code == 200
                assert notices.recv(64) == b"READY=1"
            finally:
                first.terminate()
                assert first.wait(30) == 0
            assert notices.recv(64) == b"STOPPING=1"
            between = asyncio.create_task(client.get(address))
            second = serve(tmp_path, ports, listener, notices.getsockname())
            try:
                assert (await between).status_code == 200
            finally:
                second.terminate()
                assert second.wait(30) == 0


def test_a_socket_that_no_setting_names_stops_the_start(tmp_path: Path, notices: socket.socket) -> None:
    ports = free_ports(PORTS)
    with socket.create_server(("127.0.0.1", 0)) as listener:
        process = serve(tmp_path, ports, listener, notices.getsockname())
        assert process.wait(60) == 1
