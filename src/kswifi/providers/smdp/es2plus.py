"""Delivery through an external SM-DP+: our lines' profiles are ordered over ES2+ (SGP.22 v2, 5.3; ADR 16).

The external SM-DP+ received the profile in advance. It contains no session record, because ES2+ has no field for
one; secured packets deliver the first record as they deliver later ones. We choose the MatchingID (5.3.2 allows the
operator to), so the activation code is known before the order. Every call is stored before it is made. If its
answer is lost, the same call is repeated unchanged, and no other call is made until its result is known.
"""

import asyncio
from collections.abc import Callable, Mapping
from typing import Any, Final
from weakref import WeakValueDictionary

import structlog

from kswifi.database.engine import Database
from kswifi.esim.external_smdp.orders import (
    CANCEL_ORDER,
    CONFIRM_ORDER,
    DOWNLOAD_ORDER,
    PeerOrder,
    begin_call,
    move_peer_order,
    order_at_peer,
    renew_peer_order,
    settle_call,
)
from kswifi.esim.model import ProfileEvent, ProfileState
from kswifi.outbox.model import Entry
from kswifi.outbox.results import Done, JobResult, Refused, Unknown
from kswifi.providers.smdp.es2plus_call import Answered, Es2PlusPeer, FunctionRefused

_READY: Final = (ProfileState.RELEASED, ProfileState.DOWNLOADED)
_log = structlog.get_logger(__name__)

Fits = Callable[[PeerOrder, Mapping[str, Any]], str | None]
"""Returns what is wrong with the answer to a successful call; None if nothing is."""


