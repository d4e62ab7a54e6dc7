"""One ES2+ function call at an external SM-DP+, and its result (SGP.22 v2, 5.3 and 6.5.2).

The result is done, refused or unknown. An unknown result is not repeated blindly: the same call with the same
identifier (functionCallIdentifier) asks for its result.
"""

import asyncio
import json
import ssl
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import httpx2

from kswifi.kernel.errors import KswifiError
from kswifi.kernel.text import is_storable
from kswifi.outbox.results import Unknown

PATH: Final = "/gsma/rsp2/es2plus/"
PROTOCOL: Final = "gsma/rsp/v2.2.0"
ANSWER_LIMIT_OCTETS: Final = 64 * 1024
CALL_SECONDS: Final = 15.0
_TRY_LATER: Final = frozenset({408, 409, 425, 429})
_WORDS: Final = 200


class Es2PlusSettingsError(KswifiError):
    """The certificates or the address for calls to the external ES2+ server are not valid."""

    code = "es2plus_settings_invalid"


@dataclass(frozen=True, slots=True)
class Answered:
    """The call was done. ``fields`` are the answer's members except its header, unchecked."""

    fields: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class FunctionRefused:
    """The call was refused; ``codes`` is ``subject/reason``, or the HTTP status."""

    codes: str
    message: str

    @property
    def reason(self) -> str:
        """Return the reason as text, with its codes."""
        return f"{self.message} ({self.codes})"

    @property
    def by_http(self) -> bool:
        """Whether an HTTP status refused it, which may have come from a proxy."""
        return self.codes.startswith("HTTP ")


CallResult = Answered | FunctionRefused | Unknown


def client_context(certificate: Path, key: Path, ca: Path | str | None) -> ssl.SSLContext:
    """Return a TLS context (1.2 or newer) with our client certificate that verifies the server (SGP.22, 2.6.6).

    ``ca`` is a file, or PEM text, of the only trusted authorities; None trusts those of the system.

    Raises:
        Es2PlusSettingsError: a file is not valid.
    """
    try:
        if isinstance(ca, Path):
            context = ssl.create_default_context(cafile=str(ca))
        else:
            context = ssl.create_default_context(cadata=ca)
        context.load_cert_chain(certificate, key)
    except (OSError, ssl.SSLError) as error:
        raise Es2PlusSettingsError(f"the certificates for ES2+ cannot be used: {error}") from None
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    # Strict checks by RFC 5280 refuse certificates of SGP.26, whose chains are otherwise valid.
    context.verify_flags &= ~ssl.VERIFY_X509_STRICT
    return context


class Es2PlusPeer:
    """The ES2+ server of an external SM-DP+; ``requester`` is our functionRequesterIdentifier, usually an OID."""

    def __init__(
        self, url: str, context: ssl.SSLContext, requester: str, *, call_seconds: float = CALL_SECONDS
    ) -> None:
        self._url = url.rstrip("/") + PATH
        self._requester = requester
        self._call_seconds = call_seconds
        self._client = httpx2.AsyncClient(
            verify=context,
            timeout=call_seconds,
            trust_env=False,
            follow_redirects=False,  # a call is only for the server whose certificate was verified
            limits=httpx2.Limits(max_connections=4, max_keepalive_connections=2),
        )

    async def close(self) -> None:
        """Close its connections."""
        await self._client.aclose()

    async def call(self, function: str, identifier: str, body: Mapping[str, Any]) -> CallResult:
        """Call a function. Calls with the same ``identifier`` and body are one call, which the server does once."""
        header = {"functionRequesterIdentifier": self._requester, "functionCallIdentifier": identifier}
        try:
            async with asyncio.timeout(self._call_seconds):
                status, content = await self._post(function, {"header": header, **body})
        except TimeoutError:
            return Unknown(f"no answer within {self._call_seconds:g} seconds")
        except (httpx2.HTTPError, httpx2.InvalidURL, ssl.SSLError, OSError) as error:
            return Unknown(f"{type(error).__name__}: {error}"[:_WORDS])
        if content is None:
            return Unknown(f"the answer is longer than {ANSWER_LIMIT_OCTETS} octets")
        return _judged(status, content)

    async def _post(self, function: str, body: Mapping[str, Any]) -> tuple[int, bytes | None]:
        headers = {"X-Admin-Protocol": PROTOCOL, "Accept-Encoding": "identity"}
        content = bytearray()
        async with self._client.stream("POST", self._url + function, json=body, headers=headers) as response:
            async for piece in response.aiter_raw():
                content += piece
                if len(content) > ANSWER_LIMIT_OCTETS:
                    return response.status_code, None
            return response.status_code, bytes(content)


def _judged(status: int, content: bytes) -> CallResult:
    if status == 204:
        return Answered({})
    if 400 <= status < 500 and status not in _TRY_LATER:
        return FunctionRefused(f"HTTP {status}", "it is no request of this server")
    if status != 200:
        return Unknown(f"HTTP {status}")
    try:
        answer = json.loads(content)
    except (ValueError, RecursionError):
        return Unknown("the answer is no JSON")
    if not is_storable(answer):
        return Unknown("the answer has text that UTF-8 cannot write, or NUL")
    execution = _member(_member(answer, "header"), "functionExecutionStatus")
    match execution.get("status"):
        case "Executed-Success" | "Executed-WithWarning":
            return Answered({name: value for name, value in answer.items() if name != "header"})
        case "Failed" | "Expired":
            data = _member(execution, "statusCodeData")
            codes = f"{_words(data.get('subjectCode'))}/{_words(data.get('reasonCode'))}"
            return FunctionRefused(codes, _words(data.get("message")) or "refused")
        case _:
            return Unknown("the answer does not say how the function went")


def _member(value: object, name: str) -> dict[str, Any]:
    inner = value.get(name) if isinstance(value, dict) else None
    return inner if isinstance(inner, dict) else {}


def _words(value: object) -> str:
    return value[:_WORDS] if isinstance(value, str) and value.isprintable() else ""
