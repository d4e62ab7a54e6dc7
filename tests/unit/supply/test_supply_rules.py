"""The pure rules of supply: counters, looks, absence, the cut-off, money."""

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kswifi.books.model import checked_lines
from kswifi.providers.data.registry import capabilities_of
from kswifi.supply.errors import NoExchangeRateError
from kswifi.supply.exchange import ExchangeRates
from kswifi.supply.model import Money
from kswifi.supply.money import cost_kobo, deposit_lines, purchase_lines, refund_lines, reserve_kobo
from kswifi.supply.ports import BundleState, BundleUsage, ServiceStatus, Suspension
from kswifi.supply.rules import Absence, Counter, Service, back_off, spread

NOW = datetime(2026, 12, 1, 9, tzinfo=UTC)
GB = 10**9
ESIM_GO = capabilities_of("esim_go")


def usage(used: int, after: int = 0, state: BundleState = BundleState.ACTIVE, total: int = GB) -> BundleUsage:
    return BundleUsage("line", "bundle", state, total, total - used, NOW + timedelta(seconds=after))


@given(st.lists(st.tuples(st.integers(-5, 120), st.integers(0, 50)), max_size=20))
def test_used_never_falls_and_never_exceeds_the_volume(reports: list[tuple[int, int]]) -> None:
    counter = Counter()
    for used, after in reports:
        before = counter.used_octets
        counter = counter.after(usage(used, after, total=100), NOW)
        assert before <= counter.used_octets <= 100
    assert counter.used_octets == max((0, *(min(used, 100) for used, _ in reports)))


def test_a_late_report_does_not_reopen_a_bundle_that_is_over() -> None:
    ended = Counter().after(usage(GB, 10, BundleState.DEPLETED), NOW)
    assert ended.is_over
    assert ended.after(usage(5, 20), NOW).state is BundleState.DEPLETED
    assert ended.next_look(ESIM_GO, NOW, NOW) is None


def test_a_depleted_bundle_is_wholly_used_whatever_its_counter_says() -> None:
    assert Counter().after(usage(GB - 7, 10, BundleState.DEPLETED), NOW).used_octets == GB


def pause_seconds(counter: Counter, counters: int = 1, delivered_days_ago: int = 30) -> float:
    found = counter.next_look(ESIM_GO, NOW, NOW - timedelta(days=delivered_days_ago), counters)
    assert found is not None
    return (found - NOW).total_seconds()


