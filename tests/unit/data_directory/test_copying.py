"""A continuous copy restores exactly what was durable, whatever SQLite does with its write-ahead log."""

import os
import random
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from kswifi.data_directory.copying import follower as follower_module
from kswifi.data_directory.copying.follower import CopyFollower
from kswifi.data_directory.copying.layout import MANIFEST, Generation, read_manifest
from kswifi.data_directory.copying.restoring import restore_copy
from kswifi.data_directory.copying.wal import committed_frames, position_of, read_frames, read_header
from kswifi.data_directory.layout import Installation
from kswifi.kernel.errors import KswifiError
from kswifi.ledger.storage.journal import Head, next_record
from kswifi.ledger.storage.sqlite_journal import SqliteJournal
from tests.support.clocks import ManualClock


class Data:
    """A data directory with a control database and a journal that a test writes to."""

    def __init__(self, data_dir: Path) -> None:
        self.installation = Installation(data_dir).open()
        self.installation.close()
        self.clock = ManualClock(datetime(2026, 3, 1, tzinfo=UTC))
        for part in (self.installation.session_signing_key, self.installation.subscriber_key):
            part.write_bytes(os.urandom(32))
        (self.installation.pki_dir / "ci").mkdir(parents=True)
        self.control = self.connect()
        self.control.execute("CREATE TABLE item (id INTEGER PRIMARY KEY, content BLOB)")
        self.journal = SqliteJournal(self.installation.ledger_dir)
        self.head: Head = self.journal.open()
        self.record()

    def connect(self) -> sqlite3.Connection:
        made = sqlite3.connect(self.installation.control_database, isolation_level=None, check_same_thread=False)
        made.execute("PRAGMA journal_mode = WAL")
        made.execute("PRAGMA synchronous = OFF")
        made.execute("PRAGMA cache_size = 10")  # large transactions spill uncommitted pages into the log
        return made

    def record(self) -> None:
        record = next_record(self.head, 1, ())
        self.journal.append(record)
        self.head = Head(record.sequence, record.digest)

    def close(self) -> None:
        self.control.close()
        self.journal.close()


@pytest.fixture
def data(tmp_path: Path) -> Iterator[Data]:
    made = Data(tmp_path / "var")
    yield made
    made.close()


def rows(database: Path) -> list[tuple[int, bytes]]:
    with closing(sqlite3.connect(database)) as connection:
        return connection.execute("SELECT id, content FROM item ORDER BY id").fetchall()


def insert(data: Data, count: int, size: int = 100) -> None:
    data.control.executemany("INSERT INTO item (content) VALUES (?)", ((os.urandom(size),) for _ in range(count)))


def test_a_copy_restores_databases_keys_and_snapshots(data: Data, tmp_path: Path) -> None:
    insert(data, 5)
    snapshots = {2: b"two", 9: b"ahead of the journal"}
    for sequence, content in snapshots.items():
        (data.installation.ledger_dir / f"ledger.snapshot.{sequence:020}").write_bytes(content)
    copier = CopyFollower(data.installation, tmp_path / "copy", data.clock)
    copier.open()
    copier.round()
    insert(data, 3)
    data.record()
    data.record()
    (data.installation.pki_dir / "ci" / "late.pem").write_bytes(b"late")
    data.clock.advance(timedelta(seconds=1))
    manifest = copier.round()
    assert copier.generations == 1
    restored = restore_copy(tmp_path / "copy", tmp_path / "new")
    assert (restored.at, restored.sequence) == (data.clock.now(), 3) == (manifest.at, manifest.sequence)
    there = Installation(tmp_path / "new")
    assert rows(there.control_database) == rows(data.installation.control_database)
    assert there.subscriber_key.read_bytes() == data.installation.subscriber_key.read_bytes()
    assert (there.pki_dir / "ci" / "late.pem").read_bytes() == b"late"
    assert [path.read_bytes() for path in sorted(there.ledger_dir.glob("ledger.snapshot.*"))] == [b"two"]
    journal = SqliteJournal(there.ledger_dir)
    assert journal.open() == data.head
    journal.close()
    for path in there.data_dir.rglob("*"):
        assert path.stat().st_mode & 0o077 == 0, path


