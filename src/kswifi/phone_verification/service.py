"""Request and confirm a code for a phone number, and record the verified number.

The number itself is stored only while its code is valid. Afterwards the account keeps only the mark of the number:
a keyed digest by which free data recognises it.
"""

import hmac
import os
from collections.abc import Callable
from datetime import datetime
from typing import Any, Final

from sqlalchemy import Connection, Row, delete, insert, select, update

from kswifi.accounts.model import Digest, Identifier
from kswifi.accounts.rates import NO_VENUES, AddressLimiter, RateLimiter, Venues
from kswifi.accounts.sql import user_account
from kswifi.database.engine import Database, transaction_instant
from kswifi.kernel.errors import KswifiError
from kswifi.kernel.pasted import clean_digits
from kswifi.outbox.service import enqueue
from kswifi.phone_verification.code_limits import CodeLimiter
from kswifi.phone_verification.errors import (
    NO_LAB_MESSAGE,
    PHONE_CODE_OVER,
    PHONE_CODE_WRONG,
    PHONE_VERIFIED_ELSEWHERE,
    UNKNOWN_PHONE_VERIFICATION,
)
from kswifi.phone_verification.lab_outbox import LabOutbox
from kswifi.phone_verification.model import (
    CODE_LIFETIME,
    CODES_BY_ACCOUNT,
    CODES_BY_ADDRESS,
    TRIES_LIMIT,
    LabMessage,
    PhoneVerification,
    SendState,
    code_of,
    parse_phone_number,
)
from kswifi.phone_verification.sql import lab_text_message, phone_verification

SEND_KIND: Final = "send_phone_code"
PRUNE_LIMIT: Final = 500

_t = phone_verification.c
_Row = Row[*tuple[Any, ...]]
NumberKeeper = Callable[[Connection, str], object]
"""Keeps a verified number, in the transaction that verifies it."""


