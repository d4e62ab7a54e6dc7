"""Deleting an account and registering again gives no fresh allowance: by name, phone, device and chip."""

import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path

import httpx2
import pytest

from kswifi.api.app import create_app
from kswifi.free_data.rules import Requirement
from kswifi.jobs.worker import Worker
from kswifi.phone_verification.job_handlers import CodeHandlers
from kswifi.phone_verification.lab_outbox import LabOutbox
from kswifi.phone_verification.service import PhoneVerifications
from kswifi.sessions.model import SessionState
from tests.support.api import PASSWORD, Page, problem, register
from tests.support.session_api import ORIGIN, WIFI_SOCKET, Served, served

GB = 10**9
PHONES = "/api/v1/phone-verifications"


async def spend_all_and_leave(api: Served, page: Page) -> None:
    """Download the whole allowance, use an octet of it, and delete the account."""
    session = await api.road.stored(5 * GB, page.user_id)
    await api.road.use(session, 1)
    gone = await page.send("DELETE", "/api/v1/account", {"password": PASSWORD})
    assert gone.status_code == 204, gone.text
    await api.road.settle()


async def order(page: Page) -> httpx2.Response:
    return await page.send("POST", "/api/v1/sessions", {"offer_id": "free-1gb"})


@pytest.mark.parametrize(
    ("identifier", "written_otherwise"),
    [("ada.obi@example.ng", "ADA.OBI@EXAMPLE.NG"), ("08051234567", "+234 805 123 4567")],
)
async def test_the_same_name_is_known_again(tmp_path: Path, identifier: str, written_otherwise: str) -> None:
    async with served(tmp_path) as api, api.another(identifier) as page:
        await spend_all_and_leave(api, page)
        again = await register(page.client, written_otherwise)
        assert again.user_id != page.user_id
        refused = problem(await order(again), 409, "free_allowance_used_up")
        assert refused["facts"]["left_octets"] == 0
        assert (await again.client.get("/api/v1/free-data")).json()["left_octets"] == 0


async def test_what_was_never_used_comes_back(tmp_path: Path) -> None:
    async with served(tmp_path) as api, api.another("ada.obi@example.ng") as page:
        await api.road.stored(5 * GB, page.user_id)
        await page.send("DELETE", "/api/v1/account", {"password": PASSWORD})
        await api.road.settle()
        assert (await order(await register(page.client, "ada.obi@example.ng"))).status_code == 201


async def test_a_verified_phone_is_known_again_under_another_name(tmp_path: Path) -> None:
    async with phones_too(tmp_path) as (api, client):
        page = await register(client, "ada.obi@example.ng")
        problem(await order(page), 403, "phone_not_verified")
        await verify(api, page)
        await spend_all_and_leave(api, page)
        again = await register(client, "somebody.else@example.ng")
        problem(await order(again), 403, "phone_not_verified")
        await verify(api, again)
        problem(await order(again), 409, "free_allowance_used_up")


async def test_a_device_is_known_again_under_another_name(tmp_path: Path) -> None:
    async with served(tmp_path) as api, api.another("ada.obi@example.ng") as page:
        have(api, device_allowance_octets=GB)
        ordered = await order(page)
        await api.road.settle()
        session = await api.road.downloads.session(page.user_id, ordered.json()["session_id"])
        await bring(api, page, session.session_id)
        await api.road.use(session, 1)
        assert (await page.send("DELETE", "/api/v1/account", {"password": PASSWORD})).status_code == 204
        await api.road.settle()
        again = await register(page.client, "somebody.else@example.ng")
        problem(await order(again), 409, "device_allowance_used_up")


async def test_a_chip_is_known_again_under_another_name(tmp_path: Path) -> None:
    async with served(tmp_path) as api, api.another("ada.obi@example.ng") as page:
        have(api, card_allowance_octets=5 * GB)
        await spend_all_and_leave(api, page)
        again = await register(page.client, "somebody.else@example.ng")
        session = await api.road.stored(GB, again.user_id)
        assert session.state is SessionState.FAILED
        told = (await again.client.get(f"/api/v1/sessions/{session.session_id}")).json()
        assert told["state"] == "failed"
        assert "one eSIM chip" in told["state_reason"]


def have(api: Served, **rules: object) -> None:
    api.road.free_data.rules = replace(api.road.free_data.rules, **rules)  # type: ignore[arg-type]


async def bring(api: Served, page: Page, session_id: str) -> None:
    """Take an ordered session onto its card."""
    session, package = await api.road.downloads.package(page.user_id, session_id)
    assert package
    await api.road.downloads.confirm_download(page.user_id, session_id, session.package_sha256 or "")
    await api.road.downloads.transfer_to_esim(session_id, session.esim_id)
    await api.road.settle()
    await api.road.prove(session)
    await api.road.settle()


@asynccontextmanager
async def phones_too(folder: Path) -> AsyncIterator[tuple[Served, httpx2.AsyncClient]]:
    """Give a road with its API that asks for a verified phone, and the client of somebody new."""
    async with served(folder) as api:
        have(api, required=Requirement.PHONE)
        database = api.road.database
        phones = PhoneVerifications(database, api.road.free_data.marks.digest, LabOutbox(database))
        transport = httpx2.ASGITransport(
            create_app(replace(api.services, phone_verifications=phones)), client=WIFI_SOCKET
        )
        async with httpx2.AsyncClient(transport=transport, base_url=ORIGIN) as client:
            yield api, client


async def verify(api: Served, page: Page, number: str = "0803 123 4567") -> None:
    """Have a number verified with the lab's message."""
    made = await page.send("POST", PHONES, {"phone_number": number})
    path = f"{PHONES}/{made.json()['verification_id']}"
    database = api.road.database
    codes = CodeHandlers(database, api.road.free_data.marks.digest, LabOutbox(database))
    await Worker(database, codes.handlers()).run_until_idle()
    words = (await page.client.get(f"{path}/lab-message")).json()["words"]
    code = re.findall(r"[0-9]{6}", words)[0]
    assert (await page.send("POST", f"{path}/confirm", {"code": code})).status_code == 200
