"""Download orders, RspSessions, tickets and keys at rest."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta
from functools import partial
from itertools import product
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy import Connection, select, text
from sqlalchemy.event import listen
from sqlalchemy.exc import IntegrityError

from kswifi.esim.errors import (
    IllegalProfileTransitionError,
    IllegalRspTransitionError,
    SubscriberKeysDamagedError,
)
from kswifi.esim.lines.service import find_esim
from kswifi.esim.lines.vault import SubscriberVault
from kswifi.esim.model import ProfileEvent, ProfileState
from kswifi.esim.smdp import binding_keys
from kswifi.esim.smdp.orders import (
    NewOrder,
    move_order,
    open_order_of_card,
    order_by_matching_id,
    order_of_esim,
    place_order,
)
from kswifi.esim.smdp.rsp_model import (
    RSP_SESSION_TRANSITIONS,
    ProfileOrder,
    RspSessionEvent,
    RspSessionState,
    next_rsp_state,
)
from kswifi.esim.smdp.rsp_store import RspSession, add_rsp_session, find_rsp_session, prune_rsp_sessions
from kswifi.esim.smdp.tickets import Tickets
from kswifi.esim.sql import rsp_session
from kswifi.kernel.numbers import Eid
from kswifi.rsp.curves import Curve, new_key, point_octets
from kswifi.rsp.messages.download import SmdpSigned2
from tests.support.databases import START, open_database
from tests.support.session_roads import ADA, open_road

EID = Eid.with_check_digits("890490320000000000000000000001")
READY = (ProfileEvent.ALLOCATE, ProfileEvent.CONFIRM, ProfileEvent.RELEASE)
NEW = NewOrder(iccid="89000123456789012341", matching_id="ONE", package_name="one")


def placed(new: NewOrder, events: tuple[ProfileEvent, ...], connection: Connection) -> ProfileOrder:
    return place_order(connection, new, *events)


def test_every_rsp_event_that_is_not_listed_is_refused() -> None:
    for state, event in product(RspSessionState, RspSessionEvent):
        if (state, event) in RSP_SESSION_TRANSITIONS:
            assert next_rsp_state(state, event) is RSP_SESSION_TRANSITIONS[state, event]
        else:
            with pytest.raises(IllegalRspTransitionError):
                next_rsp_state(state, event)


async def test_orders_move_atomically_and_only_as_the_machine_says(tmp_path: Path) -> None:
    async with open_database(tmp_path) as database:
        order = await database.write(lambda c: place_order(c, NEW, *READY))
        assert order.profile_state is ProfileState.RELEASED
        assert await database.write(lambda c: order_by_matching_id(c, "ONE")) == order
        assert await database.write(lambda c: order_by_matching_id(c, "one")) is None
        with pytest.raises(IllegalProfileTransitionError):
            await database.write(lambda c: move_order(c, order, ProfileEvent.ALLOCATE, downloads=7))
        moved = await database.write(lambda c: move_order(c, order, ProfileEvent.DOWNLOAD, downloads=1))
        assert moved is ProfileState.DOWNLOADED
        with pytest.raises(IllegalProfileTransitionError):  # it is not any more where this one saw it
            await database.write(lambda c: move_order(c, order, ProfileEvent.FAIL))
        now = await database.write(lambda c: order_by_matching_id(c, "ONE"))
        assert now == replace(order, profile_state=ProfileState.DOWNLOADED, downloads=1)
        for twice in (NEW, replace(NEW, matching_id="TWO", esim_id=order.order_id)):
            with pytest.raises(IntegrityError):
                await database.write(partial(place_order, new=twice))


async def test_the_order_that_waits_for_a_card_is_its_oldest_open_one(tmp_path: Path) -> None:
    async with open_database(tmp_path) as database:
        for name, events in (("A", READY[:1]), ("B", READY), ("C", READY)):
            await database.write(partial(placed, replace(NEW, matching_id=name, eid=EID), events))
        stocked = replace(NEW, matching_id=None, eid=EID)
        await database.write(lambda c: place_order(c, stocked, *READY))
        found = await database.write(lambda c: open_order_of_card(c, EID))
        assert found is not None
        assert found.matching_id == "B"
        unassigned = await database.write(lambda c: open_order_of_card(c, EID, "one"))
        assert unassigned is not None
        assert unassigned.matching_id is None
        assert await database.write(lambda c: open_order_of_card(c, EID, "two")) is None


@pytest.mark.sqlite
@pytest.mark.parametrize("stocked", [None, "two"])
async def test_a_cards_order_is_looked_up_among_the_cards_own(tmp_path: Path, stocked: str | None) -> None:
    asked: list[tuple[str, tuple[object, ...]]] = []

    def look_up(connection: Connection) -> list[str]:
        listen(connection, "before_cursor_execute", lambda *it: asked.append((it[2], it[3])))
        open_order_of_card(connection, EID, stocked)
        statement, values = asked[0]
        return [row[3] for row in connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {statement}", values)]

    async with open_database(tmp_path) as database:
        plan = await database.write(look_up)
        assert plan == ["SEARCH profile_order USING INDEX ix_profile_order_eid_created_at (eid=?)"]


async def test_an_order_for_a_line_moves_the_line_and_tells_its_owner(tmp_path: Path) -> None:
    async with open_road(tmp_path) as road:
        line = await road.database.write(lambda connection: road.orders.allocate(connection, ADA))
        new = NewOrder(iccid=line.numbers.iccid, matching_id=line.numbers.matching_id, esim_id=line.esim_id)
        order = await road.database.write(lambda c: place_order(c, new, *READY))
        assert await road.database.write(lambda c: order_of_esim(c, line.esim_id)) == order
        await road.database.write(lambda c: move_order(c, order, ProfileEvent.DOWNLOAD))

        def look(connection: Connection) -> Sequence[Any]:
            assert find_esim(connection, line.esim_id).profile_state is ProfileState.DOWNLOADED
            return connection.execute(text("SELECT payload FROM domain_event")).scalars().all()

        told = await road.database.read(look)
        assert [payload for payload in told if "downloaded" in str(payload)]


async def test_old_rsp_sessions_are_forgotten(tmp_path: Path) -> None:
    async with open_database(tmp_path) as database:
        order = await database.write(lambda c: place_order(c, NEW, *READY))
        tickets = Tickets(bytes(32), timedelta(minutes=10))
        tid = tickets.issue(ci_key=b"", identity=b"", address="", at=START, nonce=bytes(6)).transaction_id
        signed2 = SmdpSigned2.build(transaction_id=tid, cc_required=False).raw
        opened = RspSession(
            tid, RspSessionState.AUTHENTICATED, EID, Curve.NIST_P256, point_octets(new_key(Curve.NIST_P256)),
            b"ci", bytes(32), signed2, bytes(64), None, START,
        )  # fmt: skip
        await database.write(lambda c: add_rsp_session(c, opened, order.order_id))
        assert await database.write(lambda c: find_rsp_session(c, tid)) == (opened, order)
        assert await database.write(lambda c: find_rsp_session(c, b"other")) is None
        with pytest.raises(IntegrityError):
            await database.write(lambda c: add_rsp_session(c, opened, order.order_id))
        assert await database.write(lambda c: prune_rsp_sessions(c, START)) == 0
        assert await database.write(lambda c: prune_rsp_sessions(c, START + timedelta(seconds=1))) == 1
        assert await database.write(lambda c: c.execute(select(rsp_session)).all()) == []


@settings(deadline=None, max_examples=50)
@given(at=st.integers(0, 15), bit=st.integers(0, 7))
def test_tickets_are_recognised_for_their_life_and_no_other_is(at: int, bit: int) -> None:
    tickets = Tickets(bytes(32), timedelta(minutes=10))
    ticket = tickets.issue(ci_key=b"ci", identity=b"id", address="a", at=START, nonce=b"nonce!")
    tid, challenge = ticket.transaction_id, ticket.server_challenge
    right = (b"ci", b"id", "a")
    for seconds, ours in ((-6, False), (-5, True), (0, True), (600, True), (601, False)):
        assert tickets.is_ours(tid, START + timedelta(seconds=seconds)) is ours
    assert tickets.recognise(tid, challenge, [(b"x", b"id", "a"), right]) == ticket
    assert tickets.recognise(tid, challenge, [(b"c", b"iid", "a"), (b"ci", b"id", "b")]) is None
    broken = bytearray(tid)
    broken[at] ^= 1 << bit
    assert not tickets.is_ours(bytes(broken), START)
    wrong = bytearray(challenge)
    wrong[at] ^= 1 << bit
    assert tickets.recognise(tid, bytes(wrong), [right]) is None
    assert not Tickets(bytes(31) + b"1", timedelta(minutes=10)).is_ours(tid, START)
    for other in (b"", tid[:-1], tid + b"0"):
        assert not tickets.is_ours(other, START)


@pytest.mark.parametrize("curve", list(Curve))
def test_one_time_keys_rest_sealed_for_their_order_alone(curve: Curve) -> None:
    vault = SubscriberVault(bytes(32))
    for keys in (binding_keys.new(curve, lambda count: bytes(range(count))), binding_keys.new(curve, None)):
        octets = binding_keys.encode(keys)
        sealed = vault.seal_octets(b"order", octets)
        assert octets[:32] not in sealed
        again = binding_keys.decode(curve, vault.open_octets(b"order", sealed))
        assert again.protection_keys == keys.protection_keys
        assert point_octets(again.one_time_key) == point_octets(keys.one_time_key)
        with pytest.raises(SubscriberKeysDamagedError):
            vault.open_octets(b"other", sealed)
    assert vault.derived_key("a") != vault.derived_key("b")
    assert vault.derived_key("a") == SubscriberVault(bytes(32)).derived_key("a")
