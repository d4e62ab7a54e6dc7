"""Delivery by our own SM-DP+: release a line's profile for download over ES9+ (SGP.22)."""

from typing import Final

from sqlalchemy import Connection, select, update

from kswifi.database.engine import Database
from kswifi.esim.model import ProfileEvent, ProfileState
from kswifi.esim.smdp.orders import NewOrder, move_order, order_of_esim, place_order
from kswifi.esim.sql import esim
from kswifi.kernel.numbers import Eid
from kswifi.outbox.results import Done, JobResult, Refused

_ORDERED: Final = (ProfileEvent.ALLOCATE, ProfileEvent.CONFIRM, ProfileEvent.RELEASE)
_AGAIN: Final = {
    ProfileState.RELEASED: (),
    ProfileState.DOWNLOADED: (ProfileEvent.RELEASE,),
    ProfileState.ERROR: (ProfileEvent.RELEASE,),
}
_UNBOUND: Final = {"bound_otpk": None, "bound_identity": None, "sealed_binding": None}


class SecuredDelivery:
    """A ``ProfileDelivery`` that places a download order with the line's MatchingID."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def deliver(self, esim_id: str, session_record: bytes) -> JobResult:
        """Release the profile with this record. Idempotent: with the same record, a running download continues."""
        return await self._database.write(lambda connection: _deliver(connection, esim_id, session_record))


def _deliver(connection: Connection, esim_id: str, session_record: bytes) -> JobResult:
    columns = (esim.c.iccid, esim.c.matching_id, esim.c.eid, esim.c.profile_state, esim.c.session_record)
    line = connection.execute(select(*columns).where(esim.c.esim_id == esim_id)).one_or_none()
    if line is None:
        return Refused("there is no such eSIM")
    order = order_of_esim(connection, esim_id)
    if order is None and line.profile_state != ProfileState.ALLOCATED:
        return Refused(f"the profile is {line.profile_state}")
    if order is not None and order.profile_state not in _AGAIN:
        return Refused(f"the profile is {order.profile_state}")
    same = line.session_record == session_record
    if not same:
        connection.execute(update(esim).where(esim.c.esim_id == esim_id).values(session_record=session_record))
    if order is None:
        eid = None if line.eid is None else Eid.as_read(line.eid)
        new = NewOrder(iccid=line.iccid, matching_id=line.matching_id, esim_id=esim_id, eid=eid)
        place_order(connection, new, *_ORDERED)
    elif not same or order.profile_state is ProfileState.ERROR:
        # The earlier binding has another record, or failed: bind again, with a new limit of downloads.
        move_order(connection, order, *_AGAIN[order.profile_state], downloads=0, **_UNBOUND)
    return Done()


def withdraw(connection: Connection, esim_id: str) -> None:
    """Cancel the order of a line's profile that no card has installed, so that no card can download it."""
    order = order_of_esim(connection, esim_id)
    if order is not None:
        move_order(connection, order, ProfileEvent.WITHDRAW, **_UNBOUND)
