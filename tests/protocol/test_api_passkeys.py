"""Passkeys over the API, with an authenticator that also does what it must not."""

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import httpx2
import pytest

from kswifi.accounts.ceremonies import CHALLENGE_LIFETIME
from kswifi.accounts.passkeys import PASSKEYS_LIMIT
from kswifi.accounts.rates import Rate
from kswifi.accounts.relying_party import RelyingParty
from kswifi.accounts.service import AccountRules
from tests.support.api import PASSWORD, Page, problem, register, serving
from tests.support.authenticator import PRESENT, Authenticator
from tests.support.clocks import ManualClock
from tests.support.databases import START

ORIGIN = "https://app.example.ng"
WHO = "0803 123 4567"


async def post(client: httpx2.AsyncClient, path: str, body: object = None) -> dict[str, Any]:
    answer = await client.post(f"/api/v1/{path}", json=body)
    assert answer.status_code == (200 if path.endswith("-options") else 201), answer.text
    made: dict[str, Any] = answer.json()
    return made


AGAIN = {"password": PASSWORD}


async def sign_up(client: httpx2.AsyncClient, device: Authenticator, who: str = WHO) -> dict[str, Any]:
    asked = await post(client, "accounts/passkey-options", {"identifier": who})
    body = {"challenge_id": asked["challenge_id"], "credential": device.make(asked["options"])}
    return await post(client, "accounts/passkey", body)


async def sign_in(client: httpx2.AsyncClient, device: Authenticator) -> httpx2.Response:
    asked = await post(client, "logins/passkey-options")
    body = {"challenge_id": asked["challenge_id"], "credential": device.use(asked["options"])}
    return await client.post("/api/v1/logins/passkey", json=body)


async def add(page: Page, device: Authenticator, name: str = "My phone") -> httpx2.Response:
    asked = await page.send("POST", "/api/v1/passkeys/options", AGAIN)
    made = asked.json()
    body = {"challenge_id": made["challenge_id"], "credential": device.make(made["options"]), "name": name}
    return await page.send("POST", "/api/v1/passkeys", body)


async def test_an_account_is_made_with_a_passkey_and_opened_by_it_alone(tmp_path: Path) -> None:
    async with serving(tmp_path, public_origin=ORIGIN) as (client, _services):
        environment = (await client.get("/api/v1/environment")).json()
        assert environment["passkey_rp_id"] == "app.example.ng"
        device = Authenticator(ORIGIN)
        asked = await post(client, "accounts/passkey-options", {"identifier": WHO})
        selection = asked["options"]["authenticatorSelection"]
        assert (selection["residentKey"], selection["userVerification"]) == ("required", "required")
        made = await sign_up(client, device)
        assert made["account"]["phone_number"] == "+2348031234567"
        assert len(made["recovery_code"]) == 29
        client.cookies.clear()
        answer = await sign_in(client, device)
        assert answer.status_code == 201
        assert "httponly" in answer.headers["set-cookie"].lower()
        assert answer.json()["account"] == made["account"]
        credentials = {"identifier": WHO, "password": PASSWORD}
        problem(await client.post("/api/v1/logins", json=credentials), 401, "wrong_credentials")
        again = await client.post("/api/v1/accounts/passkey-options", json={"identifier": WHO})
        problem(again, 409, "already_registered")


