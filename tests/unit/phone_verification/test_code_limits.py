"""Codes cost the operator money: SMS pumping meets a limit by number, by prefix and in all."""

from datetime import timedelta

import pytest

from kswifi.accounts.errors import TooManyAttemptsError
from kswifi.accounts.model import parse_identifier
from kswifi.phone_verification.code_limits import CodeLimiter, CodeRates
from tests.support.databases import START

HOUR, DAY = timedelta(hours=1), timedelta(days=1)


def sent(limiter: CodeLimiter, receivers: list[str], after: timedelta = timedelta()) -> int:
    """Ask for a code to each; return how many were given."""
    count = 0
    for receiver in receivers:
        try:
            limiter.attempt(parse_identifier(receiver), START + after)
        except TooManyAttemptsError:
            continue
        count += 1
    return count


def test_one_number_and_one_mailbox_have_a_limit_by_the_hour_and_by_the_day() -> None:
    for receivers in (["0803 123 4567"] * 9, [f"a.da+{one}@gmail.com" for one in range(9)]):
        limiter = CodeLimiter(CodeRates(number_hour=3, number_day=4))
        assert sent(limiter, receivers) == 3
        assert sent(limiter, receivers, HOUR) == 1
        assert sent(limiter, receivers, 2 * HOUR) == 0


def test_numbers_of_one_prefix_share_a_limit_and_those_abroad_a_lower_one() -> None:
    limiter = CodeLimiter(CodeRates(operator_hour=5, operator_day=8, abroad_hour=2, abroad_day=3))
    mtn, glo = [f"080312345{one:02}" for one in range(20)], [f"080512345{one:02}" for one in range(20)]
    latvia = [f"+3712345{one:04}" for one in range(20)]
    assert sent(limiter, mtn) == 5
    assert sent(limiter, glo) == 5
    assert sent(limiter, latvia) == 2
    assert sent(limiter, mtn, HOUR) == 3
    assert sent(limiter, latvia, HOUR) == 1
    assert sent(limiter, [f"+4479001234{one:02}" for one in range(9)]) == 2


def test_what_one_limit_refuses_counts_against_no_other() -> None:
    limiter = CodeLimiter(CodeRates(number_hour=1, number_day=1, operator_hour=1, operator_day=9, all_day=4))
    assert sent(limiter, ["08031234567", "08031234568"]) == 1
    assert sent(limiter, ["08031234568"], HOUR) == 1, "the refusal by prefix has used up the number's code"
    assert sent(limiter, ["08051234567", "08061234567", "08071234567"], HOUR) == 2
    with pytest.raises(TooManyAttemptsError):
        limiter.attempt(parse_identifier("ada@example.ng"), START + HOUR)
