"""The ledger for the rest of the process: it takes commands and returns outcomes once they are durable.

Commands submitted in one turn of the event loop are applied to memory at once and become one record. A writer
thread makes the record durable; only then are its outcomes delivered, on the loop. While one record is written the
next one collects commands, so batches grow with the load.

A full disk only delays: the writer thread keeps the record and appends the same one again until there is room.
Meanwhile commands are taken up to the limit and wait, and a repetition of a command whose outcome is durable is
answered at once, because it needs no new record.

Any other failed append is final. Memory then holds effects that were never made durable, so it is discarded, no
outcome is delivered, and the process has to end and to recover from the journal.
"""

import asyncio
from collections import deque
from collections.abc import Callable
from queue import SimpleQueue
from threading import Event, Thread
from typing import Any

import msgspec
import structlog

from kswifi.kernel.clock import Clock, unix_seconds
from kswifi.ledger import model
from kswifi.ledger.batch import (
    IN_FLIGHT,
    RETRY_SECONDS,
    Batch,
    Done,
    LedgerFigures,
    Limits,
    nobody_told,
    nobody_waits,
    nothing_to_free,
)
from kswifi.ledger.checks import ID_LIMIT
from kswifi.ledger.command_context import Work
from kswifi.ledger.commands import NOTE_LIMIT, OCTETS_LIMIT, Admit, Ask, Command, Outcome, Reserve
from kswifi.ledger.effects import Answered, Effect
from kswifi.ledger.errors import (
    LedgerBusyError,
    LedgerClosedError,
    LedgerError,
    LedgerFailedError,
    LedgerFullError,
)
from kswifi.ledger.ordinary_commits import book
from kswifi.ledger.state import LedgerState, Retention
from kswifi.ledger.storage.journal import Head, Journal, Record, effects_after, instant_of, next_record
from kswifi.ledger.storage.pruning import prune_journal
from kswifi.ledger.storage.recovery import RecoveryReport, recover
from kswifi.ledger.storage.snapshot import SnapshotStore
from kswifi.ledger.storage.snapshot_process import write_in_child

_log = structlog.get_logger(__name__)


