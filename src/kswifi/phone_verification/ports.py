"""The port of a code sender: a text message to a number, or an e-mail to an address.

A call answers *done* (``Sent``), *refused*, or **unknown**: the message may or may not have been sent, so it is not
sent again automatically. The adapters and the lab's outbox pass one contract suite
(`tests/contract/test_code_senders.py`).
"""

from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True, slots=True)
class TextMessage:
    """One message. ``reference`` names it; ``to`` is a number in E.164 or an email address.

    ``subject`` is for e-mail alone.
    """

    reference: str
    to: str
    words: str
    subject: str = "Your KSWiFi code"


@dataclass(frozen=True, slots=True)
class Sent:
    """The provider accepted the message; ``message_id`` is the provider's id."""

    message_id: str


@dataclass(frozen=True, slots=True)
class SendRefused:
    """The message was not sent. ``try_later`` means that only a rate limit was reached: send it again later."""

    words: str
    try_later: bool = False


@dataclass(frozen=True, slots=True)
class SendUnknown:
    """The result is unknown: no answer, an unreadable answer, or an error of the provider."""

    words: str


SendResult = Sent | SendRefused | SendUnknown


class CodeSender(Protocol):
    """One provider of text messages or of e-mail."""

    name: str

    async def send(self, message: TextMessage) -> SendResult:
        """Send a message, once."""
        ...

    async def close(self) -> None:
        """Close the connections."""
        ...
