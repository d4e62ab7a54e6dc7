"""The common HTTP client of payment gateways: one request, and the classification of its answer.

An adapter must distinguish done, refused and unknown. A failed connection counts as unknown too, because a look-up
costs less than a proof that no request left this machine.
"""

import hashlib
import hmac
import json
from collections.abc import Awaitable, Callable, Mapping
from datetime import UTC, datetime
from typing import Any, Final

import httpx2

from kswifi.kernel.clock import require_aware
from kswifi.kernel.text import is_storable
from kswifi.payments.errors import WebhookSignatureWrongError, WebhookUnreadableError
from kswifi.payments.ports import GatewayRefused, GatewayUnknown
from kswifi.providers.public_tls import public_tls

ANSWER_SECONDS: Final = 10.0
LARGEST_ANSWER_OCTETS: Final = 1_048_576
_LONGEST_RETRY_SECONDS: Final = 3600
PER_PAGE: Final = 100
PAGES_LIMIT: Final = 200
"""The maximum of objects in a list: twenty thousand. A longer list of one day is requested in parts."""

Page = tuple[list[dict[str, Any]], int | None]
AskPage = Callable[[int], Awaitable[Page | GatewayRefused | GatewayUnknown]]


class GatewayClient:
    """The address and key of one gateway. Close it with the server."""

    def __init__(self, name: str, url: str, key: str, answer_seconds: float = ANSWER_SECONDS) -> None:
        self._name = name
        self._client = httpx2.AsyncClient(
            base_url=url,
            timeout=answer_seconds,
            headers={"Authorization": f"Bearer {key}"},
            follow_redirects=False,
            verify=public_tls(),
        )

    async def ask(
        self, method: str, path: str, body: Mapping[str, Any] | None = None, params: Mapping[str, str] | None = None
    ) -> tuple[int, dict[str, Any]] | GatewayUnknown:
        """Send a request; return the status and JSON object of a 2xx answer or of a 4xx that is a refusal."""
        try:
            answer = await self._client.request(method, path, json=body, params=params)
        except httpx2.HTTPError as error:
            return GatewayUnknown(f"{self._name} did not answer ({type(error).__name__})")
        status = answer.status_code
        if status == httpx2.codes.TOO_MANY_REQUESTS or status >= 500 or status in (408, 409, 425):
            # 409 is a refusal only if its body says why, see below.
            found = _object(answer) if status == httpx2.codes.CONFLICT else None
            if found is None:
                return GatewayUnknown(f"{self._name} is not well ({status})", _retry_after(answer))
            return status, found
        found = _object(answer)
        if found is None:
            return GatewayUnknown(f"{self._name} answered {status} with what cannot be read")
        return status, found

    async def close(self) -> None:
        """Close the connections."""
        await self._client.aclose()


async def all_pages(ask: AskPage) -> tuple[dict[str, Any], ...] | GatewayRefused | GatewayUnknown:
    """Return the objects of all pages of a list, each id once; an incomplete list is unknown.

    ``ask`` gets the number of a page, from 1, and returns its objects and, if the gateway reports it, the number of
    pages. Otherwise the list ends with the first empty page. A page can repeat an object if the list has grown
    meanwhile.
    """
    found: dict[str, dict[str, Any]] = {}
    for page in range(1, PAGES_LIMIT + 1):
        answer = await ask(page)
        if not isinstance(answer, tuple):
            return answer
        objects, pages = answer
        found |= {str(it.get("id")): it for it in objects}
        if not objects or (pages is not None and page >= pages):
            return tuple(found.values())
    return GatewayUnknown(f"the list has more than {PAGES_LIMIT} pages: ask for less time")


def instant(text: Any) -> datetime | None:
    """Return an RFC 3339 instant; None for anything else."""
    try:
        return None if text is None else require_aware(datetime.fromisoformat(text))
    except (ValueError, TypeError):
        return None


def rfc3339(at: datetime) -> str:
    """Return an instant as RFC 3339 text in UTC, for requests."""
    return at.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def exact_kobo(value: Any) -> int | None:
    """Return an amount that is an int, or an int written as a string; None for anything else, including floats.

    None also for an amount that the book cannot hold: it is a defect of the gateway, and looked up again.
    """
    if type(value) is int and abs(value) < 10**18:
        return value
    if isinstance(value, str) and value.isascii() and value.isdigit() and len(value) <= 18:
        return int(value)
    return None


def _object(answer: httpx2.Response) -> dict[str, Any] | None:
    if len(answer.content) > LARGEST_ANSWER_OCTETS:
        return None
    try:
        found = json.loads(answer.content)
    except (ValueError, RecursionError):
        return None
    return found if isinstance(found, dict) and is_storable(found) else None


def _retry_after(answer: httpx2.Response) -> int | None:
    words = answer.headers.get("retry-after", "")
    return (
        min(int(words), _LONGEST_RETRY_SECONDS) if words.isascii() and words.isdigit() and len(words) < 8 else None
    )


def signed_event(secret: bytes, header: str, body: bytes, headers: Mapping[str, str]) -> tuple[str, dict[str, Any]]:
    """Check the HMAC-SHA512 over the raw body in constant time; return the event's name and the body.

    Raises:
        WebhookSignatureWrongError: the header is missing or wrong.
        WebhookUnreadableError: the signed body is not a JSON object with an event.
    """
    expected = hmac.new(secret, body, hashlib.sha512).hexdigest()
    if not hmac.compare_digest(expected.encode(), headers.get(header, "").encode()):
        raise WebhookSignatureWrongError(f"{header} is missing or wrong")
    try:
        told = json.loads(body)
        event = told["event"]
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise WebhookUnreadableError("this webhook says nothing that can be read") from error
    if not isinstance(event, str):
        raise WebhookUnreadableError("this webhook names no event")
    if not is_storable(told):
        raise WebhookUnreadableError("this webhook has text that UTF-8 cannot write, or NUL")
    return event, told