class LedgerClient:
    """The ledger in this process. Call every method on the loop's thread, except ``read_effects`` (any thread).

    Attributes:
        fatal: called once when an append failed; the process must stop.
        on_durable: called with the newest durable sequence, to wake the readers of effects.
        out_of_space: called each time the disk is too full for a record, on the writer's thread; may free some.
    """

    def __init__(
        self,
        journal: Journal,
        clock: Clock,
        *,
        snapshots: SnapshotStore | None = None,
        limits: Limits | None = None,
        retention: Retention | None = None,
    ) -> None:
        self.fatal: Callable[[BaseException], None] = nobody_told
        self.on_durable: Callable[[int], None] = nobody_waits
        self.out_of_space: Callable[[], None] = nothing_to_free
        self.report: RecoveryReport | None = None
        self._journal = journal
        self._clock = clock
        self._snapshots = snapshots
        self._limits = limits or Limits()
        self._retention = retention
        self._state: LedgerState | None = None
        self._failure: BaseException | None = None
        self._head = Head()
        self._newest_at = 0
        """The instant of the newest record, which no later one precedes."""
        self._durable = 0
        self._gathering: Batch | None = None
        self._ready: deque[Batch] = deque()
        self._in_flight: deque[tuple[Batch, Record | None]] = deque()
        self._waiting = 0
        self._answered = 0
        self._scheduled = False
        self._to_writer: SimpleQueue[Record | Callable[[], None] | None] = SimpleQueue()
        self._writer: Thread | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._executing: set[asyncio.Future[Any]] = set()
        self._stalled = False
        """Whether a record waits for room on the disk."""
        self._undurable: set[str] = set()
        """While stalled: the commands whose stored outcomes are in no durable record yet."""
        self._abandoned = Event()
        self._idle: asyncio.Event = asyncio.Event()
        self._effects_since_snapshot = 0
        self._snapshot_task: asyncio.Task[None] | None = None

    @property
    def state(self) -> LedgerState:
        """The state in memory, for queries only. It is slightly ahead of what is durable.

        Raises:
            LedgerClosedError: not started.
            LedgerFailedError: an append failed.
        """
        if self._state is None:
            raise self._refusal()
        return self._state

    @property
    def durable_sequence(self) -> int:
        """The sequence of the newest durable record."""
        return self._durable

    @property
    def is_stalled(self) -> bool:
        """Whether a record waits for room on the disk."""
        return self._stalled

    async def start(self, at_least: int = 0) -> RecoveryReport:
        """Lock the journal, recover the state, and begin to take commands.

        Args:
            at_least: a sequence known to have been acknowledged, as a projector has stored it.

        Raises:
            LedgerDamagedError: the journal on disk lost or changed acknowledged records.
            LedgerLockedError: another process owns the journal.
        """
        self._loop = asyncio.get_running_loop()
        end = await asyncio.to_thread(self._journal.open)
        try:
            recovered = await asyncio.to_thread(
                recover, self._journal, end, self._snapshots, self._retention, at_least
            )
        except BaseException:
            self._journal.close()
            raise
        self._state, self._head = recovered.state, recovered.head
        self._durable = recovered.head.sequence
        last = await asyncio.to_thread(self._journal.read, max(0, self._durable - 1), 1)
        self._newest_at = max((instant_of(it) for it in last), default=0)
        self.report = recovered.report
        self._effects_since_snapshot = recovered.report.effects
        for why in recovered.report.rejected_snapshots:
            _log.warning("ledger_snapshot_rejected", why=why)
        _log.info("ledger_recovered", **msgspec.structs.asdict(recovered.report))
        self._writer = Thread(target=self._write, name="ledger-writer", daemon=True)
        self._writer.start()
        return recovered.report

    @property
    def room(self) -> int:
        """How many commands can be submitted now."""
        return self._limits.waiting_commands - self._waiting

    @property
    def figures(self) -> LedgerFigures:
        """The load now, and the work since the start, for monitoring."""
        return LedgerFigures(
            waiting_commands=self._waiting,
            records_in_flight=len(self._in_flight),
            answered_commands=self._answered,
            durable_sequence=self._durable,
            reservations=0 if self._state is None else len(self._state.reservations),
        )

    def submit(self, command: Command, done: Done) -> None:
        """Apply a command now; ``done`` gets its outcome on the loop once it is durable.

        Outcomes are delivered in the order of submission; while the disk is full, a repetition of a command whose
        outcome is durable overtakes those that wait for room.

        Raises:
            LedgerBusyError: too many commands wait; nothing was applied.
            LedgerClosedError, LedgerFailedError: nothing was applied.
        """
        state = self._state
        if state is None or self._writer is None:
            raise self._refusal()
        self._turn_away(state, command)
        if self._stalled and command.command_id not in self._undurable:
            outcome_before = model.stored_outcome(state, command)
            if outcome_before is not None:
                self._running_loop().call_soon(done, outcome_before)
                return
        batch = self._gathering
        if batch is None:
            # The clock may go back by a correction; the instants of records never do.
            self._newest_at = max(self._newest_at, unix_seconds(self._clock.now()))
            batch = self._gathering = Batch(self._newest_at)
        outcome = self._apply(state, batch, command)
        self._await(batch, done, outcome)

    def commit_ordinary(
        self, reservation_id: str, command_id: str, used_octets: int, ask: Ask | None, note: str, done: Done
    ) -> bool:
        """Apply a commit as ``submit`` does if it is ordinary (see ``ordinary_commits``), without its command.

        Returns:
            False with nothing changed if it is not ordinary, has a value that a command would refuse, or cannot be
            taken now.
        """
        state = self._state
        if state is None or self._writer is None or self._stalled:
            return False
        reservation = state.reservations.get(reservation_id)
        if reservation is None or self._waiting >= self._limits.waiting_commands:
            return False
        if len(command_id) > ID_LIMIT or used_octets > OCTETS_LIMIT or len(note) > NOTE_LIMIT:
            return False
        batch = self._gathering
        at = max(self._newest_at, unix_seconds(self._clock.now())) if batch is None else batch.at
        if batch is None and state.forgettable and state.forgettable[0][0] <= at:
            return False  # a batch begins with forgetting what is due
        work = Work(state, at)
        try:
            outcome = book(work, reservation, command_id, used_octets, ask, note)
        except Exception as error:  # noqa: BLE001 - memory may be half-changed: recover from the journal
            self._fail(error)
            return False
        if outcome is None:
            return False
        if batch is None:
            self._newest_at = at
            batch = self._gathering = Batch(at)
        batch.effects += work.effects
        self._await(batch, done, outcome)
        return True

    async def execute(self, command: Command) -> Outcome:
        """Apply a command and wait until it is durable.

        Raises:
            LedgerBusyError: too many commands wait; nothing was applied.
            LedgerFailedError: an append failed; whether it was applied is known after the restart.
        """
        future: asyncio.Future[Outcome] = self._running_loop().create_future()

        def done(outcome: Outcome) -> None:
            if not future.done():
                future.set_result(outcome)

        self.submit(command, done)
        self._executing.add(future)
        try:
            return await future
        finally:
            self._executing.discard(future)

    def read_effects(self, after_sequence: int, limit: int) -> list[tuple[int, tuple[Effect, ...]]]:
        """Return the effects of durable records after a sequence, at most ``limit`` records.

        Raises:
            LedgerDamagedError: records in that range were pruned.
        """
        return effects_after(self._journal, after_sequence, limit)

    async def prune(self, read_until: int, since: int) -> int:
        """Drop records that are no longer needed (see ``pruning``); return how many, 0 when none is left to drop.

        The writer thread drops them between two appends, so that dropping and appending never wait for a lock.

        Args:
            read_until: the sequence that all followers of the journal have read.
            since: Unix seconds; newer records are kept.
        """
        if self._snapshots is None or self._writer is None:
            return 0
        until = min(read_until, self._durable)
        return await prune_journal(self._journal, self._snapshots, until, since, self._prune_some)

    async def _prune_some(self, before: int, limit: int) -> int:
        if self._writer is None:
            return 0
        pruned: asyncio.Future[int] = self._running_loop().create_future()

        def prune() -> None:
            try:
                count = self._journal.prune(before, limit)
            except LedgerFullError:
                count = 0  # dropping records needs room too; the next chore tries again
            self._running_loop().call_soon_threadsafe(pruned.set_result, count)

        self._executing.add(pruned)
        try:
            self._to_writer.put(prune)
            return await pruned
        finally:
            self._executing.discard(pruned)

    async def close(self) -> None:
        """Refuse new commands, answer those that wait, write a snapshot, and release the journal.

        Commands that wait for room on a full disk are not answered: they are in no record, and are repeated.
        """
        writer, self._writer = self._writer, None
        if self._snapshot_task is not None:
            self._snapshot_task.cancel()
            await asyncio.gather(self._snapshot_task, return_exceptions=True)
        if writer is not None:
            if self._stalled:
                self._abandon()
            while self._failure is None and (self._gathering or self._ready or self._in_flight):
                self._idle.clear()
                await self._idle.wait()
            self._to_writer.put(None)
            await asyncio.to_thread(writer.join)
        state, self._state = self._state, None
        if state is not None and self._snapshots is not None and self._effects_since_snapshot:
            try:
                await asyncio.to_thread(self._snapshots.write, state, self._head)
            except OSError as error:
                _log.warning("ledger_snapshot_failed", why=str(error))  # only the next start takes longer
        self._journal.close()

    def _turn_away(self, state: LedgerState, command: Command) -> None:
        if self._waiting >= self._limits.waiting_commands:
            raise LedgerBusyError(f"{self._waiting} commands wait for the journal", waiting=self._waiting)
        if (
            len(state.reservations) >= self._limits.reservations
            and isinstance(command, Reserve | Admit)
            and command.reservation_id not in state.reservations
        ):
            raise LedgerBusyError(
                f"{len(state.reservations)} reservations are open or remembered",
                reservations=len(state.reservations),
            )

    def _apply(self, state: LedgerState, batch: Batch, command: Command) -> Outcome:
        try:
            if not batch.waiting:
                batch.effects += model.forget_due(state, batch.at)
            outcome, effects = model.apply(state, command, batch.at)
        except (
            Exception
        ) as error:  # a fault in the rules may have left memory half-changed: recover from the journal
            self._fail(error)
            raise self._refusal() from error
        batch.effects += effects
        if self._stalled:
            self._undurable.update(it.command_id for it in effects if isinstance(it, Answered))
        return outcome

    def _await(self, batch: Batch, done: Done, outcome: Outcome) -> None:
        """Deliver an outcome once its batch is durable."""
        batch.waiting.append((done, outcome))
        self._waiting += 1
        if len(batch.waiting) >= self._limits.batch_commands:
            self._ready.append(batch)
            self._gathering = None
        if not self._scheduled:
            self._scheduled = True
            self._running_loop().call_soon(self._flush)

    def _flush(self) -> None:
        """Give ready batches to the writer, at most ``IN_FLIGHT`` at once; later commands join the next batch."""
        self._scheduled = False
        while self._failure is None and len(self._in_flight) < IN_FLIGHT:
            if self._ready:
                batch = self._ready.popleft()
            elif self._gathering is not None:
                batch, self._gathering = self._gathering, None
            else:
                break
            if batch.effects:
                self._hand_over(batch)
            elif self._in_flight:
                self._in_flight.append(
                    (batch, None)
                )  # nothing to write, but it must not be answered before the records whose state it has seen
            else:
                self._answer(batch)
        if not (self._gathering or self._ready or self._in_flight):
            self._idle.set()

    def _hand_over(self, batch: Batch) -> None:
        try:
            record = next_record(self._head, batch.at, batch.effects)
        except Exception as error:  # noqa: BLE001 - memory holds what the journal cannot take
            self._fail(error)
            return
        self._head = Head(record.sequence, record.digest)
        self._in_flight.append((batch, record))
        self._to_writer.put(record)

    def _write(self) -> None:
        """Append records one after the other: the body of the writer thread."""
        while (work := self._to_writer.get()) is not None:
            try:
                if not isinstance(work, Record):
                    work()
                    continue
                if not self._append(work):
                    return
            except Exception as error:  # noqa: BLE001 - after any error it is unknown what is durable
                self._tell(self._fail, error)
                return
            if not self._tell(self._written):
                return

    def _append(self, record: Record) -> bool:
        """Append a record, again and again while the disk is full; return False if it was given up."""
        while True:
            try:
                self._journal.append(record)
            except LedgerFullError as error:
                self._tell(self._stall, error)
                self.out_of_space()
                if self._abandoned.wait(RETRY_SECONDS):
                    return False
            else:
                return True

    def _stall(self, error: BaseException) -> None:
        """Note that a record waits for room on the disk."""
        if self._failure is not None or self._stalled:
            return
        _log.error("ledger_disk_full", why=str(error), durable=self._durable)
        self._stalled = True
        gathering = () if self._gathering is None else (self._gathering,)
        batches = (*(batch for batch, _ in self._in_flight), *self._ready, *gathering)
        self._undurable = {it.command_id for one in batches for it in one.effects if isinstance(it, Answered)}
        if self._writer is None:  # closing
            self._abandon()

    def _abandon(self) -> None:
        """Give up what waits for room on the disk: nobody was answered, and the next start knows nothing of it."""
        self._abandoned.set()
        self._discard(LedgerFullError("the disk is full, and the ledger is closing"))

    def _tell(self, callback: Callable[..., None], *facts: BaseException) -> bool:
        try:
            self._running_loop().call_soon_threadsafe(callback, *facts)
        except RuntimeError:  # the loop is closed, and nothing waits for this outcome
            return False
        return True

    def _written(self) -> None:
        if self._failure is not None:
            return
        if self._stalled:
            _log.warning("ledger_disk_has_room_again", durable=self._durable)
            self._stalled = False
            self._undurable.clear()
        batch, record = self._in_flight.popleft()
        if record is not None:
            self._durable = record.sequence
            self._effects_since_snapshot += len(batch.effects)
        self._answer(batch)
        while self._in_flight and self._in_flight[0][1] is None:
            self._answer(self._in_flight.popleft()[0])
        self._flush()
        self.on_durable(self._durable)
        if self._effects_since_snapshot >= self._limits.snapshot_effects:
            self._begin_snapshot()

    def _answer(self, batch: Batch) -> None:
        self._waiting -= len(batch.waiting)
        self._answered += len(batch.waiting)
        for done, outcome in batch.waiting:
            try:
                done(outcome)
            except Exception:  # noqa: BLE001 - one caller's fault must not cost the others their answers
                _log.exception("ledger_caller_failed")

    def _fail(self, error: BaseException) -> None:
        if self._failure is not None:
            return
        _log.critical("ledger_failed", error=repr(error), durable=self._durable)
        self._discard(error)
        self.fatal(error)

    def _discard(self, error: BaseException) -> None:
        """Drop memory, which holds what the journal does not, and everything that waits for the journal."""
        self._failure = error
        self._state = None
        self._gathering = None
        self._ready.clear()
        self._in_flight.clear()
        for future in self._executing:
            if not future.done():
                future.set_exception(self._refusal())
        self._idle.set()

    def _begin_snapshot(self) -> None:
        if self._snapshots is None or self._snapshot_task is not None or self._writer is None:
            return
        if self._stalled:
            return
        self._effects_since_snapshot = 0
        self._snapshot_task = self._running_loop().create_task(self._snapshot(self._snapshots))

    async def _snapshot(self, snapshots: SnapshotStore) -> None:
        try:
            await write_in_child(snapshots.directory)
        except (LedgerError, OSError, TimeoutError) as error:
            _log.warning("ledger_snapshot_failed", why=str(error))  # only the next start takes longer
        finally:
            self._snapshot_task = None

    def _running_loop(self) -> asyncio.AbstractEventLoop:
        if self._loop is None:
            raise self._refusal()
        return self._loop

    def _refusal(self) -> LedgerError:
        if self._failure is not None:
            return LedgerFailedError(f"the ledger failed and must be started anew: {self._failure}")
        return LedgerClosedError("the ledger is not started, or is closed")
