"""Payment: what happened to it, what the book holds of it; look it up again, refund it."""

from typing import Any, Final

from sqlalchemy import Connection
from starlette.responses import Response

from kswifi.console.visit import Page, Visit
from kswifi.desk.callers import require_opened
from kswifi.desk.payments import look_up, refund
from kswifi.desk.roles import Permission
from kswifi.payments.bookings import booked_of_payment
from kswifi.payments.store import find_payment, period_of


async def _payment(visit: Visit) -> Response:
    reference = visit.part("reference")

    def look(connection: Connection) -> dict[str, Any]:
        payment = find_payment(connection, reference)
        period, booked = period_of(connection, reference), booked_of_payment(connection, payment)
        return {"payment": payment, "period": period, "booked": booked, "entries": sorted(booked.names)}

    return visit.page("payment.html", **await visit.read(look))


async def _look_up(visit: Visit) -> Response:
    reference, reason = visit.part("reference"), visit.field("reason")
    await visit.write(lambda connection: look_up(connection, visit.member.operator, reference, reason))
    return visit.to(f"/payments/{reference}", "It is being looked up at the gateway")


async def _refund(visit: Visit) -> Response:
    reference = visit.part("reference")

    def change(connection: Connection) -> None:
        require_opened(connection, visit.member, find_payment(connection, reference).user_id)
        refund(connection, visit.member.operator, reference, visit.field("reason"))

    await visit.write(change)
    return visit.to(f"/payments/{reference}", "The refund is on its way, if nothing of the pass was used")


PAGES: Final = (
    Page("GET", "/payments/{reference}", _payment),
    Page("POST", "/payments/{reference}/look", _look_up, Permission.HELP_CUSTOMERS),
    Page("POST", "/payments/{reference}/refund", _refund, Permission.HELP_CUSTOMERS),
)
