"""The lab process: access gateway, content server and the control server of the lab phone, started together."""

import asyncio
import json
import signal
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from typing import Final

import structlog

from kswifi.kernel.errors import KswifiError
from kswifi.kernel.listening import loopback_socket
from kswifi.lab.control import create_control_app
from kswifi.lab.gateway.gateway import Gateway
from kswifi.lab.phone.modem import Modem
from kswifi.lab.phone.network import Network
from kswifi.lab.phone.phone import LabPhone
from kswifi.lab.phone.servers import ProfileServers
from kswifi.lab.rehearsal.payments.server import serving_gateway
from kswifi.lab.settings import HostPort, LabAddresses, LabConfig
from kswifi.listeners.descriptors import raise_descriptor_limit
from kswifi.listeners.http_server import HttpServer
from kswifi.listeners.limits import ConnectionLimits
from kswifi.listeners.pool import ConnectionPool

_log = structlog.get_logger(__name__)

_MOST_CONTROL_CONNECTIONS: Final = 64
_START_SECONDS: Final = 10.0
_PORT_TRIES: Final = 20
_PORT_PAUSE_SECONDS: Final = 0.1
_STOP_SECONDS: Final = 3.0


class LabFailedError(KswifiError):
    """The lab could not start, or a part of it ended unexpectedly."""

    code = "lab_failed"


async def run_lab(config: LabConfig, ready: Callable[[LabAddresses], None], stop: asyncio.Event) -> None:
    """Run the lab until ``stop`` is set.

    A clean stop detaches every bearer and reports its last usage. After a kill the next start does so.

    Args:
        config: addresses, identities and limits.
        ready: called once with the addresses, when every part serves.
        stop: ends the lab.

    Raises:
        LabFailedError: a part could not start or ended; the message names it.
        NotLoopbackError: the host is an address that other machines reach.
        GatewayInUseError: another lab runs on the same folder.
        OSError: a port is taken.
    """
    raise_descriptor_limit()
    async with _content_process(config) as (content, content_ended):
        gateway = Gateway(config, content)
        attach, proxy = await gateway.start()
        try:
            network = Network(config.data_dir / "phone", (attach, proxy))
            servers = ProfileServers(config.pki_dir, config.smdp)
            card_dir = config.data_dir / "phone" / "card"
            phone = LabPhone(card_dir, network, Modem(network, attach), content, servers)
            async with _control_server(config, gateway, phone) as control, _sandbox(config) as sandbox:
                ready(LabAddresses(attach=attach, proxy=proxy, content=content, control=control, sandbox=sandbox))
                stopped = asyncio.ensure_future(stop.wait())
                await asyncio.wait((stopped, content_ended), return_when=asyncio.FIRST_COMPLETED)
                stopped.cancel()
                await asyncio.to_thread(phone.close)
        finally:
            await gateway.close()
        if not stop.is_set():
            raise LabFailedError("the content server ended by itself")


@asynccontextmanager
async def _sandbox(config: LabConfig) -> AsyncIterator[str | None]:
    """Serve the sandbox payment gateway if the configuration has one; yield its origin."""
    if config.payments is None:
        yield None
        return
    async with serving_gateway(config.payments) as origin:
        yield origin


@asynccontextmanager
async def _content_process(config: LabConfig) -> AsyncIterator[tuple[HostPort, "asyncio.Future[int]"]]:
    """Run the content server as a child process, so that it takes no time from the gateway's interpreter."""
    process, address = await _start_content(config)
    ended = asyncio.ensure_future(process.wait())
    try:
        yield address, ended
    finally:
        if process.stdin is not None:
            process.stdin.close()  # it ends when its standard input does
        with suppress(TimeoutError):
            await asyncio.wait_for(asyncio.shield(ended), _STOP_SECONDS)
        if process.returncode is None:
            process.kill()
        await ended


async def _start_content(config: LabConfig) -> tuple[asyncio.subprocess.Process, HostPort]:
    for _ in range(_PORT_TRIES):
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            "-m",
            "kswifi.lab.site.content",
            config.host,
            str(config.content_port),
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
        )
        if process.stdout is None or process.stderr is None:
            raise LabFailedError("the content server has no output")
        async with asyncio.timeout(_START_SECONDS):
            line = await process.stdout.readline()
            if line:
                host, port = json.loads(line)
                return process, (host, port)
            words = (await process.stderr.read()).decode(errors="replace").strip().splitlines()
            await process.wait()
        if not words or "Address already in use" not in words[-1]:
            raise LabFailedError(f"the content server did not start: {words[-1] if words else 'no message'}")
        # The child of a lab that was killed may need a moment to notice it and to free the port.
        await asyncio.sleep(_PORT_PAUSE_SECONDS)
    raise LabFailedError(f"port {config.content_port} (content server) is taken")


@asynccontextmanager
async def _control_server(config: LabConfig, gateway: Gateway, phone: LabPhone) -> AsyncIterator[HostPort]:
    app = create_control_app(gateway, phone, config.web_origins, config.host)
    pool = ConnectionPool(ConnectionLimits(connections=_MOST_CONTROL_CONNECTIONS))
    server = HttpServer(app, "lab", pool=pool, stop_seconds=1)
    listener = loopback_socket(config.host, config.control_port)
    serving = asyncio.ensure_future(server.serve(sockets=[listener]))
    try:
        address: HostPort = listener.getsockname()[:2]
        yield address
    finally:
        server.should_exit = True
        await serving


def stop_on_signals() -> asyncio.Event:
    """Return an event that SIGTERM and SIGINT set, to pass to ``run_lab``."""
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    return stop
