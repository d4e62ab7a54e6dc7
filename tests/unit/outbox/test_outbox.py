from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Connection

from kswifi.database.engine import Database
from kswifi.outbox.errors import PayloadTooLargeError
from kswifi.outbox.leases import (
    counts,
    finish,
    lease_due,
    postpone,
    prune_entries,
    prune_events,
    release_leases,
    revive,
)
from kswifi.outbox.model import Entry, EntryState, Payload, checked_payload
from kswifi.outbox.service import enqueue, event_bounds, events_after, publish
from tests.support.clocks import ManualClock
from tests.support.databases import START, open_database

LEASE = timedelta(seconds=30)


async def _ask(database: Database, key: str, payload: Payload | None = None, **options: Any) -> None:
    await database.write(
        lambda connection: enqueue(connection, kind="test", key=key, payload=payload or {}, **options)
    )


async def _lease(database: Database, owner: str, limit: int = 10) -> list[Entry]:
    return await database.write(
        lambda connection: lease_due(connection, owner=owner, kinds=["test"], lease_for=LEASE, limit=limit)
    )


async def test_asking_twice_gives_one_entry_the_first(tmp_path: Path) -> None:
    async with open_database(tmp_path) as database:
        await _ask(database, "k", {"amount": 1})
        await _ask(database, "k", {"amount": 2})
        [entry] = await _lease(database, "a")
        assert entry.payload == {"amount": 1}


async def test_what_a_failed_transaction_asked_for_is_not_there(tmp_path: Path) -> None:
    async with open_database(tmp_path) as database:

        async def ask_and_fail() -> None:
            def change(connection: Connection) -> None:
                enqueue(connection, kind="test", key="k", payload={})
                publish(connection, user_id="u", kind="happened", payload={})
                raise ZeroDivisionError

            await database.write(change)

        with pytest.raises(ZeroDivisionError):
            await ask_and_fail()
        assert await _lease(database, "a") == []
        assert await database.read(event_bounds) == (0, 0)


async def test_a_process_that_is_alone_takes_over_at_once_and_the_dead_ones_note_is_not_written(
    tmp_path: Path,
) -> None:
    async with open_database(tmp_path, ManualClock(START)) as database:
        await _ask(database, "k")
        [dead] = await _lease(database, "dead")
        assert await _lease(database, "heir") == []

        def change(connection: Connection) -> None:
            assert release_leases(connection) == 1
            assert release_leases(connection) == 0

        await database.write(change)
        [entry] = await _lease(database, "heir")
        assert entry.attempts == 2  # what kills every worker still gets stuck one day

        def change_again(connection: Connection) -> None:
            assert not finish(connection, dead, EntryState.DONE)
            assert finish(connection, entry, EntryState.DONE)

        await database.write(change_again)


async def test_a_lease_is_one_owners_until_it_runs_out_and_then_the_first_writes_nothing(tmp_path: Path) -> None:
    clock = ManualClock(START)

    async with open_database(tmp_path, clock) as database:
        await _ask(database, "k")
        [first] = await _lease(database, "a")
        assert await _lease(database, "b") == []
        clock.advance(LEASE)
        [second] = await _lease(database, "b")
        assert (second.key, second.attempts) == ("k", 2)

        def change(connection: Connection) -> None:
            assert not finish(connection, first, EntryState.DONE)
            assert not postpone(connection, first, START, "late")
            assert finish(connection, second, EntryState.DONE)
            assert counts(connection) == {"done": 1}

        await database.write(change)


async def test_work_for_later_waits_for_its_time_and_limits_hold(tmp_path: Path) -> None:
    clock = ManualClock(START)

    async with open_database(tmp_path, clock) as database:
        await _ask(database, "later", run_at=START + timedelta(hours=1))
        for number in range(5):
            await _ask(database, f"now-{number}")
        assert [entry.key for entry in await _lease(database, "a", limit=3)] == ["now-0", "now-1", "now-2"]
        assert len(await _lease(database, "a")) == 2
        clock.advance(timedelta(hours=1))
        assert "later" in [entry.key for entry in await _lease(database, "b")]


async def test_a_stuck_entry_can_be_revived_once(tmp_path: Path) -> None:
    async with open_database(tmp_path) as database:
        await _ask(database, "k")
        [entry] = await _lease(database, "a")

        def change(connection: Connection) -> None:
            finish(connection, entry, EntryState.STUCK, "no answer")
            assert revive(connection, "k")
            assert not revive(connection, "k")

        await database.write(change)
        [again] = await _lease(database, "a")
        assert again.attempts == 1


async def test_events_are_ordered_bounded_and_each_users_own(tmp_path: Path) -> None:
    async with open_database(tmp_path) as database:
        numbers = await database.write(
            lambda connection: [
                publish(connection, user_id="u" if n % 2 else "v", kind="k", payload={"n": n}) for n in range(6)
            ]
        )
        assert numbers == sorted(set(numbers))

        def look(connection: Connection) -> None:
            mine = events_after(connection, "u", 0)
            assert [event.payload["n"] for event in mine] == [1, 3, 5]
            assert [event.at for event in mine] == [START] * 3
            rest = events_after(connection, "u", mine[0].sequence, limit=1)
            assert [event.payload["n"] for event in rest] == [3]

        await database.read(look)


async def test_pruning_takes_what_is_old_and_done_and_a_sequence_is_never_used_again(tmp_path: Path) -> None:
    clock = ManualClock(START)

    async with open_database(tmp_path, clock) as database:
        for key in ("done", "stuck", "waiting"):
            await _ask(database, key)
        by_key = {entry.key: entry for entry in await _lease(database, "a")}

        def change(connection: Connection) -> int:
            finish(connection, by_key["done"], EntryState.DONE)
            finish(connection, by_key["stuck"], EntryState.STUCK)
            return publish(connection, user_id="u", kind="k", payload={})

        old = await database.write(change)
        clock.advance(timedelta(days=2))

        def change_again(connection: Connection) -> None:
            assert prune_entries(connection, timedelta(days=3)) == 0
            assert prune_entries(connection, timedelta(days=1)) == 1
            assert prune_events(connection, timedelta(days=1)) == 1
            assert publish(connection, user_id="u", kind="k", payload={}) > old
            assert counts(connection) == {"stuck": 1, "waiting": 1}

        await database.write(change_again)


def test_a_payload_is_small_and_exact() -> None:
    with pytest.raises(PayloadTooLargeError):
        checked_payload({"text": "x" * 16_385})
    with pytest.raises(TypeError, match="float"):
        checked_payload({"deep": [{"price": 1.5}]})
    with pytest.raises(TypeError):
        checked_payload({"at": START})
