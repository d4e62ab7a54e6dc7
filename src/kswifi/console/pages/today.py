"""Today: what needs a person, yesterday's and today's figures, and the incidents that the app shows."""

import json
from dataclasses import asdict
from datetime import date, timedelta
from typing import Any, Final

from sqlalchemy import Connection, func, select
from starlette.responses import Response

from kswifi.console.charts import bars
from kswifi.console.errors import EXPORT_INVALID
from kswifi.console.visit import Page, Visit
from kswifi.desk import incidents
from kswifi.desk.figures.model import FIGURES
from kswifi.desk.figures.report import as_csv, by_dimension, figures_between, series, totals
from kswifi.desk.goodwill import decide, waiting
from kswifi.desk.roles import Permission
from kswifi.free_data.holds import count_waiting
from kswifi.outbox.model import EntryState
from kswifi.outbox.sql import outbox_entry
from kswifi.payments.gateway_items import unclaimed_receipts
from kswifi.payments.store import needing_a_person
from kswifi.sessions.disputes import open_disputes

_CHARTED: Final = ("orders", "octets", "revenue", "cost", "active_1", "failures")
_DAYS: Final = 30
_DAYS_LIMIT: Final = 400


async def _today(visit: Visit) -> Response:
    today = visit.services.today()
    shown = _day(visit.query("day"), today)

    def look(connection: Connection) -> dict[str, Any]:
        since = shown - timedelta(days=_DAYS - 1)
        stuck = select(func.count()).where(outbox_entry.c.state == EntryState.STUCK)
        return {
            "totals": totals(connection, shown, shown),
            "before": totals(connection, shown - timedelta(days=1), shown - timedelta(days=1)),
            "charts": [(name, bars(series(connection, name, since, shown), since, shown)) for name in _CHARTED],
            "failures": by_dimension(connection, "failures", "reason", shown, shown),
            "offers": by_dimension(connection, "orders", "offer", shown, shown),
            "held": count_waiting(connection),
            "stuck": int(connection.scalar(stuck) or 0),
            "disputes": open_disputes(connection),
            "goodwill": waiting(connection),
            "send_back": needing_a_person(connection),
            "unclaimed": unclaimed_receipts(connection),
            "incidents": incidents.current(connection),
        }

    found = await visit.read(look)
    return visit.page("today.html", **found, day=shown, today=today, names=FIGURES, step=timedelta(days=1))


async def _export(visit: Visit) -> Response:
    """Return the figures of some days as a file."""
    form, days = visit.part("form"), visit.query("days", str(_DAYS))
    if form not in ("csv", "json") or not days.isdigit() or not 1 <= int(days) <= _DAYS_LIMIT:
        raise EXPORT_INVALID(f"figures are exported as csv or json, of at most {_DAYS_LIMIT} days")
    last = visit.services.today()
    first = last - timedelta(days=int(days) - 1)
    found = await visit.read(lambda connection: figures_between(connection, first, last))
    text = as_csv(found) if form == "csv" else json.dumps({"figures": [asdict(it) for it in found]})
    kind = "text/csv; charset=utf-8" if form == "csv" else "application/json"
    name = f'attachment; filename="figures-{first}-{last}.{form}"'
    return Response(text, media_type=kind, headers={"content-disposition": name})


async def _decide(visit: Visit) -> Response:
    goodwill_id, approve = visit.part("goodwill_id"), visit.field("decision") == "approve"
    await visit.write(
        lambda connection: decide(
            connection, visit.member.operator, goodwill_id, approve=approve, reason=visit.field("reason")
        )
    )
    return visit.to("/", "Goodwill approved" if approve else "Goodwill refused")


async def _begin_incident(visit: Visit) -> Response:
    await visit.write(lambda connection: incidents.begin(connection, visit.member.operator, visit.field("words")))
    return visit.to("/", "The app shows it now")


async def _end_incident(visit: Visit) -> Response:
    incident_id = visit.part("incident_id")
    await visit.write(lambda connection: incidents.end(connection, visit.member.operator, incident_id))
    return visit.to("/", "The app no longer shows it")


def _day(text: str, today: date) -> date:
    try:
        return min(date.fromisoformat(text), today) if text else today
    except ValueError:
        return today


PAGES: Final = (
    Page("GET", "/", _today),
    Page("GET", "/figures.{form}", _export),
    Page("POST", "/goodwill/{goodwill_id}", _decide, Permission.APPROVE_GOODWILL),
    Page("POST", "/incidents", _begin_incident, Permission.ANNOUNCE),
    Page("POST", "/incidents/{incident_id}/end", _end_incident, Permission.ANNOUNCE),
)
