"""Direct loading: the profile package is handed to its owner, whose phone loads it into the software eUICC.

The embedded way's first road, until the secured download of SGP.22 takes its place behind the same port. It is no
protocol: the owner of a released profile is given the bytes, over the same authenticated API as everything else.
"""

from typing import Final

from kswifi.database.engine import Database
from kswifi.esim.errors import ProfileNotAvailableError, ProfileNotReadyError
from kswifi.esim.model import ProfileEvent, ProfileState
from kswifi.esim.service import (
    EsimOrders,
    find_esim,
    get_session_record,
    move_profile,
    put_session_record,
)
from kswifi.outbox.results import Done, JobResult, Refused
from kswifi.rsp.saip.build import ProfileParameters, build_profile

_TO_RELEASED: Final = {
    ProfileState.ALLOCATED: (ProfileEvent.CONFIRM, ProfileEvent.RELEASE),
    ProfileState.CONFIRMED: (ProfileEvent.RELEASE,),
    # The card may have it by now: whoever fetched it can prove it, and may fetch the same again.
    ProfileState.DOWNLOADED: (),
    ProfileState.ERROR: (ProfileEvent.RELEASE,),
    ProfileState.RELEASED: (),
}


class DirectLoading:
    """A ``ProfileDelivery`` that releases the profile and serves it to its owner."""

    def __init__(self, database: Database, orders: EsimOrders, mnc_digits: int = 2) -> None:
        self._database = database
        self._orders = orders
        self._mnc_digits = mnc_digits

    async def deliver(self, esim_id: str, session_record: bytes) -> JobResult:
        """Release the profile with this record; its owner may fetch it from then on."""
        async with self._database.transaction() as connection:
            ordered = await find_esim(connection, esim_id)
            events = _TO_RELEASED.get(ordered.profile_state)
            if events is None:
                return Refused(f"the profile is {ordered.profile_state}")
            await put_session_record(connection, esim_id, session_record)
            await move_profile(connection, esim_id, *events)
        return Done()

    async def profile_package(self, esim_id: str, user_id: str) -> bytes:
        """Return the profile package of a released profile to its owner; asked again, the same.

        Raises:
            UnknownEsimError: there is none, or it is somebody else's.
            ProfileNotReadyError: it is not released yet.
            ProfileNotAvailableError: it is on its card already, or withdrawn.
        """
        async with self._database.transaction() as connection:
            ordered = await find_esim(connection, esim_id, user_id)
            record = await get_session_record(connection, ordered.esim_id)
            if ordered.profile_state in (ProfileState.INSTALLED, ProfileState.UNAVAILABLE):
                raise ProfileNotAvailableError(
                    f"the profile is {ordered.profile_state}", profile_state=str(ordered.profile_state)
                )
            if record is None or ordered.profile_state not in (ProfileState.RELEASED, ProfileState.DOWNLOADED):
                raise ProfileNotReadyError(
                    f"the profile is {ordered.profile_state}: ask for a transfer first",
                    profile_state=str(ordered.profile_state),
                    retry_after_seconds=1,
                )
            keys = await self._orders.keys(connection, ordered)
            if ordered.profile_state is ProfileState.RELEASED:
                await move_profile(connection, ordered.esim_id, ProfileEvent.DOWNLOAD)
        return build_profile(
            ProfileParameters(
                iccid=ordered.iccid,
                imsi=ordered.imsi,
                k=keys.k,
                opc=keys.opc,
                adm_key=keys.adm_key,
                puk_1=keys.puk_1,
                puk_2=keys.puk_2,
                session_record=record,
                mnc_digits=self._mnc_digits,
            )
        )
