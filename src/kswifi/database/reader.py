"""Readers: run steps that see one consistent snapshot and cannot write."""

import asyncio
import contextvars
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from threading import local
from time import monotonic, perf_counter, sleep, thread_time
from types import CodeType
from typing import Any, Final, TypeVar

from sqlalchemy import Connection, Engine
from sqlalchemy.exc import DBAPIError, OperationalError

from kswifi.database.dialect import can_run_again, is_locked, transaction
from kswifi.database.errors import DatabaseBusyError
from kswifi.database.writer import INSTANT, PAUSE_SECONDS, Step
from kswifi.kernel.clock import Clock

THREADS: Final = 4
WAITING_LIMIT: Final = 1024

QUICK_SECONDS: Final = 0.001
"""A step that took at most this CPU time on a thread runs on the loop the next time."""

SLOW_SECONDS: Final = 0.005
"""A step that blocked the loop for longer than this runs on a thread the next time."""

_T = TypeVar("_T")


class Readers:
    """Runs reading steps on a few threads, or on the loop itself if a step is quick and waits for no network.

    Handing a step to a thread costs more than a quick step takes, and a step's Python code delays the loop from a
    thread as well. Steps are identified by their code object. The first run of each is on a thread, and is
    measured.
    """

    def __init__(self, threads_engine: Engine, loop_engine: Engine | None, clock: Clock) -> None:
        self._threads_engine = threads_engine
        self._loop_engine = loop_engine  # does not wait for a lock; None: no step runs on the loop
        self._clock = clock
        self._threads = ThreadPoolExecutor(THREADS, thread_name_prefix="database-reader")
        self._of_thread = local()
        self._opened: list[Connection] = []
        self._of_loop: Connection | None = None
        self._waiting = 0
        self._quick: set[CodeType] = set()

    async def run(self, step: Step[_T], *, wait_seconds: float) -> _T:
        """Run a step in a snapshot; return its result. A cancelled caller does not wait for the end of the step.

        Raises:
            DatabaseBusyError: too many steps are waiting, or its turn did not come in time.
        """
        code = _code_of(step)
        if code in self._quick:
            began = perf_counter()
            try:
                return self._run_on_loop(step)
            except OperationalError as error:
                if not is_locked(error):
                    raise
            finally:
                if perf_counter() - began > SLOW_SECONDS:
                    self._quick.discard(code)
        if self._waiting >= WAITING_LIMIT:
            raise DatabaseBusyError("the database is busy, try again", waiting=WAITING_LIMIT)
        self._waiting += 1
        try:
            result, seconds = await asyncio.get_running_loop().run_in_executor(
                self._threads, self._run_on_thread, step, contextvars.copy_context(), monotonic() + wait_seconds
            )
        finally:
            self._waiting -= 1
        if self._loop_engine is not None and code is not None and seconds <= QUICK_SECONDS:
            self._quick.add(code)
        return result

    async def close(self) -> None:
        """Finish the running steps, then close the connections."""
        self._threads.shutdown()
        for connection in self._opened:
            connection.close()
        self._threads_engine.dispose()
        if self._loop_engine is not None:
            self._loop_engine.dispose()

    def _run_on_loop(self, step: Step[_T]) -> _T:
        assert self._loop_engine is not None  # noqa: S101 - else no step is quick
        if self._of_loop is None:
            self._of_loop = self._open(self._loop_engine)
        return _run(self._of_loop, step, self._clock.now())

    def _run_on_thread(self, step: Step[_T], context: contextvars.Context, give_up_at: float) -> tuple[_T, float]:
        """Run a step; return its result and its CPU time."""
        if monotonic() > give_up_at:
            raise DatabaseBusyError("the database is busy, try again")
        while True:
            began = thread_time()
            try:
                return context.run(self._read, step), thread_time() - began
            except DBAPIError as error:
                # A server was restarted, or a standby took over: a step that reads can always run again.
                if not can_run_again(error) or monotonic() + PAUSE_SECONDS > give_up_at:
                    raise
                sleep(PAUSE_SECONDS)

    def _read(self, step: Step[_T]) -> _T:
        """Run a step on this thread's connection; give the connection up if it was lost."""
        connection: Connection | None = getattr(self._of_thread, "connection", None)
        if connection is None:
            connection = self._of_thread.connection = self._open(self._threads_engine)
        try:
            return _run(connection, step, self._clock.now())
        except DBAPIError as error:
            if can_run_again(error):
                self._of_thread.connection = None
                self._opened.remove(connection)
                connection.close()
            raise

    def _open(self, engine: Engine) -> Connection:
        connection = engine.connect()
        self._opened.append(connection)
        return connection


def _run(connection: Connection, step: Callable[[Connection], _T], instant: datetime) -> _T:
    connection.info[INSTANT] = instant
    with transaction(connection):
        return step(connection)


def _code_of(step: Any) -> CodeType | None:
    """Return the code object that identifies a step, inside partial applications and methods."""
    while not hasattr(step, "__code__"):
        inner = getattr(step, "func", None) or getattr(step, "__func__", None)
        if inner is None:
            return None
        step = inner
    code: CodeType = step.__code__
    return code
