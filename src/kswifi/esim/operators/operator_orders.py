"""ES2+ orders of operators (SGP.22 v2, 5.3.1 to 5.3.4). Each operator has access to its own profiles only.

Each function is one transaction. The answer is stored in that transaction, so a repeated function call gets the
same answer, even if the first answer was lost.
"""

import json
import os
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from functools import partial
from hashlib import sha256
from typing import Any, Final

import structlog
from sqlalchemy import Connection, bindparam, delete, exists, insert, select

from kswifi.database.engine import Database, after_commit, transaction_instant
from kswifi.esim.errors import OperatorRefusedError
from kswifi.esim.model import ProfileEvent, ProfileState, new_matching_id
from kswifi.esim.operators.operators import requester
from kswifi.esim.smdp.orders import (
    ORDER_COLUMNS,
    NewOrder,
    move_order,
    order_by_matching_id,
    place_order,
    read_order,
)
from kswifi.esim.smdp.rsp_model import ProfileOrder
from kswifi.esim.sql import es2_answer, operator_profile, profile_order
from kswifi.kernel.numbers import Eid
from kswifi.rsp.signatures import confirmation_code_digest
from kswifi.rsp.status_codes import RspRefusedError, Status

ANSWERS_KEPT: Final = timedelta(days=30)
_PRUNE_LIMIT: Final = 500
_EXPIRES_FROM: Final = (ProfileState.RELEASED, ProfileState.DOWNLOADED)
_EID_OF_THE_CARD: Final = (ProfileState.DOWNLOADED, ProfileState.INSTALLED, ProfileState.ERROR)
_MATCHING_ID: Final = re.compile(r"[0-9A-Z-]{1,255}")  # SGP.22, 4.1

_log = structlog.get_logger(__name__)


class FinalStatus(StrEnum):
    """The state of a profile after its order is cancelled."""

    AVAILABLE = "Available"
    UNAVAILABLE = "Unavailable"


@dataclass(frozen=True, slots=True)
class Call:
    """One ES2+ function call: the client's TLS certificate, the function call identifier, and the arguments."""

    certificate: bytes | None = field(repr=False)
    function: str
    identifier: str
    asked: Mapping[str, Any] = field(repr=False)

    def digest(self, operator_id: str) -> bytes:
        """Return the digest of all that must be equal in a repetition of this call."""
        text = json.dumps([operator_id, self.function, self.identifier, self.asked], sort_keys=True)
        return sha256(text.encode()).digest()


@dataclass(frozen=True, slots=True)
class Confirmation:
    """The arguments of confirmOrder.

    ``matching_id``: empty if the card is identified by its EID, None if we choose one.
    """

    iccid: str
    eid: Eid | None
    matching_id: str | None
    confirmation_code: str | None = field(repr=False)
    smds_address: str | None
    release: bool


_t = profile_order.c
_MINE = select(*ORDER_COLUMNS).where(_t.operator_id == bindparam("operator"))
# Choose the order that is not Unavailable (there is at most one), or else the newest Unavailable order.
_BY_ICCID = (
    _MINE.where(_t.iccid == bindparam("wanted"))
    .order_by(_t.profile_state == ProfileState.UNAVAILABLE, _t.order_id.desc())
    .limit(1)
)
_OF_TYPE = (
    _MINE.where(_t.profile_type == bindparam("wanted"), _t.profile_state == ProfileState.AVAILABLE)
    .order_by(_t.iccid)
    .limit(1)
)
_TYPE_EXISTS = select(
    exists().where(_t.operator_id == bindparam("operator"), _t.profile_type == bindparam("wanted"))
)


