"""Outbox handler that sends the code of a proof at most once.

After an unknown result the message is not sent again; the user requests a new code.
"""

from collections.abc import Mapping

import structlog
from sqlalchemy import Connection, select, update

from kswifi.accounts.model import Digest, parse_identifier
from kswifi.accounts.sql import identifier_proof
from kswifi.database.engine import Database, transaction_instant
from kswifi.identifier_proofs.service import SEND_KIND, ProofSenders, proof_code_of
from kswifi.outbox.model import Entry
from kswifi.outbox.results import Done, Handler, JobResult, Refused, Unknown
from kswifi.phone_verification.model import CodeCounts, SendState, state_of, words_of
from kswifi.phone_verification.ports import SendRefused, Sent, TextMessage

_log = structlog.get_logger(__name__)
_t = identifier_proof.c


class ProofHandlers:
    """Handles the outbox entries of proofs."""

    def __init__(
        self, database: Database, digest: Digest, senders: ProofSenders, counts: CodeCounts | None = None
    ) -> None:
        self._database = database
        self._digest = digest
        self._senders = senders
        self._counts = CodeCounts() if counts is None else counts

    def handlers(self) -> Mapping[str, Handler]:
        """Return the handler for each kind of entry."""
        return {SEND_KIND: self.send}

    async def send(self, entry: Entry) -> JobResult:
        """Store the intent, send the message, and store the result."""
        proof_id = str(entry.payload["proof_id"])
        message = await self._database.write(lambda connection: self._intend(connection, proof_id))
        if not isinstance(message, TextMessage):
            return message
        sender = self._senders.sender_of(parse_identifier(message.to))
        if sender is None:  # the sender was switched off after the request
            await self._note(proof_id, SendState.REFUSED)
            return Refused("nothing sends codes to this kind of identifier")
        result = await sender.send(message)
        self._counts[sender.name, state_of(result)] += 1
        await self._note(proof_id, state_of(result))
        if isinstance(result, Sent):
            return Done()
        _log.warning("proof_code_not_sent", provider=sender.name, why=result.words)
        if isinstance(result, SendRefused) and result.try_later:
            return Unknown(result.words)
        return Refused(result.words)

    def _intend(self, connection: Connection, proof_id: str) -> TextMessage | JobResult:
        row = connection.execute(select(identifier_proof).where(_t.proof_id == proof_id)).one_or_none()
        if row is None or transaction_instant(connection) >= row.expires_at:
            return Refused("the code has had its time")
        this = update(identifier_proof).where(_t.proof_id == proof_id)
        if row.state == SendState.SENDING:
            connection.execute(this.values(state=SendState.UNKNOWN))
            return Refused("it was being sent when the process died: nobody knows whether it went out")
        if row.state != SendState.WAITING:
            return Done()
        connection.execute(this.values(state=SendState.SENDING))
        return TextMessage(proof_id, row.identifier, words_of(proof_code_of(self._digest, row)))

    async def _note(self, proof_id: str, state: SendState) -> None:
        def change(connection: Connection) -> None:
            connection.execute(update(identifier_proof).where(_t.proof_id == proof_id).values(state=state))

        await self._database.write(change)
