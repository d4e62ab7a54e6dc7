"""Handle requests for sessions that another Origin-Host opened, or that were settled meanwhile."""

from typing import Final

import msgspec
from msgspec.structs import replace

from kswifi.charging.journal_notes import Bearer
from kswifi.charging.model import ChargingSession
from kswifi.charging.request_state import Exchange
from kswifi.charging.steps import Step
from kswifi.diameter.constants import CcRequestType, ResultCode
from kswifi.diameter.errors import DiameterError
from kswifi.diameter.messages.credit_control import CreditControlRequest
from kswifi.ledger.commands import Outcome, OutcomeCode
from kswifi.ledger.ports import LedgerQueries

TX_SECONDS: Final = 10
"""How long a client waits for an answer (Tx, RFC 8506, 13). Until then it may still use a grant of that answer."""


def settling_id(reservation_id: str) -> str:
    """Return the id of the command by which a supervisor settles a reservation."""
    return f"{reservation_id}#settled"


def check_opener(
    request: CreditControlRequest, charging_session: ChargingSession | None, state: LedgerQueries
) -> None:
    """Refuse a request for a session that another Origin-Host opened (case-insensitive).

    A Session-Id belongs to the client that made it (RFC 6733, 8.8), which sends all requests of the session (RFC
    8506, 5). Failover changes the server or the path, and agents keep the Origin-Host. So a different Origin-Host
    is not a failover, and would report usage at the cost of a subscriber of another gateway.

    Raises:
        DiameterError: 5002.
    """
    if charging_session is not None:
        opener = charging_session.bearer.peer
    else:
        reservation = state.reservation(request.session_id)
        if reservation is None:
            return
        try:
            opener = Bearer.from_note(reservation.note)[1].peer
        except msgspec.MsgspecError:
            return
    if opener != request.origin_host and opener.lower() != request.origin_host.lower():
        raise DiameterError(ResultCode.UNKNOWN_SESSION_ID, f"{request.origin_host} has no such session")


def without_stale_grant(exchange: Exchange, step: Step, outcome: Outcome, state: LedgerQueries) -> Outcome:
    """Remove the grant from a stored outcome if its session was settled meanwhile.

    The granted octets are no longer reserved. The usage stays confirmed; the client gets 5002 and opens a new
    session. Within Tx of the event (or of the settling, without an Event-Timestamp) the stored answer is sent
    unchanged: the client may already have received the first copy of it.
    """
    request = exchange.request
    if request.cc_request_type is CcRequestType.EVENT:
        return outcome
    settled_at = state.settled_at(step.reservation_id, settling_id(step.reservation_id))
    if settled_at is None:
        return outcome
    happened = settled_at if request.event_timestamp is None else request.event_timestamp
    if abs(exchange.arrived_at - happened) <= TX_SECONDS:
        return outcome
    return replace(outcome, code=OutcomeCode.UNKNOWN_RESERVATION, granted_octets=0, final=False, shared=False)
