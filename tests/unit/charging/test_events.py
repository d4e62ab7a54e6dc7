"""Single events: debits that are all or nothing and happen once, and the two questions."""

import pytest
from msgspec.structs import force_setattr

from kswifi.charging.answers import ChargingAnswer
from kswifi.diameter.constants import CheckBalanceResult, RequestedAction
from kswifi.diameter.errors import DiameterError
from kswifi.diameter.messages.credit_control import CreditControlAnswer, CreditControlRequest
from kswifi.diameter.messages.units import ServiceCreditControl, ServiceUnit
from kswifi.ledger.commands import ContinueWithNext, Freeze, HoldWallet
from tests.support.charging import EVENT, WALLET, Charging, request

DEBIT, REFUND = RequestedAction.DIRECT_DEBITING, RequestedAction.REFUND_ACCOUNT
BALANCE, PRICE = RequestedAction.CHECK_BALANCE, RequestedAction.PRICE_ENQUIRY


def event(
    action: RequestedAction | None, octets: int | None = None, *, session: str = "e;1", grouped: bool = False
) -> CreditControlRequest:
    service = ServiceCreditControl(
        requested=ServiceUnit(cc_total_octets=octets), rating_group=9 if grouped else None
    )
    message = request(
        EVENT, 0, *((service,) if grouped else ()), session=session, direct=None if grouped else service
    )
    force_setattr(message, "requested_action", action)
    return message


def result_of(charging: Charging, message: CreditControlRequest) -> int:
    try:
        answers = charging.send(message)
    except DiameterError as error:
        return int(error.result_code) if error.failed_avp else 0
    while not answers:  # a debit is two commands, one after the other
        charging.ledger.flush()
    return int(answers[0].result_code)


def answer_of(charging: Charging, message: CreditControlRequest) -> ChargingAnswer:
    answers = charging.send(message)
    charging.ledger.flush()
    (answer,) = answers
    return answer


@pytest.mark.parametrize("grouped", [False, True])
def test_a_debit_happens_once_however_often_it_is_asked(grouped: bool) -> None:
    charging = Charging()
    charging.credit("a", 1_000)
    answer = answer_of(charging, event(DEBIT, 300, grouped=grouped))
    service = answer.services[0] if grouped else answer.direct
    assert service is not None
    assert service.granted == ServiceUnit(cc_total_octets=300)
    assert charging.balances("a") == (300, 0, 700)
    assert answer_of(charging, event(DEBIT, 300, grouped=grouped)) == answer
    charging.restart()
    assert answer_of(charging, event(DEBIT, 300, grouped=grouped)) == answer
    assert charging.balances("a") == (300, 0, 700)
    assert charging.service.open_sessions == 0


def test_a_debit_of_more_than_there_is_takes_nothing() -> None:
    charging = Charging()
    charging.credit("a", 1_000)
    assert result_of(charging, event(DEBIT, 1_001)) == 4012
    assert charging.balances("a") == (0, 0, 1_000)
    assert result_of(charging, event(DEBIT, 1_001)) == 4012
    assert result_of(charging, event(DEBIT, 1_000, session="e;2")) == 2001
    assert charging.balances("a") == (1_000, 0, 0)


def test_a_replay_finishes_what_a_crash_cut_in_two() -> None:
    charging = Charging()
    charging.credit("a", 1_000)
    charging.send(event(DEBIT, 300))
    charging.ledger._waiting.clear()  # reserved, and died before the commit
    charging.restart()
    assert charging.balances("a") == (0, 300, 700)
    assert charging.service.open_sessions == 1
    assert result_of(charging, event(DEBIT, 300)) == 2001
    assert charging.balances("a") == (300, 0, 700)


def test_half_a_debit_that_nobody_repeats_is_given_back() -> None:
    charging = Charging()
    charging.credit("a", 1_000)
    answers = charging.send(event(DEBIT, 300))
    charging.ledger.busy_after = 0
    charging.ledger.flush()
    assert answers[0].result_code == 3004
    charging.ledger.busy_after = None
    assert charging.balances("a") == (0, 300, 700)
    charging.pass_seconds(10_000)
    assert charging.service.sweep() == 1
    charging.ledger.flush()
    assert charging.balances("a") == (0, 0, 1_000)


