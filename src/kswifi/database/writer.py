"""The writer: one commit makes short steps of many requests durable; each step is written whole or not at all.

A request with a commit of its own waits for the disk. Here the steps that arrive during one commit form the next
transaction together, in one turn of one thread.
"""

import asyncio
import contextvars
from collections import deque
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, field
from functools import partial
from math import ceil
from threading import Lock
from time import monotonic, sleep
from typing import Any, Final, TypeVar

from sqlalchemy import Connection, Engine

from kswifi.database.dialect import can_run_again, is_locked, is_lost, is_open, savepoint, transaction
from kswifi.database.errors import CommitUnknownError, DatabaseBusyError
from kswifi.database.wait_estimate import WaitEstimate
from kswifi.kernel.clock import Clock

WAITING_LIMIT: Final = 1024
STEPS_LIMIT: Final = 64
RUNS_LIMIT: Final = 5
"""How often a transaction is begun again whose connection was lost before its COMMIT."""

PAUSE_SECONDS: Final = 0.2
"""How long the thread waits before it begins such a transaction again."""

TRANSACTION_SECONDS: Final = 0.02
"""The age at which a shared transaction takes no further step."""

INSTANT: Final = "kswifi.instant"
TOPICS: Final = "kswifi.topics"
AFTER_COMMIT: Final = "kswifi.after_commit"

_T = TypeVar("_T")
Step = Callable[[Connection], _T]


@dataclass(slots=True, eq=False)
class _Entry:
    """A step that waits for its turn, and its result."""

    step: Step[Any]
    alone: bool
    give_up_at: float
    context: contextvars.Context
    answer: "asyncio.Future[Any]"
    topics: set[str] = field(default_factory=set)
    after_commit: list[Callable[[], object]] = field(default_factory=list)
    began: bool = False
    dropped: bool = False
    given_up: bool = False
    ended: bool = False
    result: Any = None
    error: BaseException | None = None


@dataclass(slots=True)
class _Attempt:
    """How far one transaction came."""

    committing: bool = False


