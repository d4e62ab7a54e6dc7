"""The adapter of Africa's Talking: one call, over httpx2 (http://docs.africastalking.com/sms/sending)."""

from typing import Any, Final

import httpx2

from kswifi.phone_verification.ports import SendRefused, SendResult, SendUnknown, Sent, TextMessage
from kswifi.providers.public_tls import public_tls
from kswifi.providers.sms.registry import SenderOptions
from kswifi.providers.sms.sms_http import ANSWER_SECONDS, post_message

AFRICAS_TALKING_URL: Final = "https://api.africastalking.com"
SANDBOX_URL: Final = "https://api.sandbox.africastalking.com"
SANDBOX_USERNAME: Final = "sandbox"
SEND_PATH: Final = "/version1/messaging"
TAKEN_CODES: Final = frozenset({100, 101, 102})
"""Status codes for processed, sent, queued. From secondary sources, like the refusals: not confirmed by a test."""
REFUSED_CODES: Final = frozenset({401, 402, 403, 404, 405, 406, 407, 409})
"""Status codes: held for risk, sender, number, kind of number, balance, blacklist, no route, do-not-disturb."""


class AfricasTalking:
    """Africa's Talking with a username and an API key; ``sender`` is a registered sender ID or short code."""

    name = "africas_talking"

    def __init__(
        self,
        key: str,
        username: str,
        sender: str | None = None,
        url: str | None = None,
        answer_seconds: float = ANSWER_SECONDS,
    ) -> None:
        self._username = username
        self._sender = sender
        self._client = httpx2.AsyncClient(
            base_url=url or (SANDBOX_URL if username == SANDBOX_USERNAME else AFRICAS_TALKING_URL),
            timeout=answer_seconds,
            headers={"apiKey": key, "Accept": "application/json"},
            follow_redirects=False,
            verify=public_tls(),
        )

    async def send(self, message: TextMessage) -> SendResult:
        """Send SMS: POST /version1/messaging, as a form; the answer has a status for each recipient."""
        form = {"username": self._username, "to": message.to, "message": message.words}
        if self._sender is not None:
            form["from"] = self._sender
        found = await post_message(self._client, "Africa's Talking", SEND_PATH, data=form)
        if isinstance(found, (SendRefused, SendUnknown)):
            return found
        told = _recipient(found.get("SMSMessageData"))
        code, message_id = told.get("statusCode"), told.get("messageId")
        if code in TAKEN_CODES and isinstance(message_id, str):
            return Sent(message_id)
        if code in REFUSED_CODES:
            return SendRefused(f"Africa's Talking refused ({code}): {str(told.get('status'))[:100]}")
        return SendUnknown("Africa's Talking's answer does not say what became of the message")

    async def close(self) -> None:
        """Close the connections."""
        await self._client.aclose()


def open_sender(options: SenderOptions) -> AfricasTalking:
    """Return the Africa's Talking adapter with these settings."""
    return AfricasTalking(options.api_key, options.username or "", options.sender, options.url)


def _recipient(data: Any) -> dict[str, Any]:
    recipients = data.get("Recipients") if isinstance(data, dict) else None
    found = recipients[0] if isinstance(recipients, list) and len(recipients) == 1 else None
    return found if isinstance(found, dict) else {}
