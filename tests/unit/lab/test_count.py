"""The count of a bearer on disk: what a crash leaves, and what counts as damage."""

import os
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kswifi.lab.gateway.count import (
    FILE_OCTETS,
    LARGEST_WRITE_OCTETS,
    CountFile,
    CountIdentity,
    CountRecord,
    PendingRequest,
)
from kswifi.lab.gateway.errors import DamagedCountError

IDENTITY = CountIdentity("gateway.kswifi;1;2", "999700000000001", "internet", 7, "10.45.0.2")
USED_AT = 2048
SEQUENCE_AT = 2064
UPLINK_AT = 2072


def reopened(count: CountFile) -> CountFile:
    count.close()
    return CountFile.open(count.path)


def test_a_count_survives_closing_and_opening(tmp_path: Path) -> None:
    count = CountFile.create(tmp_path / "a.count", IDENTITY)
    count.advance(1000)
    count.give_back(1)
    count.advance(300, uplink=True)
    count.give_back(20, uplink=True)
    record = CountRecord(5000, 100, 3, PendingRequest(2, 3, 400, 4, 150, 1_795_000_000), 10)
    count.write(record)
    count = reopened(count)
    assert (count.identity, count.used, count.uplink, count.record) == (IDENTITY, 1279, 280, record)
    count.write(CountRecord(9000, 500, 4, PendingRequest(1, 0, 0, None)))
    assert reopened(count).record == CountRecord(9000, 500, 4, PendingRequest(1, 0, 0, None))
    assert (tmp_path / "a.count").stat().st_mode & 0o777 == 0o600


def test_an_existing_count_is_not_overwritten(tmp_path: Path) -> None:
    CountFile.create(tmp_path / "a.count", IDENTITY).close()
    with pytest.raises(FileExistsError):
        CountFile.create(tmp_path / "a.count", IDENTITY)


def test_after_a_crash_between_the_two_stores_the_larger_value_counts(tmp_path: Path) -> None:
    count = CountFile.create(tmp_path / "a.count", IDENTITY)
    count.advance(5000)
    count.close()
    with count.path.open("r+b") as file:
        file.seek(USED_AT)
        file.write((5000 + LARGEST_WRITE_OCTETS).to_bytes(8, "little"))
    assert CountFile.open(count.path).used == 5000 + LARGEST_WRITE_OCTETS


@pytest.mark.parametrize(("stored", "read"), [(0, 170), (400, 400), (10**18, 5000 - 100 - 400 + 170)])
def test_an_impossible_uplink_count_is_made_to_fit_the_sum(tmp_path: Path, stored: int, read: int) -> None:
    count = CountFile.create(tmp_path / "a.count", IDENTITY)
    count.advance(5000)
    count.write(CountRecord(9000, 100, 2, PendingRequest(2, 2, 400, 3, 160), 10))
    count.close()
    with count.path.open("r+b") as file:
        file.seek(UPLINK_AT)
        file.write(stored.to_bytes(8, "little"))
    count = CountFile.open(count.path)
    assert (count.used, count.uplink) == (5000, read)
    count.close()


def test_a_partly_written_record_leaves_the_previous_one_valid(tmp_path: Path) -> None:
    count = CountFile.create(tmp_path / "a.count", IDENTITY)
    count.write(CountRecord(5000, 0, 1, None))
    count.close()
    with count.path.open("r+b") as file:  # half write the slot of the next record
        file.seek(2560 if _sequence(count.path) % 2 == 0 else 2304)
        file.write(os.urandom(20))
    assert CountFile.open(count.path).record.limit_octets == 5000


def _sequence(path: Path) -> int:
    return int.from_bytes(path.read_bytes()[SEQUENCE_AT : SEQUENCE_AT + 8], "little")


@pytest.mark.parametrize("where", [0, 9, 20, USED_AT + 5, SEQUENCE_AT])
def test_damage_is_reported_as_an_error(tmp_path: Path, where: int) -> None:
    count = CountFile.create(tmp_path / "a.count", IDENTITY)
    count.advance(5000)
    count.write(CountRecord(9000, 1000, 2, None))
    count.close()
    octets = bytearray(count.path.read_bytes())
    octets[where] ^= 0x55
    count.path.write_bytes(octets)
    with pytest.raises(DamagedCountError):
        CountFile.open(count.path)


def test_a_truncated_file_and_a_count_below_the_reported_octets_are_damage(tmp_path: Path) -> None:
    count = CountFile.create(tmp_path / "a.count", IDENTITY)
    count.advance(10)
    count.write(CountRecord(9000, 8, 2, PendingRequest(2, 2, 3, 3)))
    with pytest.raises(DamagedCountError, match="fewer than were reported"):
        reopened(count)
    count.path.write_bytes(count.path.read_bytes()[: FILE_OCTETS - 1])
    with pytest.raises(DamagedCountError, match="octets, not"):
        CountFile.open(count.path)


@settings(max_examples=150, deadline=None)
@given(where=st.integers(0, FILE_OCTETS - 1), flip=st.integers(1, 255))
def test_one_wrong_octet_never_makes_the_count_smaller(
    where: int, flip: int, tmp_path_factory: pytest.TempPathFactory
) -> None:
    count = CountFile.create(tmp_path_factory.mktemp("count") / "x.count", IDENTITY)
    count.advance(5000)
    record = CountRecord(9000, 1000, 2, PendingRequest(2, 2, 500, 3))
    count.write(record)
    count.close()
    octets = bytearray(count.path.read_bytes())
    octets[where] ^= flip
    count.path.write_bytes(octets)
    try:
        count = CountFile.open(count.path)
    except DamagedCountError:
        return
    assert 5000 <= count.used <= 5000 + LARGEST_WRITE_OCTETS
    assert (count.record, count.identity) == (record, IDENTITY)
    count.close()
