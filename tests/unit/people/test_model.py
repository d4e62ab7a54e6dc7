"""The table of a transfer's states: where it ends, and where its octets are."""

from hypothesis import given
from hypothesis import strategies as st

from kswifi.people.model import (
    CODE_OCTETS,
    IN_TRANSIT,
    OPEN_STATES,
    TRANSITIONS,
    TransferEvent,
    TransferState,
    gift_code,
    typed_code,
)


def test_final_states_are_left_by_no_event() -> None:
    final = {TransferState.RECEIVED, TransferState.RETURNED, TransferState.REFUSED}
    assert set(TransferState) - OPEN_STATES == final
    assert not {state for state, _ in TRANSITIONS} & final


def test_a_transfer_whose_receive_may_be_on_its_way_goes_back_only_after_a_refusal() -> None:
    ways = {event: to for (state, event), to in TRANSITIONS.items() if state is TransferState.RECEIVING}
    assert ways == {
        TransferEvent.RECEIVED: TransferState.RECEIVED,
        TransferEvent.RECEIVE_REFUSED: TransferState.RETURNING,
    }


def test_octets_come_into_transit_only_by_being_sent_and_leave_it_only_by_a_receive() -> None:
    crossings = {
        event for (state, event), to in TRANSITIONS.items() if (state in IN_TRANSIT) is not (to in IN_TRANSIT)
    }
    assert crossings == {TransferEvent.SENT, TransferEvent.RECEIVED, TransferEvent.RETURNED}


def test_every_state_is_reached_from_offered() -> None:
    reached, before = {TransferState.OFFERED}, set[TransferState]()
    while reached != before:
        before = set(reached)
        reached |= {to for (state, _), to in TRANSITIONS.items() if state in before}
    assert reached == set(TransferState)


@given(st.binary(min_size=CODE_OCTETS, max_size=CODE_OCTETS))
def test_a_code_is_read_however_it_is_typed(random: bytes) -> None:
    code = gift_code(random)
    assert len(code) == 19
    assert typed_code(code) == code
    assert typed_code(code.lower().replace("-", " ").replace("0", "o").replace("1", "l")) == code
