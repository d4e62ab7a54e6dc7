"""The text message that informs the owner of a used-up InternetSession: push messages need the data that has ended.

It is sent at most once: a mark is stored before the message is sent. After an unknown result it is not sent again.
"""

from collections.abc import Mapping
from datetime import timedelta
from typing import Final

import structlog
from sqlalchemy import Connection, delete, select

from kswifi.accounts.errors import TooManyAttemptsError
from kswifi.accounts.model import Digest
from kswifi.accounts.rates import Rate, RateLimiter
from kswifi.accounts.sql import user_account
from kswifi.database.dialect import insert
from kswifi.database.engine import Database, transaction_instant
from kswifi.kernel.clock import unix_seconds
from kswifi.kernel.quantities import format_octets
from kswifi.notifications.sql import told_alert
from kswifi.outbox.model import Entry
from kswifi.outbox.results import Done, Handler, JobResult, Refused, Unknown
from kswifi.phone_verification.ports import CodeSender, SendRefused, Sent, TextMessage
from kswifi.sessions.errors import UnknownSessionError
from kswifi.sessions.model import InternetSession
from kswifi.sessions.store import find_session

TEXT_AT_END: Final = "text_at_end"
STALE: Final = timedelta(hours=12)
"""After this time the message is no news any more and is not sent."""

_MARK: Final = "text-at-end"

_log = structlog.get_logger(__name__)


class TextsAtEnd:
    """Sends the messages, at most ``a_day`` of them in a day in all (counted in memory)."""

    def __init__(self, database: Database, digest: Digest, sender: CodeSender, a_day: int) -> None:
        self._database = database
        self._digest = digest
        self._sender = sender
        self._limiter = RateLimiter(Rate(a_day, timedelta(days=1)))

    def handlers(self) -> Mapping[str, Handler]:
        """Return the handler for each kind of entry."""
        return {TEXT_AT_END: self.send}

    async def send(self, entry: Entry) -> JobResult:
        """Store the mark, then send the message."""
        session_id = str(entry.payload["session_id"])
        message = await self._database.write(lambda connection: self._intend(connection, session_id, entry))
        if not isinstance(message, TextMessage):
            return message
        try:
            self._limiter.attempt("all", self._database.clock.now())
        except TooManyAttemptsError:
            return Refused("the day's limit of text messages is reached")
        result = await self._sender.send(message)
        if isinstance(result, Sent):
            return Done()
        _log.warning("text_at_end_not_sent", provider=self._sender.name, why=result.words)
        if isinstance(result, SendRefused) and result.try_later:
            await self._database.write(lambda connection: _unmark(connection, session_id))
            return Unknown(result.words)
        return Refused(result.words)

    def _intend(self, connection: Connection, session_id: str, entry: Entry) -> TextMessage | JobResult:
        now = transaction_instant(connection)
        if unix_seconds(now) - entry.payload["at"] > STALE.total_seconds():
            return Refused("it is no news any more")
        try:
            session = find_session(connection, session_id)
        except UnknownSessionError:
            return Done()
        number = self._proved_number(connection, session.user_id)
        if number is None:
            return Done()
        marked = connection.execute(
            insert(told_alert).values(session_id=session_id, name=_MARK, at=now).on_conflict_do_nothing()
        )
        if marked.rowcount == 0:
            return Refused("it was being sent when the process died: nobody knows whether it went out")
        return TextMessage(session_id, number, words_of(session))

    def _proved_number(self, connection: Connection, user_id: str) -> str | None:
        """Return the account's phone number if its owner has shown that it is theirs."""
        row = connection.execute(select(user_account).where(user_account.c.user_id == user_id)).one_or_none()
        if row is None or row.phone_number is None:
            return None
        verified = row.phone_mark == self._digest("phone", row.phone_number).hex()
        return row.phone_number if verified or row.identifier_proved_at is not None else None


def words_of(session: InternetSession) -> str:
    """Return the text, in the letters of GSM 03.38, so that it is one message."""
    size = "unlimited" if session.allowance_octets is None else format_octets(session.allowance_octets)
    return f"KSWiFi: your {size} session is used up. Find WiFi and download the next one in the app."


def _unmark(connection: Connection, session_id: str) -> None:
    connection.execute(delete(told_alert).where(told_alert.c.session_id == session_id, told_alert.c.name == _MARK))
