"""Free sessions that are released in tranches: the next one for the real use of the one before.

What is released is decided, and its money reserved, in the transaction that says so; the ledger is credited through
the outbox. A tranche that found no money is asked for again, by the next octets that are booked or by the watch.
"""

from typing import Final

from sqlalchemy import Connection

from kswifi.database.engine import Database
from kswifi.free_data.grants import release_tranche, waiting_for_release
from kswifi.free_data.rules import FreeDataRules
from kswifi.sessions import jobs

AT_ONCE: Final = 500


def release(connection: Connection, session_id: str, rules: FreeDataRules) -> bool:
    """Release a session's next tranche where it is due and paid for; tell whether it was."""
    grant = release_tranche(connection, session_id, rules)
    if grant is None:
        return False
    jobs.ask_to_disburse(connection, session_id, grant.released_octets)
    return True


async def release_waiting(database: Database, rules: FreeDataRules) -> int:
    """Release what has waited for money or for the end of a stop, as far as there is some; return how many."""

    def release_some(connection: Connection) -> int:
        return sum(
            release(connection, session_id, rules) for session_id in waiting_for_release(connection, AT_ONCE)
        )

    return await database.write(release_some, alone=True)
