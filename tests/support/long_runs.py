"""Which cases of a table run each time, and which belong to the long run."""

from collections.abc import Sequence

import pytest


def each_answer(count: int, *, always: tuple[int, ...] = (1,)) -> pytest.MarkDecorator:
    """Parametrize ``which`` by the numbers 1 to ``count``; those that are not in ``always`` belong to the soak.

    Each number costs a browser window and a whole road.
    """
    return cases("which", range(1, count + 1), always=always)


def cases(name: str, values: Sequence[object], *, always: Sequence[object]) -> pytest.MarkDecorator:
    """Parametrize ``name`` by the values; those that are not in ``always`` belong to the soak."""
    return pytest.mark.parametrize(
        name, [it if it in always else pytest.param(it, marks=pytest.mark.soak) for it in values]
    )
