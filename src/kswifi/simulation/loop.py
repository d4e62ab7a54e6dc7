"""A deterministic event loop without real time and sockets; ready callbacks run in order."""

import asyncio
from asyncio import Future, Handle, TimerHandle
from collections import deque
from collections.abc import Callable, Coroutine
from contextvars import Context
from queue import SimpleQueue
from typing import Any, Final, TypeVar

_T = TypeVar("_T")
_PATIENCE_SECONDS: Final = 30.0
"""The longest wait for the ledger's writer thread, in real seconds; it normally needs microseconds."""


class SimulatedLoop(asyncio.AbstractEventLoop):
    """Runs the product's callbacks and tasks; ``time`` is the simulated time.

    A callback from another thread is taken at an instant that the simulation chooses (``take_from_thread``), so
    that threads cannot make a run nondeterministic.
    """

    def __init__(self, now: Callable[[], float]) -> None:
        self.after: Callable[[float, Callable[[], None]], None] = lambda _seconds, _callback: None
        """Schedules a callback; the simulation sets it."""
        self._now = now
        self._ready: deque[Handle] = deque()
        self._from_threads: SimpleQueue[Handle] = SimpleQueue()

    def time(self) -> float:
        """Return the simulated monotonic time."""
        return self._now()

    def get_debug(self) -> bool:
        """Return False: tasks are not debugged."""
        return False

    def call_soon(  # type: ignore[override]
        self, callback: Callable[..., object], *args: Any, context: Context | None = None
    ) -> Handle:
        """Run the callback after all that is ready now."""
        handle = Handle(callback, args, self, context)
        self._ready.append(handle)
        return handle

    def call_later(  # type: ignore[override]
        self, delay: float, callback: Callable[..., object], *args: Any, context: Context | None = None
    ) -> TimerHandle:
        """Run the callback after ``delay`` simulated seconds, unless it is cancelled."""
        handle = TimerHandle(self._now() + delay, callback, args, self, context)
        self.after(delay, lambda: self._ready.append(handle))
        return handle

    def call_soon_threadsafe(  # type: ignore[override]
        self, callback: Callable[..., object], *args: Any, context: Context | None = None
    ) -> Handle:
        """Queue the callback until ``take_from_thread``."""
        handle = Handle(callback, args, self, context)
        self._from_threads.put(handle)
        return handle

    def create_future(self) -> "Future[Any]":
        """Create a future of this loop."""
        return Future(loop=self)

    def create_task(self, coro: Coroutine[Any, Any, _T], **_: Any) -> "asyncio.Task[_T]":  # type: ignore[override]
        """Create a task of this loop."""
        return asyncio.Task(coro, loop=self)

    def run_in_executor(self, executor: Any, func: Callable[..., Any], *args: Any) -> "Future[Any]":  # type: ignore[override]  # noqa: ARG002
        """Run the function at once: nothing blocks on the simulated disk."""
        future = self.create_future()
        try:
            future.set_result(func(*args))
        except Exception as error:  # noqa: BLE001  # the awaiting task gets it
            future.set_exception(error)
        return future

    def call_exception_handler(self, context: dict[str, Any]) -> None:
        """Raise the error: no exception may go unnoticed."""
        error = context.get("exception")
        raise error if isinstance(error, BaseException) else RuntimeError(str(context.get("message")))

    def take_from_thread(self) -> None:
        """Wait for the next callback of another thread, and make it ready."""
        self._ready.append(self._from_threads.get(timeout=_PATIENCE_SECONDS))

    def inside(self, callback: Callable[[], None]) -> None:
        """Run a callback inside this loop, then everything that it made ready."""
        asyncio._set_running_loop(self)  # noqa: SLF001  # documented for those who implement loops
        try:
            callback()
            self.drain()
        finally:
            asyncio._set_running_loop(None)  # noqa: SLF001

    def _timer_handle_cancelled(self, handle: TimerHandle) -> None:
        """Ignore the cancellation of a timer; ``drain`` skips it later."""

    def drain(self) -> None:
        """Run all ready callbacks, and those that they make ready."""
        while self._ready:
            handle = self._ready.popleft()
            if not handle.cancelled():
                handle._run()  # noqa: SLF001  # what a loop does with its handles

    def abandon(self) -> None:
        """Drop all ready callbacks after a failure: their results would mean nothing."""
        self._ready.clear()

    def complete(self, coroutine: Coroutine[Any, Any, _T]) -> _T:
        """Run a coroutine to its end; it must not wait for anything outside this loop."""
        task = self.create_task(coroutine)
        self.drain()
        return task.result()
