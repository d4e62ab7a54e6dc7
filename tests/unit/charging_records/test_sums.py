"""Whatever happens on the wire: the records' hours add up to what the ledger says was used, account by account."""

import asyncio
import tempfile
from collections import Counter
from contextlib import suppress
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st

from kswifi.charging_records.service import find_records, get_record, statement_of
from kswifi.charging_records.service import RecordFilter as Filter
from kswifi.diameter.errors import DiameterError
from tests.support.charging import INITIAL, TERMINATION, UPDATE, request, units
from tests.unit.charging_records.test_records import Recorded, recorded

_step = st.tuples(
    st.sampled_from(["initial", "update", "update", "terminate", "replay", "restart", "sweep", "project"]),
    st.integers(0, 2),
    st.integers(0, 3_000_000),
)


@settings(max_examples=12, deadline=None)
@given(st.lists(_step, min_size=5, max_size=30))
def test_records_add_up_to_the_ledger(steps: list[tuple[str, int, int]]) -> None:
    async def scenario() -> None:
        with tempfile.TemporaryDirectory() as folder:
            async with recorded(Path(folder)) as it:
                await it.credit("one", 4_000_000)
                await it.credit("two", 4_000_000)
                for number, step in enumerate(steps):
                    await _take(it, number, *step)
                await it.records.catch_up()
                for account_id in ("one", "two"):
                    balances = it.ledger.state.balances(account_id)
                    assert balances is not None
                    hours = await statement_of(it.database, account_id)
                    assert sum(hour.octets for hour in hours) == balances.used + balances.overrun
                    assert sum(hour.overrun_octets for hour in hours) == balances.overrun
                async for record in find_records(it.database, Filter()):
                    whole = await get_record(it.database, record.session_id)
                    assert sum(hour.octets for hour in whole.hours.values()) == record.octets
                    still_open = it.ledger.state.reservation(record.session_id)
                    assert (record.closed_at is None) == (still_open is not None and not still_open.closed)

    numbers: Counter[int] = Counter()
    sent = []

    async def _take(it: Recorded, number: int, what: str, which: int, used: int) -> None:
        it.pass_minutes(7)
        if what == "restart":
            it.restart()
        elif what == "sweep":
            it.service.sweep()
        elif what == "project":
            await it.records.catch_up()
        elif what == "replay" and sent:
            with suppress(DiameterError):
                await it.ask(sent[number % len(sent)])
        elif what in ("initial", "update", "terminate"):
            numbers[which] += 1
            kind = {"initial": INITIAL, "update": UPDATE, "terminate": TERMINATION}[what]
            group = units(None if what == "initial" else used, wants=what != "terminate")
            message = request(kind, numbers[which], group, session=f"s;{which}", charging_id=None)
            sent.append(message)
            with suppress(DiameterError):
                await it.ask(message)

    asyncio.run(scenario())
