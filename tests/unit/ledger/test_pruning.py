"""A journal that is pruned: what may go, what has to stay, and that everything is still told."""

import asyncio
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from kswifi.kernel.clock import unix_seconds
from kswifi.ledger import commands as do
from kswifi.ledger import inspect
from kswifi.ledger.client import LedgerClient
from kswifi.ledger.errors import LedgerDamagedError
from kswifi.ledger.storage.snapshot import SnapshotStore
from tests.support.clocks import ManualClock
from tests.support.journal_effects import history
from tests.support.ledgers import open_ledger

DAYS = 10
PER_DAY = 20


def far(clock: ManualClock) -> int:
    return unix_seconds(clock.now()) + 10**8


async def live(client: LedgerClient, clock: ManualClock, day: int) -> None:
    """Let twenty records come about on a day."""
    for number in range(PER_DAY):
        ask = do.Ask(10, 10, far(clock))
        await client.execute(do.Commit(f"s#{day}.{number}", "s", 1, ask))
    clock.advance(timedelta(days=1))


async def story(folder: Path, clock: ManualClock, days: int = DAYS) -> LedgerClient:
    """Return the ledger after some days, each of which began with a restart and so with a snapshot."""
    client = open_ledger(folder, clock)
    await client.start()
    await client.execute(do.OpenWallet("o", "w", "001010000000001"))
    await client.execute(do.Credit("c", "w", "a", 10**9, far(clock)))
    await client.execute(do.ProveStorage("p", "a", "por"))
    await client.execute(do.Reserve("s#", "s", "w", do.Ask(10, 10, far(clock))))
    for day in range(days):
        await live(client, clock, day)
        await client.close()
        client = open_ledger(folder, clock)
        await client.start()
    return client


async def prune(client: LedgerClient, clock: ManualClock, *, read_until: int, days: float) -> int:
    total, since = 0, unix_seconds(clock.now()) - int(days * 86_400)
    while count := await client.prune(read_until, since):
        total += count
    return total


async def test_what_is_old_read_and_in_two_snapshots_goes_and_all_is_still_told(tmp_path: Path) -> None:
    clock = ManualClock(datetime(2026, 11, 1, tzinfo=UTC))

    client = await story(tmp_path, clock)
    end, used = client.durable_sequence, client.state.accounts["a"].used
    before = inspect.show(tmp_path, wallet_id="w")
    assert await prune(client, clock, read_until=end, days=100) == 0
    assert await prune(client, clock, read_until=30, days=5) == 29
    assert await prune(client, clock, read_until=end, days=5) == 4 + 5 * PER_DAY - 29
    (first, *_) = client.read_effects(end - 5 * PER_DAY, 1)
    assert first[0] == end - 5 * PER_DAY + 1
    with pytest.raises(LedgerDamagedError, match="is asked for"):
        client.read_effects(50, 1)
    assert await prune(client, clock, read_until=end, days=0) == 4 * PER_DAY - 1  # as far as two snapshots go
    found = inspect.verify(tmp_path)
    assert (found.damage, found.sequence, found.since_sequence) == ((), end, end - PER_DAY)
    assert found.accounts == 1
    assert inspect.show(tmp_path, wallet_id="w") == before
    assert inspect.replay(tmp_path).effects["Committed"] == PER_DAY
    assert len(history(tmp_path, "a", 1000)) >= PER_DAY
    await live(client, clock, DAYS)
    await client.close()
    later = open_ledger(tmp_path, clock)
    await later.start()
    assert later.state.accounts["a"].used == used + PER_DAY
    assert inspect.verify(tmp_path).damage == ()
    await later.close()


async def test_a_damaged_snapshot_keeps_the_records_it_cannot_replace(tmp_path: Path) -> None:
    clock = ManualClock(datetime(2026, 11, 1, tzinfo=UTC))

    client = await story(tmp_path, clock, 3)
    newest, oldest = SnapshotStore(tmp_path).paths()
    whole = oldest.read_bytes()
    oldest.write_bytes(whole[:-1] + bytes([whole[-1] ^ 1]))
    assert await prune(client, clock, read_until=10**9, days=0) == 0
    oldest.write_bytes(whole)
    assert await prune(client, clock, read_until=10**9, days=0) > 0
    await client.close()
    # Afterwards one of them may be damaged, and the other one carries on from its own place.
    for damaged in (newest, oldest):
        octets = damaged.read_bytes()
        damaged.write_bytes(octets[:100])
        one = open_ledger(tmp_path, clock)
        report = await one.start()
        assert (report.sequence, len(report.rejected_snapshots)) == (4 + 3 * PER_DAY, int(damaged == newest))
        await one.close()
        damaged.write_bytes(octets)
    for path in SnapshotStore(tmp_path).paths():
        path.write_bytes(b"")
    with pytest.raises(LedgerDamagedError, match="no whole snapshot"):
        await open_ledger(tmp_path, clock).start()
    assert "no whole snapshot" in inspect.verify(tmp_path).damage[0]


async def test_pruning_goes_on_between_appends(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("kswifi.ledger.storage.pruning.AT_ONCE", 4)
    clock = ManualClock(datetime(2026, 11, 1, tzinfo=UTC))

    client = await story(tmp_path, clock, 4)
    since = unix_seconds(clock.now())
    work = [client.prune(10**9, since), live(client, clock, 4), client.prune(10**9, since)]
    pruned, _, more = await asyncio.gather(*work)
    assert pruned + more == 3 + 3 * PER_DAY  # type: ignore[operator]
    await client.close()
    assert inspect.verify(tmp_path).damage == ()
