"""HTTP helpers of both APIs and the control: read bodies, check keys, inject faults."""

import asyncio
import hmac
from collections.abc import Awaitable, Callable
from typing import Any, Final, TypeVar

import msgspec
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, Response

from kswifi.lab.rehearsal.payments.faults import Call, Faults, Wrong
from kswifi.lab.rehearsal.payments.model import GatewayRefusal

LARGEST_BODY_OCTETS: Final = 8_192
_LONGEST_WAIT_SECONDS: Final = 60.0

T = TypeVar("T")
Answer = tuple[int, dict[str, Any]]
"""A status and a JSON object."""


async def read_body(request: Request, shape: type[T]) -> T:
    """Read the JSON body of a request as ``shape``.

    Raises:
        GatewayRefusal: it is too large or does not have this shape.
    """
    body = bytearray()
    async for piece in request.stream():
        body += piece
        if len(body) > LARGEST_BODY_OCTETS:
            raise GatewayRefusal("invalid_body", f"a body has at most {LARGEST_BODY_OCTETS} octets")
    try:
        return msgspec.json.decode(bytes(body), type=shape)
    except msgspec.DecodeError as error:
        raise GatewayRefusal("invalid_body", str(error)) from error


def has_key(request: Request, secret: str) -> bool:
    """Tell whether a request carries the secret key."""
    given = request.headers.get("authorization", "").removeprefix("Bearer ")
    return hmac.compare_digest(given.encode(), secret.encode())


async def answered(
    request: Request,
    faults: Faults,
    call: Call,
    work: Callable[[], Awaitable[Answer]],
    changed: Callable[[dict[str, Any]], dict[str, Any]],
) -> Response:
    """Carry out a call and answer it, or inject the next fault of this call.

    Args:
        request: the request.
        faults: the faults to inject.
        call: which call it is.
        work: carries it out and returns the answer.
        changed: returns an answer with changed fields, for the fault of that name.
    """
    fault = faults.take(call)
    match fault.wrong if fault else None:
        case Wrong.NEVER_ARRIVED:
            return await _never(request)
        case Wrong.RATE_LIMITED:
            retry = {"Retry-After": str(int(fault.seconds) if fault else 1)}
            return JSONResponse({"status": False, "message": "Too many requests"}, 429, retry)
        case Wrong.BROKEN:
            return JSONResponse({"status": False, "message": "Something went wrong"}, 500)
    status, body = await work()
    match fault.wrong if fault else None:
        case Wrong.NO_ANSWER:
            return await _never(request)
        case Wrong.LATE if fault is not None:
            await asyncio.sleep(fault.seconds)
        case Wrong.UNREADABLE:
            return HTMLResponse("<!doctype html><title>One moment</title><p>We will be right back.", 200)
        case Wrong.CHANGED_FIELDS:
            body = changed(body)
    return JSONResponse(body, status)


async def _never(request: Request) -> Response:
    """Send no answer while the client waits."""
    try:
        async with asyncio.timeout(_LONGEST_WAIT_SECONDS):
            while not await request.is_disconnected():  # noqa: ASYNC110 - there is no event to wait for
                await asyncio.sleep(0.05)
    except TimeoutError:
        pass
    return Response(status_code=504)
