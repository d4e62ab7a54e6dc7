"""Withdrawing a line's profile before a card has it, wherever it was ordered."""

from sqlalchemy import Connection

from kswifi.esim.external_smdp.orders import withdraw_at_peer
from kswifi.esim.smdp.secured_delivery import withdraw


def withdraw_profile(connection: Connection, esim_id: str) -> None:
    """Withdraw what was ordered for a line that no card has installed: no card gets it any more."""
    withdraw(connection, esim_id)
    withdraw_at_peer(connection, esim_id)
