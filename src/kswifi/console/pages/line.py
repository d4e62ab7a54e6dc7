"""Line: what the card, the network and the ledger say of it, what to do about it, freeze and thaw."""

from typing import Any, Final

from sqlalchemy import Connection, select
from starlette.responses import Response

from kswifi.charging_records.sql import charging_data_record
from kswifi.console.visit import Page, Visit
from kswifi.desk.callers import require_opened
from kswifi.desk.diagnosis import diagnose
from kswifi.desk.lines import set_line_frozen
from kswifi.desk.roles import Permission
from kswifi.esim.lines.service import find_esim
from kswifi.sessions.store import sessions_on

_CONNECTIONS: Final = 5


async def _line(visit: Visit) -> Response:
    esim_id = visit.part("esim_id")

    def look(connection: Connection) -> dict[str, Any]:
        line = find_esim(connection, esim_id)
        sessions = sessions_on(connection, line.esim_id)
        r = charging_data_record.c
        newest = select(charging_data_record).where(r.imsi == str(line.imsi)).order_by(r.opened_at.desc())
        connections = connection.execute(newest.limit(_CONNECTIONS)).all()
        return {
            "line": line,
            "sessions": sessions,
            "connections": connections,
            "findings": diagnose(connection, line, sessions, bool(connections)),
        }

    return visit.page("line.html", **await visit.read(look))


async def _freeze(visit: Visit) -> Response:
    """Freeze needs no checked caller: it is safe, and support can undo it."""
    return await _set(visit, frozen=True)


async def _thaw(visit: Visit) -> Response:
    return await _set(visit, frozen=False)


async def _set(visit: Visit, *, frozen: bool) -> Response:
    esim_id = visit.part("esim_id")

    def change(connection: Connection) -> None:
        line = find_esim(connection, esim_id)
        if not frozen:
            require_opened(connection, visit.member, line.user_id)
        set_line_frozen(connection, visit.member.operator, line.esim_id, visit.field("reason"), frozen=frozen)

    await visit.write(change)
    return visit.to(f"/lines/{esim_id}", "The line is being frozen" if frozen else "The line is being thawed")


PAGES: Final = (
    Page("GET", "/lines/{esim_id}", _line),
    Page("POST", "/lines/{esim_id}/freeze", _freeze, Permission.HELP_CUSTOMERS),
    Page("POST", "/lines/{esim_id}/thaw", _thaw, Permission.HELP_CUSTOMERS),
)