class OperatorOrders:
    """The four ES2+ functions of an operator.

    ``reserved`` returns the MatchingIDs that have another meaning here. ``order_life`` is how long an order
    can be downloaded after its release if its profile sets no time of its own; None for no limit.
    """

    def __init__(
        self,
        database: Database,
        smdp_address: str,
        reserved: Callable[[str], bool],
        order_life: timedelta | None = None,
        random_bytes: Callable[[int], bytes] = os.urandom,
    ) -> None:
        self._database = database
        self._smdp_address = smdp_address
        self._reserved = reserved
        self._order_life = order_life
        self._random_bytes = random_bytes

    async def download_order(
        self, call: Call, *, eid: Eid | None, iccid: str | None, profile_type: str | None
    ) -> Mapping[str, Any]:
        """Reserve a profile, by its ICCID or the first one of a type (5.3.1); return its ``iccid``.

        Raises:
            RspRefusedError: the client, the profile or its type is not acceptable.
        """

        def work(connection: Connection, operator_id: str) -> dict[str, Any]:
            order = _available(connection, operator_id, iccid, profile_type)
            event = ProfileEvent.ALLOCATE if eid is None else ProfileEvent.LINK
            move_order(connection, order, event, eid=eid)
            return {"iccid": order.iccid}

        return await self._once(call, work)

    async def confirm_order(self, call: Call, asked: Confirmation) -> Mapping[str, Any]:
        """Confirm an order, and release it if requested (5.3.2).

        Return ``eid`` (or None), ``matching_id`` and ``smdp_address``.

        Raises:
            RspRefusedError: the client, the profile, the EID or the MatchingID is not acceptable.
        """

        def work(connection: Connection, operator_id: str) -> dict[str, Any]:
            order = _mine(connection, operator_id, asked.iccid)
            if order.profile_state not in (ProfileState.ALLOCATED, ProfileState.LINKED):
                raise RspRefusedError(Status.ICCID_INVALID_TRANSITION, f"the profile is {order.profile_state}")
            eid = _agreed_eid(order, asked)
            if asked.smds_address:
                raise RspRefusedError(Status.SMDS_INACCESSIBLE, "this SM-DP+ registers events at no SM-DS")
            matching_id = self._matching_id(connection, asked.matching_id)
            events = [ProfileEvent.CONFIRM]
            if order.eid is None and eid is not None:
                events.insert(0, ProfileEvent.LINK)
            expires_at = None
            if asked.release:
                events.append(ProfileEvent.RELEASE)
                expires_at = self._expiry(connection, order)
            code = asked.confirmation_code
            move_order(
                connection,
                order,
                *events,
                eid=eid,
                matching_id=matching_id,
                expires_at=expires_at,
                confirmation_code_digest=None if code is None else confirmation_code_digest(code),
            )
            named = None if eid is None else str(eid)
            return {"eid": named, "matching_id": matching_id or "", "smdp_address": self._smdp_address}

        return await self._once(call, work)

    async def cancel_order(
        self, call: Call, *, iccid: str, eid: Eid | None, matching_id: str | None, final: FinalStatus
    ) -> None:
        """Cancel an order that no card has downloaded (5.3.3); its profile becomes Available or Unavailable.

        Raises:
            RspRefusedError: the client, the profile, its EID or its MatchingID is not acceptable.
        """

        def work(connection: Connection, operator_id: str) -> dict[str, Any]:
            order = _mine(connection, operator_id, iccid)
            if eid is not None and eid != order.eid:
                raise RspRefusedError(Status.EID_ASSOCIATED)
            if matching_id is not None and matching_id != (order.matching_id or ""):
                raise RspRefusedError(Status.MATCHING_ID_ASSOCIATED)
            if eid is None:
                _check_no_eid_is_linked(order)
            _withdraw(connection, order, final)
            return {}

        await self._once(call, work)

    async def release_profile(self, call: Call, *, iccid: str) -> None:
        """Release a confirmed profile for download (5.3.4).

        Raises:
            RspRefusedError: the client or the profile is not acceptable.
        """

        def work(connection: Connection, operator_id: str) -> dict[str, Any]:
            order = _mine(connection, operator_id, iccid)
            if order.profile_state is not ProfileState.CONFIRMED:
                raise RspRefusedError(Status.ICCID_INVALID_TRANSITION, f"the profile is {order.profile_state}")
            expires_at = self._expiry(connection, order)
            move_order(connection, order, ProfileEvent.RELEASE, expires_at=expires_at)
            return {}

        await self._once(call, work)

    async def expire(self) -> int:
        """Expire released orders whose download time has passed; return how many. A housekeeping job."""
        return await self._database.write(expire_due_orders)

    async def prune(self) -> int:
        """Delete stored answers that are too old to be asked for again; return how many. A housekeeping job."""

        def work(connection: Connection) -> int:
            before = transaction_instant(connection) - ANSWERS_KEPT
            old = select(es2_answer.c.request_digest).where(es2_answer.c.created_at < before).limit(_PRUNE_LIMIT)
            return connection.execute(delete(es2_answer).where(es2_answer.c.request_digest.in_(old))).rowcount

        return await self._database.write(work, alone=True)

    async def _once(self, call: Call, work: Callable[[Connection, str], dict[str, Any]]) -> Mapping[str, Any]:
        """Execute a call, or return its stored answer. A refusal is not stored: a repetition is judged again."""

        def once(connection: Connection) -> Mapping[str, Any]:
            party = requester(connection, call.certificate)
            digest = call.digest(party.operator_id)
            known = connection.execute(
                select(es2_answer.c.answer).where(es2_answer.c.request_digest == digest)
            ).one_or_none()
            if known is not None:
                stored: dict[str, Any] = known.answer
                return stored
            made = work(connection, party.operator_id)
            connection.execute(
                insert(es2_answer).values(
                    request_digest=digest,
                    operator_id=party.operator_id,
                    answer=made,
                    created_at=transaction_instant(connection),
                )
            )
            after_commit(
                connection,
                partial(
                    _log.info, "es2plus", function=call.function, operator=party.name, call=call.identifier[:64]
                ),
            )
            return made

        return await self._database.write(once)

    def _expiry(self, connection: Connection, order: ProfileOrder) -> datetime | None:
        """Return when an order released now expires, by its profile's days or the default; None for never."""
        days = connection.execute(
            select(operator_profile.c.order_days).where(operator_profile.c.iccid == order.iccid)
        ).scalar_one_or_none()
        life = self._order_life if days is None else timedelta(days=days)
        return None if life is None else transaction_instant(connection) + life

    def _matching_id(self, connection: Connection, wanted: str | None) -> str | None:
        """Return the order's MatchingID; None if cards ask without one."""
        if wanted == "":
            return None
        if wanted is None:
            return new_matching_id(self._random_bytes)
        if not _MATCHING_ID.fullmatch(wanted):
            raise RspRefusedError(Status.MATCHING_ID_INVALID)
        if self._reserved(wanted) or order_by_matching_id(connection, wanted) is not None:
            raise RspRefusedError(Status.MATCHING_ID_IN_USE)
        return wanted


