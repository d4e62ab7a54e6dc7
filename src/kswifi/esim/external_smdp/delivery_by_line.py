"""The choice between our SM-DP+ and an external one, made for each line."""

from kswifi.database.engine import Database
from kswifi.esim.errors import UnknownEsimError
from kswifi.esim.lines.service import find_esim
from kswifi.esim.ports import ProfileDelivery
from kswifi.outbox.results import JobResult, Refused


class DeliveryByLine:
    """A ``ProfileDelivery`` that chooses the SM-DP+ that holds the line's profile."""

    def __init__(self, database: Database, own: ProfileDelivery, external: ProfileDelivery | None) -> None:
        self._database = database
        self._own = own
        self._external = external

    async def deliver(self, esim_id: str, session_record: bytes) -> JobResult:
        """Deliver by our own SM-DP+, or by the external one that holds the line's profile."""
        try:
            line = await self._database.read(lambda connection: find_esim(connection, esim_id))
        except UnknownEsimError as error:
            return Refused(error.message)
        if not line.record_travels_apart:
            return await self._own.deliver(esim_id, session_record)
        if self._external is None:
            return Refused(f"this line's profile is at {line.smdp_address}, which is not set up here any more")
        return await self._external.deliver(esim_id, session_record)
