"""What a part of the server process hands over: routes, jobs, chores and loops, as plain data."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any, TypeAlias

from starlette.routing import BaseRoute

from kswifi.jobs.housekeeping import Chore
from kswifi.kernel.errors import KswifiError
from kswifi.outbox.results import Handler

Check: TypeAlias = Callable[[], Awaitable[bool]]
"""Tells whether a part is ready at this moment."""
MetricsText: TypeAlias = Callable[[], Awaitable[bytes]]
"""Returns metrics in Prometheus' text format."""


class PartEndedError(KswifiError):
    """A loop of the process ended although nobody stopped it."""

    code = "part_ended"


@dataclass(frozen=True, slots=True)
class Loop:
    """A task that runs as long as the process: ``run`` returns only after ``stop`` was called."""

    name: str
    run: Callable[[], Coroutine[Any, Any, None]]
    stop: Callable[[], None]


@dataclass(frozen=True, slots=True)
class Part:
    """One capability or network edge, opened.

    Attributes:
        routes: served by the API's listeners, after the API's own routes.
        jobs: the handler of each kind of outbox entry, for the shared worker.
        chores: deletions of old rows, done every hour.
        watches: looks at the database that are done every 20 seconds.
        loops: started in the order of the parts, stopped in reverse.
        metrics: sources of metrics.
        checks: what must be ready before the server says that it is.
        reached: facts for the person or script that started the process, usually addresses.
    """

    routes: Sequence[BaseRoute] = ()
    jobs: Mapping[str, Handler] = field(default_factory=dict)
    chores: Mapping[str, Chore] = field(default_factory=dict)
    watches: Mapping[str, Chore] = field(default_factory=dict)
    loops: Sequence[Loop] = ()
    metrics: Sequence[MetricsText] = ()
    checks: Mapping[str, Check] = field(default_factory=dict)
    reached: Mapping[str, str] = field(default_factory=dict)


class Supervisor:
    """Runs loops, and ends the process when one of them fails or ends by itself."""

    def __init__(self) -> None:
        self._failed: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    def fail(self, error: BaseException) -> None:
        """Make ``until`` raise this error; later errors are ignored."""
        if not self._failed.done():
            self._failed.set_exception(error)

    @asynccontextmanager
    async def running(self, loop: Loop) -> AsyncIterator[None]:
        """Run a loop as a task; at the end of the context stop it and wait for it."""
        task = asyncio.create_task(loop.run(), name=loop.name)
        task.add_done_callback(self._ended)
        try:
            yield
        finally:
            task.remove_done_callback(self._ended)
            loop.stop()
            await asyncio.gather(task, return_exceptions=True)

    async def until(self, stop: asyncio.Event) -> None:
        """Wait for ``stop``; raise the error of a part that fails before."""
        stopped = asyncio.ensure_future(stop.wait())
        await asyncio.wait((stopped, self._failed), return_when=asyncio.FIRST_COMPLETED)
        stopped.cancel()
        if self._failed.done():
            self._failed.result()

    def _ended(self, task: asyncio.Task[None]) -> None:
        error = None if task.cancelled() else task.exception()
        self.fail(error or PartEndedError(f"the {task.get_name()} ended by itself"))