def expire_due_orders(connection: Connection) -> int:
    """Move a limited number of expired orders from Released to Error; return how many."""
    due = (
        select(*ORDER_COLUMNS)
        .where(_t.expires_at <= transaction_instant(connection), _t.profile_state.in_(_EXPIRES_FROM))
        .limit(_PRUNE_LIMIT)
    )
    orders = [read_order(row) for row in connection.execute(due).all()]
    for order in orders:
        _expire(connection, order)
    return len(orders)


def expire_order(connection: Connection, operator_id: str, iccid: str) -> None:
    """Expire a released order now: no card can download its profile from then on.

    A card that has downloaded the profile already keeps it.

    Raises:
        RspRefusedError: the operator has no such profile.
        OperatorRefusedError: its order is not released, or has ended.
    """
    order = _mine(connection, operator_id, iccid)
    if order.profile_state not in _EXPIRES_FROM:
        raise OperatorRefusedError(f"only a released order expires: this profile is {order.profile_state}")
    _expire(connection, order, expires_at=transaction_instant(connection))


def _expire(connection: Connection, order: ProfileOrder, **changes: Any) -> None:
    move_order(connection, order, ProfileEvent.FAIL, state_reason="the order has expired", **changes)
    _log.info("order_expired", order_id=order.order_id, iccid=order.iccid)


