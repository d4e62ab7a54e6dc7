"""Request and confirm a code for an identifier, without looking at accounts.

So the answers, and the work for them, are the same whether an account exists or not.
``kswifi.accounts.identifiers`` defines the use of a confirmed proof.
"""

import hmac
import os
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final, Literal
from uuid import uuid4

from sqlalchemy import Connection, Row, delete, insert, select, update

from kswifi.accounts.identifiers import PROOF_LIFETIME
from kswifi.accounts.model import Digest, Identifier, parse_identifier
from kswifi.accounts.rates import NO_VENUES, AddressLimiter, Venues
from kswifi.accounts.sql import identifier_proof
from kswifi.database.engine import Database, transaction_instant
from kswifi.identifier_proofs.errors import (
    IdentifierCannotBeProvedError,
    ProofCodeOverError,
    ProofCodeWrongError,
    UnknownProofError,
)
from kswifi.kernel.errors import KswifiError
from kswifi.kernel.pasted import clean_digits
from kswifi.outbox.service import enqueue
from kswifi.phone_verification.code_limits import CodeLimiter
from kswifi.phone_verification.errors import NO_LAB_MESSAGE
from kswifi.phone_verification.lab_outbox import LabOutbox
from kswifi.phone_verification.model import (
    CODE_LIFETIME,
    CODES_BY_ADDRESS,
    TRIES_LIMIT,
    LabMessage,
    SendState,
    code_of,
)
from kswifi.phone_verification.ports import CodeSender

SEND_KIND: Final = "send_proof_code"
PRUNE_LIMIT: Final = 500

_t = identifier_proof.c


@dataclass(frozen=True, slots=True)
class ProofSenders:
    """The senders of codes: text messages to phone numbers, e-mail to addresses; None where there is no sender."""

    sms: CodeSender | None = None
    email: CodeSender | None = None

    def sender_of(self, who: Identifier) -> CodeSender | None:
        """Return the sender for an identifier; None if there is none."""
        return self.email if who.email is not None else self.sms


@dataclass(frozen=True, slots=True)
class IdentifierProof:
    """A requested code. Only its requester knows the id."""

    proof_id: str
    expires_at: datetime


