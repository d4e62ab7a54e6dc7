"""Freeze and thaw lines: nothing is granted to a frozen line, whatever its owner or a thief does with it."""

from sqlalchemy import Connection

from kswifi.desk.audit import checked_reason, record
from kswifi.desk.roles import Operator, Permission
from kswifi.esim.lines.service import find_esim, wish_to_freeze
from kswifi.esim.model import ESim
from kswifi.sessions import jobs


def set_line_frozen(connection: Connection, operator: Operator, esim_id: str, reason: str, *, frozen: bool) -> ESim:
    """Request that the ledger freezes or thaws a line; return the line. Idempotent.

    ``frozen`` of the line follows once the ledger has confirmed. Open ChargingSessions are ended at once where the
    network can do it, at the latest with their next report.

    Raises:
        UnknownEsimError: there is no such line.
        ROLE_MAY_NOT, REASON_MISSING
    """
    operator.require(Permission.HELP_CUSTOMERS)
    reason = checked_reason(reason)
    return change_line(connection, operator, find_esim(connection, esim_id), reason, frozen=frozen)


def change_line(connection: Connection, operator: Operator, line: ESim, reason: str, *, frozen: bool) -> ESim:
    """Request a freeze or a thaw for an operator whose role and reason were checked; return the line."""
    wish = wish_to_freeze(connection, line, freeze=frozen)
    if wish is not None:
        jobs.ask_to_freeze(connection, line.esim_id, wish)
    record(
        connection,
        operator,
        "lines freeze" if frozen else "lines thaw",
        line.esim_id,
        reason=reason,
        before={"frozen": line.frozen, "wanted": line.wants_frozen},
        after={"wanted": frozen},
    )
    return find_esim(connection, line.esim_id)
