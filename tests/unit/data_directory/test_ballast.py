"""The ballast: there from the start, gone when the disk is full, made again when there is room."""

from pathlib import Path

import pytest

from kswifi.data_directory.ballast import LEAST_OCTETS, ROOM_OCTETS, START_OCTETS, Ballast, spent
from tests.support.small_disk import DISK_MEGABYTES, MEANS, mounted_disk

MB = 1_000_000


class Disk:
    """Free space that a test sets; the ballast's own file counts."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, octets: int) -> None:
        self.octets = octets
        monkeypatch.setattr(Ballast, "free_octets", property(lambda ballast: self.octets - ballast.octets))


@pytest.fixture
def disk(monkeypatch: pytest.MonkeyPatch) -> Disk:
    return Disk(monkeypatch, 100 * MB)


def test_it_takes_real_space_and_gives_it_back(tmp_path: Path) -> None:
    path = tmp_path / "ballast"
    ballast = Ballast(path, 2 * MB)
    ballast.prepare()
    assert path.stat().st_blocks * 512 >= 2 * MB
    assert path.stat().st_mode & 0o777 == 0o600
    assert not spent(path, 2 * MB)
    ballast.release()
    assert (ballast.is_short, ballast.octets, ballast.shortages, path.exists()) == (True, 0, 1, False)
    assert spent(path, 2 * MB)
    ballast.release()
    assert ballast.shortages == 1
    assert ballast.recover()
    assert (ballast.is_short, ballast.octets) == (False, 2 * MB)


def test_a_shortage_ends_only_with_room_for_the_ballast_and_more(tmp_path: Path, disk: Disk) -> None:
    ballast = Ballast(tmp_path / "ballast", 2 * MB)
    ballast.prepare()
    ballast.release()
    disk.octets = 2 * MB + ROOM_OCTETS - 1
    assert not ballast.recover()
    assert (ballast.is_short, ballast.octets) == (True, 0)
    disk.octets += 1
    assert ballast.recover()


def test_at_start_it_takes_a_quarter_of_a_small_disk_and_nothing_of_a_tiny_one(tmp_path: Path, disk: Disk) -> None:
    path = tmp_path / "ballast"
    disk.octets = 20 * MB
    for _ in range(2):  # the second start counts the file as free space and keeps it
        ballast = Ballast(path, 64 * MB)
        ballast.prepare()
        assert (ballast.octets, ballast.is_short) == (5 * MB, False)
    path.unlink()
    disk.octets = max(START_OCTETS, 4 * LEAST_OCTETS - 1)
    Ballast(path, 64 * MB).prepare()
    assert path.exists() == (disk.octets >= 4 * LEAST_OCTETS)


def test_a_start_on_a_full_disk_uses_the_ballast_of_the_last_run(tmp_path: Path, disk: Disk) -> None:
    path = tmp_path / "ballast"
    Ballast(path, 2 * MB).prepare()
    disk.octets = 2 * MB + START_OCTETS - 1
    ballast = Ballast(path, 2 * MB)
    ballast.prepare()
    assert (ballast.is_short, path.exists()) == (True, False)


def test_without_one_the_shortage_is_noted_and_ends_all_the_same(tmp_path: Path, disk: Disk) -> None:
    path = tmp_path / "ballast"
    Ballast(path, 2 * MB).prepare()
    ballast = Ballast(path, 0)
    ballast.prepare()
    assert not path.exists()  # the setting was 2 MB once
    ballast.release()
    disk.octets = ROOM_OCTETS - 1
    assert not ballast.recover()
    disk.octets = ROOM_OCTETS
    assert ballast.recover()
    assert (path.exists(), spent(path, 0)) == (False, False)


@pytest.mark.skipif(
    "mounted" not in MEANS, reason="no file system may be mounted here; the tests above say the rest"
)
def test_a_disk_without_room_for_it_keeps_no_part_of_it(tmp_path: Path) -> None:
    with mounted_disk(tmp_path / "disk"):
        path = tmp_path / "disk" / "ballast"
        ballast = Ballast(path, DISK_MEGABYTES * 2 * MB)
        assert not ballast._make(ballast._octets)
        assert not path.exists()
