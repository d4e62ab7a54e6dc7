"""S6a: answer Authentication-Information-Requests with vectors of the authentication centre (TS 29.272, 5.2.3)."""

import asyncio
import logging
from collections.abc import Mapping
from typing import Final, Protocol

from kswifi.diameter.constants import (
    APPLICATION_S6A,
    EXPERIMENTAL_AUTHENTICATION_DATA_UNAVAILABLE,
    EXPERIMENTAL_USER_UNKNOWN,
    VENDOR_3GPP,
    Command,
    ResultCode,
)
from kswifi.diameter.errors import DiameterError
from kswifi.diameter.header import Header
from kswifi.diameter.messages.s6a import (
    AuthenticationInformationAnswer,
    AuthenticationInformationRequest,
    EutranVector,
)
from kswifi.kernel.errors import KswifiError
from kswifi.servers.diameter.application import NodeIdentity, Reply, Sender

_log: Final = logging.getLogger(__name__)
MAX_OUTSTANDING: Final = 256
"""The most vectors in progress; each is a database transaction and a task. Further requests are refused with
3004.
"""


class AuthenticationCentre(Protocol):
    """Generates authentication vectors from the subscribers' keys."""

    async def eutran_vector(self, imsi: str, plmn: bytes, resynchronization: bytes | None = None) -> EutranVector:
        """Return one vector for a subscriber and a serving network.

        Args:
            imsi: the subscriber.
            plmn: the serving network in three octets (TS 29.272, 7.3.9); KASME is bound to it.
            resynchronization: RAND and AUTS, if the card reported a sequence number that is out of range.

        Raises:
            KswifiError: no vector is given; its code is ``unknown_subscriber`` if the IMSI is unknown.
        """
        ...


_EXPERIMENTAL: Final[Mapping[str, int]] = {
    "unknown_subscriber": EXPERIMENTAL_USER_UNKNOWN,
    "database_busy": EXPERIMENTAL_AUTHENTICATION_DATA_UNAVAILABLE,
    "disk_full": EXPERIMENTAL_AUTHENTICATION_DATA_UNAVAILABLE,
}
"""Errors with a result of 3GPP. The sequence number of a vector is written before it is given: to the disk."""


class S6aApplication:
    """The home subscriber server's side of S6a, limited to authentication."""

    application_id = APPLICATION_S6A
    vendor_id = VENDOR_3GPP
    command_codes = frozenset({int(Command.AUTHENTICATION_INFORMATION)})

    def __init__(self, authentication_centre: AuthenticationCentre, identity: NodeIdentity) -> None:
        self._authentication_centre = authentication_centre
        self._identity = identity
        self._under_way: set[asyncio.Task[None]] = set()

    def handle(self, header: Header, message: bytes, reply: Reply, sender: Sender) -> None:  # noqa: ARG002  # the port's shape
        """Answer one request; raises DiameterError if it is refused at once."""
        request = AuthenticationInformationRequest.decode(message)
        sender.check_origin(request.origin_host)
        self._identity.check_destination(request.destination_realm, request.destination_host)
        if len(self._under_way) >= MAX_OUTSTANDING:
            raise DiameterError(ResultCode.TOO_BUSY, "too many vectors are under way")
        task = asyncio.get_running_loop().create_task(self._answer(request, reply))
        self._under_way.add(task)
        task.add_done_callback(self._under_way.discard)

    def peer_changed(self, origin_host: str, state_ids: frozenset[int]) -> None:
        """Do nothing: S6a has no sessions (Auth-Session-State, RFC 6733, 8.11)."""

    async def _answer(self, request: AuthenticationInformationRequest, reply: Reply) -> None:
        vector: EutranVector | None = None
        result_code: int = ResultCode.SUCCESS
        experimental = False
        try:
            vector = await self._authentication_centre.eutran_vector(
                request.user_name, request.visited_plmn_id, request.re_synchronization_info
            )
        except KswifiError as error:
            _log.info("No vector for a subscriber: %s", error.code)
            experimental = error.code in _EXPERIMENTAL
            result_code = _EXPERIMENTAL.get(error.code, ResultCode.UNABLE_TO_COMPLY)
        except Exception:  # noqa: BLE001  # the edge: a request must be answered even after an internal error
            _log.exception("An authentication vector could not be made")
            result_code = ResultCode.UNABLE_TO_COMPLY
        reply(
            AuthenticationInformationAnswer(
                session_id=request.session_id,
                result_code=result_code,
                experimental=experimental,
                origin_host=self._identity.origin_host,
                origin_realm=self._identity.origin_realm,
                vector=vector,
                hop_by_hop=request.hop_by_hop,
                end_to_end=request.end_to_end,
            ).encode()
        )
