"""Notices in a customer's app: incidents, a frozen line, a move, held free data, a caller code."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Final

from sqlalchemy import Connection, select

from kswifi.desk.callers import CallerChecks
from kswifi.desk.incidents import current
from kswifi.esim.sql import esim
from kswifi.free_data.holds import HELD_WORDS, is_held
from kswifi.people.move_model import MoveState
from kswifi.people.sql import phone_move

_FROZEN: Final = "Support has stopped your line. Call support to have it opened again."
_MOVE: Final = "A move to a new phone was asked for, and the old eSIM is stopped. If it was not you, cancel it."
_CODE: Final = "Support asks for this code: {}. Read it out only if you have called support yourself."


class NoticeKind(StrEnum):
    """The kinds of notices."""

    INCIDENT = "incident"
    FROZEN = "frozen"
    MOVE = "move"
    HELD = "held"
    CALLER_CODE = "caller_code"


@dataclass(frozen=True, slots=True)
class Notice:
    """One notice: ``words`` for the customer, the ``code`` of a caller check, and since (a code: until) when."""

    kind: NoticeKind
    words: str
    code: str | None = None
    at: datetime | None = None


def notices_of(connection: Connection, callers: CallerChecks, user_id: str) -> list[Notice]:
    """Return the notices for a customer, the most urgent first."""
    codes = callers.codes_for(connection, user_id)
    found = [Notice(NoticeKind.CALLER_CODE, _CODE.format(it.code), it.code, it.expires_at) for it in codes]
    # A line that is being moved, or was moved, is frozen for good, and support does not open it again.
    of_line = select(phone_move.c.state).where(phone_move.c.old_esim_id == esim.c.esim_id)
    moves = of_line.where(phone_move.c.state != MoveState.CANCELLED).exists()
    waits = of_line.where(phone_move.c.state == MoveState.WAITING).exists()
    for kind, words, wanted in ((NoticeKind.FROZEN, _FROZEN, ~moves), (NoticeKind.MOVE, _MOVE, waits)):
        query = select(esim.c.esim_id).where(esim.c.user_id == user_id, esim.c.frozen, wanted).limit(1)
        if connection.scalar(query) is not None:
            found.append(Notice(kind, words))
    if is_held(connection, user_id):
        found.append(Notice(NoticeKind.HELD, HELD_WORDS))
    return found + [Notice(NoticeKind.INCIDENT, it.words, None, it.begun_at) for it in current(connection)]
