"""Send the webhooks of a rehearsal provider: repeated until they are accepted, and several times if wished."""

import asyncio
from collections.abc import Mapping
from typing import Final

import httpx2
import structlog

_log = structlog.get_logger(__name__)

TRIES: Final = 5
TASKS_LIMIT: Final = 1_000
_ANSWER_SECONDS: Final = 5.0


class Webhooks:
    """Sends webhooks to one URL. Close it when the provider stops.

    Args:
        url: where they go; None sends none.
        retry_seconds: after how long a webhook that was refused is sent again; doubled each time.
    """

    def __init__(self, url: str | None, retry_seconds: float = 1.0) -> None:
        self._url = url
        self._retry_seconds = retry_seconds
        # The receiver is on this machine and uses plain HTTP. verify=False avoids loading certificates for nothing.
        self._client = httpx2.AsyncClient(timeout=_ANSWER_SECONDS, trust_env=False, verify=False)
        self._tasks: set[asyncio.Task[None]] = set()
        self.times = 1
        """How many times each webhook is sent."""

    def send(self, body: bytes, headers: Mapping[str, str]) -> None:
        """Send a webhook ``times`` times, in parallel. It returns at once."""
        if self._url is None:
            return
        for _ in range(self.times):
            if len(self._tasks) >= TASKS_LIMIT:
                _log.warning("webhook_dropped", waiting=len(self._tasks))
                return
            task = asyncio.create_task(self._send(self._url, body, headers), name="webhook")
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    async def close(self) -> None:
        """Cancel all webhooks that are not delivered yet."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self._client.aclose()

    async def _send(self, url: str, body: bytes, headers: Mapping[str, str]) -> None:
        for attempt in range(TRIES):
            try:
                answer = await self._client.post(
                    url, content=body, headers={"Content-Type": "application/json", **headers}
                )
                if answer.is_success:
                    return
                words = str(answer.status_code)
            except httpx2.HTTPError as error:
                words = type(error).__name__
            _log.info("webhook_not_taken", attempt=attempt + 1, words=words)
            await asyncio.sleep(self._retry_seconds * 2**attempt)
