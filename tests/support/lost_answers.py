"""Which answer of a road is lost: a few in each run of the tests, every one in the long run."""

import pytest


def each_answer(count: int, *, always: tuple[int, ...] = (1,)) -> pytest.MarkDecorator:
    """Parametrize ``which`` by the numbers 1 to ``count``; those that are not in ``always`` belong to the soak.

    Each number costs a browser window and a whole road.
    """
    return pytest.mark.parametrize(
        "which",
        [
            number if number in always else pytest.param(number, marks=pytest.mark.soak)
            for number in range(1, count + 1)
        ],
    )
