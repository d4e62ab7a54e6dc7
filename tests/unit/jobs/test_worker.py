import asyncio
import subprocess
import sys
from collections import Counter
from datetime import timedelta
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy import URL, Connection, select, text
from structlog.testing import capture_logs

from kswifi.database.engine import Database
from kswifi.jobs.housekeeping import Housekeeper, outbox_chores
from kswifi.jobs.worker import Worker, WorkerLimits
from kswifi.kernel.clock import SystemClock
from kswifi.outbox.model import Entry
from kswifi.outbox.results import Done, Handler, JobResult, Refused, Unknown
from kswifi.outbox.service import enqueue
from kswifi.outbox.sql import outbox_entry
from tests.support.clocks import ManualClock
from tests.support.databases import START, open_database


async def _ask(database: Database, *keys: str) -> None:
    def change(connection: Connection) -> None:
        for key in keys:
            enqueue(connection, kind="grant", key=key, payload={"id": key})

    await database.write(change)


async def _states(database: Database) -> dict[str, tuple[str, int, str | None]]:
    def look(connection: Connection) -> dict[str, tuple[str, int, str | None]]:
        rows = connection.execute(select(outbox_entry))
        return {row.key: (row.state, row.attempts, row.last_error) for row in rows}

    return await database.read(look)


async def _until(condition: "asyncio.Event") -> None:
    async with asyncio.timeout(10):
        await condition.wait()


def _answering(*results: JobResult | Exception) -> Handler:
    waiting = list(results)

    async def handle(_entry: Entry) -> JobResult:
        result = waiting.pop(0)
        if isinstance(result, Exception):
            raise result
        return result

    return handle


async def test_two_workers_never_run_one_entry_at_the_same_time_and_each_once(tmp_path: Path) -> None:
    runs: Counter[str] = Counter()
    at_it: set[str] = set()
    most = 0

    async def handle(entry: Entry) -> Done:
        nonlocal most
        assert entry.key not in at_it
        at_it.add(entry.key)
        most = max(most, len(at_it))
        await asyncio.sleep(0.002)
        at_it.discard(entry.key)
        runs[entry.key] += 1
        return Done()

    async with open_database(tmp_path) as database:
        keys = [f"k{number}" for number in range(40)]
        await _ask(database, *keys)
        workers = [Worker(database, {"grant": handle}, WorkerLimits(concurrency=3)) for _ in range(2)]
        await asyncio.gather(*(worker.run_until_idle() for worker in workers))
        assert runs == Counter(keys)
        assert 1 < most <= 6


async def test_a_commit_wakes_the_worker_long_before_it_would_look(tmp_path: Path) -> None:
    done = asyncio.Event()

    async def handle(_entry: Entry) -> Done:
        done.set()
        return Done()

    async with open_database(tmp_path) as database:
        worker = Worker(database, {"grant": handle}, WorkerLimits(poll_seconds=60))
        running = asyncio.create_task(worker.run())
        await asyncio.sleep(0.05)
        await _ask(database, "k")
        await _until(done)
        worker.stop()
        await asyncio.wait_for(running, 5)
        assert (await _states(database))["k"][0] == "done"


async def test_unknown_is_tried_again_later_and_later_then_stuck(tmp_path: Path) -> None:
    clock = ManualClock(START)
    limits = WorkerLimits(attempts=3, first_delay_seconds=10)
    handler = _answering(Unknown("no answer"), RuntimeError("broken"), Unknown("still no answer"))

    async with open_database(tmp_path, clock) as database:
        await _ask(database, "k")
        worker = Worker(database, {"grant": handler}, limits, chance=lambda: 1.0)
        assert await worker.run_until_idle() == 1
        clock.advance(timedelta(seconds=9.9))
        assert await worker.run_until_idle() == 0
        clock.advance(timedelta(seconds=0.1))
        assert await worker.run_until_idle() == 1
        assert await _states(database) == {"k": ("waiting", 2, "RuntimeError: broken")}
        clock.advance(timedelta(seconds=20))
        assert await worker.run_until_idle() == 1
        assert await _states(database) == {"k": ("stuck", 3, "still no answer")}
        clock.advance(timedelta(days=1))
        assert await worker.run_until_idle() == 0


async def test_a_refusal_is_final(tmp_path: Path) -> None:
    async with open_database(tmp_path) as database:
        await _ask(database, "k")
        worker = Worker(database, {"grant": _answering(Refused("no such wallet"))})
        assert await worker.run_until_idle() == 1
        assert await worker.run_until_idle() == 0
        assert await _states(database) == {"k": ("refused", 1, "no such wallet")}


