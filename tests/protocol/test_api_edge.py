import importlib
import json
import re
from pathlib import Path
from typing import Any

import httpx2
import pytest
from fastapi import APIRouter
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from structlog.contextvars import merge_contextvars
from structlog.testing import capture_logs

import kswifi
from kswifi.api.edge.guard import BODY_LIMIT_OCTETS
from kswifi.api.edge.statuses import STATUS_OF_CODE
from kswifi.api.reference import REFERENCE_PATH
from kswifi.kernel.errors import KswifiError, Refusal
from kswifi.session_package import PackageError
from tests.support.api import PASSWORD, problem, register, serving

FLOORS = ("database", "outbox", "catalogue", "accounts", "books", "payments", "vouchers", "esim", "sessions", "api")
ELSEWHERE = {
    "catalogue_invalid",  # at start
    "database_newer",
    "unsupported_database",
    "session_signing_key_damaged",
    "too_many_signing_keys",
    "projection_overtaken",  # caught by the projector itself
    "payload_too_large",  # a defect of ours
    "unbalanced_entry",
    "book_reference_conflict",
    "unknown_subscriber",  # to the network, by Diameter
    "resynchronization_refused",
    "illegal_rsp_transition",  # to a phone's LPA, by ES9+
    "profile_package_refused",  # at start
    "line_stock_refused",  # to who runs it, by commands, as these are:
    "operator_refused",
    "unknown_operator",
    "own_core_refused",
    "unknown_voucher_batch",
    "voucher_batch_invalid",
    "unknown_dispute",  # to the operators' console
    "dispute_answered_already",
    "no_card_numbers",  # a defect of ours: code that asks a supplied line for its ICCID
}

JSON = {"Content-Type": "application/json"}


async def test_the_catalogue_is_there_for_everybody(tmp_path: Path) -> None:
    async with serving(tmp_path) as (client, _services):
        offers = (await client.get("/api/v1/offers")).json()["offers"]
        assert [offer["id"] for offer in offers] == ["free-1gb", "free-3gb", "free-5gb", "unlimited"]
        assert offers[3] == {
            "id": "unlimited",
            "title": "Unlimited Sessions (₦800) • 7 days",
            "allowance_octets": None,
            "price_kobo": 80_000,
            "valid_days": 7,
        }
        assert (await client.get("/api/v1/offers/free-1gb")).json() == offers[0]
        document = problem(await client.get("/api/v1/offers/free-2gb"), 404, "unknown_offer")
        assert document["facts"] == {"offer_id": "free-2gb"}


async def test_what_is_malformed_is_named(tmp_path: Path) -> None:
    async with serving(tmp_path) as (client, _services):
        where = "/api/v1/accounts"
        for body in (b"{", b"\xff\xfe", b'{"identifier": "a" "b"}'):
            answer = await client.post(where, content=body, headers=JSON)
            assert answer.json()["code"] in ("malformed_json", "malformed_request")
            problem(answer, 400, answer.json()["code"])
        deep = await client.post(where, content=b"[" * 30_000, headers=JSON)
        assert deep.status_code == 400
        document = problem(await client.post(where, json={"identifier": 7, "pass": "x"}), 422, "invalid_request")
        assert {error["place"] for error in document["errors"]} == {
            "body.identifier",
            "body.password",
            "body.pass",
        }
        leaky = await client.post(where, json={"identifier": "a", "password": ["my secret"]})
        assert "my secret" not in str(problem(leaky, 422, "invalid_request"))
        answer = await client.post(where, content=b"identifier=a", headers={"Content-Type": "text/plain"})
        problem(answer, 415, "unsupported_media_type")
        problem(await client.post(where, content=b"{}"), 415, "unsupported_media_type")
        problem(await client.get("/api/v1/nothing"), 404, "not_found")
        problem(await client.get("/app/../app.py"), 404, "not_found")
        answer = await client.put(where, json={})
        problem(answer, 405, "method_not_allowed")
        assert answer.headers["allow"] == "POST"


async def test_what_is_too_large_is_refused_before_it_is_kept(tmp_path: Path) -> None:
    async def chunks() -> Any:
        for _ in range(100):
            yield b" " * 1024

    async with serving(tmp_path) as (client, _services):
        where = "/api/v1/accounts"
        largest = await client.post(where, content=b" " * BODY_LIMIT_OCTETS, headers=JSON)
        assert largest.status_code in (400, 422)
        over = await client.post(where, content=b" " * (BODY_LIMIT_OCTETS + 1), headers=JSON)
        problem(over, 413, "body_too_large")
        problem(await client.post(where, content=chunks(), headers=JSON), 413, "body_too_large")
        many = {f"X-Header-{number}": "x" for number in range(80)}
        problem(await client.get("/healthz", headers=many), 431, "headers_too_large")
        problem(await client.get("/healthz", headers={"X-Long": "x" * 17_000}), 431, "headers_too_large")