class Es2PlusDelivery:
    """A ``ProfileDelivery`` by an external SM-DP+; orders contain ``profile_type`` if one was agreed."""

    def __init__(self, database: Database, peer: Es2PlusPeer, profile_type: str | None = None) -> None:
        self._database = database
        self._peer = peer
        self._profile_type = profile_type
        # Calls for one line run one after the other, so that a cancellation never overtakes its order.
        self._turns: WeakValueDictionary[str, asyncio.Lock] = WeakValueDictionary()

    async def deliver(self, esim_id: str, session_record: bytes) -> JobResult:  # noqa: ARG002 - packets bring it
        """Have the line's profile released for download; calls that are already done are not repeated."""
        async with self._turn(esim_id):
            order = await self._order(esim_id)
            if order is not None and order.failed and order.profile_state is not ProfileState.UNAVAILABLE:
                cancelled = await self._cancel(order)
                if isinstance(cancelled, Unknown):
                    return cancelled
                await self._renew(order)
                order = await self._order(esim_id)
            if order is None:
                return Refused("this line's profile is at no other's SM-DP+")
            if order.profile_state in _READY:
                return Done()
            if order.profile_state is not ProfileState.ALLOCATED:
                return Refused(f"the profile is {order.profile_state}")
            for step in (self._reserve, self._confirm):
                result = await step(order)
                if not isinstance(result, Done):
                    return result
            return await self._database.write(lambda connection: _release(connection, order))

    async def cancel(self, entry: Entry) -> JobResult:
        """Cancel the order of a line whose InternetSession ended before a card had installed the profile."""
        esim_id, attempt = str(entry.payload["esim_id"]), int(entry.payload["attempt"])
        async with self._turn(esim_id):
            order = await self._order(esim_id)
            if order is None or order.attempt != attempt:
                return Done()
            result = await self._cancel(order)
            if isinstance(result, Unknown):
                return result
            order = await self._order(esim_id) or order
            if isinstance(result, Refused) and (order.is_done(DOWNLOAD_ORDER) or order.profile_refused):
                # The profile may be installed by now, or never existed there: the line is not assigned again.
                _log.warning("peer_order_not_cancelled", esim_id=esim_id, reason=result.reason)
                return result
            await self._renew(order)
            return Done()

    async def _reserve(self, order: PeerOrder) -> JobResult:
        body = {"iccid": _padded(order.iccid)}
        if self._profile_type is not None:
            body["profileType"] = self._profile_type
        return await self._call(order, DOWNLOAD_ORDER, body, _reserved_ours)

    async def _confirm(self, order: PeerOrder) -> JobResult:
        body = {"iccid": _padded(order.iccid), "matchingId": order.matching_id, "releaseFlag": True}
        return await self._call(order, CONFIRM_ORDER, body, _confirmed_ours)

    async def _cancel(self, order: PeerOrder) -> JobResult:
        """Cancel an order when the results of its earlier calls are known; done if it was never placed."""
        if not order.calls:
            return Done()
        for function, fits in ((DOWNLOAD_ORDER, _reserved_ours), (CONFIRM_ORDER, _confirmed_ours)):
            call = order.call(function)
            if call is not None and isinstance(known := await self._call(order, function, {}, fits), Unknown):
                return known
        body = {"iccid": _padded(order.iccid), "finalProfileStatusIndicator": "Available"}
        return await self._call(order, CANCEL_ORDER, body, lambda _order, _fields: None)

    async def _call(self, order: PeerOrder, function: str, body: Mapping[str, Any], fits: Fits) -> JobResult:
        """Make a call, or repeat it unchanged; its result is stored before anything depends on it."""
        call = await self._database.write(lambda connection: begin_call(connection, order, function, body))
        if call.done is not None:
            return Done() if call.done else Refused(call.reason or "refused")
        answer = await self._peer.call(function, call.identifier, call.body)
        if isinstance(answer, Unknown):
            return answer
        kept_there = function == CANCEL_ORDER and order.is_done(DOWNLOAD_ORDER)
        if kept_there and isinstance(answer, FunctionRefused) and answer.by_http:
            return Unknown(
                answer.reason
            )  # It may come from a proxy, so it is not the SM-DP+'s answer about the profile.
        outcome: Done | Refused
        codes: str | None = None
        if isinstance(answer, Answered):
            wrong = fits(order, answer.fields)
            outcome = Done() if wrong is None else Refused(f"the SM-DP+ answered {function} with {wrong}")
        else:
            outcome, codes = Refused(f"the SM-DP+ refused {function}: {answer.reason}"), answer.codes
        await self._database.write(lambda connection: settle_call(connection, call.identifier, outcome, codes))
        return outcome

    async def _order(self, esim_id: str) -> PeerOrder | None:
        return await self._database.read(lambda connection: order_at_peer(connection, esim_id))

    async def _renew(self, order: PeerOrder) -> None:
        def renew(connection: Any) -> None:
            now = order_at_peer(connection, order.esim_id)
            if now is not None and now.attempt == order.attempt:
                renew_peer_order(connection, now)

        await self._database.write(renew)

    def _turn(self, esim_id: str) -> asyncio.Lock:
        return self._turns.setdefault(esim_id, asyncio.Lock())


def _release(connection: Any, order: PeerOrder) -> JobResult:
    now = order_at_peer(connection, order.esim_id)
    if now is None or now.attempt != order.attempt or now.profile_state is not ProfileState.ALLOCATED:
        return Refused("the order was withdrawn meanwhile")
    move_peer_order(connection, now, ProfileEvent.CONFIRM, ProfileEvent.RELEASE)
    return Done()


def _reserved_ours(order: PeerOrder, fields: Mapping[str, Any]) -> str | None:
    """Check the answer to DownloadOrder (5.3.1): it names the profile that was reserved."""
    named = fields.get("iccid")
    if not isinstance(named, str) or named.rstrip("Ff") != order.iccid:
        return "another profile"
    return None


def _confirmed_ours(order: PeerOrder, fields: Mapping[str, Any]) -> str | None:
    """Check the answer to ConfirmOrder (5.3.2): it names the MatchingID, and the server's address if needed."""
    if fields.get("matchingId") != order.matching_id:
        return "another MatchingID" if fields.get("matchingId") else "no MatchingID"
    address = fields.get("smdpAddress")
    if address is not None and (not isinstance(address, str) or address.lower() != order.smdp_address.lower()):
        return "another address"
    return None


def _padded(iccid: str) -> str:
    return iccid.ljust(20, "F")
