"""Supply against simulated providers: nothing bought twice, no line left on, no counter falls, no kobo lost."""

import pytest

from kswifi.simulation.supply import run_supply_seeds


def test_five_hundred_seeds() -> None:
    found = run_supply_seeds(500)
    assert found.is_sound
    assert found.orders > 500
    assert found.lost_answers > 50
    assert found.refused > 20
    assert found.octets > 10**11


@pytest.mark.soak
@pytest.mark.parametrize("block", range(20))
def test_a_hundred_thousand_seeds(block: int) -> None:
    assert run_supply_seeds(5_000, 1_000 + block * 5_000).is_sound