class PhoneVerifications:
    """The verifications of one installation, with its keyed ``digest``; ``lab`` is None where messages are sent.

    ``limiter`` counts the codes of all kinds together.
    """

    def __init__(
        self,
        database: Database,
        digest: Digest,
        lab: LabOutbox | None = None,
        random_bytes: Callable[[int], bytes] = os.urandom,
        limiter: CodeLimiter | None = None,
        venues: Venues = NO_VENUES,
    ) -> None:
        self._database = database
        self._digest = digest
        self._lab = lab
        self._random_bytes = random_bytes
        self._by_account = RateLimiter(CODES_BY_ACCOUNT)
        self._by_address = AddressLimiter(CODES_BY_ADDRESS, venues)
        self._limiter = limiter or CodeLimiter()

    async def begin(self, user_id: str, verification_id: str, text: str, address: str) -> PhoneVerification:
        """Request a code to a number. Idempotent by ``verification_id``.

        Raises:
            NOT_A_PHONE_NUMBER: no code can be sent to it.
            TooManyAttemptsError: too many codes for this account, number or network address, or for all together.
        """
        number = parse_phone_number(text)
        known = await self._database.read(lambda connection: _find(connection, user_id, verification_id))
        if known is not None:
            return _shown(known)
        now = self._database.clock.now()
        self._by_address.attempt(address, now)
        self._by_account.attempt(user_id, now)
        self._limiter.attempt(Identifier(phone_number=number), now)

        def change(connection: Connection) -> datetime:
            expires_at = transaction_instant(connection) + CODE_LIFETIME
            connection.execute(
                insert(phone_verification).values(
                    verification_id=verification_id,
                    user_id=user_id,
                    phone_number=number,
                    salt=self._random_bytes(16).hex(),
                    state=SendState.WAITING,
                    tries=0,
                    expires_at=expires_at,
                )
            )
            payload = {"verification_id": verification_id}
            enqueue(connection, kind=SEND_KIND, key=f"{SEND_KIND}:{verification_id}", payload=payload)
            return expires_at

        expires_at = await self._database.write(change)
        return PhoneVerification(verification_id, SendState.WAITING, expires_at)

    async def verification(self, user_id: str, verification_id: str) -> PhoneVerification:
        """Return a user's verification.

        Raises:
            UNKNOWN_PHONE_VERIFICATION: they have none of this id, or it is forgotten.
        """
        return await self._database.read(
            lambda connection: _shown(_require(_find(connection, user_id, verification_id)))
        )

    async def confirm(
        self, user_id: str, verification_id: str, code: str, keep: NumberKeeper | None = None
    ) -> None:
        """Confirm a verification with the typed code; the number then belongs to this account. Idempotent.

        ``keep`` is called with the number in the same transaction, where its owner consents to keep it. A repeated
        confirmation does not call it again: the number is forgotten by then.

        Raises:
            UNKNOWN_PHONE_VERIFICATION: the user has none of this id.
            PHONE_CODE_WRONG, PHONE_CODE_OVER: the code is another, or it has had its time or its tries.
            PHONE_VERIFIED_ELSEWHERE: the number is another account's.
        """
        refused = await self._database.write(
            lambda connection: self._confirm(connection, user_id, verification_id, code, keep)
        )
        if refused is not None:  # after the transaction, so that a wrong attempt is counted
            raise refused

    def _confirm(
        self,
        connection: Connection,
        user_id: str,
        verification_id: str,
        code: str,
        keep: NumberKeeper | None,
    ) -> KswifiError | None:
        row = _require(_find(connection, user_id, verification_id))
        if row.confirmed_at is not None:
            return None
        now = transaction_instant(connection)
        if now >= row.expires_at or row.tries >= TRIES_LIMIT or row.state == SendState.REFUSED:
            return PHONE_CODE_OVER("this code does not hold any more: ask for another")
        expected = code_of(self._digest, row.verification_id, row.phone_number, row.salt)
        this = update(phone_verification).where(_t.verification_id == verification_id)
        if not hmac.compare_digest(expected.encode(), clean_digits(code).encode("utf-8", "replace")):
            connection.execute(this.values(tries=row.tries + 1))
            left = TRIES_LIMIT - row.tries - 1
            return PHONE_CODE_WRONG(f"this is not the code: you can try {left} times more", tries_left=left)
        mark = self._digest("phone", row.phone_number).hex()
        t = user_account.c
        owner = connection.scalar(select(t.user_id).where(t.phone_mark == mark))
        if owner not in (None, user_id):
            return PHONE_VERIFIED_ELSEWHERE("another account has verified this number")
        connection.execute(update(user_account).where(t.user_id == user_id).values(phone_mark=mark))
        connection.execute(this.values(confirmed_at=now))
        if keep is not None:
            keep(connection, row.phone_number)
        return None

    async def lab_message(self, user_id: str, verification_id: str) -> LabMessage:
        """Return the message of a verification in the lab, where messages are stored and not sent.

        Raises:
            NO_LAB_MESSAGE: they are sent, or this one is not there (yet, or any more).
            UNKNOWN_PHONE_VERIFICATION: the user has none of this id.
        """
        if self._lab is None:
            raise NO_LAB_MESSAGE("text messages are really sent here: look at your phone")
        await self.verification(user_id, verification_id)
        found = await self._lab.find(verification_id)
        if found is None:
            raise NO_LAB_MESSAGE("this message is not in the lab's outbox")
        return found

    async def prune(self) -> int:
        """Delete a batch of expired verifications, with their numbers; return how many."""

        def change(connection: Connection) -> int:
            now = transaction_instant(connection)
            old = select(_t.verification_id).where(_t.expires_at <= now - CODE_LIFETIME).limit(PRUNE_LIMIT)
            connection.execute(delete(lab_text_message).where(lab_text_message.c.at <= now - CODE_LIFETIME))
            return connection.execute(delete(phone_verification).where(_t.verification_id.in_(old))).rowcount

        return await self._database.write(change, alone=True)


def forget_verifications(connection: Connection, user_id: str) -> None:
    """Delete a user's verifications and their messages."""
    theirs = select(_t.verification_id).where(_t.user_id == user_id)
    connection.execute(delete(lab_text_message).where(lab_text_message.c.reference.in_(theirs)))
    connection.execute(delete(phone_verification).where(_t.user_id == user_id))


def _find(connection: Connection, user_id: str, verification_id: str) -> _Row | None:
    query = select(phone_verification).where(_t.verification_id == verification_id, _t.user_id == user_id)
    return connection.execute(query).one_or_none()


def _require(row: _Row | None) -> _Row:
    if row is None:
        raise UNKNOWN_PHONE_VERIFICATION("you have asked for no such code")
    return row


def _shown(row: _Row) -> PhoneVerification:
    return PhoneVerification(row.verification_id, SendState(row.state), row.expires_at)
