"""Octets that go back to their giver: withdrawn, not claimed or not stored in time, or refused by the ledger.

A return begins only in a state in which no Receive can be on its way, by a compare-and-set of the transfer's row.
"""

from typing import Final

from sqlalchemy import Connection

from kswifi.database.engine import Database, transaction_instant
from kswifi.people import jobs, store
from kswifi.people.model import OctetTransfer, TransferEvent, TransferKind, TransferState
from kswifi.sessions import jobs as session_jobs
from kswifi.sessions.ending import end_unused_session, may_be_spent
from kswifi.sessions.model import LIVE_STATES, SessionEvent
from kswifi.sessions.store import find_session

AT_ONCE: Final = 200
WENT_BACK: Final = "its octets went back"


def begin_return(connection: Connection, transfer: OctetTransfer, reason: str) -> OctetTransfer | None:
    """Begin a return; None if the transfer has another state by now. End the session that waits for the octets."""
    returning = store.change_state(connection, transfer, TransferEvent.RETURN_STARTED, reason=reason)
    if returning is not None:
        end_receiver(connection, returning)
        jobs.ask_to_return(connection, returning)
    return returning


def end_receiver(connection: Connection, transfer: OctetTransfer) -> None:
    """End the session that was ordered for octets which will not come."""
    if transfer.to_session_id is None:
        return
    session = find_session(connection, transfer.to_session_id)
    if session.state in LIVE_STATES:
        session_jobs.ask_to_revoke(connection, session, WENT_BACK)
        if not may_be_spent(session):  # otherwise the ledger ends it
            end_unused_session(connection, session, SessionEvent.REVOKED, WENT_BACK)


def forget_owner(connection: Connection, user_id: str) -> None:
    """Take a user's unclaimed gifts back, because the account is being deleted."""
    _take_back(connection, store.unclaimed_of(connection, user_id))


def take_back_unclaimed(connection: Connection, session_id: str) -> None:
    """Take the gifts of a session back that nobody has claimed."""
    of_session = store.transfers_of_session(connection, session_id)
    unclaimed = (TransferState.OFFERED, TransferState.SENT)
    _take_back(
        connection,
        [
            it
            for it in of_session
            if it.from_session_id == session_id and it.kind is TransferKind.GIFT and it.state in unclaimed
        ],
    )


def _take_back(connection: Connection, transfers: list[OctetTransfer]) -> None:
    for transfer in transfers:
        if transfer.state is TransferState.OFFERED:
            store.note_reason(connection, transfer, jobs.WITHDRAWN)
        else:
            begin_return(connection, transfer, jobs.WITHDRAWN)


async def return_due(database: Database) -> int:
    """Begin the returns that are due, up to a batch; return how many.

    Due is what nobody claimed or stored in time, and what was claimed for a session that has ended since.
    """

    def begin(connection: Connection) -> int:
        begun = 0
        for transfer in store.due_to_return(connection, transaction_instant(connection), AT_ONCE):
            if transfer.state is TransferState.CLAIMED and _is_proved(connection, transfer):
                continue  # its Receive is about to be executed
            reason = jobs.NOT_CLAIMED if transfer.state is TransferState.SENT else jobs.NOT_STORED
            begun += begin_return(connection, transfer, reason) is not None
        for transfer in store.claimed_for_ended(connection, AT_ONCE):
            begun += begin_return(connection, transfer, jobs.NOT_STORED) is not None
        return begun

    return await database.write(begin, alone=True)


def _is_proved(connection: Connection, transfer: OctetTransfer) -> bool:
    if transfer.to_session_id is None:
        return False
    session = find_session(connection, transfer.to_session_id)
    return session.storage_proof is not None and session.state in LIVE_STATES
