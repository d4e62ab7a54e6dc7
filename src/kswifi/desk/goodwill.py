"""Goodwill: a free session that makes up for something; paid by the operator's budget, limited, and recorded.

A request within the limits is carried out at once; above them it waits for a second person. An outbox entry orders
the session through the same service as the API, so that octets and kobo move as with every free order.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

from sqlalchemy import Connection, Row, func, insert, select, update

from kswifi.catalogue.model import Offer
from kswifi.catalogue.service import Catalogue
from kswifi.database.engine import Database, transaction_instant
from kswifi.desk.audit import checked_reason, record
from kswifi.desk.errors import GOODWILL_DECIDED, GOODWILL_INVALID, SECOND_PERSON_NEEDED, UNKNOWN_GOODWILL
from kswifi.desk.roles import Operator, Permission
from kswifi.desk.sql import goodwill
from kswifi.kernel.errors import KswifiError
from kswifi.kernel.ids import uuid7
from kswifi.kernel.quantities import GIGABYTE
from kswifi.outbox.model import Entry
from kswifi.outbox.results import Done, Handler, JobResult, Refused
from kswifi.outbox.service import enqueue
from kswifi.sessions.model import InternetSession
from kswifi.sessions.orders import SessionDownloadService
from kswifi.sessions.store import find_session

GIVE: Final = "desk.give_goodwill"
"""The kind of the outbox entries that order the session of a request."""

CASE_LIMIT_OCTETS: Final = int(GIGABYTE)
"""How much one person may give for one session without a second person."""

DAY_LIMIT_OCTETS: Final = 10 * int(GIGABYTE)
"""How much one person may give in 24 hours without a second person."""

_DAY: Final = timedelta(days=1)
_t: Final = goodwill.c


@dataclass(frozen=True, slots=True)
class Goodwill:
    """One request. ``state``: waiting (for a second person), approved (being ordered), given, refused."""

    goodwill_id: str
    user_id: str
    session_id: str
    offer_id: str
    octets: int
    reason: str
    state: str
    state_reason: str | None
    asked_by: str
    asked_at: datetime
    decided_by: str | None
    given_session_id: str | None


def ask(connection: Connection, operator: Operator, session_id: str, offer: Offer, reason: str) -> Goodwill:
    """Request goodwill for a session; it is carried out at once if it is within the limits.

    Raises:
        UnknownSessionError: there is no such session.
        GOODWILL_INVALID: the offer has a price or no cap.
        ROLE_MAY_NOT, REASON_MISSING
    """
    operator.require(Permission.HELP_CUSTOMERS)
    reason = checked_reason(reason)
    if not offer.free or offer.allowance_octets is None:
        raise GOODWILL_INVALID(f"{offer.id} is not a free, capped offer", offer_id=offer.id)
    session = find_session(connection, session_id)
    now, octets = transaction_instant(connection), int(offer.allowance_octets)
    of_case = _sum(connection, _t.session_id == session.session_id)
    alone = _t.asked_by == operator.name, _t.decided_by.is_(None)
    of_day = _sum(connection, *alone, _t.asked_at > now - _DAY)
    within = of_case + octets <= CASE_LIMIT_OCTETS and of_day + octets <= DAY_LIMIT_OCTETS
    goodwill_id = str(uuid7(now))
    connection.execute(
        insert(goodwill).values(
            goodwill_id=goodwill_id,
            user_id=session.user_id,
            session_id=session.session_id,
            offer_id=offer.id,
            octets=octets,
            reason=reason,
            state="approved" if within else "waiting",
            asked_by=operator.name,
            asked_at=now,
        )
    )
    if within:
        _ask_to_give(connection, goodwill_id)
    record(
        connection,
        operator,
        "sessions goodwill",
        session.session_id,
        reason=reason,
        before={"case_octets": of_case, "day_octets": of_day},
        after={"goodwill_id": goodwill_id, "octets": octets, "needs_a_second_person": not within},
    )
    return find(connection, goodwill_id)


def decide(connection: Connection, operator: Operator, goodwill_id: str, *, approve: bool, reason: str) -> Goodwill:
    """Approve or refuse a waiting request, as the second person.

    Raises:
        UNKNOWN_GOODWILL, GOODWILL_DECIDED
        SECOND_PERSON_NEEDED: the same person asked for it.
        ROLE_MAY_NOT, REASON_MISSING
    """
    operator.require(Permission.APPROVE_GOODWILL)
    reason = checked_reason(reason)
    request = find(connection, goodwill_id)
    if request.state != "waiting":
        raise GOODWILL_DECIDED(f"this request is {request.state}", state=request.state)
    if request.asked_by == operator.name:
        raise SECOND_PERSON_NEEDED("you asked for this yourself: another person has to decide")
    state = "approved" if approve else "refused"
    values = {"state": state, "decided_by": operator.name, "state_reason": None if approve else reason[:200]}
    connection.execute(update(goodwill).where(_t.goodwill_id == goodwill_id).values(**values))
    if approve:
        _ask_to_give(connection, goodwill_id)
    record(
        connection,
        operator,
        "sessions approve" if approve else "sessions refuse",
        request.session_id,
        reason=reason,
        before={"goodwill_id": goodwill_id, "state": request.state, "asked_by": request.asked_by},
        after={"state": state, "octets": request.octets},
    )
    return find(connection, goodwill_id)


def find(connection: Connection, goodwill_id: str) -> Goodwill:
    """Return a request.

    Raises:
        UNKNOWN_GOODWILL: there is none.
    """
    row = connection.execute(select(goodwill).where(_t.goodwill_id == goodwill_id)).one_or_none()
    if row is None:
        raise UNKNOWN_GOODWILL("there is no such request", goodwill_id=goodwill_id[:64])
    return _read(row)


def waiting(connection: Connection, limit: int = 100) -> list[Goodwill]:
    """Return the requests that wait for a second person, the oldest first."""
    query = select(goodwill).where(_t.state == "waiting").order_by(_t.asked_at).limit(limit)
    return [_read(row) for row in connection.execute(query)]


def goodwill_of(connection: Connection, user_id: str, limit: int = 100) -> list[Goodwill]:
    """Return the requests for a customer, the newest first."""
    query = select(goodwill).where(_t.user_id == user_id).order_by(_t.asked_at.desc()).limit(limit)
    return [_read(row) for row in connection.execute(query)]


class GoodwillHandlers:
    """Executes the outbox entries that order what was approved."""

    def __init__(self, database: Database, catalogue: Catalogue, downloads: SessionDownloadService) -> None:
        self._database = database
        self._catalogue = catalogue
        self._downloads = downloads

    def handlers(self) -> Mapping[str, Handler]:
        """Return the handler of each kind of entry."""
        return {GIVE: self.give}

    async def give(self, entry: Entry) -> JobResult:
        """Order the session of an approved request; note the refusal if the budget or the card refuses it."""
        goodwill_id = str(entry.payload["goodwill_id"])

        def order(connection: Connection) -> InternetSession | None:
            request = find(connection, goodwill_id)
            if request.state != "approved":
                return None
            offer = self._catalogue.offer(request.offer_id)
            given = self._downloads.give_step(connection, request.user_id, offer, f"goodwill:{goodwill_id}")
            values = {"state": "given", "given_session_id": given.session_id}
            connection.execute(update(goodwill).where(_t.goodwill_id == goodwill_id).values(**values))
            return given

        try:
            await self._database.write(order)
        except KswifiError as refused:
            reason = refused.message
            await self._database.write(lambda connection: _note_refusal(connection, goodwill_id, reason))
            return Refused(reason)
        return Done()


def _note_refusal(connection: Connection, goodwill_id: str, reason: str) -> None:
    values = {"state": "refused", "state_reason": reason[:200]}
    connection.execute(update(goodwill).where(_t.goodwill_id == goodwill_id).values(**values))


def _ask_to_give(connection: Connection, goodwill_id: str) -> None:
    enqueue(connection, kind=GIVE, key=f"{GIVE}:{goodwill_id}", payload={"goodwill_id": goodwill_id})


def _sum(connection: Connection, *conditions: Any) -> int:
    """Return the octets of the given and approved requests that satisfy some conditions."""
    counted = _t.state.in_(("approved", "given"))
    query = select(func.coalesce(func.sum(_t.octets), 0)).where(counted, *conditions)
    return int(connection.scalar(query) or 0)


def _read(row: Row[*tuple[Any, ...]]) -> Goodwill:
    return Goodwill(**row._asdict())