async def test_a_challenge_is_answered_once_for_what_it_was_made_and_in_time(tmp_path: Path) -> None:
    clock = ManualClock(START)
    async with serving(tmp_path, clock=clock, public_origin=ORIGIN) as (client, services):
        device = Authenticator(ORIGIN)
        await sign_up(client, device)
        asked = await post(client, "logins/passkey-options")
        body = {"challenge_id": asked["challenge_id"], "credential": device.use(asked["options"])}
        wrong_purpose = {"challenge_id": asked["challenge_id"], "credential": device.make(await _new(client))}
        answer = await client.post("/api/v1/accounts/passkey", json=wrong_purpose)
        problem(answer, 410, "passkey_challenge_over")
        assert (await client.post("/api/v1/logins/passkey", json=body)).status_code == 201
        problem(await client.post("/api/v1/logins/passkey", json=body), 410, "passkey_challenge_over")
        asked = await post(client, "logins/passkey-options")
        body = {"challenge_id": asked["challenge_id"], "credential": device.use(asked["options"])}
        clock.advance(CHALLENGE_LIFETIME)
        assert await services.passkeys.prune() >= 1
        problem(await client.post("/api/v1/logins/passkey", json=body), 410, "passkey_challenge_over")


async def _new(client: httpx2.AsyncClient) -> dict[str, Any]:
    asked = await post(client, "accounts/passkey-options", {"identifier": "obi@example.ng"})
    options: dict[str, Any] = asked["options"]
    return options


@pytest.mark.parametrize(
    ("named", "turned"),
    [
        ("another page", lambda device: replace(device, origin="https://evil.example")),
        ("nobody proved who they are", lambda device: replace(device, flags=PRESENT)),
        ("another key", lambda device: replace(device, key=Authenticator(ORIGIN).key)),
        ("a copy that counts from the start", lambda device: replace(device, sign_count=0)),
        ("the name of another user", lambda device: replace(device, user_handle=bytes(16))),
        ("an unknown passkey", lambda device: replace(device, credential_id=b"nobody knows this")),
    ],
)
async def test_what_an_authenticator_must_not_do_signs_nobody_in(
    tmp_path: Path, named: str, turned: Callable[[Authenticator], Authenticator]
) -> None:
    async with serving(tmp_path, public_origin=ORIGIN) as (client, _services):
        device = Authenticator(ORIGIN)
        await sign_up(client, device)
        assert (await sign_in(client, device)).status_code == 201
        problem(await sign_in(client, turned(device)), 401, "passkey_refused")
        assert (await sign_in(client, device)).status_code == 201


async def test_passkeys_are_added_listed_and_removed_by_their_owner_alone(tmp_path: Path) -> None:
    async with serving(tmp_path) as (client, _services):
        origin = f"http://localhost:{client.base_url.port}"
        page = await register(client)
        devices = [Authenticator(origin) for _ in range(PASSKEYS_LIMIT)]
        for place, device in enumerate(devices):
            assert (await add(page, device, f"phone {place}")).status_code == 201
        problem(await page.send("POST", "/api/v1/passkeys/options", AGAIN), 409, "too_many_passkeys")
        assert (await sign_in(client, devices[3])).status_code == 201
        page.csrf_token = (await client.get("/api/v1/account")).json()["csrf_token"]
        listed = (await client.get("/api/v1/passkeys")).json()["passkeys"]
        assert {one["name"] for one in listed} == {f"phone {place}" for place in range(PASSKEYS_LIMIT)}
        (used,) = [one for one in listed if one["used_at"] is not None]
        assert used["name"] == "phone 3"
        gone = await page.send("DELETE", f"/api/v1/passkeys/{used['passkey_id']}", AGAIN)
        assert gone.status_code == 204
        problem(await sign_in(client, devices[3]), 401, "passkey_refused")
        other = await register(client, "obi@example.ng")
        mine = next(f"/api/v1/passkeys/{one['passkey_id']}" for one in listed if one is not used)
        problem(await other.send("DELETE", mine, AGAIN), 404, "unknown_passkey")
        known = await other.send("POST", "/api/v1/passkeys/options", AGAIN)
        body = {"challenge_id": known.json()["challenge_id"], "name": "theirs"}
        credential = devices[0].make(known.json()["options"])
        answer = await other.send("POST", "/api/v1/passkeys", body | {"credential": credential})
        problem(answer, 401, "passkey_refused")


