import asyncio
import hashlib
import os
import shutil
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from fastapi import APIRouter, Request, Response
from playwright.async_api import Browser, Page, async_playwright, expect

from kswifi.api.services import Services
from kswifi.outbox.service import publish
from tests.support.api import PASSWORD, serving

CHROMIUM = shutil.which("chromium")
pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="chromium is not installed")

PACKAGE = os.urandom(7001)
DIGEST = hashlib.sha256(PACKAGE).hexdigest()


class OneSession:
    """Stands in for the sessions' routes: one session whose package is fetched by Range."""

    def __init__(self) -> None:
        self.state: str | None = None
        self.ranges: list[str | None] = []
        self.served = PACKAGE
        self.router = APIRouter(prefix="/api/v1/sessions")
        self.router.add_api_route("", self.read, methods=["GET"], response_model=None)
        self.router.add_api_route("", self.order, methods=["POST"], response_model=None)
        self.router.add_api_route("/s1/package", self.package, methods=["GET"], response_model=None)
        self.router.add_api_route("/s1/downloaded", self.downloaded, methods=["POST"], response_model=None)

    async def read(self) -> dict[str, Any]:
        session = {
            "session_id": "s1",
            "esim_id": "e1",
            "allowance_octets": 1_000_000_000,
            "state": self.state,
            "valid_until": "2026-12-23T23:00:00Z",
            "package_octets": len(PACKAGE),
            "package_sha256": DIGEST,
            "balance": {"credited": 10**9, "used": 250_000_000, "reserved": 0, "available": 750_000_000},
            "as_of": "2026-11-23T09:00:00Z",
        }
        return {"sessions": [session] if self.state else []}

    async def order(self) -> Response:
        self.state = "packaged"
        return Response(status_code=201)

    async def package(self, request: Request) -> Response:
        wanted = request.headers.get("range")
        self.ranges.append(wanted)
        headers = {"ETag": f'"{DIGEST}"'}
        if wanted is None:
            return Response(self.served, headers=headers)
        assert request.headers["if-range"] == headers["ETag"]
        start = int(wanted.removeprefix("bytes=").removesuffix("-"))
        headers["Content-Range"] = f"bytes {start}-{len(PACKAGE) - 1}/{len(PACKAGE)}"
        return Response(self.served[start:], 206, headers)

    async def downloaded(self, request: Request) -> Response:
        assert (await request.json()) == {"sha256": DIGEST}
        self.state = "downloaded"
        return Response(status_code=200)


@asynccontextmanager
async def _page(tmp_path: Path, extra: APIRouter | None = None) -> AsyncIterator[tuple[Page, Browser, Services]]:
    """A tab at the page; a message on its console that is an error fails the test."""
    errors: list[str] = []
    async with serving(tmp_path, extra=extra) as (client, services), async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        page = await browser.new_page(viewport={"width": 320, "height": 640})
        page.on("console", lambda message: errors.append(message.text) if message.type == "error" else None)
        page.on("pageerror", lambda error: errors.append(str(error)))
        await page.goto(str(client.base_url))
        yield page, browser, services
        await browser.close()
    # A browser notes each answer of 4xx as an error too; ours are meant.
    assert [error for error in errors if "Failed to load resource" not in error] == []


async def _register(page: Page) -> str:
    await page.get_by_label("Phone number or email address").first.fill("0803 123 4567")
    await page.get_by_label("Password, at least 8 characters").fill(PASSWORD)
    await page.get_by_role("button", name="Make an account").click()
    await expect(page.locator("#code")).not_to_be_empty()
    return await page.locator("#code").inner_text()


@pytest.mark.xdist_group("chromium")
def test_an_account_is_made_left_found_again_and_recovered(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with _page(tmp_path, OneSession().router) as (page, _browser, _services):
            code = await _register(page)
            await page.get_by_role("button", name="I have written it down").click()
            await expect(page.locator("#who")).to_have_text("+2348031234567")
            await expect(page.locator("#offers li")).to_have_count(4)
            await expect(page.get_by_text("No sessions yet")).to_be_visible()
            await page.reload()
            await expect(page.locator("#who")).to_have_text("+2348031234567")
            width = await page.evaluate("document.documentElement.scrollWidth")
            assert width <= 320, "it scrolls sideways on a small phone"
            await page.get_by_role("button", name="Sign out").click()
            await page.get_by_label("Phone number or email address").first.fill("08031234567")
            await page.get_by_label("Password, at least 8 characters").fill("not the password")
            await page.get_by_role("button", name="Sign in").click()
            await expect(page.locator("#message")).to_contain_text("wrong")
            await page.get_by_text("I lost my password").click()
            await page.get_by_label("Phone number or email address").nth(1).fill("08031234567")
            await page.get_by_role("textbox", name="Recovery code").fill(code)
            await page.get_by_label("New password").fill("another password")
            await page.get_by_role("button", name="Set the new password").click()
            await expect(page.locator("#message")).to_contain_text("new password is set")
            await page.get_by_role("button", name="I have written it down").click()
            await page.get_by_label("Password, at least 8 characters").fill("another password")
            await page.get_by_role("button", name="Sign in").click()
            await expect(page.locator("#who")).to_have_text("+2348031234567")

    asyncio.run(scenario())


@pytest.mark.xdist_group("chromium")
def test_a_download_is_broken_off_resumed_and_verified_and_events_are_seen(tmp_path: Path) -> None:
    one = OneSession()

    async def scenario() -> None:
        async with _page(tmp_path, one.router) as (page, _browser, services):
            await _register(page)
            await page.get_by_role("button", name="Download Session").first.click()
            await expect(page.locator("#sessions .state")).to_have_text("packaged")
            await page.get_by_label("break off the next download").check()
            await page.get_by_role("button", name="Download", exact=True).click()
            await expect(page.locator("#message")).to_contain_text("Broken off after 3.5 kB")
            assert one.state == "packaged"
            await page.get_by_role("button", name="Download", exact=True).click()
            await expect(page.locator("#message")).to_have_text("The package is here, whole and verified.")
            assert one.ranges == [None, "bytes=3500-"]
            await expect(page.locator("#sessions .state")).to_have_text("downloaded")
            one.state = "stored"
            user_id = (await (await page.request.get(page.url + "api/v1/account")).json())["account"]["user_id"]
            async with services.database.transaction() as connection:
                payload = {"session_id": "s1", "state": "stored"}
                await publish(connection, user_id=user_id, kind="session_state_changed", payload=payload)
            await expect(page.locator("#sessions .state")).to_have_text("stored")
            await expect(page.locator("#log")).to_contain_text("session: stored")
            await expect(page.locator("#sessions")).to_contain_text("750 MB left as of ")

    asyncio.run(scenario())


@pytest.mark.xdist_group("chromium")
def test_a_package_with_a_flipped_bit_is_refused(tmp_path: Path) -> None:
    one = OneSession()
    one.state = "packaged"
    one.served = bytes([PACKAGE[0] ^ 1]) + PACKAGE[1:]

    async def scenario() -> None:
        async with _page(tmp_path, one.router) as (page, _browser, _services):
            await _register(page)
            await page.get_by_role("button", name="Download", exact=True).click()
            await expect(page.locator("#message")).to_contain_text("not the one that was signed")
            assert one.state == "packaged"

    asyncio.run(scenario())