@pytest.mark.parametrize(
    ("rate", "counters", "seconds"),
    [
        (1_000.0, 1, 60),  # a few lines: each of them every minute
        (1_000.0, 9_000, 3_600),  # many: 2.5 looks a second
        (1_000.0, 900_000, 6 * 3600),
        (10_000_000.0, 9_000, 60),  # the end is near
        (250_000.0, 9_000, 1_000),  # half of the time to the end
    ],
)
def test_the_next_look_follows_rest_rate_and_the_providers_limit(
    rate: float, counters: int, seconds: float
) -> None:
    used = Counter(GB // 2, GB, BundleState.ACTIVE, NOW, rate, NOW)
    assert pause_seconds(used, counters) == seconds


def test_a_late_counter_is_not_looked_at_later() -> None:
    """The pause between two looks would add to the lag."""
    used = Counter(GB // 2, GB, BundleState.ACTIVE, NOW, 100_000.0, NOW)
    late = replace(ESIM_GO, usage_lag_seconds=3 * 3600)
    assert used.next_look(late, NOW, NOW, 1) == NOW + timedelta(seconds=60)


def test_a_bundle_that_is_not_used_any_more_is_looked_at_ever_more_rarely() -> None:
    pauses = [
        pause_seconds(Counter(GB // 2, GB, BundleState.ACTIVE, NOW, 10_000_000.0, NOW - timedelta(minutes=minutes)))
        for minutes in (5, 30, 60, 600, 30 * 24 * 60)
    ]
    assert pauses == [60, 90, 180, 1_800, 6 * 3600]


def test_growth_that_is_seen_brings_the_looks_back() -> None:
    quiet = Counter(GB // 2, GB, BundleState.ACTIVE, NOW - timedelta(hours=1), 1_000.0, NOW - timedelta(hours=9))
    assert pause_seconds(quiet) == 9 * 3600 / 20
    assert pause_seconds(quiet.after(usage(GB // 2), NOW)) == 9 * 3600 / 20
    grown = quiet.after(usage(GB // 2 + 36_000), NOW)
    assert (grown.grew_at, grown.octets_per_second) == (NOW, 10.0)
    assert pause_seconds(grown) == 60


def test_an_unused_bundle_is_looked_at_down_to_once_a_day() -> None:
    assert pause_seconds(Counter(), delivered_days_ago=0) == 60
    assert pause_seconds(Counter(), delivered_days_ago=1) == 86_400 / 20
    assert pause_seconds(Counter(), delivered_days_ago=90) == 86_400


@given(st.integers(0, 10_000), st.lists(st.integers(1, 1_000), min_size=1, max_size=6))
def test_a_merged_counter_is_spread_over_its_bundles_in_order(used: int, volumes: list[int]) -> None:
    shares = spread(used, volumes)
    assert sum(shares) == used
    for place, share in enumerate(shares[:-1]):
        assert share <= volumes[place]
        assert share == volumes[place] or sum(shares[place + 1 :]) == 0


def test_absence_needs_looks_and_time() -> None:
    absence = Absence().seen(NOW).seen(NOW + timedelta(seconds=300))
    later = NOW + timedelta(seconds=700)
    assert not absence.is_proof(ESIM_GO, later)  # two looks
    assert absence.seen(later).is_proof(ESIM_GO, later)
    assert not absence.seen(later).is_proof(ESIM_GO, NOW + timedelta(seconds=400))  # too soon


def test_the_back_off_grows_to_a_quarter_of_an_hour_and_stays() -> None:
    pauses = [back_off(attempts) for attempts in range(1, 40)]
    assert pauses == sorted(pauses)
    assert pauses[-1] == timedelta(minutes=15)


@pytest.mark.parametrize("observed", [ServiceStatus.OFF, ServiceStatus.POLICY_OFF, ServiceStatus.DEPLETED])
def test_a_line_is_confirmed_off_by_the_providers_report_alone(observed: ServiceStatus) -> None:
    off = Service().wanted(on=False, used_up=False, at=NOW)
    assert not off.is_confirmed
    assert off.needs_switch(ESIM_GO)
    assert off.next_try(NOW) is not None
    assert off.after_look(ServiceStatus.ON).next_try(NOW) is not None
    assert off.after_look(observed).next_try(NOW) is None


def test_a_used_up_bundle_is_not_suspended_where_the_provider_ends_it() -> None:
    off = Service().wanted(on=False, used_up=True, at=NOW)
    assert not off.needs_switch(ESIM_GO)
    assert off.needs_switch(replace(ESIM_GO, ends_bundle=False))


def test_a_line_suspended_by_policy_is_not_switched_on_by_us() -> None:
    on = Service(wants_on=True, observed=ServiceStatus.POLICY_OFF, wanted_since=NOW)
    assert not on.needs_switch(ESIM_GO)
    assert not on.is_confirmed


def test_a_terminal_suspension_is_never_asked_to_be_undone() -> None:
    terminal = replace(ESIM_GO, suspension=Suspension.TERMINAL)
    assert not Service(wants_on=True, observed=ServiceStatus.OFF).needs_switch(terminal)
    assert Service(wants_on=False, observed=ServiceStatus.ON).needs_switch(terminal)


def test_the_same_wish_again_keeps_what_was_observed() -> None:
    off = Service().wanted(on=False, used_up=False, at=NOW).after_look(ServiceStatus.OFF)
    assert off.wanted(on=False, used_up=False, at=NOW + timedelta(hours=1)) == off


RATES = ExchangeRates({"USD": 16_125_000}, date(2026, 11, 30), 5)


def test_prices_in_kobo_are_rounded_up_and_reserved_with_a_margin() -> None:
    assert cost_kobo(RATES, Money(1250, "USD")) == 2_015_625
    assert cost_kobo(RATES, Money(1, "USD")) == 1_613
    assert reserve_kobo(RATES, Money(1250, "USD")) == 2_116_407
    assert cost_kobo(RATES, Money(35_000, "NGN")) == reserve_kobo(RATES, Money(35_000, "NGN")) == 35_000
    with pytest.raises(NoExchangeRateError):
        cost_kobo(RATES, Money(1, "EUR"))


@given(st.integers(1, 10**12), st.integers(1, 10**12))
def test_every_entry_of_supply_sums_to_zero(paid: int, worth: int) -> None:
    checked_lines(deposit_lines(paid, worth))
    checked_lines([*purchase_lines(worth), (purchase_lines(worth)[0][0], 1), (purchase_lines(worth)[1][0], -1)])
    both = [*purchase_lines(worth), *refund_lines(worth)]
    assert sum(kobo for _, kobo in both) == 0
