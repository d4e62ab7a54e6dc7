"""Rebuild ChargingSessions from the ledger's reservations after a restart or a half-done debit."""

import logging
from collections.abc import Iterable
from typing import Final

import msgspec

from kswifi.charging.journal_notes import Bearer
from kswifi.charging.model import Access, ChargingSession
from kswifi.charging.policy import ChargingPolicy
from kswifi.diameter.messages.credit_control import CreditControlRequest
from kswifi.ledger.state import ReservationView

_log: Final = logging.getLogger(__name__)


def sessions_of(
    reservations: Iterable[ReservationView], policy: ChargingPolicy, now: float
) -> list[ChargingSession]:
    """Return the ChargingSessions of open reservations.

    Each gets the whole grace from now on, because the silence may have been our own downtime.
    """
    found: dict[str, ChargingSession] = {}
    for it in reservations:
        try:
            session_id, bearer = Bearer.from_note(it.note)
        except msgspec.DecodeError:
            _log.warning("Reservation %s has no note of charging's", it.reservation_id)
            continue
        charging_session = found.get(session_id)
        if charging_session is None:
            controlled = not it.reserved_octets and policy.restricts(bearer.peer)
            charging_session = found[session_id] = ChargingSession(
                session_id=session_id,
                wallet_id=it.wallet_id,
                bearer=bearer,
                opened_at=now,
                last_report_at=now,
                expires_at=now + policy.grace_seconds,
                access=Access.CONTROL_ONLY if controlled else Access.FULL,
            )
        charging_session.expires_at = max(charging_session.expires_at, it.expires_at)
        charging_session.reservation_ids.add(it.reservation_id)
        if it.reserved_octets:
            charging_session.access = Access.FULL
    return list(found.values())


def stranded_event(
    request: CreditControlRequest, wallet_id: str, reservation_id: str, policy: ChargingPolicy, now: float
) -> ChargingSession:
    """Return a session that stands for a half-done event, so that it is supervised like any other."""
    return ChargingSession(
        session_id=request.session_id,
        wallet_id=wallet_id,
        bearer=Bearer.of(request),
        opened_at=now,
        last_report_at=now,
        expires_at=now + policy.grace_seconds,
        reservation_ids={reservation_id},
    )
