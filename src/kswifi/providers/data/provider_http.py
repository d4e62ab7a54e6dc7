"""The common HTTP client of data providers: a request, and the JSON of its answer or why there is none.

Every failure to get a readable answer is *unknown*, a failed connection too: a look-up costs less than a proof that
no request left this machine. Numbers with a fraction are read as Decimal, never as float.
"""

import asyncio
import json
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from typing import Any, Final

import httpx2

from kswifi.kernel.text import is_storable
from kswifi.providers.public_tls import public_tls
from kswifi.supply.ports import RefusalKind, Refused, Unknown

ANSWER_SECONDS: Final = 20.0
LARGEST_ANSWER_OCTETS: Final = 8 * 1_048_576
"""A catalogue of two thousand bundles has about 2 MB."""
_LONGEST_RETRY_SECONDS: Final = 3600
_CONNECTIONS: Final = 8
_LATER: Final = frozenset({408, 409, 425, 429})


@dataclass(frozen=True, slots=True)
class Answer:
    """The status of an answer, and its body: any JSON value."""

    status: int
    body: Any

    @property
    def fields(self) -> dict[str, Any]:
        """The members of the body; empty if it is no JSON object."""
        return self.body if isinstance(self.body, dict) else {}


class ProviderClient:
    """Connections to one provider. Close it with the server.

    Args:
        name: for messages.
        url: the base address of the API, with its path.
        headers: sent with every request.
        answer_seconds: the longest time for a whole call.
    """

    def __init__(
        self, name: str, url: str, headers: Mapping[str, str], answer_seconds: float = ANSWER_SECONDS
    ) -> None:
        self._name = name
        self._url = url.rstrip("/")
        self._answer_seconds = answer_seconds
        self._client = httpx2.AsyncClient(
            timeout=answer_seconds,
            # Compressed answers are not asked for: a small one could unpack to more than our limit.
            headers={"Accept": "application/json", "Accept-Encoding": "identity", **headers},
            follow_redirects=False,  # our credentials are for this address alone
            verify=public_tls(),
            limits=httpx2.Limits(max_connections=_CONNECTIONS, max_keepalive_connections=2),
        )

    async def ask(
        self,
        method: str,
        path: str,
        *,
        content: bytes | None = None,
        params: Mapping[str, str] | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> Answer | Unknown:
        """Send a request; return the JSON of a 2xx answer, or of a 4xx that can be a refusal.

        ``content`` is a JSON body. Answers that say "later" (408, 409, 425, 429, 5xx), redirects, answers that are
        too long, cut or no JSON are unknown.
        """
        sent = {"Content-Type": "application/json"} if content is not None else {}
        try:
            async with (
                asyncio.timeout(self._answer_seconds),
                self._client.stream(
                    method, self._url + path, content=content, params=params, headers={**sent, **(headers or {})}
                ) as response,
            ):
                status = response.status_code
                if status in _LATER or not (200 <= status < 300 or 400 <= status < 500):
                    return Unknown(f"{self._name} answers {status}", _retry_after(response.headers))
                body = await _limited(response)
        except TimeoutError:
            return Unknown(f"{self._name} did not answer within {self._answer_seconds:g} seconds")
        except (httpx2.HTTPError, httpx2.InvalidURL, httpx2.StreamError, OSError) as error:
            return Unknown(f"{self._name} did not answer ({type(error).__name__})")
        if body is None:
            return Unknown(f"the answer of {self._name} is longer than {LARGEST_ANSWER_OCTETS} octets")
        return self._read(status, body)

    async def close(self) -> None:
        """Close the connections."""
        await self._client.aclose()

    def _read(self, status: int, body: bytes) -> Answer | Unknown:
        found = read_json(body)
        if found is None:
            return Unknown(f"{self._name} answers {status} with a body that is no JSON")
        return Answer(status, found.value)


@dataclass(frozen=True, slots=True)
class _Json:
    value: Any


def read_json(body: bytes) -> _Json | None:
    """Read JSON from outside; None if it is no JSON, or has text that cannot be stored."""
    try:
        value = json.loads(body, parse_float=Decimal, parse_constant=_no_constant)
    except (ValueError, RecursionError, InvalidOperation):
        return None
    return _Json(value) if is_storable(value) else None


def json_body(value: Mapping[str, Any]) -> bytes:
    """Return the octets of a JSON body."""
    return json.dumps(value, separators=(",", ":")).encode()


def not_allowed(name: str, status: int) -> Refused:
    """Return the refusal of our credentials (401 or 403)."""
    return Refused(RefusalKind.NOT_ALLOWED, f"{name} does not accept our credentials or our address ({status})")


async def _limited(response: httpx2.Response) -> bytes | None:
    body = bytearray()
    async for piece in response.aiter_raw():
        body += piece
        if len(body) > LARGEST_ANSWER_OCTETS:
            return None
    return bytes(body)


def _no_constant(text: str) -> Any:
    raise ValueError(f"{text} is no JSON")  # Python reads NaN and Infinity; RFC 8259 has neither


def _retry_after(headers: httpx2.Headers) -> int | None:
    words = headers.get("retry-after", "")
    return (
        min(int(words), _LONGEST_RETRY_SECONDS) if words.isascii() and words.isdigit() and len(words) < 8 else None
    )
