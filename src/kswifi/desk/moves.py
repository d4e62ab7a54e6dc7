"""Moves that the operator's staff asks for: the line is frozen, and the owner confirms, or waits 24 hours."""

from sqlalchemy import Connection

from kswifi.desk.audit import checked_reason, record
from kswifi.desk.roles import Operator, Permission
from kswifi.esim.lines.service import find_esim
from kswifi.people.move_model import MoveReason, PhoneMove
from kswifi.people.moves import MoveService


def ask_to_move(
    connection: Connection, operator: Operator, moves: MoveService, esim_id: str, why: MoveReason, reason: str
) -> PhoneMove:
    """Freeze a line and ask for its sessions to move to a new eSIM. Staff cannot confirm or hasten the move.

    Raises:
        UnknownEsimError: there is no such line.
        MOVE_UNDER_WAY, TOO_MANY_MOVES: as the owner's own request.
        ROLE_MAY_NOT, REASON_MISSING
    """
    operator.require(Permission.HELP_CUSTOMERS)
    reason = checked_reason(reason)
    line = find_esim(connection, esim_id)
    move = moves.ask(connection, line.user_id, line.esim_id, why)
    record(
        connection,
        operator,
        "lines move",
        line.esim_id,
        reason=reason,
        before={"frozen": line.frozen},
        after={"move_id": move.move_id, "due_at": move.due_at.isoformat()},
    )
    return move
