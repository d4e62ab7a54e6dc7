"""The clock: jumps of the machine's clock are reported, and believed once a person or another source confirms."""

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from typing import Final, TypeAlias

import ntplib
import structlog
from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from kswifi.bootstrap.clock import take_confirmation
from kswifi.bootstrap.context import Context
from kswifi.bootstrap.part import Loop, Part
from kswifi.data_directory.clock_file import write_reading
from kswifi.data_directory.layout import Installation
from kswifi.kernel.clock import monotonic_seconds
from kswifi.kernel.clock_guard import GuardedClock, machine_reader

_LOOK_SECONDS: Final = 2.0
_SAVE_SECONDS: Final = 60.0
_ASK_SECONDS: Final = 60.0
_ANSWER_SECONDS: Final = 5

SecondSource: TypeAlias = Callable[[], Awaitable[float | None]]
"""Returns the time of a source other than this machine, in Unix seconds; None if it gives no answer."""

_log = structlog.get_logger(__name__)


class ClockWatch:
    """Reports jumps, keeps the believed time in a file, and takes confirmations."""

    def __init__(self, clock: GuardedClock, installation: Installation, source: SecondSource | None) -> None:
        self._clock = clock
        self._installation = installation
        self._source = source
        self._was_doubted = False
        self._saved_at = self._asked_at = float("-inf")
        self._stopping = asyncio.Event()

    async def run(self) -> None:
        """Look at intervals until ``stop``."""
        while not self._stopping.is_set():
            await self.look()
            try:
                async with asyncio.timeout(_LOOK_SECONDS):
                    await self._stopping.wait()
            except TimeoutError:
                continue
        self.save()

    def stop(self) -> None:
        """Let ``run`` return."""
        self._stopping.set()

    async def look(self) -> None:
        """Compare the clocks once; report a change, and take a confirmation."""
        clock = self._clock
        clock.look()
        if take_confirmation(clock, self._installation):
            _log.warning("clock_confirmed", by="kswifi clock confirm")
        if clock.is_doubted and self._source is not None and monotonic_seconds() - self._asked_at >= _ASK_SECONDS:
            self._asked_at = monotonic_seconds()
            if clock.hear(await self._source()):
                _log.warning("clock_confirmed", by="KSWIFI_TIME_SERVER")
        changed = clock.is_doubted != self._was_doubted
        self._was_doubted = clock.is_doubted
        if changed and clock.is_doubted:
            _log.critical(
                "clock_jumped",
                seconds=round(clock.jump),
                believed=clock.now().isoformat(timespec="seconds"),
                next="set the clock right, or `kswifi clock confirm` if it is right",
            )
        elif changed:
            _log.warning("clock_believed", now=clock.now().isoformat(timespec="seconds"))
        if changed or monotonic_seconds() - self._saved_at >= _SAVE_SECONDS:
            self.save()

    def save(self) -> None:
        """Write the believed time for the next start and for the children."""
        try:
            write_reading(self._installation.clock, self._clock.look())
        except OSError as error:  # a full disk: an older reading is as good
            _log.warning("clock_not_saved", why=str(error))
        self._saved_at = monotonic_seconds()


class ClockMetrics(Collector):
    """Metrics of the clock."""

    def __init__(self, clock: GuardedClock) -> None:
        self._clock = clock
        self._registry = CollectorRegistry(auto_describe=False)
        self._registry.register(self)

    def text(self) -> bytes:
        """Return all of them in Prometheus' text format."""
        return generate_latest(self._registry)

    def collect(self) -> Iterator[Metric]:
        """Yield the metrics."""
        doubted = self._clock.is_doubted
        yield GaugeMetricFamily("kswifi_clock_doubted", "1 while a jump of the clock is not confirmed.", doubted)
        yield GaugeMetricFamily(
            "kswifi_clock_jump_seconds",
            "How far the machine's clock is ahead of the believed time; negative if behind.",
            self._clock.jump if doubted else 0.0,
        )


def time_server(address: str) -> SecondSource:
    """Return a source that asks an NTP server, host or host:port."""
    host, _, port = address.partition(":")

    async def ask() -> float | None:
        client = ntplib.NTPClient()
        try:
            answer = await asyncio.to_thread(
                client.request, host, version=4, port=int(port or 123), timeout=_ANSWER_SECONDS
            )
        except (OSError, ntplib.NTPException) as error:
            _log.info("time_server_silent", server=address, why=str(error))
            return None
        return machine_reader()().wall + float(answer.offset)

    return ask


async def open_clock(context: Context) -> Part:
    """Watch the clock, if it is guarded."""
    clock, settings = context.clock, context.settings
    if not isinstance(clock, GuardedClock):
        return Part()
    source = None if settings.time_server is None else time_server(settings.time_server)
    watch = ClockWatch(clock, context.installation, source)
    await watch.look()  # the children read the file
    metrics = ClockMetrics(clock)

    async def is_believed() -> bool:
        return not clock.is_doubted

    async def text() -> bytes:
        return metrics.text()

    return Part(loops=(Loop("clock", watch.run, watch.stop),), metrics=(text,), checks={"clock": is_believed})
