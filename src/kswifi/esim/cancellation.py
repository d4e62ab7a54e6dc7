"""Cancel a profile order before installation, at our SM-DP+ or at an external one."""

from sqlalchemy import Connection

from kswifi.esim.external_smdp.orders import withdraw_at_peer
from kswifi.esim.smdp.secured_delivery import withdraw


def withdraw_profile(connection: Connection, esim_id: str) -> None:
    """Cancel a line's profile order so that no card can download it; an installed profile is left unchanged."""
    withdraw(connection, esim_id)
    withdraw_at_peer(connection, esim_id)