def _mine(connection: Connection, operator_id: str, iccid: str) -> ProfileOrder:
    """Return the newest order of an operator's profile. Profiles of other operators are reported as unknown."""
    row = connection.execute(_BY_ICCID, {"operator": operator_id, "wanted": iccid}).one_or_none()
    if row is None:
        raise RspRefusedError(Status.ICCID_UNKNOWN)
    return read_order(row)


def _available(
    connection: Connection, operator_id: str, iccid: str | None, profile_type: str | None
) -> ProfileOrder:
    if iccid is not None:
        order = _mine(connection, operator_id, iccid)
        if profile_type is not None and profile_type != order.profile_type:
            raise RspRefusedError(Status.PROFILE_TYPE_MISMATCH)
        if order.profile_state is not ProfileState.AVAILABLE:
            raise RspRefusedError(Status.ICCID_IN_USE, f"the profile is {order.profile_state}")
        return order
    if profile_type is None:
        raise RspRefusedError(Status.ELEMENT_MISSING, "an ICCID or a profile type is needed")
    names = {"operator": operator_id, "wanted": profile_type}
    row = connection.execute(_OF_TYPE, names).one_or_none()
    if row is None:
        known = connection.execute(_TYPE_EXISTS, names).scalar_one()
        raise RspRefusedError(Status.PROFILE_TYPE_USED_UP if known else Status.PROFILE_TYPE_UNKNOWN)
    return read_order(row)


def _agreed_eid(order: ProfileOrder, asked: Confirmation) -> Eid | None:
    if order.eid is not None and asked.eid is not None and asked.eid != order.eid:
        raise RspRefusedError(Status.EID_ASSOCIATED)
    eid = asked.eid or order.eid
    if eid is None and (asked.smds_address or asked.matching_id == ""):
        raise RspRefusedError(Status.EID_MISSING)
    return eid


def _check_no_eid_is_linked(order: ProfileOrder) -> None:
    """Refuse a cancellation that does not name the EID which the operator linked to the order (SGP.22, 5.3.3).

    The EID of an order that was downloaded may come from the card; the operator need not give that one.
    """
    if order.eid is not None and order.profile_state not in _EID_OF_THE_CARD:
        words = "the order is linked to an EID, which its cancellation has to name"
        raise RspRefusedError(Status.EID_MISSING, words)


def _withdraw(connection: Connection, order: ProfileOrder, final: FinalStatus) -> None:
    """Cancel an order. A profile that becomes Available gets a new order without data of the cancelled one."""
    if order.profile_state in (ProfileState.DOWNLOADED, ProfileState.INSTALLED):
        raise RspRefusedError(Status.ICCID_IN_USE, "the profile is downloaded already")
    if order.profile_state in (ProfileState.AVAILABLE, ProfileState.UNAVAILABLE):
        raise RspRefusedError(Status.ICCID_INVALID_TRANSITION, f"the profile is {order.profile_state}")
    words = f"cancelled by its operator: {final}"
    unbound = {"bound_otpk": None, "bound_identity": None, "sealed_binding": None}
    move_order(connection, order, ProfileEvent.WITHDRAW, matching_id=None, state_reason=words, **unbound)
    if final is FinalStatus.AVAILABLE:
        again = NewOrder(
            iccid=order.iccid,
            package_name=order.package_name,
            operator_id=order.operator_id,
            profile_type=order.profile_type,
        )
        place_order(connection, again)
