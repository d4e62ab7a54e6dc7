"""Devices, sign-out, change of password, recovery code, proofs of identifiers and the device cookie over HTTP."""

import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx2
import pytest
from sqlalchemy import select
from structlog.testing import capture_logs

from kswifi.accounts.identifiers import SecurityChange
from kswifi.accounts.job_handlers import LockNotices
from kswifi.accounts.service import AccountRules
from kswifi.api.services import Services
from kswifi.bootstrap.metrics.security import SecurityMetrics
from kswifi.free_data.pseudonyms import Marks
from kswifi.identifier_proofs.job_handlers import ProofHandlers
from kswifi.identifier_proofs.security_notices import WORDS, SecurityNotices
from kswifi.identifier_proofs.service import ProofSenders
from kswifi.jobs.worker import Worker
from kswifi.phone_verification.lab_outbox import LabOutbox
from kswifi.phone_verification.sql import lab_text_message
from tests.support.api import PASSWORD, Page, problem, register, serving

ANDROID = "Mozilla/5.0 (Linux; Android 15; K) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/141.0.0.0 Mobile"
OTHER = "four warm rivers"
ADA = "ada@example.ng"
PROOFS = "/api/v1/identifier-proofs"
REQUIRED = AccountRules(proof_required=True)


def credentials(identifier: str = "08031234567", password: str = PASSWORD, **more: str) -> dict[str, str]:
    return {"identifier": identifier, "password": password, **more}


@asynccontextmanager
async def browser(client: httpx2.AsyncClient) -> AsyncIterator[httpx2.AsyncClient]:
    """Open another browser, which has no cookie yet."""
    async with httpx2.AsyncClient(base_url=client.base_url, headers={"User-Agent": ANDROID}, timeout=10) as other:
        yield other


async def sign_in(client: httpx2.AsyncClient, password: str = PASSWORD) -> Page:
    answer = await client.post("/api/v1/logins", json=credentials(password=password))
    assert answer.status_code == 201, answer.text
    return Page(client, answer.json())


async def devices(page: Page) -> list[dict[str, Any]]:
    """Return the devices, the current one first."""
    found: list[dict[str, Any]] = (await page.client.get("/api/v1/logins")).json()["logins"]
    return sorted(found, key=lambda it: not it["current"])


async def test_devices_are_listed_and_signed_out_one_by_one_or_all(tmp_path: Path) -> None:
    async with serving(tmp_path) as (client, _services), browser(client) as android:
        mine = await register(client)
        phone = await sign_in(android)
        found = await devices(mine)
        assert [it["current"] for it in found] == [True, False]
        assert found[1]["browser"] == "Chrome on Android"
        assert found[1]["network"] == "local network"
        assert "127.0.0.1" not in str(found)
        exported = (await mine.client.get("/api/v1/account/export")).json()["logins"]
        assert sorted(exported, key=lambda it: not it["current"]) == found
        problem(await mine.send("DELETE", "/api/v1/logins/0123"), 404, "unknown_login")
        gone = await mine.send("DELETE", f"/api/v1/logins/{found[1]['login_id']}")
        assert gone.status_code == 204
        problem(await phone.client.get("/api/v1/account"), 401, "not_signed_in")
        phone = await sign_in(android)
        out = await mine.send("POST", "/api/v1/logins/sign-out", {"keep_current": True})
        assert out.status_code == 204
        assert [it["current"] for it in await devices(mine)] == [True]
        problem(await phone.client.get("/api/v1/account"), 401, "not_signed_in")
        assert (await mine.send("POST", "/api/v1/logins/sign-out", {})).status_code == 204
        problem(await mine.client.get("/api/v1/account"), 401, "not_signed_in")


async def test_nobody_signs_out_devices_of_others(tmp_path: Path) -> None:
    async with serving(tmp_path) as (client, _services):
        mine = await register(client)
        [own] = await devices(mine)
        async with browser(client) as elsewhere:
            other = await register(elsewhere, "obi@example.ng")
            problem(await other.send("DELETE", f"/api/v1/logins/{own['login_id']}"), 404, "unknown_login")
        assert (await mine.client.get("/api/v1/account")).status_code == 200


