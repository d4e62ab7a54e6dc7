"""What sends a code: a text message to a number, or an e-mail to an address.

A call answers *done* (``Sent``), *refused*, or **unknown**: nobody knows whether the message went out, so it is not
sent again by itself. The adapters and the lab's outbox stand behind one contract suite
(`tests/contract/test_code_senders.py`).
"""

from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True, slots=True)
class TextMessage:
    """One message. ``reference`` is the verification's id; ``to`` is a number in E.164 or an email address."""

    reference: str
    to: str
    words: str


@dataclass(frozen=True, slots=True)
class Sent:
    """The provider took it; ``message_id`` is its name for it."""

    message_id: str


@dataclass(frozen=True, slots=True)
class SendRefused:
    """It was not sent. With ``try_later`` the same may be asked again: the provider only was asked too often."""

    words: str
    try_later: bool = False


@dataclass(frozen=True, slots=True)
class SendUnknown:
    """No answer, one that cannot be read, or a provider that is not well."""

    words: str


SendResult = Sent | SendRefused | SendUnknown


class CodeSender(Protocol):
    """One provider of text messages or of e-mail."""

    name: str

    async def send(self, message: TextMessage) -> SendResult:
        """Send a message, once."""
        ...

    async def close(self) -> None:
        """Let the connections go."""
        ...