@pytest.mark.parametrize(
    "seed", [*range(4), 11, *(pytest.param(seed, marks=pytest.mark.soak) for seed in range(12, 80))]
)
def test_every_round_restores_what_was_durable_then(data: Data, tmp_path: Path, seed: int) -> None:
    """Commits, rollbacks, checkpoints, a restarted server and a restarted copier in any order."""
    chance = random.Random(seed)
    copier = CopyFollower(data.installation, tmp_path / "copy", data.clock)
    copier.open()

    def large_rollback() -> None:
        data.control.execute("BEGIN")
        insert(data, 50, 2000)
        data.control.execute("ROLLBACK")

    def large_commit() -> None:
        data.control.execute("BEGIN")
        insert(data, 50, 2000)
        data.control.execute("DELETE FROM item WHERE id % 3 = 0")
        data.control.execute("COMMIT")

    def checkpoint() -> None:
        mode = chance.choice(["PASSIVE", "RESTART", "TRUNCATE"])
        data.control.execute(f"PRAGMA wal_checkpoint({mode})").fetchall()

    def restart_server() -> None:
        data.control.close()
        data.control = data.connect()

    def shrink() -> None:
        data.control.execute("DELETE FROM item WHERE id % 2 = 0")
        data.control.execute("VACUUM")

    def restart_copier() -> None:
        nonlocal copier
        copier = CopyFollower(data.installation, tmp_path / "copy", data.clock)
        copier.open()

    for step in range(40):
        for _ in range(chance.randrange(4)):
            chance.choice(
                [
                    lambda: insert(data, chance.randrange(1, 9), chance.randrange(10, 6000)),
                    large_rollback,
                    large_commit,
                    checkpoint,
                    data.record,
                    restart_server,
                    restart_copier,
                    shrink,
                ]
            )()
        manifest = copier.round()
        assert manifest.sequence == data.head.sequence
        if step % 5 == 4:
            there = Installation(tmp_path / f"restored-{step}")
            restore_copy(tmp_path / "copy", there.data_dir)
            assert rows(there.control_database) == rows(data.installation.control_database)
    folders = [path for path in (tmp_path / "copy").iterdir() if path.is_dir()]
    assert len(folders) == 1  # older generations are gone


def test_commits_are_copied_without_a_new_generation_while_the_log_is_begun_anew(
    data: Data, tmp_path: Path
) -> None:
    copier = CopyFollower(data.installation, tmp_path / "copy", data.clock)
    copier.open()
    for count in (60, 30, 15, 7, 3):  # each log is shorter than the one before, as with a copier that is quick
        insert(data, count, 3000)
        copier.round()
        data.control.execute("PRAGMA wal_checkpoint(PASSIVE)").fetchall()  # the next commit begins the log anew
    assert copier.generations == 1
    restore_copy(tmp_path / "copy", tmp_path / "new")
    assert rows(Installation(tmp_path / "new").control_database) == rows(data.installation.control_database)


def test_frames_that_were_overwritten_unread_lead_to_a_new_generation(data: Data, tmp_path: Path) -> None:
    copier = CopyFollower(data.installation, tmp_path / "copy", data.clock)
    copier.open()
    copier.round()
    insert(data, 2, 3000)
    data.control.execute("PRAGMA wal_checkpoint(PASSIVE)").fetchall()
    insert(data, 60, 3000)  # overwrites the two
    data.clock.advance(timedelta(seconds=1))
    copier.round()
    assert copier.generations == 2
    restore_copy(tmp_path / "copy", tmp_path / "new")
    assert rows(Installation(tmp_path / "new").control_database) == rows(data.installation.control_database)


