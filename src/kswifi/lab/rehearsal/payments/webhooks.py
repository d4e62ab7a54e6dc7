"""Send signed webhooks to a shop: repeated until they are accepted, and late or several times if wished."""

import asyncio
import hashlib
import hmac
from typing import Final

import httpx2
import structlog

_log = structlog.get_logger(__name__)

TRIES: Final = 5
TASKS_LIMIT: Final = 1_000
_ANSWER_SECONDS: Final = 5.0


class Webhooks:
    """Sends webhooks to one URL. Close it when the gateway stops.

    Args:
        url: of the shop.
        header: the name of the signature's header field.
        secret: the key of the signature (HMAC-SHA512 of the body).
        retry_seconds: after how long a webhook that was refused is sent again; doubled each time.
    """

    def __init__(self, url: str, header: str, secret: str, retry_seconds: float) -> None:
        self._url = url
        self._header = header
        self._secret = secret.encode()
        self._retry_seconds = retry_seconds
        # The shop is on this machine and uses plain HTTP. verify=False avoids loading certificates for nothing.
        self._client = httpx2.AsyncClient(timeout=_ANSWER_SECONDS, trust_env=False, verify=False)
        self._tasks: set[asyncio.Task[None]] = set()

    def send(self, body: bytes, *, times: int = 1, delay_seconds: float = 0.0) -> None:
        """Send a webhook ``times`` times, in parallel, after a delay. It returns at once."""
        for _ in range(times):
            if len(self._tasks) >= TASKS_LIMIT:
                _log.warning("webhook_dropped", waiting=len(self._tasks))
                return
            task = asyncio.create_task(self._send(body, delay_seconds), name="webhook")
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    async def close(self) -> None:
        """Cancel all webhooks that are not delivered yet."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self._client.aclose()

    async def _send(self, body: bytes, delay_seconds: float) -> None:
        signature = hmac.new(self._secret, body, hashlib.sha512).hexdigest()
        headers = {self._header: signature, "Content-Type": "application/json"}
        await asyncio.sleep(delay_seconds)
        for attempt in range(TRIES):
            try:
                answer = await self._client.post(self._url, content=body, headers=headers)
                if answer.is_success:
                    return
                words = str(answer.status_code)
            except httpx2.HTTPError as error:
                words = str(error)
            _log.info("webhook_not_taken", attempt=attempt + 1, words=words)
            await asyncio.sleep(self._retry_seconds * 2**attempt)
