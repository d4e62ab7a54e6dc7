"""A row of a table of refusals makes an exception that carries its code, its facts and its row."""

from types import ModuleType

import pytest

from kswifi.kernel.errors import KswifiError, Refusal, RefusedError, statuses_of
from tests.support.refusals import refused

GONE = Refusal("gone", "It was here.", status=410)
BROKEN = Refusal("broken", "It never reaches HTTP.")


def _table(**rows: Refusal) -> ModuleType:
    module = ModuleType("table")
    vars(module).update(rows)
    return module


def test_a_row_makes_an_exception_with_its_code_and_facts() -> None:
    error = GONE("the thing is gone", thing=7)
    assert isinstance(error, RefusedError)
    assert (error.code, error.message, error.facts, error.refusal) == (
        "gone",
        "the thing is gone",
        {"thing": 7},
        GONE,
    )
    assert KswifiError.code == "internal_error"


def test_the_helper_of_tests_tells_rows_apart() -> None:
    with refused(GONE):
        raise GONE("gone")
    with pytest.raises(AssertionError, match="check"), refused(GONE):
        raise BROKEN("broken")


def test_statuses_are_those_of_the_rows_that_have_one() -> None:
    assert statuses_of([_table(GONE=GONE, BROKEN=BROKEN)]) == {"gone": 410}


def test_one_code_has_one_status() -> None:
    with pytest.raises(ValueError, match="gone"):
        statuses_of([_table(GONE=GONE), _table(GONE=Refusal("gone", "Another place.", status=404))])
