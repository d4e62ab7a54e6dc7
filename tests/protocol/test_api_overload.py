"""How often an account may change something."""

from datetime import timedelta
from pathlib import Path

from kswifi.accounts.rates import Rate, RateLimiter
from tests.support.api import problem, register, serving
from tests.support.clocks import ManualClock
from tests.support.databases import START

WISHES = {"usage": True, "expiry": True}


async def test_an_account_that_changes_too_much_is_refused_for_a_while(tmp_path: Path) -> None:
    clock = ManualClock(START)
    async with serving(tmp_path, clock=clock) as (client, services):
        object.__setattr__(services, "writes", RateLimiter(Rate(3, timedelta(minutes=1))))
        page = await register(client)
        for _ in range(3):
            assert (await page.send("PUT", "/api/v1/notifications", WISHES)).is_success
        answer = await page.send("PUT", "/api/v1/notifications", WISHES)
        problem(answer, 429, "too_many_attempts")
        assert answer.headers["retry-after"] == "20"
        assert (await client.get("/api/v1/account")).is_success  # reading is not changing
        other = await register(client, "obi@example.ng")
        assert (await other.send("PUT", "/api/v1/notifications", WISHES)).is_success
        clock.advance(timedelta(seconds=20))
        assert (await other.send("PUT", "/api/v1/notifications", WISHES)).is_success


async def test_a_server_with_too_much_to_do_says_when_to_come_back(tmp_path: Path) -> None:
    async with serving(tmp_path) as (client, services):
        page = await register(client)
        services.database._writer._expected_wait_seconds = lambda: 7.2  # type: ignore[method-assign]
        answer = await page.send("PUT", "/api/v1/notifications", WISHES)
        problem(answer, 503, "database_busy")
        assert answer.headers["retry-after"] == "8"