async def test_only_its_own_names_are_answered_to(tmp_path: Path) -> None:
    hosts = frozenset({"127.0.0.1", "localhost", "::1", "wifi.example.ng"})
    async with serving(tmp_path, allowed_hosts=hosts) as (client, _services):
        for host in (
            "evil.example",
            "127.0.0.1.evil.example",
            "wifi.example.ng@evil.example",
            "[::1",
            "127.0.0.2",
        ):
            answer = await client.get("/api/v1/offers", headers={"Host": host})
            problem(answer, 421, "host_not_allowed")
        for host in ("localhost", "LOCALHOST:8080", "[::1]:8080", "wifi.example.ng", "wifi.example.ng."):
            assert (await client.get("/api/v1/offers", headers={"Host": host})).status_code == 200


async def test_a_defect_of_ours_tells_nothing_of_its_inside(tmp_path: Path) -> None:
    router = APIRouter()

    @router.get("/api/v1/defect")
    async def defect() -> None:
        raise RuntimeError("the inside")

    class NewError(KswifiError):
        code = "nobody_mapped_this"

    @router.get("/api/v1/unmapped")
    async def unmapped() -> None:
        raise NewError("the inside")

    async with serving(tmp_path, extra=router) as (client, _services):
        for path in ("/api/v1/defect", "/api/v1/unmapped"):
            answer = await client.get(path)
            problem(answer, 500, "internal_error")
            assert "inside" not in answer.text
            assert answer.headers["x-content-type-options"] == "nosniff"


async def test_every_answer_carries_the_security_headers(tmp_path: Path) -> None:
    async with serving(tmp_path, lab_origin="http://127.0.0.1:8081") as (client, _services):
        for path in ("/", "/api/v1/offers", "/api/v1/account", "/nothing", "/healthz"):
            answer = await client.get(path)
            policy = answer.headers["content-security-policy"]
            assert "default-src 'none'" in policy
            assert "script-src 'self'" in policy
            assert "connect-src 'self' http://127.0.0.1:8081;" in policy
            assert "unsafe" not in policy
            assert answer.headers["referrer-policy"] == "no-referrer"
            assert "server" not in answer.headers
        assert (await client.get("/api/v1/offers")).headers["cache-control"] == "no-store"
        refused = await client.get("/", headers={"Host": "evil.example"})
        assert "content-security-policy" in refused.headers


async def test_health_and_readiness(tmp_path: Path) -> None:
    there = True

    async def ledger() -> bool:
        return there

    async with serving(tmp_path, readiness={"ledger": ledger}) as (client, _services):
        assert (await client.get("/readyz")).json() == {"status": "ok"}
        there = False
        document = problem(await client.get("/readyz"), 503, "not_ready")
        assert "ledger" not in str(document), "what is missing is for who runs it"
        assert (await client.get("/healthz")).json() == {"status": "ok"}
        assert (await client.get("/api/v1/environment")).json()["mode"] == "embedded"


async def test_openapi_describes_itself(tmp_path: Path) -> None:
    async with serving(tmp_path) as (client, _services):
        schema = (await client.get("/api/v1/openapi.json")).json()
        operations = [operation for path in schema["paths"].values() for operation in path.values()]
        names = [operation["operationId"] for operation in operations]
        assert len(set(names)) == len(names)
        for operation in operations:
            assert operation["summary"]
            assert operation["description"]
            for status, answer in operation["responses"].items():
                if status == "default" or status >= "400":
                    content = {"application/problem+json": {"schema": {"$ref": "#/components/schemas/Problem"}}}
                    assert answer["content"] == content, (operation["operationId"], status)
        text = json.dumps(schema)
        known = set(schema["components"]["schemas"])
        assert set(re.findall(r"#/components/schemas/(\w+)", text)) <= known
        assert "HTTPValidationError" not in text


def test_every_code_has_a_status_that_exists() -> None:
    for code, status in STATUS_OF_CODE.items():
        assert re.fullmatch(r"[a-z0-9_]+", code)
        assert httpx2.codes(status).is_error(status)


def test_every_refusal_that_can_reach_the_api_has_a_status() -> None:
    names = ["kswifi.api.edge.errors" if floor == "api" else f"kswifi.{floor}.errors" for floor in FLOORS]
    tables = [importlib.import_module(name) for name in names]
    importlib.import_module("kswifi.sessions.projector")  # it has an error of its own
    rows = {row.code for table in tables for row in vars(table).values() if isinstance(row, Refusal)}
    kinds = {kind for kind in _all_below(KswifiError) if kind.__module__.split(".")[1] in FLOORS}
    concrete = {kind.code for kind in kinds if not kind.__subclasses__()} | rows
    verified_by_devices = {kind.code for kind in kinds if issubclass(kind, PackageError)}
    assert concrete - set(STATUS_OF_CODE) - verified_by_devices == ELSEWHERE


def _all_below(kind: type[KswifiError]) -> set[type[KswifiError]]:
    return {below for child in kind.__subclasses__() for below in {child, *_all_below(child)}}


