"""Every 201 names the created resource in Location (RFC 9110, 15.3.2), and a repeated request names it again."""

import asyncio
from pathlib import Path
from typing import Any
from uuid import uuid4

import httpx2

from kswifi.lab.demo.app import PhoneApp
from tests.support.api import PASSWORD, Page, register, serving
from tests.support.authenticator import Authenticator
from tests.support.session_api import served
from tests.support.session_roads import GB
from tests.support.system import new_identifier, running_system

SUBSCRIPTION = {
    "endpoint": "https://fcm.googleapis.com/fcm/send/abc",
    "keys": {
        "p256dh": "BCVxsr7N_eNgVRqvHtD0zTZsEc6-VV-JvLexhqUzORcxaOzi6-AYWXvTBHm4bjyPjs7Vd8pZGH6SRpkNtoIAiw4",
        "auth": "BTBZMqHH6r4Tts7J_aSIgg",
    },
}


async def _passkey(client: httpx2.AsyncClient, device: Authenticator) -> dict[str, httpx2.Response]:
    options = (await client.post("/api/v1/accounts/passkey-options", json={"identifier": "08037654321"})).json()
    body: dict[str, Any] = {"challenge_id": options["challenge_id"], "credential": device.make(options["options"])}
    made = {"/api/v1/accounts/passkey": await client.post("/api/v1/accounts/passkey", json=body)}
    options = (await client.post("/api/v1/logins/passkey-options")).json()
    body = {"challenge_id": options["challenge_id"], "credential": device.use(options["options"])}
    return made | {"/api/v1/logins/passkey": await client.post("/api/v1/logins/passkey", json=body)}


async def _of_accounts(folder: Path) -> dict[str, httpx2.Response]:
    async with serving(folder) as (client, _services):
        origin = f"http://localhost:{client.base_url.port}"
        credentials = {"identifier": "08031234567", "password": PASSWORD}
        made = {
            path: await client.post(path, json=body)
            for path, body in (
                ("/api/v1/accounts", credentials),
                ("/api/v1/logins", credentials),
                ("/api/v1/identifier-proofs", {"identifier": "08039999999"}),
            )
        }
        device = Authenticator(origin)
        made |= await _passkey(client, device)
        page = Page(client, made["/api/v1/logins/passkey"].json())
        options = (await client.post("/api/v1/logins/passkey-options")).json()
        again = {**_challenge(options), "credential": device.use(options["options"])}
        asked = await page.send("POST", "/api/v1/passkeys/options", {"passkey": again})
        assert asked.status_code == 200, asked.text
        options = asked.json()
        credential = Authenticator(origin).make(options["options"])
        for path, body in (
            ("/api/v1/passkeys", {**_challenge(options), "credential": credential, "name": "Phone"}),
            ("/api/v1/phone-verifications", {"phone_number": "08031112222"}),
            ("/api/v1/push-subscriptions", SUBSCRIPTION),
        ):
            key = str(uuid4())
            made[path] = await page.send("POST", path, body, key)
            repeated = await page.send("POST", path, body, key)
            assert repeated.headers["idempotency-replayed"] == "true"
            assert repeated.headers["location"] == made[path].headers["location"]
        for path in ("/api/v1/identifier-proofs", "/api/v1/phone-verifications", "/api/v1/accounts"):
            assert (await client.get(made[path].headers["location"])).status_code == 200, path
        return made


def _challenge(options: dict[str, Any]) -> dict[str, Any]:
    return {"challenge_id": options["challenge_id"]}


async def _of_sessions(folder: Path) -> dict[str, httpx2.Response]:
    async with served(folder) as api:
        ordered = await api.post("/api/v1/sessions", {"offer_id": "free-1gb"})
        session = ordered.headers["location"]
        disputed = await api.post(f"{session}/disputes", {"words": "too much", "hours": []})
        stored = await api.road.stored(user_id=api.page.user_id)
        given = await api.post("/api/v1/gifts", {"session_id": stored.session_id, "octets": 1_000_000})
        moved = await api.post("/api/v1/moves", {"esim_id": stored.esim_id, "why": "broken"})
        for answer in (ordered, disputed, given, moved):
            assert (await api.get(answer.headers["location"])).status_code == 200
        return {
            "/api/v1/sessions": ordered,
            "/api/v1/sessions/{session_id}/disputes": disputed,
            "/api/v1/gifts": given,
            "/api/v1/moves": moved,
        }


async def _of_standing_orders(folder: Path) -> dict[str, httpx2.Response]:
    async with served(folder) as api:
        session = await api.road.stored(GB, api.page.user_id)
        wish = await api.page.send("PUT", "/api/v1/standing-order", {"offer_id": "free-1gb", "below_percent": 20})
        assert wish.status_code == 200, wish.text
        await api.road.use(session, GB * 9 // 10)
        await api.road.standing_watch.look()
        carried = await api.post("/api/v1/standing-order/carry-out", {"due_number": 1, "by": "person"})
        assert (await api.get(carried.headers["location"])).status_code == 200
        return {"/api/v1/standing-order/carry-out": carried}


def _of_payments(folder: Path) -> tuple[dict[str, httpx2.Response], dict[str, Any]]:
    with running_system(folder) as system:
        app = PhoneApp(system.origin)
        try:
            app.register(new_identifier(), PASSWORD)
            headers = {"X-CSRF-Token": app._csrf_token, "Idempotency-Key": str(uuid4())}
            answer = app._client.post("/api/v1/payments", json={"offer_id": "unlimited"}, headers=headers)
            assert app._client.get(answer.headers["location"]).status_code == 200
            return {"/api/v1/payments": answer}, app._client.get("/api/v1/openapi.json").json()
        finally:
            app.close()


async def test_every_operation_that_creates_names_what_it_created(tmp_path: Path) -> None:
    for name in ("accounts", "sessions", "standing", "payments"):
        (tmp_path / name).mkdir()
    made = await _of_accounts(tmp_path / "accounts") | await _of_sessions(tmp_path / "sessions")
    made |= await _of_standing_orders(tmp_path / "standing")
    paid, document = await asyncio.to_thread(_of_payments, tmp_path / "payments")
    made |= paid
    paths = document["paths"]
    creating = {
        path for path, operations in paths.items() for it in operations.values() if "201" in it["responses"]
    }
    assert made.keys() == creating
    known = [path.split("/") for path in paths]
    for path, answer in made.items():
        assert answer.status_code == 201, (path, answer.text)
        assert paths[path]["post"]["responses"]["201"]["headers"]["Location"]["required"], path
        parts = answer.headers["location"].split("/")
        assert any(_matches(parts, template) for template in known), (path, parts)


def _matches(parts: list[str], template: list[str]) -> bool:
    return len(parts) == len(template) and all(
        one == other or (other.startswith("{") and one) for one, other in zip(parts, template, strict=True)
    )


async def test_what_creates_nothing_with_an_address_answers_200(tmp_path: Path) -> None:
    async with serving(tmp_path) as (client, _services):
        await register(client)
        answer = await client.post("/api/v1/logins/passkey-options")
        assert answer.status_code == 200
        assert "location" not in answer.headers
