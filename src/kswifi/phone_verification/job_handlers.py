"""Outbox handler that sends a code at most once. After an unknown result, the user may request a new code."""

from collections.abc import Mapping

import structlog
from sqlalchemy import Connection, select, update

from kswifi.accounts.model import Digest
from kswifi.database.engine import Database, transaction_instant
from kswifi.outbox.model import Entry
from kswifi.outbox.results import Done, Handler, JobResult, Refused, Unknown
from kswifi.phone_verification.model import CodeCounts, SendState, code_of, state_of, words_of
from kswifi.phone_verification.ports import CodeSender, SendRefused, Sent, TextMessage
from kswifi.phone_verification.service import SEND_KIND
from kswifi.phone_verification.sql import phone_verification

_log = structlog.get_logger(__name__)
_t = phone_verification.c


class CodeHandlers:
    """Handles the outbox entries of codes."""

    def __init__(
        self, database: Database, digest: Digest, sender: CodeSender, counts: CodeCounts | None = None
    ) -> None:
        self._database = database
        self._digest = digest
        self._sender = sender
        self._counts = CodeCounts() if counts is None else counts

    def handlers(self) -> Mapping[str, Handler]:
        """Return the handler for each kind of entry."""
        return {SEND_KIND: self.send}

    async def send(self, entry: Entry) -> JobResult:
        """Store the intent, send the message, and store the result."""
        verification_id = str(entry.payload["verification_id"])
        found = await self._intend(verification_id)
        if not isinstance(found, TextMessage):
            return found
        result = await self._sender.send(found)
        self._counts[self._sender.name, state_of(result)] += 1
        await self._note(verification_id, state_of(result))
        if isinstance(result, Sent):
            return Done()
        _log.warning("phone_code_not_sent", provider=self._sender.name, why=result.words)
        if isinstance(result, SendRefused) and result.try_later:
            return Unknown(result.words)
        return Refused(result.words)

    async def _intend(self, verification_id: str) -> TextMessage | JobResult:
        def intend(connection: Connection) -> TextMessage | JobResult:
            query = select(phone_verification).where(_t.verification_id == verification_id)
            row = connection.execute(query).one_or_none()
            if row is None or transaction_instant(connection) >= row.expires_at:
                return Refused("the code has had its time")
            this = update(phone_verification).where(_t.verification_id == verification_id)
            if row.state == SendState.SENDING:
                connection.execute(this.values(state=SendState.UNKNOWN))
                return Refused("it was being sent when the process died: nobody knows whether it went out")
            if row.state != SendState.WAITING:
                return Done()
            connection.execute(this.values(state=SendState.SENDING))
            code = code_of(self._digest, verification_id, row.phone_number, row.salt)
            return TextMessage(verification_id, row.phone_number, words_of(code))

        return await self._database.write(intend)

    async def _note(self, verification_id: str, state: SendState) -> None:
        def change(connection: Connection) -> None:
            this = update(phone_verification).where(_t.verification_id == verification_id)
            connection.execute(this.values(state=state))

        await self._database.write(change)