async def test_a_password_is_changed_only_by_who_knows_the_old_one(tmp_path: Path) -> None:
    async with serving(tmp_path) as (client, _services), browser(client) as android:
        mine = await register(client)
        phone = await sign_in(android)
        path = "/api/v1/account/password"
        wrong = {"password": OTHER, "new_password": OTHER}
        problem(await mine.send("POST", path, wrong), 401, "wrong_credentials")
        weak = {"password": PASSWORD, "new_password": "PassWord1"}
        problem(await mine.send("POST", path, weak), 422, "weak_password")
        problem(await mine.send("POST", path, {"new_password": OTHER}), 422, "invalid_request")
        right = {"password": PASSWORD, "new_password": OTHER}
        problem(await client.post(path, json=right), 403, "csrf_token_wrong")
        changed = await mine.send("POST", path, right)
        assert changed.status_code == 204
        assert "kswifi_login_device" in changed.headers["set-cookie"]
        problem(await phone.client.get("/api/v1/account"), 401, "not_signed_in")
        assert (await client.get("/api/v1/account")).status_code == 200
        problem(await client.post("/api/v1/logins", json=credentials()), 401, "wrong_credentials")
        kept = await sign_in(android, OTHER)
        again = {"password": OTHER, "new_password": PASSWORD, "end_other_logins": False}
        assert (await mine.send("POST", path, again)).status_code == 204
        assert (await kept.client.get("/api/v1/account")).status_code == 200


async def test_no_digest_of_a_password_is_kept_of_a_request(tmp_path: Path) -> None:
    async with serving(tmp_path) as (client, _services):
        mine = await register(client)
        for method, path, body in (
            ("POST", "/api/v1/account/password", {"password": PASSWORD, "new_password": OTHER}),
            ("POST", "/api/v1/account/recovery-code", {"password": OTHER}),
        ):
            answer = await mine.send(method, path, body)
            assert answer.is_success, answer.text
        assert (await client.get("/api/v1/account/export")).json()["requests"] == []


async def test_a_new_recovery_code_takes_the_place_of_the_old_one(tmp_path: Path) -> None:
    async with serving(tmp_path) as (client, _services):
        made = (await client.post("/api/v1/accounts", json=credentials())).json()
        mine = Page(client, made)
        path = "/api/v1/account/recovery-code"
        problem(await mine.send("POST", path, {"password": "not it at all"}), 401, "wrong_credentials")
        answer = await mine.send("POST", path, {"password": PASSWORD})
        assert answer.status_code == 200
        body = {"identifier": "08031234567", "new_password": OTHER, "recovery_code": made["recovery_code"]}
        problem(await client.post("/api/v1/recoveries", json=body), 401, "wrong_recovery_code")
        body["recovery_code"] = answer.json()["recovery_code"]
        assert (await client.post("/api/v1/recoveries", json=body)).status_code == 200


@pytest.mark.parametrize("https", [True, False])
async def test_the_device_cookie_is_out_of_reach_of_scripts_and_bound_to_the_host(
    tmp_path: Path, https: bool
) -> None:
    origin = f"http{'s' if https else ''}://kswifi.example.ng"
    async with serving(tmp_path, public_origin=origin) as (client, _services):
        answer = await client.post("/api/v1/accounts", json=credentials())
        [cookie] = [it for it in answer.headers.get_list("set-cookie") if "kswifi_login_device" in it]
        assert cookie.startswith("__Host-" if https else "kswifi_login_device=")
        assert {"HttpOnly", "SameSite=lax", "Path=/"} <= set(cookie.split("; "))
        assert ("Secure" in cookie) is https
        assert answer.json()["account"]["user_id"] not in cookie


async def test_lock_outs_and_refusals_are_counted_and_logged_without_secrets(tmp_path: Path) -> None:
    async with serving(tmp_path) as (client, services):
        await register(client)
        client.cookies.clear()
        with capture_logs() as lines:
            for number in range(12):
                await client.post("/api/v1/logins", json=credentials(password=f"secret-guess-{number}"))
            problem(await client.post("/api/v1/logins", json=credentials()), 429, "too_many_attempts")
            await client.post("/api/v1/logins", json=credentials(), headers={"Origin": "https://evil.example"})
        counts = services.refusals.counts
        assert (counts["password_wrong"], counts["sign_in_locked"], counts["origin_refused"]) == (10, 3, 1)
        text = SecurityMetrics(services.refusals).text().decode()
        assert 'kswifi_security_refusals_total{kind="password_wrong"} 10.0' in text
        assert 'kswifi_security_refusals_total{kind="csrf_refused"} 0.0' in text
        events = [it["event"] for it in lines]
        assert events.count("security_password_wrong") == 10
        assert events.count("security_origin_refused") == 1
        for secret in ("secret-guess", PASSWORD, "8031234567", "127.0.0.1"):
            assert secret not in str(lines)
        await Worker(services.database, LockNotices(services.database).handlers()).run_until_idle()