class Writer:
    """Runs steps in write transactions, on one thread and one connection, in order of arrival.

    ``tell`` is called on the loop with the topics that a committed transaction announced. All steps of one
    transaction have the same instant.
    """

    def __init__(self, engine: Engine, clock: Clock, tell: Callable[[set[str]], None]) -> None:
        self._engine = engine
        self._clock = clock
        self._tell = tell
        self._waiting: deque[_Entry] = deque()
        self._running: tuple[_Entry, ...] = ()
        self._estimate = WaitEstimate()
        self._idle = asyncio.Event()  # set while no transaction is under way
        self._idle.set()
        self._lock = Lock()  # between a step that begins and a caller that gives up
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="database-writer")
        self._connection: Connection | None = None

    async def run(self, step: Step[_T], *, alone: bool, wait_seconds: float, sheds: bool = False) -> _T:
        """Run a step; return its result once it is durable, or raise its error once its writes are undone.

        ``sheds``: refuse the step at once where its turn is not expected within ``wait_seconds``.

        If the caller is cancelled before the step began, the step never runs. If it is cancelled afterwards, the
        cancellation is raised when the step's transaction has ended.

        Raises:
            DatabaseBusyError: too many steps are waiting, or its turn did not come in time; nothing was done.
        """
        if len(self._waiting) >= WAITING_LIMIT:
            raise DatabaseBusyError("the database is busy; nothing was done, try again", waiting=WAITING_LIMIT)
        if sheds and (expected := self._expected_wait_seconds()) > wait_seconds:
            raise DatabaseBusyError(
                "the server has too much to do; nothing was done, try again", retry_after_seconds=ceil(expected)
            )
        loop = asyncio.get_running_loop()
        entry = _Entry(
            step, alone, monotonic() + wait_seconds, contextvars.copy_context(), answer=loop.create_future()
        )
        self._waiting.append(entry)
        if self._idle.is_set():
            self._idle.clear()
            loop.call_soon(self._begin_next)  # steps that arrive in this turn of the loop join it
        try:
            result: _T = await entry.answer
        except asyncio.CancelledError:
            if not self._drop(entry):
                await _end_of(entry)
            raise
        return result

    async def close(self) -> None:
        """Finish the waiting steps, then close the connection."""
        await self._idle.wait()
        self._thread.shutdown()
        if self._connection is not None:
            self._connection.close()
        self._engine.dispose()

    def _expected_wait_seconds(self) -> float:
        """Return how long a step that comes now would wait."""
        ahead = (*self._running, *self._waiting)
        alone = sum(entry.alone for entry in ahead)
        return self._estimate.seconds(len(ahead) - alone, alone)

    def _drop(self, entry: _Entry) -> bool:
        """Drop a step that has not begun; return whether it was dropped."""
        with self._lock:
            entry.dropped = not entry.began
            return entry.dropped

    def _begins(self, entry: _Entry) -> bool:
        """Mark a step as begun; return False if its caller gave up or it waited too long. Runs on the thread."""
        with self._lock:
            if entry.dropped:
                return False
            if monotonic() > entry.give_up_at:
                entry.error = _busy()
                return False
            entry.began = True
            return True

    def _begin_next(self) -> None:
        """Hand the next steps to the thread. It uses futures and callbacks, because a task could be cancelled."""
        batch: deque[_Entry] = deque()
        while self._waiting and len(batch) < STEPS_LIMIT:
            if self._waiting[0].alone and batch:
                break
            batch.append(self._waiting.popleft())
            if batch[0].alone:
                break
        if not batch:
            self._idle.set()
            return
        left = batch.copy()
        self._running = tuple(batch)
        began = monotonic()
        running = asyncio.get_running_loop().run_in_executor(self._thread, self._transact, left, self._clock.now())
        running.add_done_callback(partial(self._answer, batch, left, began))

    def _answer(
        self, batch: deque[_Entry], left: deque[_Entry], began: float, running: "asyncio.Future[set[str]]"
    ) -> None:
        """Answer the steps of a transaction; those that did not fit into it come first in the next one."""
        self._estimate.note(len(batch) - len(left), monotonic() - began, alone=batch[0].alone)
        self._running = ()
        self._waiting.extendleft(reversed(left))
        self._tell(running.result())
        for entry in list(batch)[: len(batch) - len(left)]:
            entry.ended = True
            if entry.error is None:
                for call in entry.after_commit:
                    entry.context.run(call)
            if entry.answer.done():  # its caller was cancelled
                continue
            if entry.error is None or entry.given_up:
                entry.answer.set_result(entry.result)
            else:
                entry.answer.set_exception(entry.error)
        self._begin_next()

    def _transact(self, left: deque[_Entry], instant: object) -> set[str]:
        """Run steps from ``left`` in one transaction; return the topics that they announced. Runs on the thread.

        A transaction whose connection is lost before its COMMIT is begun again, because it wrote nothing. If the
        connection is lost during COMMIT, nobody knows what was written: the callers get CommitUnknownError, and
        find out by their own keys (a repeated Idempotency-Key, the key of an outbox entry).
        """
        ran: list[_Entry] = []
        try:
            for runs_left in reversed(range(RUNS_LIMIT)):
                attempt = _Attempt()
                try:
                    self._attempt(attempt, left, ran, instant)
                except BaseException as error:
                    if attempt.committing and is_lost(error):
                        raise CommitUnknownError(
                            "the connection to the database was lost at the last moment; it is not known whether "
                            "the change was made. Repeat the request with the same Idempotency-Key"
                        ) from error
                    if not runs_left or not can_run_again(error) or not self._prepare_again(ran, left):
                        raise
                else:
                    break
        except BaseException as error:  # noqa: BLE001 - every caller gets the error
            if not ran:  # the transaction did not begin: another process writes
                ran.extend(left)
                left.clear()
                error = _busy() if is_locked(error) else error
            for entry in ran:
                entry.error = entry.error or error
            return set()
        return {topic for entry in ran if entry.error is None for topic in entry.topics}

    def _attempt(self, attempt: "_Attempt", left: deque[_Entry], ran: list[_Entry], instant: object) -> None:
        """Run one transaction: the steps of ``ran`` if it is a repetition, else steps from ``left``."""
        if self._connection is None:
            self._connection = self._engine.connect()
        connection = self._connection
        again = tuple(ran)
        with transaction(connection):
            connection.info[INSTANT] = instant
            close_at = monotonic() + TRANSACTION_SECONDS
            shared = len(again) + len(left) > 1
            for entry in again:
                self._run(connection, entry, shared=shared)
            while left and not again and (not ran or monotonic() < close_at):
                entry = left.popleft()
                if self._begins(entry):
                    ran.append(entry)
                    self._run(connection, entry, shared=shared)
            attempt.committing = True

    def _prepare_again(self, ran: list[_Entry], left: deque[_Entry]) -> bool:
        """Forget what the steps of a lost transaction noted; return False once their time is over."""
        waiting = ran or left
        if self._connection is not None:
            self._connection.close()
            self._connection = None
        for entry in ran:
            entry.error = entry.result = None
            entry.topics.clear()
            entry.after_commit.clear()
        sleep(PAUSE_SECONDS)
        return bool(waiting) and monotonic() < min(entry.give_up_at for entry in waiting)

    def _run(self, connection: Connection, entry: _Entry, *, shared: bool) -> None:
        """Run one step; in a shared transaction, undo only this step if it fails. Runs on the thread."""
        connection.info[TOPICS], connection.info[AFTER_COMMIT] = entry.topics, entry.after_commit
        try:
            if shared:
                with savepoint(connection):
                    entry.result = entry.context.run(entry.step, connection)
            else:  # no other step to keep: a failure undoes the whole transaction
                entry.result = entry.context.run(entry.step, connection)
        except BaseException as error:
            # A future cannot carry StopIteration.
            entry.error = RuntimeError("a step raised StopIteration") if isinstance(error, StopIteration) else error
            if not shared or not is_open(connection):
                raise


async def _end_of(entry: _Entry) -> None:
    """Wait until a step's transaction has ended, even if the wait is cancelled repeatedly."""
    entry.given_up = True
    while not entry.ended:
        entry.answer = asyncio.get_running_loop().create_future()
        with suppress(asyncio.CancelledError):
            await entry.answer


def _busy() -> DatabaseBusyError:
    return DatabaseBusyError("the database is busy; nothing was done, try again")
