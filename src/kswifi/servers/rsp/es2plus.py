"""ES2+ over HTTPS: orders of operators to the SM-DP+ (SGP.22 v2, 5.3; its JSON binding, 6.5.2).

The requester is identified by its TLS client certificate only. ``functionRequesterIdentifier`` is what a requester
calls itself: it has to be present, as the binding requires, but it authorises nothing.
"""

from collections import Counter
from typing import Any, Final, TypeAlias

import msgspec
import structlog
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from kswifi.esim.operators.operator_orders import Call, Confirmation, FinalStatus, OperatorOrders
from kswifi.kernel.numbers import Eid, Iccid, InvalidNumberError
from kswifi.rsp.status_codes import RspRefusedError, Status
from kswifi.servers.rsp.json_binding import (
    Answer,
    Handler,
    Message,
    NotThisProtocolError,
    answer,
    function,
    read,
)
from kswifi.servers.rsp.tls_peer import client_certificate

PATH: Final = "/gsma/rsp2/es2plus/"
_MOST_CHARACTERS: Final = 255

_log = structlog.get_logger(__name__)


class RequestHeader(Message, frozen=True):
    """The requester's name for itself, and the identifier of the call; a repeated call has the same identifier."""

    function_requester_identifier: str
    function_call_identifier: str


class Es2Request(Message, frozen=True):
    """The element that all requests have."""

    header: RequestHeader


class DownloadOrderRequest(Es2Request, frozen=True):
    """The request of downloadOrder (5.3.1)."""

    eid: str | None = None
    iccid: str | None = None
    profile_type: str | None = None


class ConfirmOrderRequest(Es2Request, frozen=True, kw_only=True):
    """The request of confirmOrder (5.3.2)."""

    iccid: str
    release_flag: bool
    eid: str | None = None
    matching_id: str | None = None
    confirmation_code: str | None = None
    smds_address: str | None = None


class CancelOrderRequest(Es2Request, frozen=True, kw_only=True):
    """The request of cancelOrder (5.3.3)."""

    iccid: str
    final_profile_status_indicator: FinalStatus
    eid: str | None = None
    matching_id: str | None = None


class ReleaseProfileRequest(Es2Request, frozen=True, kw_only=True):
    """The request of releaseProfile (5.3.4)."""

    iccid: str


class DownloadOrderAnswer(Answer, frozen=True, kw_only=True):
    """The answer of downloadOrder."""

    iccid: str


class ConfirmOrderAnswer(Answer, frozen=True, kw_only=True):
    """The answer of confirmOrder."""

    matching_id: str
    smdp_address: str
    eid: str | msgspec.UnsetType = msgspec.UNSET


Calls: TypeAlias = Counter[tuple[str, str]]
"""Counts calls by function and outcome: ``done``, ``malformed``, or the subject and reason code of the refusal."""


def counted(calls: Calls, name: str, handler: Handler) -> Handler:
    """Return the handler of a function, which counts each call."""

    async def serve(request: Request) -> Response:
        try:
            response = await handler(request)
        except RspRefusedError as refused:
            calls[name, f"{refused.status.subject_code}/{refused.status.reason_code}"] += 1
            raise
        except NotThisProtocolError:
            calls[name, "malformed"] += 1
            raise
        calls[name, "done"] += 1
        return response

    return serve


class Es2Plus:
    """The functions as Starlette endpoints."""

    def __init__(self, orders: OperatorOrders, calls: Calls) -> None:
        self._orders = orders
        self._calls = calls

    def routes(self) -> list[Route]:
        """Return the routes of the functions."""
        functions: dict[str, Handler] = {
            "downloadOrder": self.download_order,
            "confirmOrder": self.confirm_order,
            "cancelOrder": self.cancel_order,
            "releaseProfile": self.release_profile,
        }
        return [
            Route(PATH + name, function(name, counted(self._calls, name, handler)), methods=["POST"])
            for name, handler in functions.items()
        ]

    async def download_order(self, request: Request) -> Response:
        """Answer ES2+.DownloadOrder (SGP.22, 5.3.1)."""
        asked = await read(request, DownloadOrderRequest)
        done = await self._orders.download_order(
            _call(request, "downloadOrder", asked),
            eid=read_eid(asked.eid),
            iccid=None if asked.iccid is None else read_iccid(asked.iccid),
            profile_type=asked.profile_type,
        )
        # In the form of the request; else padded to the 20 digits that every version of SGP.22 accepts.
        iccid = asked.iccid or f"{done['iccid']}".ljust(20, "F")
        return answer(DownloadOrderAnswer(iccid=iccid))

    async def confirm_order(self, request: Request) -> Response:
        """Answer ES2+.ConfirmOrder (SGP.22, 5.3.2)."""
        asked = await read(request, ConfirmOrderRequest)
        wanted = Confirmation(
            iccid=read_iccid(asked.iccid),
            eid=read_eid(asked.eid),
            matching_id=asked.matching_id,
            confirmation_code=short_text(asked.confirmation_code),
            smds_address=short_text(asked.smds_address),
            release=asked.release_flag,
        )
        done = await self._orders.confirm_order(_call(request, "confirmOrder", asked), wanted)
        eid = done["eid"] or msgspec.UNSET
        names = {"matching_id": done["matching_id"], "smdp_address": done["smdp_address"]}
        return answer(ConfirmOrderAnswer(eid=eid, **names))

    async def cancel_order(self, request: Request) -> Response:
        """Answer ES2+.CancelOrder (SGP.22, 5.3.3)."""
        asked = await read(request, CancelOrderRequest)
        await self._orders.cancel_order(
            _call(request, "cancelOrder", asked),
            iccid=read_iccid(asked.iccid),
            eid=read_eid(asked.eid),
            matching_id=asked.matching_id,
            final=asked.final_profile_status_indicator,
        )
        return answer(Answer())

    async def release_profile(self, request: Request) -> Response:
        """Answer ES2+.ReleaseProfile (SGP.22, 5.3.4)."""
        asked = await read(request, ReleaseProfileRequest)
        call = _call(request, "releaseProfile", asked)
        await self._orders.release_profile(call, iccid=read_iccid(asked.iccid))
        return answer(Answer())


def _call(request: Request, name: str, asked: Es2Request) -> Call:
    """Return the call with its identifier and its parameters, by which a repeated call is recognised."""
    fields: dict[str, Any] = msgspec.to_builtins(asked)
    fields.pop("header")
    identifier = asked.header.function_call_identifier
    if len(identifier) > _MOST_CHARACTERS:
        raise RspRefusedError(Status.MALFORMED, f"an identifier has at most {_MOST_CHARACTERS} characters")
    return Call(client_certificate(request), name, identifier, fields)


def read_iccid(digits: str) -> str:
    """Return an ICCID without its padding; its check digit is not verified."""
    if not 18 <= len(digits) <= 20:
        raise RspRefusedError(Status.MALFORMED, "an ICCID has 18 to 20 digits")
    try:
        return str(Iccid.as_read(digits))
    except InvalidNumberError as error:
        raise RspRefusedError(Status.MALFORMED, error.message) from None


def read_eid(digits: str | None) -> Eid | None:
    """Parse an EID; None stays None."""
    if digits is None:
        return None
    try:
        return Eid.as_read(digits)
    except InvalidNumberError as error:
        raise RspRefusedError(Status.MALFORMED, error.message) from None


def short_text(text: str | None) -> str | None:
    """Return a text; refuse one of more than 255 characters."""
    if text is not None and len(text) > _MOST_CHARACTERS:
        raise RspRefusedError(Status.MALFORMED, f"a text has at most {_MOST_CHARACTERS} characters")
    return text
