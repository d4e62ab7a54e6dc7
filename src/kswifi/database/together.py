"""Group commit: short synchronous work of many requests, each whole or not at all, made durable by one commit.

A request that waits for its own commit costs a wait for the disk and a dozen changes of thread. Here whatever
gathers while one commit is under way goes into the next one together, in one turn of one thread.
"""

import asyncio
from collections import deque
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final, TypeVar

from sqlalchemy import Connection, Engine

from kswifi.database.errors import DatabaseBusyError
from kswifi.kernel.clock import Clock

WORK_LIMIT: Final = 1024
BATCH_LIMIT: Final = 64
INSTANT: Final = "kswifi.instant"
TOPICS: Final = "kswifi.topics"

_T = TypeVar("_T")
Work = Callable[[Connection], _T]


@dataclass(slots=True)
class _Waiting:
    work: Work[Any]
    answer: "asyncio.Future[Any]"
    result: Any = None
    error: BaseException | None = None


class GroupCommit:
    """Runs synchronous work in write transactions of an engine of its own, taking turns with other writers.

    ``turn`` gives the right to write while it is held; ``told`` is called with the topics of what was committed.
    Everything of one batch happens at one instant.
    """

    def __init__(
        self,
        engine: Engine,
        turn: Callable[[], AbstractAsyncContextManager[object]],
        clock: Clock,
        told: Callable[[set[str]], None],
    ) -> None:
        self._engine = engine
        self._turn = turn
        self._clock = clock
        self._told = told
        self._waiting: deque[_Waiting] = deque()
        self._runner: asyncio.Task[None] | None = None
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="group-commit")
        self._connection: Connection | None = None

    async def run(self, work: Work[_T]) -> _T:
        """Run ``work`` in a transaction; its result is returned when it is durable, its error when it is undone.

        Cancelling the wait does not undo the work.

        Raises:
            DatabaseBusyError: too much is waiting; nothing was done.
        """
        if len(self._waiting) >= WORK_LIMIT:
            raise DatabaseBusyError("the database is busy; nothing was done, try again", waiting=WORK_LIMIT)
        waiting = _Waiting(work, asyncio.get_running_loop().create_future())
        self._waiting.append(waiting)
        if self._runner is None or self._runner.done():
            self._runner = asyncio.create_task(self._run_all(), name="group-commit")
        result: _T = await waiting.answer
        return result

    async def close(self) -> None:
        """Finish what is waiting, then close the connection."""
        if self._runner is not None:
            await self._runner
        if self._connection is not None:
            await asyncio.get_running_loop().run_in_executor(self._thread, self._connection.close)
        self._thread.shutdown()
        self._engine.dispose()

    async def _run_all(self) -> None:
        while self._waiting:
            batch: list[_Waiting] = []
            topics: set[str] = set()
            try:
                async with self._turn():
                    while self._waiting and len(batch) < BATCH_LIMIT:
                        batch.append(self._waiting.popleft())
                    await asyncio.get_running_loop().run_in_executor(
                        self._thread, self._commit, batch, self._clock.now(), topics
                    )
            except Exception as error:  # noqa: BLE001 - whatever it was, every request of the batch is told
                batch = batch or [self._waiting.popleft()]
                for waiting in batch:
                    waiting.error = error
                topics.clear()
            self._told(topics)
            for waiting in batch:
                _answer(waiting)

    def _commit(self, batch: list[_Waiting], instant: datetime, topics: set[str]) -> None:
        """Run a batch in one transaction; what fails is undone alone. On the thread."""
        if self._connection is None:
            self._connection = self._engine.connect()
        connection = self._connection
        connection.info[INSTANT], connection.info[TOPICS] = instant, topics
        with connection.begin():
            if len(batch) == 1:  # nobody else's work to save: a failure undoes the whole transaction
                batch[0].result = batch[0].work(connection)
                return
            for waiting in batch:
                _run_apart(connection, waiting)


def _run_apart(connection: Connection, waiting: _Waiting) -> None:
    """Run one work of several: what it wrote is undone alone if it fails.

    Its savepoint is set by the driver: SQLAlchemy makes a new statement for each, which costs as much as the work.
    """
    driver = connection.connection.driver_connection
    assert driver is not None  # noqa: S101 - the connection is open
    try:
        driver.execute("SAVEPOINT work")
        waiting.result = waiting.work(connection)
        driver.execute("RELEASE work")
    except Exception as error:
        if not driver.in_transaction:  # SQLite has undone everybody's, as it may where a disk is full
            raise
        driver.execute("ROLLBACK TO work")
        driver.execute("RELEASE work")
        waiting.error = error  # the caller gets it; its neighbours are not hurt


def _answer(waiting: _Waiting) -> None:
    if waiting.answer.done():  # nobody waits any more
        return
    if waiting.error is not None:
        waiting.answer.set_exception(waiting.error)
    else:
        waiting.answer.set_result(waiting.result)
