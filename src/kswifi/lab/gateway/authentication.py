"""Fetch authentication vectors from the authentication centre over S6a (TS 29.272, 5.2.3)."""

import secrets
import time
from typing import Final

from kswifi.diameter.constants import EXPERIMENTAL_USER_UNKNOWN
from kswifi.diameter.errors import DiameterError
from kswifi.diameter.messages.s6a import (
    AuthenticationInformationAnswer,
    AuthenticationInformationRequest,
    EutranVector,
)
from kswifi.lab.gateway.diameter_client import DiameterClient
from kswifi.lab.gateway.errors import AccessRefusedError

EMM_IMSI_UNKNOWN: Final = 2  # TS 24.301, 9.9.3.9
EMM_NETWORK_FAILURE: Final = 17


def new_session_id(origin_host: str) -> str:
    """Return a unique Session-Id: our Diameter identity, the time and 32 random bits (RFC 6733, 8.8)."""
    return f"{origin_host};{int(time.time())};{secrets.randbits(32)}"


async def fetch_vector(
    client: DiameterClient, imsi: str, plmn: bytes, re_synchronization_info: bytes | None = None
) -> EutranVector:
    """Request one EPS authentication vector (Authentication-Information-Request).

    Args:
        client: the Diameter connection.
        imsi: the subscriber.
        plmn: the serving network id, three octets.
        re_synchronization_info: RAND and AUTS of a synchronisation failure, 30 octets: the authentication centre
            first sets its sequence number to the card's.

    Raises:
        AccessRefusedError: the subscriber is unknown, or the answer has no vector.
    """
    request = AuthenticationInformationRequest(
        session_id=new_session_id(client.origin_host),
        origin_host=client.origin_host,
        origin_realm=client.realm,
        destination_realm=client.realm,
        user_name=imsi,
        visited_plmn_id=plmn,
        re_synchronization_info=re_synchronization_info,
    )
    try:
        answer = AuthenticationInformationAnswer.decode(await client.ask(request.encode()))
    except DiameterError as error:
        raise AccessRefusedError(f"the vector cannot be read: {error.message}", EMM_NETWORK_FAILURE) from error
    if answer.experimental and answer.result_code == EXPERIMENTAL_USER_UNKNOWN:
        raise AccessRefusedError("the network does not know this subscriber", EMM_IMSI_UNKNOWN)
    if not answer.is_success or answer.vector is None:
        raise AccessRefusedError(
            f"the authentication centre gave no vector ({answer.result_code})", EMM_NETWORK_FAILURE
        )
    return answer.vector
