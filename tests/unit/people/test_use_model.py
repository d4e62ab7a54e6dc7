"""Periods in local days, the pace, and how long what is left lasts."""

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from kswifi.people.use_model import Forecast, HourUse, Period, Remainder, bounds, by_period, forecast, pace_of

LAGOS = ZoneInfo("Africa/Lagos")
NOW = datetime(2026, 11, 25, 9, 30, tzinfo=UTC)  # a Wednesday
DAY = timedelta(days=1)


def hour(starts_at: datetime, octets: int, portion_octets: int = 0) -> HourUse:
    return HourUse(starts_at.replace(minute=0), octets, octets // 4, octets // 2, portion_octets)


@pytest.mark.parametrize(
    ("period", "zone", "instant", "begins", "ends"),
    [
        (Period.HOUR, LAGOS, NOW, "2026-11-25T09:00Z", "2026-11-25T10:00Z"),
        (Period.DAY, LAGOS, NOW, "2026-11-24T23:00Z", "2026-11-25T23:00Z"),
        (Period.DAY, LAGOS, datetime(2026, 11, 25, 23, tzinfo=UTC), "2026-11-25T23:00Z", "2026-11-26T23:00Z"),
        (Period.WEEK, LAGOS, NOW, "2026-11-22T23:00Z", "2026-11-29T23:00Z"),
        (Period.DAY, ZoneInfo("Europe/Berlin"), datetime(2026, 10, 25, 12, tzinfo=UTC),
         "2026-10-24T22:00Z", "2026-10-25T23:00Z"),
    ],
)  # fmt: skip
def test_a_period_is_local(period: Period, zone: ZoneInfo, instant: datetime, begins: str, ends: str) -> None:
    assert bounds(period, instant, zone) == tuple(map(datetime.fromisoformat, (begins, ends)))


def test_hours_add_up_to_their_local_days() -> None:
    midnight = datetime(2026, 11, 24, 23, tzinfo=UTC)
    hours = [hour(midnight, 8), hour(midnight - timedelta(hours=1), 4, 4), hour(midnight - DAY, 400)]
    days = by_period(Period.DAY, hours, LAGOS)
    assert [(it.starts_at, it.octets, it.uplink_octets, it.downlink_octets, it.portion_octets) for it in days] == [
        (midnight, 8, 2, 4, 0),
        (midnight - DAY, 404, 101, 202, 4),
    ]


@pytest.mark.parametrize(
    ("hours", "pace"),
    [
        ([], None),
        ([hour(NOW - 8 * DAY, 700)], None),
        ([hour(NOW - 8 * DAY, 1), hour(NOW - DAY, 700)], 100),
        ([hour(NOW - timedelta(hours=2), 700)], 700),
        ([hour(NOW - 2 * DAY, 500), hour(NOW, 500)], 494),
        ([hour(NOW - 8 * DAY, 1), hour(NOW, 900, 200)], 100),
        ([hour(NOW, 900, 900)], None),
    ],
)
def test_the_pace_is_the_mean_of_seven_days_or_of_the_time_since_the_first_use(
    hours: list[HourUse], pace: int | None
) -> None:
    assert pace_of(hours, NOW) == pace


@pytest.mark.parametrize(
    ("left", "expected"),
    [
        ([], None),
        ([Remainder(500, NOW)], None),
        ([Remainder(500, NOW + 30 * DAY)], Forecast(NOW + 5 * DAY, True, 0)),
        ([Remainder(500, NOW + 2 * DAY)], Forecast(NOW + 2 * DAY, False, 300)),
        ([Remainder(None, NOW + 2 * DAY)], Forecast(NOW + 2 * DAY, False, 0)),
        # The one that ends first is used first, whatever the order.
        ([Remainder(300, NOW + 9 * DAY), Remainder(100, NOW + 2 * DAY)], Forecast(NOW + 4 * DAY, True, 0)),
        # The second cannot be used before the first, whose octets are enough for all its validity.
        ([Remainder(300, NOW + 2 * DAY), Remainder(300, NOW + 3 * DAY)], Forecast(NOW + 3 * DAY, False, 300)),
        ([Remainder(1, NOW + DAY)], Forecast(NOW + timedelta(seconds=864), True, 0)),
    ],
)
def test_what_is_left_lasts_as_long_as_octets_and_validity_do(
    left: list[Remainder], expected: Forecast | None
) -> None:
    assert forecast(100, left, NOW) == expected