async def test_recovering_an_account_takes_its_passkeys_away(tmp_path: Path) -> None:
    async with serving(tmp_path, public_origin=ORIGIN) as (client, _services):
        device = Authenticator(ORIGIN)
        made = await sign_up(client, device)
        body = {"identifier": WHO, "recovery_code": made["recovery_code"], "new_password": PASSWORD}
        assert (await client.post("/api/v1/recoveries", json=body)).status_code == 200
        problem(await sign_in(client, device), 401, "passkey_refused")
        credentials = {"identifier": WHO, "password": PASSWORD}
        assert (await client.post("/api/v1/logins", json=credentials)).status_code == 201


async def test_an_account_without_a_password_is_deleted_with_its_passkey(tmp_path: Path) -> None:
    async with serving(tmp_path) as (client, _services):
        origin = f"http://localhost:{client.base_url.port}"
        mine, other = Authenticator(origin), Authenticator(origin)
        await sign_up(client, other, "obi@example.ng")
        page = Page(client, await sign_up(client, mine))
        for device, status in ((other, 401), (mine, 204)):
            asked = await post(client, "logins/passkey-options")
            shown = {"challenge_id": asked["challenge_id"], "credential": device.use(asked["options"])}
            answer = await page.send("DELETE", "/api/v1/account", {"passkey": shown})
            assert answer.status_code == status, answer.text
        problem(await sign_in(client, mine), 401, "passkey_refused")
        assert (await sign_in(client, other)).status_code == 201


async def test_what_is_no_credential_is_refused_and_said(tmp_path: Path) -> None:
    rules = AccountRules(registrations_by_address=Rate(100, timedelta(hours=1)))
    async with serving(tmp_path, rules=rules, public_origin=ORIGIN) as (client, _services):
        device = Authenticator(ORIGIN)
        for place in range(0, 400, 7):
            asked = await post(client, "accounts/passkey-options", {"identifier": f"ada{place}@example.ng"})
            credential = device.make(asked["options"])
            text = credential["response"]["attestationObject"]
            at = place % len(text)
            credential["response"]["attestationObject"] = text[:at] + ("A" if text[at] != "A" else "Z") * 2
            body = {"challenge_id": asked["challenge_id"], "credential": credential}
            problem(await client.post("/api/v1/accounts/passkey", json=body), 401, "passkey_refused")


@pytest.mark.parametrize(
    ("origin", "rp_id"),
    [
        ("https://kswifi.example.ng", "kswifi.example.ng"),
        ("http://127.0.0.1:8080", "localhost"),
        ("http://localhost:8080", "localhost"),
        ("https://192.168.1.7:8444", None),
        ("http://kswifi.example.ng", None),
    ],
)
def test_who_we_are_is_a_name_that_browsers_take(origin: str, rp_id: str | None) -> None:
    party = RelyingParty.of(origin)
    assert (party and party.rp_id) == rp_id


async def test_a_stolen_login_session_neither_adds_nor_removes_a_passkey(tmp_path: Path) -> None:
    async with serving(tmp_path) as (client, _services):
        device = Authenticator(f"http://localhost:{client.base_url.port}")
        page = await register(client)
        made = (await add(page, device)).json()
        path = f"/api/v1/passkeys/{made['passkey_id']}"
        for method, where in (("POST", "/api/v1/passkeys/options"), ("DELETE", path)):
            problem(await page.send(method, where), 422, "invalid_request")
            problem(await page.send(method, where, {"password": "not my password"}), 401, "wrong_credentials")
        asked = await post(client, "logins/passkey-options")
        by_passkey = {"challenge_id": asked["challenge_id"], "credential": device.use(asked["options"])}
        assert (await page.send("DELETE", path, {"passkey": by_passkey})).status_code == 204
        exported = (await client.get("/api/v1/account/export")).json()
        told = [it["data"]["what"] for it in exported["events"] if it["kind"] == "account.security"]
        assert told == ["passkey_added", "passkey_removed"]
        assert not any(PASSWORD in str(it) for it in exported["requests"])
