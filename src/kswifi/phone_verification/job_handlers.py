"""Sending a code: once. What nobody knows is not sent again; its user may ask for another code."""

from collections.abc import Mapping

import structlog
from sqlalchemy import Connection, select, update

from kswifi.database.engine import Database, transaction_instant
from kswifi.outbox.model import Entry
from kswifi.outbox.results import Done, Handler, JobResult, Refused, Unknown
from kswifi.phone_verification.model import Digest, SendState, code_of, words_of
from kswifi.phone_verification.ports import CodeSender, SendRefused, SendResult, Sent, TextMessage
from kswifi.phone_verification.service import SEND_KIND
from kswifi.phone_verification.sql import phone_verification

_log = structlog.get_logger(__name__)
_t = phone_verification.c


class CodeHandlers:
    """Works the outbox's entries of codes."""

    def __init__(self, database: Database, digest: Digest, sender: CodeSender) -> None:
        self._database = database
        self._digest = digest
        self._sender = sender

    def handlers(self) -> Mapping[str, Handler]:
        """Return what works each kind."""
        return {SEND_KIND: self.send}

    async def send(self, entry: Entry) -> JobResult:
        """Note the intent, send, and note what became of it."""
        verification_id = str(entry.payload["verification_id"])
        found = await self._intend(verification_id)
        if not isinstance(found, TextMessage):
            return found
        result = await self._sender.send(found)
        await self._note(verification_id, _state(result))
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


def _state(result: SendResult) -> SendState:
    match result:
        case Sent():
            return SendState.SENT
        case SendRefused(try_later=True):
            return SendState.WAITING
        case SendRefused():
            return SendState.REFUSED
        case _:
            return SendState.UNKNOWN
