"""Health: whether each part of the server answers, and its load."""

import asyncio
from typing import Final

from starlette.responses import Response

from kswifi.console.services import Check
from kswifi.console.visit import Page, Visit
from kswifi.kernel.errors import KswifiError
from kswifi.outbox.leases import counts

_SECONDS: Final = 2.0


async def _health(visit: Visit) -> Response:
    checks = visit.services.readiness
    results = await asyncio.gather(*(_passes(check) for check in checks.values()))
    jobs = await visit.read(counts)
    parts = [("database", True), *zip(checks, results, strict=True)]
    return visit.page("health.html", parts=parts, jobs=jobs, load=visit.services.health())


async def _passes(check: Check) -> bool:
    try:
        async with asyncio.timeout(_SECONDS):
            return await check()
    except (KswifiError, OSError, TimeoutError):
        return False


PAGES: Final = (Page("GET", "/health", _health),)