class IdentifierProofs:
    """The proofs of one installation, with its keyed ``digest``; ``limiter`` is shared with phone verification."""

    def __init__(
        self,
        database: Database,
        digest: Digest,
        senders: ProofSenders,
        limiter: CodeLimiter,
        random_bytes: Callable[[int], bytes] = os.urandom,
        venues: Venues = NO_VENUES,
    ) -> None:
        self._database = database
        self._digest = digest
        self._senders = senders
        self._limiter = limiter
        self._random_bytes = random_bytes
        self._by_address = AddressLimiter(CODES_BY_ADDRESS, venues)

    @property
    def kinds(self) -> tuple[Literal["phone_number", "email"], ...]:
        """The kinds of identifiers that codes are sent to."""
        phone_number: tuple[Literal["phone_number"], ...] = () if self._senders.sms is None else ("phone_number",)
        return (*phone_number, "email") if self._senders.email is not None else phone_number

    async def begin(self, identifier: str, address: str) -> IdentifierProof:
        """Request a code to a phone number or email address.

        Raises:
            InvalidIdentifierError: it is neither.
            IdentifierCannotBeProvedError: there is no sender for this kind.
            TooManyAttemptsError: too many codes for this identifier, its prefix, the network address, or in all.
        """
        who = parse_identifier(identifier)
        if self._senders.sender_of(who) is None:
            kind = "email addresses" if who.email is not None else "phone numbers"
            raise IdentifierCannotBeProvedError(f"no codes are sent to {kind} here")
        now = self._database.clock.now()
        self._by_address.attempt(address, now)
        self._limiter.attempt(who, now)
        proof_id, salt = str(uuid4()), self._random_bytes(16).hex()  # an id that cannot be guessed

        def change(connection: Connection) -> datetime:
            expires_at = transaction_instant(connection) + CODE_LIFETIME
            values = {"proof_id": proof_id, "identifier": str(who), "salt": salt, "state": SendState.WAITING}
            connection.execute(insert(identifier_proof).values(**values, tries=0, expires_at=expires_at))
            enqueue(connection, kind=SEND_KIND, key=f"{SEND_KIND}:{proof_id}", payload={"proof_id": proof_id})
            return expires_at

        return IdentifierProof(proof_id, await self._database.write(change))

    async def confirm(self, proof_id: str, code: str) -> None:
        """Confirm a proof with the code that its user typed in. Idempotent for the right code.

        Raises:
            UnknownProofError: no proof has this id.
            ProofCodeWrongError: the code is wrong; the attempt is counted.
            ProofCodeOverError: the code has expired or has no attempts left.
        """
        refused = await self._database.write(lambda connection: self._confirm(connection, proof_id, code))
        if refused is not None:  # after the transaction, so that a wrong attempt is counted
            raise refused

    def _confirm(self, connection: Connection, proof_id: str, code: str) -> KswifiError | None:
        row = _find(connection, proof_id)
        if row is None:
            return UnknownProofError("no code was asked for here, or it is forgotten: ask for another")
        now = transaction_instant(connection)
        if now >= row.expires_at or row.tries >= TRIES_LIMIT or row.state == SendState.REFUSED:
            return ProofCodeOverError("this code does not hold any more: ask for another")
        expected = proof_code_of(self._digest, row)
        this = update(identifier_proof).where(_t.proof_id == proof_id)
        if not hmac.compare_digest(expected.encode(), clean_digits(code).encode("utf-8", "replace")):
            connection.execute(this.values(tries=row.tries + 1))
            left = TRIES_LIMIT - row.tries - 1
            return ProofCodeWrongError(f"this is not the code: you can try {left} times more", tries_left=left)
        if row.confirmed_at is None:
            connection.execute(this.values(confirmed_at=now))
        return None

    async def proof(self, proof_id: str) -> IdentifierProof:
        """Return a proof that was begun.

        Raises:
            UnknownProofError: no code was asked for under this id.
        """
        row = await self._database.read(lambda connection: _find(connection, proof_id))
        if row is None:
            raise UnknownProofError("no code was asked for here, or it is forgotten")
        return IdentifierProof(proof_id, row.expires_at)

    async def lab_message(self, proof_id: str) -> LabMessage:
        """Return the message of a proof in the lab, where messages are stored and not sent.

        Raises:
            UnknownProofError: no code was asked for under this id.
            NO_LAB_MESSAGE: the message is sent, or it is not there (yet, or any more).
        """
        row = await self._database.read(lambda connection: _find(connection, proof_id))
        if row is None:
            raise UnknownProofError("no code was asked for here, or it is forgotten")
        sender = self._senders.sender_of(parse_identifier(row.identifier))
        found = await sender.find(proof_id) if isinstance(sender, LabOutbox) else None
        if found is None:
            raise NO_LAB_MESSAGE("this message is not in the lab's outbox")
        return found

    async def prune(self) -> int:
        """Delete a batch of proofs that can no longer be used, with their identifiers; return their number."""

        def change(connection: Connection) -> int:
            over = _t.expires_at <= transaction_instant(connection) - PROOF_LIFETIME
            old = select(_t.proof_id).where(over).limit(PRUNE_LIMIT)
            return connection.execute(delete(identifier_proof).where(_t.proof_id.in_(old))).rowcount

        return await self._database.write(change)


def proof_code_of(digest: Digest, row: Row[*tuple[Any, ...]]) -> str:
    """Return the code of a proof: derived under the installation's key, and never stored."""
    return code_of(digest, row.proof_id, row.identifier, row.salt)


def _find(connection: Connection, proof_id: str) -> Row[*tuple[Any, ...]] | None:
    return connection.execute(select(identifier_proof).where(_t.proof_id == proof_id)).one_or_none()
