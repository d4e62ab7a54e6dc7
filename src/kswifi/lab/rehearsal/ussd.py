"""A rehearsal of a USSD aggregator: it dials, and calls back as Africa's Talking does."""

import uuid
from collections.abc import Sequence
from typing import Final

import httpx2

from kswifi.kernel.errors import KswifiError

_SECONDS: Final = 10.0
"""Africa's Talking waits 10 seconds for a connection."""
_LONGEST_CHARACTERS: Final = 182
"""A screen of USSD (3GPP TS 23.038: 160 octets of 7-bit characters)."""


class UssdFailedError(KswifiError):
    """The callback was answered by something that the aggregator does not accept: it ends the session."""

    code = "ussd_failed"


def dial(
    url: str, phone_number: str, service_code: str, answers: Sequence[str] = (), network_code: str = "62130"
) -> list[str]:
    """Dial a code, give the answers one after the other, and return the screens.

    Args:
        url: the callback.
        phone_number: the caller, in E.164.
        service_code: what is dialled.
        answers: the inputs of the caller.
        network_code: Africa's Talking's code of the caller's network; 62130 is MTN Nigeria.

    Raises:
        UssdFailedError: an answer is an error, too long, or begins neither with CON nor with END.
    """
    form = {
        "sessionId": f"ATUid_{uuid.uuid4().hex}",
        "phoneNumber": phone_number,
        "networkCode": network_code,
        "serviceCode": service_code,
    }
    screens: list[str] = []
    with httpx2.Client(timeout=_SECONDS, trust_env=False) as client:
        for given in range(len(answers) + 1):
            answer = client.post(url, data={**form, "text": "*".join(answers[:given])})
            if answer.is_error or not answer.text.startswith(("CON ", "END ")):
                raise UssdFailedError(f"the callback answered {answer.status_code}: {answer.text[:200]}")
            if len(answer.text) > _LONGEST_CHARACTERS:
                raise UssdFailedError(f"a screen of {len(answer.text)} characters is too long")
            screens.append(answer.text)
            if answer.text.startswith("END "):
                break
    return screens