async def prove(client: httpx2.AsyncClient, services: Services, identifier: str) -> str:
    """Have a code sent, read it in the lab's outbox, and type it in."""
    made = await client.post(PROOFS, json={"identifier": identifier})
    assert made.status_code == 201, made.text
    proof_id = str(made.json()["proof_id"])
    code = await code_of(client, services, proof_id)
    assert (await client.post(f"{PROOFS}/{proof_id}/confirm", json={"code": code})).json() == {"proved": True}
    return proof_id


async def code_of(client: httpx2.AsyncClient, services: Services, proof_id: str) -> str:
    lab = LabOutbox(services.database)
    handlers = ProofHandlers(services.database, Marks(bytes(32)).digest, ProofSenders(lab, lab)).handlers()
    await Worker(services.database, handlers).run_until_idle()
    message = (await client.get(f"{PROOFS}/{proof_id}/lab-message")).json()
    found = re.search("[0-9]{6}", message["words"])
    assert found is not None
    return found.group()


@pytest.mark.parametrize("identifier", ["0803 123 4567", "ada.obi@example.ng"])
async def test_an_identifier_is_proved_before_it_has_an_account(tmp_path: Path, identifier: str) -> None:
    async with serving(tmp_path, rules=REQUIRED) as (client, services):
        assert (await client.get("/api/v1/environment")).json()["identifier_proof"] is True
        body = credentials(identifier)
        problem(await client.post("/api/v1/accounts", json=body), 403, "identifier_not_proved")
        other = await prove(client, services, "08099999999")
        problem(
            await client.post("/api/v1/accounts", json=body | {"proof_id": other}), 403, "identifier_not_proved"
        )
        asked = (await client.post(PROOFS, json={"identifier": identifier})).json()["proof_id"]
        problem(
            await client.post("/api/v1/accounts", json=body | {"proof_id": asked}), 403, "identifier_not_proved"
        )
        proof_id = await prove(client, services, identifier)
        made = await client.post("/api/v1/accounts", json=body | {"proof_id": proof_id})
        assert made.status_code == 201, made.text
        assert made.json()["account"]["phone_verified"] is ("@" not in identifier)
        used = await client.post("/api/v1/accounts", json=body | {"proof_id": proof_id})
        problem(used, 403, "identifier_not_proved")
        owner = await prove(client, services, identifier)
        known = await client.post("/api/v1/accounts", json=body | {"proof_id": owner})
        problem(known, 409, "already_registered")


async def test_asking_for_a_code_and_signing_up_tell_nobody_who_has_an_account(tmp_path: Path) -> None:
    async with serving(tmp_path, rules=REQUIRED) as (client, services):
        proof_id = await prove(client, services, "08031234567")
        await client.post("/api/v1/accounts", json=credentials(proof_id=proof_id))
        client.cookies.clear()
        shapes = []
        for identifier in ("08031234567", "08037654321"):
            asked = await client.post(PROOFS, json={"identifier": identifier})
            signed_up = await client.post("/api/v1/accounts", json=credentials(identifier))
            options = await client.post("/api/v1/accounts/passkey-options", json={"identifier": identifier})
            shapes.append((asked.status_code, sorted(asked.json()), signed_up.json(), options.json()))
        assert shapes[0] == shapes[1]


async def test_the_owner_takes_an_identifier_from_an_account_that_never_proved_it(tmp_path: Path) -> None:
    async with serving(tmp_path) as (client, services):
        squatter = await register(client)
        async with browser(client) as theirs:
            problem(await theirs.post("/api/v1/accounts", json=credentials()), 409, "already_registered")
            proof_id = await prove(theirs, services, "08031234567")
            made = await theirs.post("/api/v1/accounts", json=credentials(password=OTHER, proof_id=proof_id))
            assert made.status_code == 201, made.text
            assert made.json()["account"]["user_id"] != squatter.user_id
            signed_in = await theirs.post("/api/v1/logins", json=credentials(password=OTHER))
            assert signed_in.json()["account"]["user_id"] == made.json()["account"]["user_id"]
        lost = (await client.get("/api/v1/account")).json()["account"]
        assert lost["phone_number"] is None
        events = (await client.get("/api/v1/account/export")).json()["events"]
        assert {"what": "identifier_lost"} in [it["data"] for it in events]
        next_proof = await prove(client, services, "obi@example.ng")
        body = {"password": PASSWORD, "identifier": "obi@example.ng", "proof_id": next_proof}
        renamed = await squatter.send("PUT", "/api/v1/account/identifier", body)
        assert renamed.json()["email"] == "obi@example.ng"
        assert (await client.post("/api/v1/logins", json=credentials("obi@example.ng"))).status_code == 201


