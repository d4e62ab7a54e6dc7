"""With a disk that is nearly full, usage is booked and nothing new begins (RFC 6733, 7.1.3: 3004)."""

import pytest

from kswifi.diameter.constants import CcRequestType, RequestedAction, ResultCode
from kswifi.diameter.errors import DiameterError
from kswifi.diameter.messages.credit_control import CreditControlRequest
from tests.support.charging import INITIAL, UPDATE, Charging, request, units
from tests.unit.charging.test_events import event


@pytest.mark.parametrize(
    "new",
    [
        request(INITIAL, 0, units(), session="s;2"),
        event(RequestedAction.DIRECT_DEBITING, 10),
        event(RequestedAction.REFUND_ACCOUNT, 10),
    ],
    ids=["initial", "debit", "refund"],
)
def test_what_is_open_goes_on_and_what_is_new_waits(new: CreditControlRequest) -> None:
    charging = Charging()
    charging.credit("a", 100_000_000)
    opened = charging.ask(request(INITIAL, 0, units()))
    charging.service.is_short_of_space = lambda: True
    with pytest.raises(DiameterError) as refused:
        charging.send(new)
    assert refused.value.result_code == ResultCode.TOO_BUSY

    assert charging.ask(request(INITIAL, 0, units())) == opened  # a repetition needs nothing new
    assert charging.ask(request(UPDATE, 1, units(1_000))).result_code == ResultCode.SUCCESS
    balance = event(RequestedAction.CHECK_BALANCE, 10)
    assert charging.send(balance)[0].result_code == ResultCode.SUCCESS
    assert (
        charging.ask(request(CcRequestType.TERMINATION, 2, units(500, wants=False))).result_code
        == ResultCode.SUCCESS
    )
    assert charging.balances("a") == (1_500, 0, 100_000_000 - 1_500)

    charging.service.is_short_of_space = lambda: False
    charging.send(new)
