"""Faults to inject into a rehearsal provider, and the answers that go wrong by them."""

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable
from enum import StrEnum
from typing import Annotated, Any, Final

import msgspec
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, Response

from kswifi.lab.rehearsal.providers.model import ProviderRefusedError

FAULTS_LIMIT: Final = 100
LARGEST_BODY_OCTETS: Final = 16_384
_LONGEST_WAIT_SECONDS: Final = 60.0
_HUGE_OCTETS: Final = 9 * 1_048_576


class Call(StrEnum):
    """The calls that can go wrong, of any API."""

    CATALOGUE = "catalogue"
    BALANCE = "balance"
    CHECK = "check"
    ORDER = "order"
    LOOK = "look"
    USAGE = "usage"
    SWITCH = "switch"
    CANCEL = "cancel"


class Wrong(StrEnum):
    """How a call goes wrong."""

    NO_ANSWER = "no_answer"
    """The call is carried out, and there is no answer."""
    NEVER_ARRIVED = "never_arrived"
    """The call is not carried out, and there is no answer."""
    RATE_LIMITED = "rate_limited"
    """The answer is 429 with Retry-After of ``seconds``; the call is not carried out."""
    BROKEN = "broken"
    """The answer is 500; the call is not carried out."""
    BROKEN_AFTER = "broken_after"
    """The answer is 503, and the call is carried out."""
    UNREADABLE = "unreadable"
    """The call is carried out, and the answer is a page of HTML."""
    CUT = "cut"
    """The call is carried out, and the answer is half of its JSON."""
    HUGE = "huge"
    """The call is carried out, and the answer has 9 MiB of blanks after it."""
    CHANGED_FIELDS = "changed_fields"
    """The call is carried out, and the answer has unknown members."""
    OTHER_CURRENCY = "other_currency"
    """The call is carried out, and each currency in the answer is EUR."""


class Fault(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A fault to inject at the next ``times`` calls of one kind, or of any kind."""

    wrong: Wrong
    call: Call | None = None
    times: Annotated[int, msgspec.Meta(ge=1, le=100)] = 1
    seconds: Annotated[int, msgspec.Meta(ge=0, le=3600)] = 1


class Faults:
    """The faults still to inject, in the order in which they were added."""

    def __init__(self) -> None:
        self._waiting: deque[Fault] = deque(maxlen=FAULTS_LIMIT)

    def tell(self, fault: Fault) -> None:
        """Add a fault."""
        self._waiting.extend([fault] * fault.times)

    def take(self, call: Call) -> Fault | None:
        """Remove and return the next fault of this call; None if there is none."""
        for fault in self._waiting:
            if fault.call in (None, call):
                self._waiting.remove(fault)
                return fault
        return None

    def forget(self) -> None:
        """Remove all faults."""
        self._waiting.clear()


async def answered(
    request: Request, faults: Faults, call: Call, work: Callable[[], Awaitable[tuple[int, Any]]]
) -> Response:
    """Carry out a call and answer it with JSON, or inject the next fault of this call.

    Args:
        request: the request.
        faults: the faults to inject.
        call: which call it is.
        work: carries it out and returns the status and the JSON value.
    """
    fault = faults.take(call)
    wrong = None if fault is None else fault.wrong
    if wrong is Wrong.NEVER_ARRIVED:
        return await never(request)
    if wrong is Wrong.RATE_LIMITED and fault is not None:
        return JSONResponse({"message": "Too many requests"}, 429, {"Retry-After": str(fault.seconds)})
    if wrong is Wrong.BROKEN:
        return JSONResponse({"message": "Something went wrong"}, 500)
    status, body = await work()
    return await _spoilt(request, wrong, status, body)


async def _spoilt(request: Request, wrong: Wrong | None, status: int, body: Any) -> Response:
    match wrong:
        case Wrong.NO_ANSWER:
            return await never(request)
        case Wrong.BROKEN_AFTER:
            return JSONResponse({"message": "Something went wrong"}, 503)
        case Wrong.UNREADABLE:
            return HTMLResponse("<!doctype html><title>One moment</title><p>We will be right back.", status)
        case Wrong.CUT:
            whole = msgspec.json.encode(body)
            return Response(whole[: len(whole) // 2], status, media_type="application/json")
        case Wrong.HUGE:
            whole = msgspec.json.encode(body) + b" " * _HUGE_OCTETS
            return Response(whole, status, media_type="application/json")
        case Wrong.CHANGED_FIELDS:
            body = _changed(body)
        case Wrong.OTHER_CURRENCY:
            body = _in_euro(body)
        case _:
            pass
    return JSONResponse(body, status)


async def never(request: Request) -> Response:
    """Send no answer while the client waits."""
    try:
        async with asyncio.timeout(_LONGEST_WAIT_SECONDS):
            while not await request.is_disconnected():  # noqa: ASYNC110 - there is no event to wait for
                await asyncio.sleep(0.05)
    except TimeoutError:
        pass
    return Response(status_code=504)


async def body_of(request: Request) -> bytes:
    """Return the raw body of a request.

    Raises:
        ProviderRefusedError: it is too large.
    """
    body = bytearray()
    async for piece in request.stream():
        body += piece
        if len(body) > LARGEST_BODY_OCTETS:
            raise ProviderRefusedError("invalid", f"a body has at most {LARGEST_BODY_OCTETS} octets")
    return bytes(body)


async def object_of(request: Request) -> dict[str, Any]:
    """Return the JSON object of a request.

    Raises:
        ProviderRefusedError: the body is too large, or no JSON object.
    """
    try:
        return msgspec.json.decode(await body_of(request) or b"{}", type=dict[str, Any])
    except msgspec.DecodeError as error:
        raise ProviderRefusedError("invalid", f"the body is no JSON object: {error}") from error


def _changed(value: Any) -> Any:
    """Add an unknown member to each object of an answer."""
    if isinstance(value, dict):
        return {**{name: _changed(it) for name, it in value.items()}, "addedLater": {"beta": [1, None]}}
    return [_changed(it) for it in value] if isinstance(value, list) else value


def _in_euro(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: "EUR" if name in ("currency", "currencyCode") else _in_euro(it) for name, it in value.items()}
    return [_in_euro(it) for it in value] if isinstance(value, list) else value
