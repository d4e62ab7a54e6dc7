"""Audit: who did what, when and why; and whether the trail is sound."""

from typing import Any, Final

from sqlalchemy import Connection
from starlette.responses import Response

from kswifi.console.visit import Page, Visit
from kswifi.desk.audit import actions, verify_trail
from kswifi.desk.roles import Permission

_PAGE: Final = 100


async def _audit(visit: Visit) -> Response:
    subject, who, before = visit.query("subject") or None, visit.query("who") or None, visit.query("before")

    def look(connection: Connection) -> dict[str, Any]:
        number = int(before) if before.isdigit() and len(before) < 16 else None
        found = actions(connection, subject=subject, who=who, before_number=number, limit=_PAGE)
        return {"actions": found, "more": len(found) == _PAGE}

    found = await visit.read(look)
    return visit.page("audit.html", **found, subject=subject or "", who=who or "", verified=None)


async def _verify(visit: Visit) -> Response:
    verified = await visit.read(verify_trail)
    return visit.page("audit.html", actions=[], more=False, subject="", who="", verified=verified)


PAGES: Final = (
    Page("GET", "/audit", _audit, Permission.READ_AUDIT),
    Page("GET", "/audit/verify", _verify, Permission.READ_AUDIT),
)
