"""Draws the state machines into docs/state-machines.md; a test fails while the page is stale.

Run as ``.venv/bin/python -m tests.support.state_machines`` to draw them anew.
"""

from collections.abc import Mapping
from enum import StrEnum
from pathlib import Path
from typing import Any

PAGE = Path(__file__).parents[2] / "docs" / "state-machines.md"

HEAD = """# State machines

Each machine is one pure table `(state, event) → state` in the code; an event that it does not list is an error.
The drawings are made from the tables by `.venv/bin/python -m tests.support.state_machines`, and a test fails when
they differ. The InternetSession's table is in `src/kswifi/sessions/model.py`, the profile's (the states are those
of SGP.22 v2, 3.1.6) in `src/kswifi/esim/model.py`, the RspSession's in `src/kswifi/esim/smdp/rsp_model.py`, the
payment's in `src/kswifi/payments/model.py`, the OctetTransfer's in `src/kswifi/people/model.py`, the PhoneMove's in
`src/kswifi/people/move_model.py`, the StandingOrder's in `src/kswifi/people/standing_order_model.py` and that of an
order at a data provider in `src/kswifi/supply/orders.py`.
"""

Machine = tuple[StrEnum, Mapping[Any, StrEnum]]


def draw(name: str, start: StrEnum, transitions: Mapping[Any, StrEnum]) -> str:
    """Return one machine as a Mermaid diagram, arrows with the same ends drawn as one."""
    arrows: dict[tuple[str, str], list[str]] = {}
    for (state, event), following in transitions.items():
        arrows.setdefault((str(state), str(following)), []).append(str(event))
    lines = [f"\n## {name}\n", "```mermaid", "stateDiagram-v2", f"    [*] --> {start}"]
    lines += [f"    {state} --> {to}: {' or '.join(events)}" for (state, to), events in arrows.items()]
    ends = {str(to) for to in transitions.values()} - {str(state) for state, _ in transitions}
    lines += [f"    {end} --> [*]" for end in sorted(ends)]
    return "\n".join([*lines, "```", ""])


def document(machines: Mapping[str, Machine]) -> str:
    """Return the whole page."""
    return HEAD + "".join(draw(name, start, transitions) for name, (start, transitions) in machines.items())


if __name__ == "__main__":
    from kswifi.esim.model import PROFILE_TRANSITIONS, ProfileState
    from kswifi.esim.smdp.rsp_model import RSP_SESSION_TRANSITIONS, RspSessionState
    from kswifi.payments.model import PAYMENT_TRANSITIONS, PaymentState
    from kswifi.people.model import TRANSITIONS as TRANSFER_TRANSITIONS
    from kswifi.people.model import TransferState
    from kswifi.people.move_model import MOVE_TRANSITIONS, MoveState
    from kswifi.people.standing_order_model import STANDING_ORDER_TRANSITIONS, StandingOrderState
    from kswifi.sessions.model import TRANSITIONS, SessionState
    from kswifi.supply.orders import ORDER_TRANSITIONS, OrderState

    PAGE.write_text(
        document(
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
    )
