"""Termii, as thin as it can be: one call, over httpx2 (https://developers.termii.com/messaging-api)."""

from typing import Final

import httpx2

from kswifi.phone_verification.ports import SendRefused, SendResult, SendUnknown, Sent, TextMessage
from kswifi.providers.sms.registry import SenderOptions
from kswifi.providers.sms.sms_http import ANSWER_SECONDS, post_message

# Each account is told its own base address on its dashboard; this one is an older, general one.
TERMII_URL: Final = "https://api.ng.termii.com"
SEND_PATH: Final = "/api/sms/send"
CHANNEL: Final = "dnd"
"""The route for codes: it reaches numbers on do-not-disturb too, and has to be switched on for the account."""
SUCCESS_CODE: Final = "ok"
"""Not confirmed by trying it: answers of success carry ``"code": "ok"`` and a ``message_id``."""


class Termii:
    """Termii behind an API key; ``sender`` is a sender ID that it has registered, 3 to 11 characters."""

    name = "termii"

    def __init__(
        self, key: str, sender: str, url: str = TERMII_URL, answer_seconds: float = ANSWER_SECONDS
    ) -> None:
        self._key = key
        self._sender = sender
        self._client = httpx2.AsyncClient(base_url=url, timeout=answer_seconds, follow_redirects=False)

    async def send(self, message: TextMessage) -> SendResult:
        """Send Message: POST /api/sms/send. The key goes in the body, and numbers without their +."""
        body = {
            "api_key": self._key,
            "to": message.to.removeprefix("+"),
            "from": self._sender,
            "sms": message.words,
            "type": "plain",
            "channel": CHANNEL,
        }
        found = await post_message(self._client, "Termii", SEND_PATH, json=body)
        if isinstance(found, (SendRefused, SendUnknown)):
            return found
        message_id = found.get("message_id")
        if found.get("code") == SUCCESS_CODE and isinstance(message_id, (str, int)):
            return Sent(str(message_id))
        return SendUnknown("Termii's answer does not say that it took the message")

    async def close(self) -> None:
        """Let the connections go."""
        await self._client.aclose()


def open_sender(options: SenderOptions) -> Termii:
    """Return Termii as the settings describe it."""
    return Termii(options.api_key, options.sender or "", options.url or TERMII_URL)