def test_a_log_that_has_grown_long_is_followed_across_its_beginning_anew(
    data: Data, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """SQLite shortens such a log when it begins it anew, so its end could not be found afterwards."""
    limit = 200_000
    monkeypatch.setattr(follower_module, "LOG_OCTETS_KEPT", limit)
    data.control.execute(f"PRAGMA journal_size_limit = {limit}")
    copier = CopyFollower(data.installation, tmp_path / "copy", data.clock)
    copier.open()
    for _ in range(5):
        insert(data, 100, 3000)
        copier.round()
        insert(data, 1)
    assert copier.generations == 1
    copier.round()
    restore_copy(tmp_path / "copy", tmp_path / "new")
    assert rows(Installation(tmp_path / "new").control_database) == rows(data.installation.control_database)


def test_a_generation_that_has_grown_large_is_replaced(
    data: Data, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(follower_module, "LARGEST_GENERATION_OCTETS", 10_000)
    copier = CopyFollower(data.installation, tmp_path / "copy", data.clock)
    copier.open()
    for _ in range(4):
        insert(data, 5, 4000)
        data.clock.advance(timedelta(seconds=1))
        copier.round()
    assert copier.generations > 1


@pytest.mark.parametrize("lost", ["manifest", "frames", "records", "generation"])
def test_a_damaged_copy_is_replaced_by_a_new_one(data: Data, tmp_path: Path, lost: str) -> None:
    copier = CopyFollower(data.installation, tmp_path / "copy", data.clock)
    copier.open()
    copier.round()
    insert(data, 5)
    data.record()
    manifest = copier.round()
    generation = Generation(tmp_path / "copy", manifest.generation)
    if lost == "manifest":
        (tmp_path / "copy" / MANIFEST).unlink()
    elif lost == "generation":
        generation.folder.rename(tmp_path / "elsewhere")
    else:
        os.truncate(getattr(generation, lost), 10)
        with pytest.raises(KswifiError, match="ends too early"):
            restore_copy(tmp_path / "copy", tmp_path / "new")
        assert not (tmp_path / "new").exists()
    data.clock.advance(timedelta(seconds=1))
    again = CopyFollower(data.installation, tmp_path / "copy", data.clock)
    again.open()
    again.round()
    restore_copy(tmp_path / "copy", tmp_path / "new")
    assert rows(Installation(tmp_path / "new").control_database) == rows(data.installation.control_database)


def test_what_was_written_behind_the_manifest_does_not_count(data: Data, tmp_path: Path) -> None:
    copier = CopyFollower(data.installation, tmp_path / "copy", data.clock)
    copier.open()
    copier.round()
    insert(data, 1)
    manifest = copier.round()
    generation = Generation(tmp_path / "copy", manifest.generation)
    for path in (generation.frames, generation.records):
        with path.open("ab") as file:
            file.write(b"torn")
    again = CopyFollower(data.installation, tmp_path / "copy", data.clock)
    again.open()
    insert(data, 4)
    data.record()
    again.round()
    assert again.generations == 0
    restore_copy(tmp_path / "copy", tmp_path / "new")
    assert rows(Installation(tmp_path / "new").control_database) == rows(data.installation.control_database)


def test_a_restore_needs_no_right_to_write_next_to_the_data_directory(
    data: Data, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    copier = CopyFollower(data.installation, tmp_path / "copy", data.clock)
    copier.open()
    insert(data, 3)
    copier.round()
    there = Installation(tmp_path / "new")
    there.data_dir.mkdir(mode=0o700)
    monkeypatch.setattr(os, "access", lambda path, _mode: path != tmp_path)
    before = there.data_dir.stat().st_ino
    restore_copy(tmp_path / "copy", there.data_dir)
    assert there.data_dir.stat().st_ino == before
    assert rows(there.control_database) == rows(data.installation.control_database)
    there.check()
    assert [path.name for path in there.data_dir.iterdir() if path.name.startswith(".")] == []


def test_an_altered_record_is_found(data: Data, tmp_path: Path) -> None:
    copier = CopyFollower(data.installation, tmp_path / "copy", data.clock)
    copier.open()
    copier.round()
    data.record()
    generation = Generation(tmp_path / "copy", copier.round().generation)
    octets = bytearray(generation.records.read_bytes())
    octets[-1] ^= 1
    generation.records.write_bytes(octets)
    with pytest.raises(KswifiError, match="digest is wrong"):
        restore_copy(tmp_path / "copy", tmp_path / "new")
    assert not (tmp_path / "new").exists()


@pytest.mark.parametrize("content", [b"", b"{}", b"[]", b'{"version": 2}', b'{"version": 1, "position": {}}'])
def test_a_manifest_that_is_not_one_is_refused(tmp_path: Path, content: bytes) -> None:
    (tmp_path / MANIFEST).write_bytes(content)
    with pytest.raises(KswifiError, match=r"damaged|newer"):
        read_manifest(tmp_path)


def test_places_that_cannot_be_are_refused(data: Data, tmp_path: Path) -> None:
    with pytest.raises(KswifiError, match="would lie in"):
        CopyFollower(data.installation, data.installation.data_dir / "copy", data.clock).open()
    with pytest.raises(KswifiError, match="no whole installation"):
        CopyFollower(Installation(tmp_path / "empty"), tmp_path / "copy", data.clock).open()
    with pytest.raises(KswifiError, match="holds no copy"):
        restore_copy(tmp_path / "nothing", tmp_path / "new")
    with pytest.raises(KswifiError, match="is not empty"):
        restore_copy(tmp_path / "nothing", data.installation.data_dir)


def test_frames_of_an_unfinished_transaction_are_not_committed(data: Data) -> None:
    log = data.installation.control_database.with_name("control.db-wal")
    start = read_header(log)
    assert start is not None
    before, end = read_frames(log, start)
    assert before
    data.control.execute("BEGIN")
    insert(data, 200, 3000)  # spills
    assert log.stat().st_size > end.offset
    assert read_frames(log, end) == ([], end)
    data.control.execute("COMMIT")
    assert read_frames(log, end)[0][-1].database_pages > 0


def test_octets_that_are_no_log_have_no_position() -> None:
    assert position_of(b"") is None
    assert position_of(bytes(32)) is None
    header = bytearray.fromhex("377f0682" + "002de218" + "00001000" + "00000000" * 5)
    assert position_of(bytes(header)) is None  # the checksum is wrong


def test_an_altered_frame_ends_the_frames(data: Data) -> None:
    log = data.installation.control_database.with_name("control.db-wal")
    start = read_header(log)
    assert start is not None
    insert(data, 1)
    octets = bytearray(log.read_bytes()[start.offset :])
    whole, _ = committed_frames(bytes(octets), start)
    octets[-1] ^= 1
    fewer, _ = committed_frames(bytes(octets), start)
    assert len(fewer) < len(whole)


def test_a_control_plane_in_postgresql_is_not_copied(
    data: Data, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("KSWIFI_DATA_DIR", str(data.installation.data_dir))
    monkeypatch.setenv("KSWIFI_DATABASE_URL", "postgresql://kswifi:secret@127.0.0.1/kswifi")
    done = subprocess.run(
        [sys.executable, "-m", "kswifi", "copy", str(tmp_path / "copy"), "--once"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1
    assert "replicate it by its own means" in done.stderr
    assert "secret" not in done.stderr
    assert not (tmp_path / "copy").exists()
