"""A phone number verified over the API, with the lab's outbox; and what becomes of it with its account."""

import re
from pathlib import Path

from kswifi.free_data.pseudonyms import Marks
from kswifi.jobs.worker import Worker
from kswifi.phone_verification.job_handlers import CodeHandlers
from kswifi.phone_verification.lab_outbox import LabOutbox
from tests.support.api import PASSWORD, problem, register, serving

PHONES = "/api/v1/phone-verifications"


async def test_a_number_is_verified_with_the_labs_message(tmp_path: Path) -> None:
    async with serving(tmp_path) as (client, services):
        page = await register(client, "ada@example.ng")
        asked = {"phone_number": "0803 123 4567"}
        made = await page.send("POST", PHONES, asked, key="one-key-of-mine")
        assert made.status_code == 201
        assert (await page.send("POST", PHONES, asked, key="one-key-of-mine")).json() == made.json()
        path = f"{PHONES}/{made.json()['verification_id']}"
        problem(await client.get(f"{path}/lab-message"), 404, "no_lab_message")
        handlers = CodeHandlers(services.database, Marks(bytes(32)).digest, LabOutbox(services.database))
        await Worker(services.database, handlers.handlers()).run_until_idle()
        assert (await client.get(path)).json()["state"] == "sent"
        message = (await client.get(f"{path}/lab-message")).json()
        assert (message["lab"], message["to"]) == (True, "+2348031234567")
        code = re.findall(r"[0-9]{6}", message["words"])[0]
        wrong = f"{(int(code) + 1) % 10**6:06}"
        refused = problem(await page.send("POST", f"{path}/confirm", {"code": wrong}), 422, "phone_code_wrong")
        assert refused["facts"] == {"tries_left": 4}
        assert not (await client.get("/api/v1/account")).json()["account"]["phone_verified"]
        confirmed = await page.send("POST", f"{path}/confirm", {"code": code})
        assert confirmed.json() == {"phone_verified": True}
        assert (await client.get("/api/v1/account")).json()["account"]["phone_verified"]
        gone = await page.send("DELETE", "/api/v1/account", {"password": PASSWORD})
        assert gone.status_code == 204
        assert (await register(client, "ada@example.ng")).user_id != page.user_id
        assert (await client.get(path)).status_code == 404


async def test_only_phone_numbers_get_codes_and_only_ones_own_are_seen(tmp_path: Path) -> None:
    async with serving(tmp_path) as (client, _services):
        page = await register(client)
        problem(await page.send("POST", PHONES, {"phone_number": "ada@example.ng"}), 422, "not_a_phone_number")
        problem(await client.get(f"{PHONES}/unknown"), 404, "unknown_phone_verification")
        for _ in range(3):
            assert (await page.send("POST", PHONES, {"phone_number": "08031234567"})).status_code == 201
        problem(await page.send("POST", PHONES, {"phone_number": "08031234567"}), 429, "too_many_attempts")
