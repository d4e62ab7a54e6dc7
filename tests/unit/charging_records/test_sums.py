"""Whatever happens on the wire: the records' hours add up to what the ledger says was used, account by account."""

import tempfile
from collections import Counter
from contextlib import suppress
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st

from kswifi.charging_records.service import get_record, statement_of
from kswifi.diameter.errors import DiameterError
from kswifi.diameter.messages.credit_control import CreditControlRequest
from kswifi.ledger.commands import Expire
from tests.support.charging import INITIAL, TERMINATION, UPDATE, request, units
from tests.support.charging_records import Recorded, recorded

_KINDS = {"initial": INITIAL, "update": UPDATE, "terminate": TERMINATION}
_step = st.tuples(
    st.sampled_from(["initial", "update", "update", "terminate", "replay", "restart", "sweep", "project"]),
    st.integers(0, 2),
    st.integers(0, 3_000_000),
)


class Wire:
    """Takes the steps; answers do not matter here, only what is left behind."""

    def __init__(self, recorded: Recorded) -> None:
        self.it = recorded
        self.numbers: Counter[int] = Counter()
        self.sent: list[CreditControlRequest] = []

    async def take(self, number: int, what: str, which: int, used: int) -> None:
        self.it.pass_minutes(7)
        if what == "restart":
            self.it.restart()
        elif what == "sweep":
            self.it.service.sweep()
        elif what == "project":
            await self.it.records.catch_up()
        elif what == "replay" and self.sent:
            await self.ask(self.sent[number % len(self.sent)])
        elif what in _KINDS:
            self.numbers[which] += 1
            group = units(None if what == "initial" else used, wants=what != "terminate")
            message = request(_KINDS[what], self.numbers[which], group, session=f"s;{which}", charging_id=None)
            self.sent.append(message)
            await self.ask(message)

    async def ask(self, message: CreditControlRequest) -> None:
        with suppress(DiameterError):
            await self.it.ask(message)


@settings(max_examples=12, deadline=None)
@given(st.lists(_step, min_size=5, max_size=30))
async def test_records_add_up_to_the_ledger(steps: list[tuple[str, int, int]]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        async with recorded(Path(folder)) as it:
            await it.credit("one", 4_000_000)
            await it.credit("two", 4_000_000)
            wire = Wire(it)
            for number, step in enumerate(steps):
                await wire.take(number, *step)
            await compare(it)


async def compare(it: Recorded) -> None:
    await it.ledger.execute(Expire("barrier", "nobody"))  # memory is ahead of the journal by what a sweep just did
    for record in await it.all():
        whole = await get_record(it.database, record.session_id)
        assert sum(hour.octets for hour in whole.hours.values()) == record.octets
        reservation = it.ledger.state.reservation(record.session_id)
        assert (record.closed_at is None) == (reservation is not None and not reservation.closed)
    for account_id in ("one", "two"):
        balances = it.ledger.state.balances(account_id)
        assert balances is not None
        hours = (await statement_of(it.database, account_id)).hours.items
        assert sum(hour.octets for hour in hours) == balances.used + balances.overrun
        assert sum(hour.overrun_octets for hour in hours) == balances.overrun
