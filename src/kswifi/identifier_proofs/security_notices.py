"""Outbox handler that informs an account's owner by e-mail of a change of its security, at most once."""

from collections.abc import Mapping
from typing import Final

import structlog

from kswifi.accounts.identifiers import SECURITY_NOTICE, SecurityChange
from kswifi.outbox.model import Entry
from kswifi.outbox.results import Done, Handler, JobResult, Refused, Unknown
from kswifi.phone_verification.ports import CodeSender, SendRefused, Sent, TextMessage

SUBJECT: Final = "The sign-in of your KSWiFi account"

WORDS: Final[Mapping[SecurityChange, str]] = {
    SecurityChange.SIGN_IN_LOCKED: "Wrong passwords were tried; for a while new browsers cannot sign in",
    SecurityChange.NEW_DEVICE: "Your account was signed in to on a new device",
    SecurityChange.PASSWORD_CHANGED: "Your password was changed",
    SecurityChange.RECOVERY_CODE_REPLACED: "Your recovery code was replaced",
    SecurityChange.RECOVERED: "Your account was recovered with the recovery code, and has a new password",
    SecurityChange.SIGNED_OUT_EVERYWHERE: "Your devices were signed out",
    SecurityChange.IDENTIFIER_PROVED: "This email address was confirmed for your account",
    SecurityChange.IDENTIFIER_CHANGED: "Your account now signs in with another phone number or email address",
    SecurityChange.PASSKEY_ADDED: "A passkey was added to your account",
    SecurityChange.PASSKEY_REMOVED: "A passkey was removed from your account",
}

_ADVICE: Final = (
    "If this was not you, recover your account in KSWiFi with your recovery code: that signs out all devices."
)

_log = structlog.get_logger(__name__)


class SecurityNotices:
    """Handles the outbox entries about changes of security; ``sender`` is None where nothing sends e-mail."""

    def __init__(self, sender: CodeSender | None) -> None:
        self._sender = sender

    def handlers(self) -> Mapping[str, Handler]:
        """Return the handler for each kind of entry."""
        return {SECURITY_NOTICE: self.send}

    async def send(self, entry: Entry) -> JobResult:
        """Send one notice. Try again if the mail server did not take it; never repeat one that may be sent."""
        if self._sender is None:
            return Done()
        words = f"{WORDS[SecurityChange(entry.payload['what'])]}. {_ADVICE}"
        reference = f"notice-{entry.payload['sequence']}"
        result = await self._sender.send(TextMessage(reference, entry.payload["to"], words, SUBJECT))
        if isinstance(result, Sent):
            return Done()
        _log.warning("security_notice_not_sent", provider=self._sender.name, why=result.words)
        later = isinstance(result, SendRefused) and result.try_later
        return Unknown(result.words) if later else Refused(result.words)
