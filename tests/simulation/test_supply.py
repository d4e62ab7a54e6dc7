"""Supply against simulated providers: nothing bought twice, no line left on, no counter falls, no kobo lost."""

import pytest

from kswifi.simulation.supply import run_supply_seeds
from kswifi.simulation.supply_cut_off import run_cut_off_seeds


def test_five_hundred_seeds() -> None:
    found = run_supply_seeds(500)
    assert found.is_sound
    assert found.orders > 500
    assert found.lost_answers > 50
    assert found.refused > 20
    assert found.octets > 10**11


def test_half_of_all_lines_are_confirmed_off_ninety_seconds_after_the_providers_lag() -> None:
    found = run_cut_off_seeds(200)
    assert found.cut_off_runs == 200
    assert found.cut_off_median_seconds_beyond_lag <= 90
    assert found.cut_off_median_looks <= 500  # not by looking without pause


@pytest.mark.soak
@pytest.mark.parametrize("block", range(20))
def test_a_hundred_thousand_seeds(block: int) -> None:
    assert run_supply_seeds(5_000, 1_000 + block * 5_000).is_sound
