"""Release free sessions in tranches: the next tranche when the one before is used.

The release and the reservation of its money are one transaction; an outbox entry credits the ledger. A tranche that
found no money is tried again with the next booked octets and by the periodic ``release_waiting``.
"""

from typing import Final

from sqlalchemy import Connection

from kswifi.database.engine import Database
from kswifi.free_data.grants import release_tranche, waiting_for_release
from kswifi.free_data.rules import FreeDataRules
from kswifi.sessions import jobs
from kswifi.sessions.store import find_session

AT_ONCE: Final = 500


def release(connection: Connection, session_id: str, rules: FreeDataRules) -> bool:
    """Release a session's next tranche if it is due and its money is available; return whether it was released."""
    grant = release_tranche(connection, session_id, rules)
    if grant is None:
        return False
    # The ledger counts the octets it credited: with those that left for other sessions, without received ones.
    session = find_session(connection, session_id)
    credited_octets = grant.released_octets + session.sent_octets - session.received_octets
    jobs.ask_to_disburse(connection, session_id, credited_octets)
    return True


async def release_waiting(database: Database, rules: FreeDataRules) -> int:
    """Release tranches that waited for money or for the end of a stop, up to a batch; return how many."""

    def release_some(connection: Connection) -> int:
        return sum(
            release(connection, session_id, rules) for session_id in waiting_for_release(connection, AT_ONCE)
        )

    return await database.write(release_some, alone=True)
