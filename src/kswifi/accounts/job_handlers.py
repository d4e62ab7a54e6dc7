"""Outbox handler that informs an account's owner that sign-ins are being refused."""

from collections.abc import Mapping

from sqlalchemy import Connection

from kswifi.accounts.identifiers import SecurityChange, tell_owner
from kswifi.accounts.service import SIGN_IN_LOCK_NOTICE
from kswifi.database.engine import Database
from kswifi.outbox.model import Entry
from kswifi.outbox.results import Done, Handler, JobResult


class LockNotices:
    """Handles the outbox entries about locked sign-ins."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def handlers(self) -> Mapping[str, Handler]:
        """Return the handler for each kind of entry."""
        return {SIGN_IN_LOCK_NOTICE: self.tell}

    async def tell(self, entry: Entry) -> JobResult:
        """Publish an event for the owner. No effect for an identifier without an account."""
        user_id = entry.payload["user_id"]

        def change(connection: Connection) -> None:
            tell_owner(connection, user_id, SecurityChange.SIGN_IN_LOCKED)

        if user_id is not None:
            await self._database.write(change)
        return Done()
