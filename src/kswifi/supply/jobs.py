"""Outbox entries of supply, which sessions handle: their kinds, keys and payloads."""

from datetime import datetime
from typing import Final

from sqlalchemy import Connection

from kswifi.kernel.clock import unix_seconds
from kswifi.outbox.service import enqueue
from kswifi.supply.records import ProviderOrder

DELIVERED: Final = "supply.delivered"
INSTALLED: Final = "supply.installed"
FAILED: Final = "supply.failed"
USED: Final = "supply.used"


def tell_delivered(connection: Connection, order: ProviderOrder) -> None:
    """Tell that a bundle of a session was delivered: a profile can be installed, or a line has the portion."""
    _tell(connection, DELIVERED, order)


def tell_installed(connection: Connection, order: ProviderOrder) -> None:
    """Tell that the provider reported the profile of a session as installed."""
    _tell(connection, INSTALLED, order)


def tell_failed(connection: Connection, order: ProviderOrder, reason: str) -> None:
    """Tell that a bundle of a session was not bought, or that its price came back."""
    _tell(connection, FAILED, order, reason=reason)


def tell_used(connection: Connection, session_id: str, total_octets: int, as_of: datetime) -> None:
    """Tell the highest total of a session's counters."""
    enqueue(
        connection,
        kind=USED,
        key=f"{USED}:{session_id}:{total_octets}",
        payload={"session_id": session_id, "used_total_octets": total_octets, "as_of": unix_seconds(as_of)},
    )


def _tell(connection: Connection, kind: str, order: ProviderOrder, **more: str) -> None:
    payload = {"session_id": order.session_id, "reference": order.reference, **more}
    enqueue(connection, kind=kind, key=f"{kind}:{order.reference}", payload=payload)