async def test_a_handler_ends_within_its_lease(tmp_path: Path) -> None:
    async def never(_entry: Entry) -> Done:
        await asyncio.Event().wait()
        return Done()

    async with open_database(tmp_path) as database:
        await _ask(database, "k")
        await Worker(database, {"grant": never}, WorkerLimits(handler_seconds=0.05)).run_until_idle()
        assert await _states(database) == {"k": ("waiting", 1, "not finished within 0.05 seconds")}


async def test_kinds_without_a_handler_are_left_to_others(tmp_path: Path) -> None:
    async with open_database(tmp_path) as database:
        await _ask(database, "k")
        assert await Worker(database, {"other": _answering()}).run_until_idle() == 0
        assert await _states(database) == {"k": ("waiting", 0, None)}


async def test_what_kills_every_worker_gets_stuck_instead_of_killing_for_ever(tmp_path: Path) -> None:
    clock = ManualClock(START)

    async with open_database(tmp_path, clock) as database:
        await _ask(database, "k")
        await database.write(lambda connection: connection.execute(outbox_entry.update().values(attempts=12)))
        with capture_logs() as lines:
            await Worker(database, {"grant": _answering()}).run_until_idle()
        assert await _states(database) == {"k": ("stuck", 13, "every worker that tried it died")}
        assert [(it["log_level"], it["kind"]) for it in lines if it["event"] == "job_stuck"] == [("error", "grant")]


@pytest.mark.timeout(60)
async def test_a_killed_worker_is_succeeded_and_the_effect_is_there_exactly_once(tmp_path: Path) -> None:
    handled: list[int] = []

    async with open_database(tmp_path, SystemClock()) as database:
        await database.write(
            lambda connection: connection.execute(text("CREATE TABLE effect (id TEXT PRIMARY KEY, by TEXT)"))
        )
        await _ask(database, "k")
        child = await asyncio.to_thread(_start_child_and_wait_for_its_effect, database.url)
        child.kill()  # SIGKILL between the effect and its note
        await asyncio.to_thread(child.wait)

        async def grant(entry: Entry) -> Done:
            handled.append(entry.attempts)
            await database.write(
                lambda connection: connection.execute(
                    text("INSERT INTO effect (id, by) VALUES (:id, 'heir') ON CONFLICT DO NOTHING"),
                    {"id": entry.payload["id"]},
                )
            )
            return Done()

        heir = Worker(database, {"grant": grant}, WorkerLimits(poll_seconds=0.05))
        assert await heir.run_until_idle() == 0, "the dead worker's lease still holds"
        running = asyncio.create_task(heir.run())
        async with asyncio.timeout(10):
            while (await _states(database))["k"][0] != "done":  # noqa: ASYNC110 - it is in the database
                await asyncio.sleep(0.05)
        heir.stop()
        await running
        assert await database.read(
            lambda connection: connection.execute(text("SELECT id, by FROM effect")).all()
        ) == [("k", "child")]
        assert handled == [2]


def _start_child_and_wait_for_its_effect(url: URL) -> "subprocess.Popen[bytes]":
    program = [
        sys.executable,
        str(Path(__file__).with_name("worker_child.py")),
        url.render_as_string(hide_password=False),
    ]
    with_effect = subprocess.Popen(program, stdout=subprocess.PIPE)
    assert with_effect.stdout is not None
    with with_effect.stdout:
        assert with_effect.stdout.readline() == b"effect done, not yet noted\n"
    return with_effect


@settings(deadline=None, max_examples=100)
@given(attempts=st.integers(1, 10**6), chance=st.floats(0, 1))
def test_the_back_off_grows_and_is_bounded(attempts: int, chance: float) -> None:
    limits = WorkerLimits()
    worker = Worker.__new__(Worker)
    worker._limits, worker._chance = limits, lambda: chance
    seconds = worker._delay(attempts).total_seconds()
    assert limits.first_delay_seconds / 2 <= seconds <= limits.longest_delay_seconds
    worker._chance = lambda: 0.0
    assert worker._delay(attempts + 1) >= worker._delay(attempts)


async def test_housekeeping_goes_on_to_the_end_and_does_not_mind_a_busy_chore(tmp_path: Path) -> None:
    clock = ManualClock(START)

    async with open_database(tmp_path, clock) as database:
        await _ask(database, "a", "b")
        handler = _answering(Done(), Done())
        await Worker(database, {"grant": handler}).run_until_idle()
        clock.advance(timedelta(days=91))
        keeper = Housekeeper(outbox_chores(database), every_seconds=60)
        assert await keeper.run_once() == 2
        running = asyncio.create_task(keeper.run())
        await asyncio.sleep(0)
        keeper.stop()
        await asyncio.wait_for(running, 5)
