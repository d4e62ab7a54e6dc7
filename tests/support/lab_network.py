"""Runs a small charging server, a gateway and a content server for a test, on a thread with an event loop."""

import asyncio
import threading
from collections.abc import Callable, Coroutine, Iterator
from concurrent.futures import Future
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from kswifi.lab.gateway.gateway import Gateway
from kswifi.lab.phone.modem import Modem
from kswifi.lab.phone.network import Network
from kswifi.lab.settings import LabConfig
from kswifi.lab.site.content import ContentServer
from tests.support.small_ocs import IMSI, SimCard, SmallOcs

T = TypeVar("T")


class LoopThread:
    """An event loop on a thread of its own, so that blocking phone code can talk to it."""

    def __init__(self) -> None:
        self.loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self.loop.run_forever, name="loop")
        self._thread.start()

    def run(self, work: Coroutine[Any, Any, T], seconds: float = 20) -> T:
        future: Future[T] = asyncio.run_coroutine_threadsafe(work, self.loop)
        return future.result(seconds)

    def call(self, function: Callable[[], T]) -> T:
        async def work() -> T:
            return function()

        return self.run(work())

    def close(self) -> None:
        async def rest() -> None:
            await asyncio.sleep(0.02)  # connections that were just accepted get as far as being closed
            tasks = [task for task in asyncio.all_tasks() if task is not asyncio.current_task()]
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

        self.run(rest())
        self.loop.call_soon_threadsafe(self.loop.stop)
        self._thread.join()
        self.loop.close()


@contextmanager
def content_server() -> Iterator[tuple[str, int]]:
    import os

    server = ContentServer("127.0.0.1", 0)
    until, stop = os.pipe()
    with os.fdopen(until, "rb") as until_file:
        thread = threading.Thread(target=server.run, args=(until_file,), name="content")
        thread.start()
        try:
            yield server.address
        finally:
            os.close(stop)
            thread.join()
            server.close()


@dataclass
class LabNetwork:
    """Everything a test needs to attach and browse."""

    loop: LoopThread
    ocs: SmallOcs
    gateway: Gateway
    content: tuple[str, int]
    network: Network
    modem: Modem
    config: LabConfig
    attach_address: tuple[str, int]
    proxy_address: tuple[str, int]

    def attach(self, card: SimCard | None = None) -> None:
        self.modem.attach(card or SimCard(), IMSI)


@contextmanager
def lab_network(directory: Path, ocs: SmallOcs, **settings: Any) -> Iterator[LabNetwork]:
    loop = LoopThread()
    with content_server() as content:
        diameter = loop.run(ocs.start())
        config = LabConfig(
            data_dir=directory,
            diameter=diameter,
            attach_port=0,
            proxy_port=0,
            content_port=0,
            control_port=0,
            **{"origins": (), **settings},
        )
        gateway = Gateway(config, content)
        attach, proxy = loop.run(gateway.start())
        network = Network(directory / "phone", (attach, proxy))
        network.wifi = False
        modem = Modem(network, attach)
        try:
            yield LabNetwork(loop, ocs, gateway, content, network, modem, config, attach, proxy)
        finally:
            modem.detach()
            loop.run(gateway.close())
            loop.run(ocs.stop())
            loop.close()
