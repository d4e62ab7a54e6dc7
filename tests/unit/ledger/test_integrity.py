"""A flipped bit anywhere in the ledger's files or in a backup is found, or changes nothing.

The sample is every n-th octet; ``pytest -m soak`` takes a journal of some megabytes, and every 1,000th.
"""

import asyncio
import os
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from kswifi.kernel.clock import SystemClock
from kswifi.ledger import commands as do
from kswifi.ledger.batch import Limits
from kswifi.ledger.commands import Ask
from kswifi.ledger.errors import LedgerDamagedError
from kswifi.ledger.storage.integrity import check_in_child, check_ledger
from kswifi.ledger.storage.journal import Record
from kswifi.ledger.storage.snapshot import SnapshotStore
from kswifi.ledger.storage.sqlite_journal import FILE_NAME, HEAD_NAME, SqliteJournal, SqliteJournalReader
from tests.support.ledgers import open_ledger

POSITIONS = 60


@dataclass(frozen=True)
class Sample:
    directory: Path
    every: int | None
    """Flip a bit of every n-th octet; None for ``POSITIONS`` of them."""

    def positions(self, path: Path) -> Iterator[int]:
        size = path.stat().st_size
        step = self.every or max(1, size // POSITIONS)
        yield from range(0, size, step)


async def make_ledger(directory: Path, reports: int) -> None:
    """Make a ledger of two snapshots and a journal, left as a killed process leaves it."""
    work = directory.with_name("work")
    for part in range(2):
        ledger = open_ledger(work, SystemClock(), limits=Limits(snapshot_effects=1 << 40))
        await ledger.start()
        if not part:
            await ledger.execute(do.OpenWallet("open", "w", "621990000000001"))
            await ledger.execute(do.Credit("credit", "w", "a", 10**12, 4_000_000_000))
            await ledger.execute(do.ProveStorage("prove", "a", "por"))
        for number in range(reports):
            name = f"s{part};{number}"
            await ledger.execute(do.Reserve(f"{name}#0", name, "w", Ask(1000, 1000, 4_000_000_000), "n" * 200))
            await ledger.execute(do.Commit(f"{name}#1", name, 900, None, close=True))
        if part:
            shutil.copytree(work, directory, ignore=shutil.ignore_patterns("*-shm"))
        await ledger.close()
    shutil.copy(SnapshotStore(work).paths()[0], directory)


SAMPLES = [
    pytest.param((None, False), id="killed"),
    pytest.param((None, True), id="closed"),
    pytest.param((1_000, False), id="killed-1000th", marks=pytest.mark.soak),
    pytest.param((1_000, True), id="closed-1000th", marks=pytest.mark.soak),
]


@pytest.fixture(scope="module", params=SAMPLES)
def sample(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Sample:
    folder = tmp_path_factory.mktemp("integrity")
    (folder / "work").mkdir()
    every, closed = request.param
    asyncio.run(make_ledger(folder / "ledger", 60 if every is None else 4_000))
    return Sample(folder / ("work" if closed else "ledger"), every)


def records_of(directory: Path) -> list[Record]:
    journal = SqliteJournalReader(directory)
    try:
        return journal.read(0, 1 << 30)
    finally:
        journal.close()


def files_of(sample: Sample) -> list[Path]:
    return sorted(it for it in sample.directory.iterdir() if not it.name.endswith("-shm"))


def test_the_sample_has_every_kind_of_file_and_is_sound(sample: Sample) -> None:
    names = [it.name for it in files_of(sample)]
    assert {FILE_NAME, HEAD_NAME} < set(names)
    assert (f"{FILE_NAME}-wal" in names) == (sample.directory.name == "ledger")
    assert sum("snapshot" in name for name in names) == 2
    found = check_ledger(sample.directory)
    assert (found.damage, found.damaged_snapshots) == ((), ())
    assert found.records == found.sequence > 100


@pytest.mark.parametrize("bit", [0, 6])
def test_a_flipped_bit_is_found_or_harmless(sample: Sample, tmp_path: Path, bit: int) -> None:
    whole, found, harmless = records_of(sample.directory), 0, list[tuple[str, int]]()
    for source in files_of(sample):
        for place in sample.positions(source):
            directory = tmp_path / "it"
            shutil.copytree(sample.directory, directory, ignore=shutil.ignore_patterns("*-shm"))
            flip(directory / source.name, place, bit)
            checked = check_ledger(directory)
            if checked.damage or checked.damaged_snapshots:
                found += 1
            else:
                harmless.append((source.name, place))
                assert records_of(directory) == whole, (source.name, place)
                heads = [SnapshotStore(directory).whole(it) for it in SnapshotStore(directory).paths()]
                assert None not in heads
                journal = SqliteJournal(directory)
                assert journal.open().sequence == whole[-1].sequence
                journal.close()
            shutil.rmtree(directory)
    print(f"{found} found, {len(harmless)} harmless: {harmless[:20]}")
    assert found > 3 * len(harmless)


def flip(path: Path, place: int, bit: int) -> None:
    with path.open("r+b") as file:
        octet = os.pread(file.fileno(), 1, place)[0]
        os.pwrite(file.fileno(), bytes([octet ^ 1 << bit]), place)


async def test_the_check_in_a_process_of_its_own_finds_the_same(sample: Sample, tmp_path: Path) -> None:
    sound = await check_in_child(sample.directory, 0)
    assert sound == check_ledger(sample.directory)
    directory = tmp_path / "it"
    shutil.copytree(sample.directory, directory, ignore=shutil.ignore_patterns("*-shm"))
    place = (directory / FILE_NAME).read_bytes().index(b"n" * 100)
    flip(directory / FILE_NAME, place, 1)
    damaged = await check_in_child(directory, 1 << 30)
    assert "digest is wrong" in damaged.damage[0]


def test_damage_of_each_part_is_named(sample: Sample, tmp_path: Path) -> None:
    directory = tmp_path / "it"
    shutil.copytree(sample.directory, directory, ignore=shutil.ignore_patterns("*-shm"))
    newest, oldest = SnapshotStore(directory).paths()
    flip(newest, 40, 0)
    checked = check_ledger(directory)
    assert (checked.damage, checked.damaged_snapshots) == ((), (newest.name,))
    (directory / HEAD_NAME).write_bytes(b"short")
    assert "ledger.head" in check_ledger(directory).damage[0]
    (directory / FILE_NAME).unlink()
    assert "no journal" in check_ledger(directory).damage[0]
    assert oldest.exists()


async def test_a_pruned_journal_needs_a_sound_snapshot(sample: Sample, tmp_path: Path) -> None:
    directory = tmp_path / "it"
    shutil.copytree(sample.directory, directory, ignore=shutil.ignore_patterns("*-shm"))
    journal = SqliteJournal(directory)
    journal.open()
    before = min(int(it.name.rpartition(".")[2]) for it in SnapshotStore(directory).paths())
    while journal.prune(before, 64):
        continue
    journal.close()
    checked = check_ledger(directory)
    assert (checked.damage, checked.records) == ((), checked.sequence - before + 1)
    for path in SnapshotStore(directory).paths():
        path.unlink()
    assert "no sound snapshot" in check_ledger(directory).damage[0]
    with pytest.raises(LedgerDamagedError):
        await open_ledger(directory, SystemClock()).start()
