"""Disputes: the queue by due date, the hours that are disputed, and answers with templates."""

from typing import Any, Final

from sqlalchemy import Connection, func, select
from starlette.responses import Response

from kswifi.charging_records.sql import charging_hour
from kswifi.console.visit import Page, Visit
from kswifi.desk.callers import opened
from kswifi.desk.disputes import ANSWER_LIMIT, TEMPLATES, answer
from kswifi.desk.roles import Permission
from kswifi.sessions.disputes import Dispute, find_dispute, open_disputes
from kswifi.sessions.store import find_session, get_balance


async def _queue(visit: Visit) -> Response:
    found = await visit.read(open_disputes)
    return visit.page("disputes.html", disputes=found, now=visit.services.database.clock.now())


async def _dispute(visit: Visit) -> Response:
    dispute_id = visit.part("dispute_id")

    def look(connection: Connection) -> dict[str, Any]:
        dispute = find_dispute(connection, dispute_id)
        session = find_session(connection, dispute.session_id)
        balance, as_of = get_balance(connection, session.session_id)
        return {
            "dispute": dispute,
            "session": session,
            "balance": balance,
            "as_of": as_of,
            "hours": _hours(connection, dispute),
            "door": opened(connection, visit.member, session.user_id),
        }

    offers = [it for it in visit.services.catalogue.offers() if it.free and it.allowance_octets is not None]
    found = await visit.read(look)
    return visit.page("dispute.html", **found, templates=TEMPLATES, limit=ANSWER_LIMIT, offers=offers)


def _hours(connection: Connection, dispute: Dispute) -> list[tuple[Any, int]]:
    """Return the network's octets of each disputed hour; of all hours if none is named."""
    t = charging_hour.c
    query = (
        select(t.hour_at, func.sum(t.octets))
        .where(t.account_id == dispute.session_id)
        .group_by(t.hour_at)
        .order_by(t.hour_at.desc())
        .limit(48)
    )
    if dispute.hours:
        query = query.where(t.hour_at.in_(dispute.hours))
    return [(row[0], int(row[1])) for row in connection.execute(query)]


async def _answer(visit: Visit) -> Response:
    dispute_id, words = visit.part("dispute_id"), visit.field("answer")
    await visit.write(lambda connection: answer(connection, visit.member.operator, dispute_id, words))
    return visit.to("/disputes", "The customer gets the answer in the app")


PAGES: Final = (
    Page("GET", "/disputes", _queue),
    Page("GET", "/disputes/{dispute_id}", _dispute),
    Page("POST", "/disputes/{dispute_id}", _answer, Permission.HELP_CUSTOMERS),
)
