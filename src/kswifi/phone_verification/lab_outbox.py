"""The sender of embedded mode: it only stores messages in a table, which the lab shows."""

from sqlalchemy import Connection, delete, select

from kswifi.database.dialect import insert
from kswifi.database.engine import Database, transaction_instant
from kswifi.phone_verification.model import CODE_LIFETIME, LabMessage
from kswifi.phone_verification.ports import SendResult, Sent, TextMessage
from kswifi.phone_verification.sql import lab_text_message

_t = lab_text_message.c


class LabOutbox:
    """Stores messages until their codes expire."""

    name = "lab"

    def __init__(self, database: Database) -> None:
        self._database = database

    async def send(self, message: TextMessage) -> SendResult:
        """Store a message. Idempotent by its reference."""

        def change(connection: Connection) -> None:
            now = transaction_instant(connection)
            connection.execute(delete(lab_text_message).where(_t.at <= now - CODE_LIFETIME))
            connection.execute(
                insert(lab_text_message)
                .values(reference=message.reference, phone_number=message.to, words=message.words, at=now)
                .on_conflict_do_nothing()
            )

        await self._database.write(change)
        return Sent(f"lab-{message.reference}")

    async def find(self, reference: str) -> LabMessage | None:
        """Return a stored message; None if there is none."""
        query = select(_t.phone_number, _t.words, _t.at).where(_t.reference == reference)
        row = await self._database.read(lambda connection: connection.execute(query).one_or_none())
        return None if row is None else LabMessage(*row)

    async def close(self) -> None:
        """Close nothing: there is no connection."""
