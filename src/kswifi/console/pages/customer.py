"""Customer: who it is (masked), the caller check, everything that happened, and what support may do."""

import os
from typing import Any, Final

from sqlalchemy import Connection
from starlette.responses import Response

from kswifi.console.visit import Page, Visit
from kswifi.desk.audit import record
from kswifi.desk.callers import open_without_caller, opened, require_opened, require_right
from kswifi.desk.customers import Customer, replace_recovery_code, show_customer, sign_out
from kswifi.desk.goodwill import ask, goodwill_of
from kswifi.desk.lines import set_line_frozen
from kswifi.desk.notes import notes_of, write_note
from kswifi.desk.roles import Permission
from kswifi.desk.sessions import revoke
from kswifi.desk.timeline import timeline
from kswifi.esim.lines.service import esims_of
from kswifi.free_data.holds import is_held
from kswifi.sessions.store import find_session

HELP: Final = Permission.HELP_CUSTOMERS
_LOST: Final = "lost phone"


async def _customer(visit: Visit) -> Response:
    user_id = visit.part("user_id")

    def look(connection: Connection) -> dict[str, Any]:
        customer, door = show_customer(connection, user_id), opened(connection, visit.member, user_id)
        return {
            "customer": customer,
            "held": is_held(connection, user_id),
            "door": door,
            "moments": timeline(connection, customer) if door.is_open else [],
            "notes": notes_of(connection, user_id) if door.is_open else [],
            "goodwill": goodwill_of(connection, user_id) if door.is_open else [],
        }

    offers = [it for it in visit.services.catalogue.offers() if it.free and it.allowance_octets is not None]
    return visit.page("customer.html", **await visit.read(look), offers=offers, revealed=None, code=None)


async def _send_code(visit: Visit) -> Response:
    user_id = visit.part("user_id")
    await visit.write(lambda connection: visit.services.callers.send(connection, visit.member, user_id))
    return visit.to(_path(user_id), "The customer's app shows a code now")


async def _check_code(visit: Visit) -> Response:
    user_id, code = visit.part("user_id"), visit.field("code")
    right = await visit.write(
        lambda connection: visit.services.callers.check(connection, visit.member, user_id, code)
    )
    require_right(right)
    return visit.to(_path(user_id), "The caller is the customer")


async def _open(visit: Visit) -> Response:
    user_id = visit.part("user_id")
    reason = visit.field("reason")
    await visit.write(lambda connection: open_without_caller(connection, visit.member, user_id, reason))
    return visit.to(_path(user_id), "Open for 30 minutes")


async def _reveal(visit: Visit) -> Response:
    """Show the whole phone number or email address once, and record that."""
    user_id = visit.part("user_id")

    def change(connection: Connection) -> dict[str, Any]:
        require_opened(connection, visit.member, user_id)
        customer = show_customer(connection, user_id)
        record(connection, visit.member.operator, "customers reveal", user_id)
        return _shown(connection, visit, customer) | {"revealed": customer.identifier, "code": None}

    return visit.page("customer.html", **await visit.write(change))


async def _recovery(visit: Visit) -> Response:
    """Replace the recovery code, and show the new one once, to be read to the caller."""
    user_id = visit.part("user_id")

    def change(connection: Connection) -> dict[str, Any]:
        require_opened(connection, visit.member, user_id, by_code=True)
        code = replace_recovery_code(connection, visit.member.operator, user_id, visit.field("reason"), os.urandom)
        return _shown(connection, visit, show_customer(connection, user_id)) | {"revealed": None, "code": code}

    return visit.page("customer.html", **await visit.write(change))


def _shown(connection: Connection, visit: Visit, customer: Customer) -> dict[str, Any]:
    user_id = customer.user_id
    return {
        "customer": customer,
        "held": is_held(connection, user_id),
        "door": opened(connection, visit.member, user_id),
        "moments": timeline(connection, customer),
        "notes": notes_of(connection, user_id),
        "goodwill": goodwill_of(connection, user_id),
        "offers": [it for it in visit.services.catalogue.offers() if it.free and it.allowance_octets is not None],
    }


async def _lost_phone(visit: Visit) -> Response:
    """Freeze every line and sign the customer out, at once: it is safe for any caller, and anybody can undo it."""
    user_id, reason = visit.part("user_id"), visit.field("reason") or _LOST

    def change(connection: Connection) -> int:
        sign_out(connection, visit.member.operator, user_id, reason)
        lines = esims_of(connection, user_id)
        for line in lines:
            set_line_frozen(connection, visit.member.operator, line.esim_id, reason, frozen=True)
        return len(lines)

    lines = await visit.write(change)
    return visit.to(_path(user_id), f"Signed out everywhere; {lines} lines are being frozen")


async def _sign_out(visit: Visit) -> Response:
    user_id = visit.part("user_id")

    def change(connection: Connection) -> int:
        return sign_out(connection, visit.member.operator, user_id, visit.field("reason"))

    count = await visit.write(change)
    return visit.to(_path(user_id), f"{count} sign-ins ended")


async def _note(visit: Visit) -> Response:
    user_id = visit.part("user_id")

    def change(connection: Connection) -> str:
        require_opened(connection, visit.member, user_id)
        words, case = visit.field("words"), visit.field("case")
        return write_note(connection, visit.member.operator, user_id, words, case).case_number

    return visit.to(_path(user_id), f"Written under case {await visit.write(change)}")


async def _goodwill(visit: Visit) -> Response:
    session_id, offer = visit.part("session_id"), visit.services.catalogue.offer(visit.field("offer"))

    def change(connection: Connection) -> tuple[str, str]:
        user_id = find_session(connection, session_id).user_id
        require_opened(connection, visit.member, user_id)
        made = ask(connection, visit.member.operator, session_id, offer, visit.field("reason"))
        return user_id, made.state

    user_id, state = await visit.write(change)
    waits = "A second person has to approve it: it is above the limits"
    return visit.to(_path(user_id), waits if state == "waiting" else "It is being given")


async def _revoke(visit: Visit) -> Response:
    session_id = visit.part("session_id")

    def change(connection: Connection) -> str:
        user_id = find_session(connection, session_id).user_id
        require_opened(connection, visit.member, user_id)
        revoke(connection, visit.member.operator, session_id, visit.field("reason"))
        return user_id

    return visit.to(_path(await visit.write(change)), "The session is being ended")


def _path(user_id: str) -> str:
    return f"/customers/{user_id}"


PAGES: Final = (
    Page("GET", "/customers/{user_id}", _customer),
    Page("POST", "/customers/{user_id}/caller", _send_code, HELP),
    Page("POST", "/customers/{user_id}/caller/check", _check_code, HELP),
    Page("POST", "/customers/{user_id}/open", _open, Permission.REVEAL),
    Page("POST", "/customers/{user_id}/reveal", _reveal, Permission.REVEAL),
    Page("POST", "/customers/{user_id}/recovery", _recovery, HELP),
    Page("POST", "/customers/{user_id}/lost-phone", _lost_phone, HELP),
    Page("POST", "/customers/{user_id}/sign-out", _sign_out, HELP),
    Page("POST", "/customers/{user_id}/notes", _note, HELP),
    Page("POST", "/sessions/{session_id}/goodwill", _goodwill, HELP),
    Page("POST", "/sessions/{session_id}/revoke", _revoke, HELP),
)
