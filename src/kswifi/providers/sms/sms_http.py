"""The common HTTP request of SMS senders: one POST, and the classification of its answer.

Neither provider accepts a reference of ours, so a lost answer cannot be looked up: the result stays unknown.
"""

import json
from collections.abc import Mapping
from typing import Any, Final

import httpx2

from kswifi.kernel.text import is_storable
from kswifi.phone_verification.ports import SendRefused, SendUnknown

ANSWER_SECONDS: Final = 10.0
_LARGEST_ANSWER_OCTETS: Final = 65_536
_WORDS_LIMIT: Final = 200


async def post_message(
    client: httpx2.AsyncClient, name: str, path: str, **body: Any
) -> Mapping[str, Any] | SendRefused | SendUnknown:
    """Send one request; return the JSON object of a 2xx answer.

    A 4xx is a refusal, and 429 is one that may be retried later; everything else is unknown.
    """
    try:
        answer = await client.post(path, **body)
    except httpx2.HTTPError as error:
        return SendUnknown(f"{name} did not answer ({type(error).__name__})")
    status = answer.status_code
    if status == httpx2.codes.TOO_MANY_REQUESTS:
        return SendRefused(f"{name} was asked too often", try_later=True)
    if status >= 500 or status == httpx2.codes.REQUEST_TIMEOUT:
        return SendUnknown(f"{name} is not well ({status})")
    if status >= 400:
        return SendRefused(f"{name} refused ({status}): {answer.text[:_WORDS_LIMIT]}")
    found = _object(answer)
    return SendUnknown(f"{name} answered {status} with what cannot be read") if found is None else found


def _object(answer: httpx2.Response) -> dict[str, Any] | None:
    if not answer.is_success or len(answer.content) > _LARGEST_ANSWER_OCTETS:
        return None
    try:
        found = json.loads(answer.content)
    except (ValueError, RecursionError):
        return None
    return found if isinstance(found, dict) and is_storable(found) else None
