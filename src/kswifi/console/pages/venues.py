"""Venues: their figures, their batches of vouchers; make a batch, print its sheet, revoke it."""

from datetime import timedelta
from typing import Any, Final

from sqlalchemy import Connection
from starlette.concurrency import run_in_threadpool
from starlette.responses import Response

from kswifi.console.errors import EXPORT_INVALID
from kswifi.console.visit import Page, Visit
from kswifi.desk.figures.report import venue_figures
from kswifi.desk.roles import Permission
from kswifi.desk.venues import make_vouchers, revoke_vouchers
from kswifi.free_data.budgets import budgets
from kswifi.free_data.model import BudgetKind
from kswifi.vouchers.batches import batches, find_batch
from kswifi.vouchers.sheet import sheet_pdf

_DAYS: Final = 30


async def _venues(visit: Visit) -> Response:
    last = visit.services.today()

    def look(connection: Connection) -> dict[str, Any]:
        return {
            "figures": venue_figures(connection, last - timedelta(days=_DAYS - 1), last),
            "batches": batches(connection, 100),
            "offers": [it for it in visit.services.catalogue.offers() if it.free and it.allowance_octets],
            "budgets": [it.budget_id for it in budgets(connection) if it.kind is BudgetKind.VENUE],
        }

    return visit.page("venues.html", **await visit.read(look), now=visit.services.database.clock.now())


async def _make(visit: Visit) -> Response:
    count, days = _number(visit, "count"), _number(visit, "days")
    venue, budget, chosen = visit.field("venue"), visit.field("budget") or None, visit.field("offer")
    offer = visit.services.catalogue.offer(chosen) if chosen else None
    made = await visit.write(
        lambda connection: make_vouchers(connection, visit.member.operator, venue, count, days, budget, offer)
    )
    return visit.to("/venues", f"Batch {made.batch_id}: {made.count} vouchers of {made.venue}")


async def _sheet(visit: Visit) -> Response:
    """Return the sheet to print. It holds usable codes, so only those who may make vouchers get it."""
    number = visit.part("batch_id")
    batch_id = int(number) if number.isdigit() and len(number) < 10 else 0
    batch = await visit.read(lambda connection: find_batch(connection, batch_id))
    pdf = await run_in_threadpool(sheet_pdf, batch, visit.services.codes, visit.services.zone)
    name = f'attachment; filename="vouchers-{batch.batch_id}.pdf"'
    return Response(pdf, media_type="application/pdf", headers={"content-disposition": name})


async def _revoke(visit: Visit) -> Response:
    number = visit.part("batch_id")
    batch_id = int(number) if number.isdigit() and len(number) < 10 else 0
    reason = visit.field("reason")
    await visit.write(lambda connection: revoke_vouchers(connection, visit.member.operator, batch_id, reason))
    return visit.to("/venues", f"Batch {batch_id} is revoked")


async def _report(visit: Visit) -> Response:
    """Make the link by which a venue reads its weekly report, and show it once."""
    venue, days = visit.field("venue"), _number(visit, "days")
    token = await visit.write(
        lambda connection: visit.services.reports.make(connection, visit.member.operator, venue, days)
    )
    link = f"{visit.services.public_origin}/api/v1/venue-reports/{token}"
    return visit.page("report_link.html", venue=venue, days=days, link=link)


def _number(visit: Visit, name: str) -> int:
    text = visit.field(name)
    if not text.isdigit() or len(text) > 6:
        raise EXPORT_INVALID(f"{name} is a whole number")
    return int(text)


PAGES: Final = (
    Page("GET", "/venues", _venues),
    Page("POST", "/venues/vouchers", _make, Permission.CHANGE_MONEY),
    Page("POST", "/venues/report", _report, Permission.CHANGE_MONEY),
    Page("GET", "/venues/vouchers/{batch_id}.pdf", _sheet, Permission.CHANGE_MONEY),
    Page("POST", "/venues/vouchers/{batch_id}/revoke", _revoke, Permission.CHANGE_MONEY),
)
