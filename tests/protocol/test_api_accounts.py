import asyncio
from datetime import timedelta
from pathlib import Path

from kswifi.accounts.rates import Rate
from kswifi.accounts.service import AccountRules
from tests.support.api import PASSWORD, problem, register, serving
from tests.support.clocks import ManualClock
from tests.support.databases import START

PHONE = {"identifier": "0803 123 4567", "password": PASSWORD}


async def test_register_who_am_i_sign_out_sign_in(tmp_path: Path) -> None:
    async with serving(tmp_path) as (client, _services):
        answer = await client.post("/api/v1/accounts", json=PHONE)
        made = answer.json()
        assert answer.status_code == 201
        assert made["account"]["phone_number"] == "+2348031234567"
        assert made["account"]["created_at"] == "2026-11-23T09:00:00.000Z"
        assert len(made["recovery_code"]) == 29
        cookie = answer.headers["set-cookie"].lower()
        assert "httponly" in cookie
        assert "samesite=lax" in cookie
        assert "secure" not in cookie
        who = (await client.get("/api/v1/account")).json()
        assert who == {key: made[key] for key in ("account", "csrf_token", "expires_at")}
        out = await client.delete(
            "/api/v1/logins/current",
            headers={"X-CSRF-Token": who["csrf_token"], "Idempotency-Key": "sign me out"[:4] + "-0001"},
        )
        assert out.status_code == 204
        assert "kswifi_login" not in client.cookies
        problem(await client.get("/api/v1/account"), 401, "not_signed_in")
        again = await client.post("/api/v1/logins", json=PHONE | {"identifier": "+2348031234567"})
        assert again.status_code == 201
        assert again.json()["account"] == made["account"]
        assert again.json()["csrf_token"] != made["csrf_token"]


async def test_two_registrations_with_one_phone_give_one_account_and_a_clear_refusal(tmp_path: Path) -> None:
    async with serving(tmp_path) as (client, _services):
        answers = await asyncio.gather(*(client.post("/api/v1/accounts", json=PHONE) for _ in range(4)))
        assert sorted(answer.status_code for answer in answers) == [201, 409, 409, 409]
        document = problem(await client.post("/api/v1/accounts", json=PHONE), 409, "already_registered")
        assert "sign in" in document["detail"]


async def test_over_https_the_cookie_is_secure_and_bound_to_the_host(tmp_path: Path) -> None:
    async with serving(tmp_path, public_origin="https://kswifi.example.ng") as (client, _services):
        answer = await client.post("/api/v1/accounts", json=PHONE)
        cookie = answer.headers["set-cookie"]
        assert cookie.startswith("__Host-kswifi_login=")
        assert "Secure" in cookie
        assert answer.headers["strict-transport-security"] == "max-age=31536000; includeSubDomains"


async def test_a_change_without_the_logins_own_csrf_token_is_refused(tmp_path: Path) -> None:
    async with serving(tmp_path) as (client, _services):
        other = await register(client, "obi@example.ng")
        mine = await register(client)
        key = {"Idempotency-Key": "a-key-of-mine"}
        for token in (None, "", "x", other.csrf_token):
            headers = key if token is None else key | {"X-CSRF-Token": token}
            problem(await client.delete("/api/v1/logins/current", headers=headers), 403, "csrf_token_wrong")
        assert (await client.get("/api/v1/account")).status_code == 200
        assert (await mine.send("DELETE", "/api/v1/logins/current")).status_code == 204


async def test_a_page_of_another_origin_can_neither_sign_in_nor_change(tmp_path: Path) -> None:
    async with serving(tmp_path, public_origin="http://127.0.0.1:7") as (client, _services):
        own = str(client.base_url).rstrip("/")
        for origin in ("https://evil.example", "null", own + "0"):
            answer = await client.post("/api/v1/accounts", json=PHONE, headers={"Origin": origin})
            problem(answer, 403, "origin_not_allowed")
        answer = await client.post("/api/v1/accounts", json=PHONE, headers={"Sec-Fetch-Site": "cross-site"})
        problem(answer, 403, "origin_not_allowed")
        assert (await client.post("/api/v1/accounts", json=PHONE, headers={"Origin": own})).status_code == 201
        answer = await client.post("/api/v1/logins", json=PHONE, headers={"Origin": "http://127.0.0.1:7"})
        assert answer.status_code == 201


async def test_guessing_is_answered_with_429_and_when_to_come_back(tmp_path: Path) -> None:
    rules = AccountRules(guesses_by_account=Rate(2, timedelta(minutes=2)))

    async with serving(tmp_path, clock=ManualClock(START), rules=rules) as (client, _services):
        await register(client)
        client.cookies.clear()  # another browser than the owner's
        wrong = PHONE | {"password": "not the password"}
        for _ in range(2):
            problem(await client.post("/api/v1/logins", json=wrong), 401, "wrong_credentials")
        answer = await client.post("/api/v1/logins", json=PHONE)
        problem(answer, 429, "too_many_attempts")
        assert answer.headers["retry-after"] == "60"


async def test_an_expired_login_has_a_code_other_than_that_of_none(tmp_path: Path) -> None:
    clock = ManualClock(START)

    async with serving(tmp_path, clock=clock) as (client, _services):
        await register(client)
        clock.advance(timedelta(days=14))
        problem(await client.get("/api/v1/account"), 401, "login_expired")
        problem(await client.get("/api/v1/account"), 401, "not_signed_in")


async def test_a_recovery_code_is_renewed_by_the_password_of_who_is_signed_in(tmp_path: Path) -> None:
    async with serving(tmp_path) as (client, _services):
        made = (await client.post("/api/v1/accounts", json=PHONE)).json()
        csrf = {"X-CSRF-Token": made["csrf_token"]}
        path = "/api/v1/account/recovery-code"
        problem(await client.post(path, json={"password": PHONE["password"]}), 403, "csrf_token_wrong")
        problem(await client.post(path, json={"password": "wrong"}, headers=csrf), 401, "wrong_credentials")
        problem(await client.post(path, json={}, headers=csrf), 422, "invalid_request")
        answer = await client.post(path, json={"password": PHONE["password"]}, headers=csrf)
        assert answer.status_code == 200
        assert answer.headers["cache-control"] == "no-store"
        renewed = answer.json()["recovery_code"]
        body = {"identifier": "08031234567", "new_password": "another password"}
        old = await client.post("/api/v1/recoveries", json=body | {"recovery_code": made["recovery_code"]})
        problem(old, 401, "wrong_recovery_code")
        found = await client.post("/api/v1/recoveries", json=body | {"recovery_code": renewed})
        assert found.status_code == 200


async def test_recovery(tmp_path: Path) -> None:
    async with serving(tmp_path) as (client, _services):
        made = (await client.post("/api/v1/accounts", json=PHONE)).json()
        body = {"identifier": "08031234567", "recovery_code": "0000-0000", "new_password": "another password"}
        problem(await client.post("/api/v1/recoveries", json=body), 401, "wrong_recovery_code")
        body["recovery_code"] = made["recovery_code"]
        problem(
            await client.post("/api/v1/recoveries", json=body | {"new_password": "password"}),
            422,
            "weak_password",
        )
        answer = await client.post("/api/v1/recoveries", json=body)
        assert answer.status_code == 200
        assert answer.json()["recovery_code"] != made["recovery_code"]
        problem(await client.get("/api/v1/account"), 401, "not_signed_in")
        problem(await client.post("/api/v1/logins", json=PHONE), 401, "wrong_credentials")
        answer = await client.post("/api/v1/logins", json=PHONE | {"password": "another password"})
        assert answer.status_code == 201
