"""The adapter of Termii: one call, over httpx2 (https://developers.termii.com/messaging-api)."""

from typing import Final

import httpx2

from kswifi.phone_verification.ports import SendRefused, SendResult, SendUnknown, Sent, TextMessage
from kswifi.providers.public_tls import public_tls
from kswifi.providers.sms.registry import SenderOptions
from kswifi.providers.sms.sms_http import ANSWER_SECONDS, post_message

# Each account has its own base address, which its dashboard shows; this is an older, general one.
TERMII_URL: Final = "https://api.ng.termii.com"
SEND_PATH: Final = "/api/sms/send"
CHANNEL: Final = "dnd"
"""The channel for codes: it also reaches numbers on do-not-disturb, and has to be enabled for the account."""
SUCCESS_CODE: Final = "ok"
"""Not confirmed by a test: successful answers contain ``"code": "ok"`` and a ``message_id``."""


class Termii:
    """Termii with an API key; ``sender`` is a registered sender ID of 3 to 11 characters."""

    name = "termii"

    def __init__(
        self, key: str, sender: str, url: str = TERMII_URL, answer_seconds: float = ANSWER_SECONDS
    ) -> None:
        self._key = key
        self._sender = sender
        self._client = httpx2.AsyncClient(
            base_url=url, timeout=answer_seconds, follow_redirects=False, verify=public_tls()
        )

    async def send(self, message: TextMessage) -> SendResult:
        """Send Message: POST /api/sms/send. The key is in the body, and numbers have no leading +."""
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
        """Close the connections."""
        await self._client.aclose()


def open_sender(options: SenderOptions) -> Termii:
    """Return the Termii adapter with these settings."""
    return Termii(options.api_key, options.sender or "", options.url or TERMII_URL)