async def test_an_account_proves_its_own_identifier_and_then_keeps_it(tmp_path: Path) -> None:
    async with serving(tmp_path) as (client, services):
        mine = await register(client)
        proof_id = await prove(client, services, "08031234567")
        body = {"password": PASSWORD, "identifier": "08031234567", "proof_id": proof_id}
        assert (await mine.send("PUT", "/api/v1/account/identifier", body)).json()["phone_verified"] is True
        again = await prove(client, services, "08031234567")
        problem(await client.post("/api/v1/accounts", json=credentials(proof_id=again)), 409, "already_registered")


async def test_a_code_is_tried_five_times_and_not_a_sixth(tmp_path: Path) -> None:
    async with serving(tmp_path) as (client, services):
        made = (await client.post(PROOFS, json={"identifier": "08031234567"})).json()
        code = await code_of(client, services, made["proof_id"])
        path = f"{PROOFS}/{made['proof_id']}/confirm"
        for left in (4, 3, 2, 1, 0):
            wrong = problem(
                await client.post(path, json={"code": f"{(int(code) + 1) % 10**6:06}"}), 422, "proof_code_wrong"
            )
            assert wrong["facts"]["tries_left"] == left
        problem(await client.post(path, json={"code": code}), 410, "proof_code_over")
        problem(await client.post(f"{PROOFS}/unknown/confirm", json={"code": code}), 404, "unknown_proof")


async def changes_of(client: httpx2.AsyncClient) -> list[dict[str, Any]]:
    events = (await client.get("/api/v1/account/export")).json()["events"]
    return [it["data"] for it in events if it["kind"] == "account.security"]


async def mails_of(services: Services) -> list[tuple[str, str]]:
    """Work on the notices; return the receiver and the words of each that was sent."""
    await Worker(services.database, SecurityNotices(LabOutbox(services.database)).handlers()).run_until_idle()
    query = select(lab_text_message.c.phone_number, lab_text_message.c.words).order_by(lab_text_message.c.reference)
    return await services.database.read(lambda connection: [tuple(it) for it in connection.execute(query)])


async def test_the_owner_learns_of_a_sign_in_from_a_new_device_once(tmp_path: Path) -> None:
    async with serving(tmp_path) as (client, services), browser(client) as android:
        await register(client, ADA)
        assert await changes_of(client) == []
        for number in range(2):
            answer = await android.post("/api/v1/logins", json=credentials(ADA))
            assert answer.status_code == 201, number
        told = {"what": "new_device", "browser": "Chrome on Android", "network": "local network"}
        assert await changes_of(client) == [told]
        [(to, words)] = await mails_of(services)
        assert to == ADA
        assert words.startswith("Your account was signed in to on a new device. If this was not you")
        assert (await client.post("/api/v1/logins", json=credentials(ADA))).status_code == 201
        assert len(await changes_of(client)) == 1


async def test_an_account_with_a_phone_number_gets_events_and_no_mail(tmp_path: Path) -> None:
    async with serving(tmp_path) as (client, services), browser(client) as android:
        await register(client)
        await sign_in(android)
        assert [it["what"] for it in await changes_of(client)] == ["new_device"]
        assert await mails_of(services) == []


async def test_a_change_of_the_address_is_mailed_to_the_address_before(tmp_path: Path) -> None:
    async with serving(tmp_path) as (client, services):
        mine = await register(client, ADA)
        proof_id = await prove(client, services, "obi@example.ng")
        body = {"password": PASSWORD, "identifier": "obi@example.ng", "proof_id": proof_id}
        assert (await mine.send("PUT", "/api/v1/account/identifier", body)).status_code == 200
        told = [it for it in await mails_of(services) if "KSWiFi code" not in it[1]]
        assert [(to, words.partition(". ")[0]) for to, words in told] == [
            (ADA, "Your account now signs in with another phone number or email address"),
            ("obi@example.ng", "This email address was confirmed for your account"),
        ]


def test_there_are_words_for_each_change_but_the_one_whose_address_is_lost() -> None:
    assert WORDS.keys() == set(SecurityChange) - {SecurityChange.IDENTIFIER_LOST}