_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=True) | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=5,
)
_bodies = st.one_of(
    st.binary(max_size=200),
    _values.map(lambda value: json.dumps(value).encode()),
    st.fixed_dictionaries(
        {}, optional=dict.fromkeys(("identifier", "password", "recovery_code", "new_password", "more"), _values)
    ).map(lambda value: json.dumps(value).encode()),
    st.text(max_size=30).map(lambda text: json.dumps({"identifier": text, "password": PASSWORD}).encode()),
    st.just(b'{"identifier": "\\ud800", "password": "\\udfff-lone-surrogate"}'),
)


@pytest.mark.parametrize("text", ["\\u0000", "a\\u0000b", "\\ud800", "x\\udfff"])
async def test_text_that_cannot_be_kept_is_refused(tmp_path: Path, text: str) -> None:
    async with serving(tmp_path) as (client, _services):
        for body in (f'{{"identifier": "ada{text}@example.ng", "password": "{PASSWORD}"}}', f'{{"{text}": 1}}'):
            answer = await client.post("/api/v1/accounts", content=body.encode(), headers=JSON)
            problem(answer, 422, "invalid_request")


async def test_no_body_whatever_is_answered_with_a_server_error(tmp_path: Path) -> None:
    async with serving(tmp_path) as (client, _services):
        page = await register(client)

        @settings(deadline=None, max_examples=150, suppress_health_check=[HealthCheck.too_slow], database=None)
        @given(path=st.sampled_from(["accounts", "logins", "recoveries", "logins/current"]), body=_bodies)
        def fuzz(path: str, body: bytes) -> None:
            sent.append((path, body))

        sent: list[tuple[str, bytes]] = []
        fuzz()
        for path, body in sent:
            method = "DELETE" if path == "logins/current" else "POST"
            headers = JSON | {"X-CSRF-Token": page.csrf_token + "x", "Idempotency-Key": "fuzz-fuzz"}
            answer = await client.request(method, f"/api/v1/{path}", content=body, headers=headers)
            assert answer.status_code < 500, (path, body, answer.text)
            if answer.status_code >= 400:
                problem(answer, answer.status_code, answer.json()["code"])


async def test_answers_are_saved_and_never_shown_as_pages_and_show_no_version(tmp_path: Path) -> None:
    async with serving(tmp_path) as (client, _services):
        for path, status in (("/api/v1/offers", 200), ("/api/v1/account", 401), ("/api/v1/nothing", 404)):
            answer = await client.get(path)
            assert answer.status_code == status
            assert answer.headers["content-disposition"] == 'attachment; filename="api.json"', path
            assert answer.headers["x-content-type-options"] == "nosniff"
            assert kswifi.__version__ not in str(answer.headers) + answer.text
        assert (await client.get("/api/v1/openapi.json")).json()["info"]["version"] == "1"
        assert "content-disposition" not in (await client.get(REFERENCE_PATH)).headers


async def test_methods_and_input_that_are_refused_leave_a_line_without_their_values(tmp_path: Path) -> None:
    async with serving(tmp_path) as (client, services):
        page = await register(client)
        with capture_logs(processors=[merge_contextvars]) as lines:
            await client.patch("/api/v1/offers", json={})
            await client.post("/api/v1/logins", json={"identifier": 7, "password": "hunter22"})
            await client.get("/api/v1/sessions/019ab0de-0000-7000-8000-000000000001/usage")
            await client.request(
                "DELETE",
                "/api/v1/passkeys/none",
                json={"password": PASSWORD},
                headers={"X-CSRF-Token": page.csrf_token, "Idempotency-Key": "k" * 9},
            )
            client.cookies.clear()
            await client.get("/api/v1/account")
        events = {it["event"]: it for it in lines}
        assert services.refusals.counts["method_refused"] == 1
        assert events["security_method_refused"]["method"] == "PATCH"
        assert events["input_refused"]["path"] == "/api/v1/logins"
        access = [(it["code"], it["path"], it.get("user_id")) for it in lines if it["event"] == "access_refused"]
        assert access[-2:] == [
            ("unknown_passkey", "/api/v1/passkeys/{passkey_id}", page.user_id),
            ("not_signed_in", "/api/v1/account", None),
        ]
        assert "hunter22" not in str(lines)
        assert all(len(it["request_id"]) == 36 for it in lines)


async def test_each_sign_in_leaves_a_line_with_the_user_and_no_identifier(tmp_path: Path) -> None:
    async with serving(tmp_path) as (client, _services):
        page = await register(client)
        with capture_logs() as lines:
            answer = await client.post("/api/v1/logins", json={"identifier": "08031234567", "password": PASSWORD})
        assert answer.status_code == 201
        assert [(it["event"], it["user_id"]) for it in lines if it["event"] == "signed_in"] == [
            ("signed_in", page.user_id)
        ]
        assert "31234567" not in str(lines)
