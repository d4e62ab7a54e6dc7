"""Time, identifiers and quantities."""

from datetime import UTC, datetime, timedelta, timezone
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kswifi.kernel.clock import from_unix_seconds, require_aware, unix_seconds
from kswifi.kernel.ids import uuid7
from kswifi.kernel.quantities import format_naira, format_octets
from tests.support.clocks import ManualClock

NOON = datetime(2026, 11, 23, 12, tzinfo=UTC)


def test_a_naive_instant_is_refused() -> None:
    with pytest.raises(ValueError, match="no time zone"):
        require_aware(NOON.replace(tzinfo=None))


def test_a_manual_clock_never_runs_backward() -> None:
    clock = ManualClock(NOON)
    clock.advance(timedelta(hours=1))
    assert clock.now() == NOON + timedelta(hours=1)
    with pytest.raises(ValueError, match="forward"):
        clock.advance(timedelta(seconds=-1))


def test_unix_seconds_round_down_and_respect_the_time_zone() -> None:
    lagos = timezone(timedelta(hours=1))
    assert unix_seconds(datetime(1970, 1, 1, 1, 0, 1, 999_999, tzinfo=lagos)) == 1
    assert from_unix_seconds(1) == datetime(1970, 1, 1, 0, 0, 1, tzinfo=UTC)


def test_uuid7_is_version_7_and_holds_its_millisecond() -> None:
    made = uuid7(NOON, lambda count: b"\xff" * count)
    assert (made.version, made.variant) == (7, UUID(int=0x8 << 60).variant)
    assert made.int >> 80 == unix_seconds(NOON) * 1000
    assert made.int & (1 << 62) - 1 == (1 << 62) - 1


def test_identifiers_sort_in_the_order_of_their_instants() -> None:
    assert uuid7(NOON) < uuid7(NOON + timedelta(milliseconds=1))


@pytest.mark.parametrize(
    ("octets", "text"),
    [
        (0, "0 B"),
        (999, "999 B"),
        (1_000, "1 kB"),
        (1_239_999_999, "1.23 GB"),
        (1_000_000_000, "1 GB"),
        (999_999_999, "999.99 MB"),
        (-1_500_000, "-1.5 MB"),
    ],
)
def test_octets_for_people_are_never_rounded_up(octets: int, text: str) -> None:
    assert format_octets(octets) == text


@given(st.integers(min_value=0, max_value=10**12))
def test_naira_and_kobo_add_up(kobo: int) -> None:
    naira, _, rest = format_naira(kobo).removeprefix("₦").replace(",", "").partition(".")
    assert int(naira) * 100 + int(rest or 0) == kobo
