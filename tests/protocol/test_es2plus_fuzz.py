"""ES2+ at random by two operators: refusals have codes of the standard; neither changes the other's profiles."""

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from kswifi.esim.model import ProfileState
from kswifi.esim.smdp.orders import ORDER_COLUMNS
from kswifi.esim.sql import profile_order
from kswifi.rsp.status_codes import Status
from tests.support.cards import EID, iccid
from tests.support.clocks import ManualClock
from tests.support.es2 import Operator, registered
from tests.support.smdp import NOW, RunningSmdp, running_smdp

CODES = {f"{status.subject_code}/{status.reason_code}" for status in Status}
STATES = {str(state) for state in ProfileState}
MINE, THEIRS = (500, 501, 502), (600, 601)


@dataclass
class Market:
    """One server and two operators with stock of their own."""

    server: RunningSmdp
    operators: tuple[Operator, Operator]

    def orders(self, numbers: tuple[int, ...]) -> list[Any]:
        """Return the orders of these profiles, as they are stored."""
        wanted = profile_order.select().with_only_columns(*ORDER_COLUMNS)
        wanted = wanted.where(profile_order.c.iccid.in_([str(iccid(number)) for number in numbers]))
        rows = self.server.write(lambda connection: connection.execute(wanted).all())
        return sorted(tuple(row) for row in rows)


@pytest.fixture(scope="module")
def market(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Market]:
    folder = tmp_path_factory.mktemp("market")
    with running_smdp(folder / "smdp", clock=ManualClock(NOW), es2_on_es9=False) as server:
        operators = registered(server, folder, "one"), registered(server, folder, "two")
        operators[0].stock(*MINE, profile_type="prepaid")
        operators[1].stock(*THEIRS, profile_type="roaming")
        yield Market(server, operators)
        for operator in operators:
            operator.close()


names = st.sampled_from([str(iccid(number)) for number in (*MINE, *THEIRS, 700)])
ICCIDS = st.one_of(names, names.map(lambda name: name + "F"), st.text(max_size=24))
EIDS = st.sampled_from([str(EID), "89049032123451234512345678901235", "1" * 32, ""])
FIELDS = {
    "iccid": ICCIDS,
    "eid": EIDS,
    "profileType": st.sampled_from(["prepaid", "roaming", "", "x" * 300]),
    "matchingId": st.one_of(st.sampled_from(["ORDER-A", "ORDER-B", "a b", ""]), st.text(max_size=260)),
    "confirmationCode": st.sampled_from(["4711", "", "\x00", "x" * 256]),
    "smdsAddress": st.sampled_from(["", "sm-ds.example"]),
    "releaseFlag": st.booleans(),
    "finalProfileStatusIndicator": st.sampled_from(["Available", "Unavailable", "Installed"]),
}
NEEDED = {
    "downloadOrder": (),
    "confirmOrder": ("iccid", "releaseFlag"),
    "cancelOrder": ("iccid", "finalProfileStatusIndicator"),
    "releaseProfile": ("iccid",),
}


@st.composite
def calls(draw: st.DrawFn) -> tuple[int, str, dict[str, Any]]:
    """Who calls, what, and with which fields: what a function needs, and some of the others."""
    function = draw(st.sampled_from(list(NEEDED)))
    others = draw(st.sets(st.sampled_from([name for name in FIELDS if name not in NEEDED[function]]), max_size=3))
    return draw(st.integers(0, 1)), function, {name: draw(FIELDS[name]) for name in (*NEEDED[function], *others)}


def walk(market: Market, row: list[tuple[int, str, dict[str, Any]]]) -> None:
    for who, function, fields in row:
        operator, foreign = market.operators[who], (THEIRS, MINE)[who]
        operator.calls += 1
        client = operator.clients[0] if operator.clients else operator.client()
        header = {"functionRequesterIdentifier": "2.999.77", "functionCallIdentifier": str(operator.calls)}
        body = json.dumps({"header": header, **fields}).encode()
        before = market.orders(foreign)
        first = client.post(function, body)
        assert first.status == 200 or (first.status, first.codes) == (400, "1.3.1/2.1")  # no such enumeration
        assert first.codes is None or first.codes in CODES, (function, fields, first.codes)
        assert market.orders(foreign) == before
        after = market.orders((*MINE, *THEIRS))
        if first.codes is None:  # the same call again changes nothing and gets the same answer
            assert client.post(function, body).json() == first.json()
            assert market.orders((*MINE, *THEIRS)) == after
        assert {str(state) for order in after for state in order if isinstance(state, ProfileState)} <= STATES


@pytest.mark.parametrize("examples", [25, pytest.param(2_000, marks=pytest.mark.soak)])
def test_two_operators_call_at_random(market: Market, examples: int) -> None:
    @settings(deadline=None, max_examples=examples, suppress_health_check=[HealthCheck.too_slow])
    @given(st.lists(calls(), min_size=1, max_size=12))
    def any_of_them(row: list[tuple[int, str, dict[str, Any]]]) -> None:
        walk(market, row)

    run: Callable[[], None] = any_of_them
    run()
