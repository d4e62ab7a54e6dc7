"""The machine of an InternetSession: the whole table, and its drawing in the docs."""

from itertools import product
from pathlib import Path

from kswifi.esim.model import PROFILE_TRANSITIONS, ProfileState
from kswifi.esim.smdp.rsp_model import RSP_SESSION_TRANSITIONS, RspSessionState
from kswifi.payments.model import PAYMENT_TRANSITIONS, PaymentState
from kswifi.people.model import TRANSITIONS as TRANSFER_TRANSITIONS
from kswifi.people.model import TransferState
from kswifi.people.move_model import MOVE_TRANSITIONS, MoveState
from kswifi.people.standing_order_model import STANDING_ORDER_TRANSITIONS, StandingOrderState
from kswifi.sessions.errors import ILLEGAL_TRANSITION
from kswifi.sessions.model import (
    CANCELLABLE_STATES,
    LIVE_STATES,
    TRANSITIONS,
    SessionEvent,
    SessionState,
    allows,
    next_state,
)
from kswifi.supply.orders import ORDER_TRANSITIONS, OrderState
from tests.support.refusals import refused
from tests.support.state_machines import document

DOC = Path(__file__).parents[3] / "docs" / "state-machines.md"

ROAD = [
    ("ordered", SessionEvent.PREPARED, "packaged"),
    ("packaged", SessionEvent.DOWNLOAD_STARTED, "downloading"),
    ("downloading", SessionEvent.DOWNLOAD_CONFIRMED, "downloaded"),
    ("downloaded", SessionEvent.TRANSFER_STARTED, "transferring"),
    ("transferring", SessionEvent.TRANSFER_FAILED, "downloaded"),
    ("downloaded", SessionEvent.TRANSFER_STARTED, "transferring"),
    ("transferring", SessionEvent.STORAGE_PROVED, "stored"),
    ("stored", SessionEvent.USAGE_STARTED, "active"),
    ("active", SessionEvent.HELD, "paused"),
    ("paused", SessionEvent.LIFTED, "active"),
    ("active", SessionEvent.USED_UP, "exhausted"),
]


def test_the_road_from_the_order_to_the_last_octet() -> None:
    state = SessionState.ORDERED
    for before, event, after in ROAD:
        assert state == before
        state = next_state(state, event)
        assert state == after


def test_every_pair_that_is_not_listed_is_refused() -> None:
    for state, event in product(SessionState, SessionEvent):
        if (state, event) in TRANSITIONS:
            assert allows(state, event)
            continue
        assert not allows(state, event)
        with refused(ILLEGAL_TRANSITION) as caught:
            next_state(state, event)
        assert caught.value.facts == {"state": state.value, "event": event.value}


def test_an_end_is_an_end() -> None:
    ends = set(SessionState) - LIVE_STATES
    assert ends == {"exhausted", "expired", "revoked", "failed"}
    assert {state for state, _ in TRANSITIONS} == LIVE_STATES


def test_nothing_but_usage_makes_a_session_active() -> None:
    into_active = {key for key, to in TRANSITIONS.items() if to is SessionState.ACTIVE}
    assert into_active == {
        (SessionState.STORED, SessionEvent.USAGE_STARTED),
        (SessionState.PAUSED, SessionEvent.LIFTED),
    }


def test_nothing_but_the_proof_makes_a_session_stored() -> None:
    assert [key for key, to in TRANSITIONS.items() if to is SessionState.STORED] == [
        (SessionState.TRANSFERRING, SessionEvent.STORAGE_PROVED)
    ]


def test_every_live_session_can_expire_or_be_revoked() -> None:
    for state in LIVE_STATES:
        assert next_state(state, SessionEvent.EXPIRED) is SessionState.EXPIRED
        assert next_state(state, SessionEvent.REVOKED) is SessionState.REVOKED
    assert LIVE_STATES - {SessionState.ACTIVE, SessionState.PAUSED} == CANCELLABLE_STATES


def test_the_profile_machine_is_sgp22s() -> None:
    # SGP.22 v2, 3.1.6: the states of a profile at the SM-DP+.
    assert {str(state) for state in ProfileState} == {
        "available", "allocated", "linked", "confirmed", "released", "downloaded", "installed", "error",
        "unavailable",
    }  # fmt: skip
    assert {state for state, _ in PROFILE_TRANSITIONS} <= set(ProfileState)


def test_the_drawing_in_the_docs_is_the_table() -> None:
    drawn = document(
        {
            "InternetSession": (SessionState.ORDERED, TRANSITIONS),
            "Profile": (ProfileState.AVAILABLE, PROFILE_TRANSITIONS),
            "RspSession": (RspSessionState.AUTHENTICATED, RSP_SESSION_TRANSITIONS),
            "Payment": (PaymentState.INTENDED, PAYMENT_TRANSITIONS),
            "OctetTransfer": (TransferState.OFFERED, TRANSFER_TRANSITIONS),
            "PhoneMove": (MoveState.WAITING, MOVE_TRANSITIONS),
            "StandingOrder": (StandingOrderState.ON, STANDING_ORDER_TRANSITIONS),
            "Order at a data provider": (OrderState.INTENDED, ORDER_TRANSITIONS),
        }
    )
    assert DOC.read_text() == drawn, "run `.venv/bin/python -m tests.support.state_machines`"