def test_a_refund_gives_back_what_was_used_once() -> None:
    charging = Charging()
    charging.credit("a", 1_000)
    assert result_of(charging, event(DEBIT, 700)) == 2001
    assert result_of(charging, event(REFUND, 701, session="e;2")) == 5031
    back = answer_of(charging, event(REFUND, 700, session="e;6"))
    assert back.direct is not None or back.services
    assert charging.balances("a") == (0, 0, 1_000)
    charging.restart()
    assert answer_of(charging, event(REFUND, 700, session="e;6")) == back
    assert result_of(charging, event(REFUND, 701, session="e;2")) == 5031
    assert charging.balances("a") == (0, 0, 1_000)
    assert result_of(charging, event(REFUND, 1, session="e;3")) == 5031
    assert result_of(charging, event(DEBIT, 1_000, session="e;4")) == 2001
    # What is exhausted has ended: people give another session instead.
    assert result_of(charging, event(REFUND, 5, session="e;5")) == 5031


def test_refusals() -> None:
    charging = Charging()
    assert result_of(charging, event(None)) == 5005
    assert result_of(charging, event(REFUND)) == 5031
    assert result_of(charging, event(REFUND, 1)) == 5031  # nothing was used that could be given back
    assert result_of(charging, event(DEBIT)) == 5031
    assert result_of(charging, event(DEBIT, 1 << 60)) == 5004
    assert result_of(charging, event(DEBIT, 5)) == 4012
    stranger = event(DEBIT, 5)
    force_setattr(stranger, "subscription_ids", ())
    assert result_of(charging, stranger) == 5030
    charging.credit("a", 100)
    charging.ledger.do(Freeze("freeze", WALLET, True))
    assert result_of(charging, event(DEBIT, 5, session="e;2")) == 4010
    charging.ledger.do(Freeze("thaw", WALLET, False))
    # What was refused never comes true behind the client's back: the same request has the same answer.
    assert result_of(charging, event(DEBIT, 5)) == 4012
    assert result_of(charging, event(DEBIT, 5, session="e;2")) == 4010
    assert charging.balances("a") == (0, 0, 100)
    assert list(charging.ledger.state.open_reservations()) == []


def test_while_the_account_in_use_waits_for_its_tranche_the_next_is_no_credit() -> None:
    charging = Charging()
    charging.credit("a", 600, withheld=300)
    charging.credit("b", 600, days=31)
    assert result_of(charging, event(DEBIT, 300)) == 2001
    found = answer_of(charging, event(BALANCE, 1, session="e;2"))
    assert found.check_balance_result is CheckBalanceResult.NO_CREDIT
    assert result_of(charging, event(DEBIT, 1, session="e;3")) != 2001
    charging.ledger.do(ContinueWithNext("next", WALLET, True))
    found = answer_of(charging, event(BALANCE, 600, session="e;4"))
    assert found.check_balance_result is CheckBalanceResult.ENOUGH_CREDIT


def test_balance_and_price_are_answered_and_nothing_is_reserved() -> None:
    charging = Charging()

    def enough(octets: int | None) -> bool:
        found = answer_of(charging, event(BALANCE, octets)).check_balance_result
        return found is CheckBalanceResult.ENOUGH_CREDIT

    assert not enough(None)
    charging.credit("unproven", 5_000, proven=False)
    charging.credit("a", 600)
    charging.credit("b", 600, days=31)
    assert (enough(None), enough(600), enough(601)) == (True, True, False)
    charging.ledger.do(ContinueWithNext("next", WALLET, True))
    assert (enough(1_200), enough(1_201)) == (True, False)
    charging.credit("pass", None, days=32)
    assert enough(1 << 40)
    charging.ledger.do(HoldWallet("hold", WALLET, "paused"))
    assert not enough(1)
    assert charging.balances("a") == (0, 0, 600)
    price = answer_of(charging, event(PRICE, 10**9))
    assert (price.result_code, price.cost_kobo) == (2001, 0)


def test_answers_of_events_survive_the_wire() -> None:
    told = CreditControlAnswer(
        session_id="e;1",
        result_code=2001,
        origin_host="ocs",
        origin_realm="r",
        cc_request_type=EVENT,
        cc_request_number=0,
        check_balance_result=CheckBalanceResult.NO_CREDIT,
        cost_kobo=80_050,
    )
    assert CreditControlAnswer.decode(told.encode()) == told
