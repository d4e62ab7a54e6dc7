"""The OpenAPI is what the server does: schemathesis sends to every operation what it allows, and what it forbids.

Against the running system, with a signed-in user who has a session, a pass and a payment: as generated, and again
with the names of what is really there, so that answers of success are compared with their schemas too.
"""

import uuid
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, Final

import httpx2
import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis.errors import Unsatisfiable
from schemathesis.core.failures import FailureGroup
from schemathesis.generation.modes import GenerationMode
from schemathesis.specs.openapi.checks import positive_data_acceptance

from kswifi.kernel.text import is_storable
from kswifi.lab.demo.app import PhoneApp
from tests.support.system import PASSWORD, WholeSystem, new_identifier, running_system

STREAM: Final = "/api/v1/events"
"""It does not end, so it is looked at below."""

MALFORMED: Final = ("invalid_request", "malformed_json", "malformed_request", "idempotency_key_invalid")
"""What must never be said of a request that the schema allows. Other refusals are about what it asks for."""

COOKIE: Final = "kswifi_login"
CSRF_HEADER: Final = "X-CSRF-Token"
EXAMPLES: Final = [3, pytest.param(25, marks=[pytest.mark.soak, pytest.mark.timeout(3_600)])]


@dataclass
class User:
    """A signed-in user, and the names of what is theirs."""

    origin: str
    app: PhoneApp = field(init=False)
    known: dict[str, str] = field(init=False)

    def __post_init__(self) -> None:
        self.app = PhoneApp(self.origin)
        self.app.register(new_identifier(), PASSWORD)
        payment = self.app.buy("unlimited")
        session = self.app.order("unlimited")
        self.app.wait_until(session["session_id"], ("packaged",))
        self.known = {
            "session_id": session["session_id"],
            "esim_id": session["esim_id"],
            "reference": payment["reference"],
            "offer_id": "free-3mb",
            "passkey_id": str(uuid.uuid4()),
        }

    @property
    def cookies(self) -> dict[str, str]:
        return dict(self.app._client.cookies)

    @property
    def csrf_token(self) -> str:
        return self.app._csrf_token

    def close(self) -> None:
        self.app.close()

    def sign_in_again(self) -> None:
        self.app.register(new_identifier(), PASSWORD)


@pytest.fixture
def user(system: WholeSystem) -> Iterator["User"]:
    signed_in = User(system.origin)
    yield signed_in
    signed_in.close()


@pytest.fixture(scope="module")
def system(tmp_path_factory: pytest.TempPathFactory) -> Iterator[WholeSystem]:
    with running_system(tmp_path_factory.mktemp("system")) as running:
        yield running


def call(case: Any, user: User, mode: GenerationMode) -> None:
    """Send one request, with the cookie and the token, and compare the answer with the schema."""
    if case.cookies and COOKIE in case.cookies:  # where it is forbidden to leave it out, it may be left out
        case.cookies[COOKIE] = user.cookies[COOKIE]
    if case.headers and CSRF_HEADER in case.headers:
        case.headers[CSRF_HEADER] = user.csrf_token
    response = case.call(timeout=20)
    case.validate_response(response, excluded_checks=[positive_data_acceptance])
    # No schema can exclude NUL and lone surrogates from every string of a body, names of members included.
    storable = not isinstance(case.body, dict | list | str) or is_storable(case.body)
    if mode is GenerationMode.POSITIVE and storable and response.status_code in (400, 422):
        assert response.json()["code"] not in MALFORMED, response.text


def exercise(operation: Any, user: User, mode: GenerationMode, examples: int) -> None:
    @settings(
        max_examples=examples,
        deadline=None,
        suppress_health_check=list(HealthCheck),
        database=None,
        derandomize=True,
        phases=[Phase.generate],
    )
    @given(case=operation.as_strategy(generation_mode=mode))
    def check(case: Any) -> None:
        call(case, user, mode)
        named = {name: user.known[name] for name in case.path_parameters or {} if name in user.known}
        ordered = isinstance(case.body, dict) and isinstance(case.body.get("offer_id"), str)
        if mode is GenerationMode.POSITIVE and (named or ordered):
            case.path_parameters = {**(case.path_parameters or {}), **named}
            if ordered:
                case.body["offer_id"] = user.known["offer_id"]
            if case.headers and "Idempotency-Key" in case.headers:
                case.headers["Idempotency-Key"] = str(uuid.uuid4())
            call(case, user, mode)

    check()


@pytest.mark.timeout(600)  # hundreds of requests, one after another
@pytest.mark.parametrize("examples", EXAMPLES)
def test_every_operation_is_what_its_schema_says(system: WholeSystem, user: User, examples: int) -> None:
    schema = schemathesis.openapi.from_url(f"{system.origin}/api/v1/openapi.json")
    failures, operations = [], 0
    for result in schema.get_all_operations():
        operation: Any = result.ok()  # type: ignore[union-attr]
        if operation.path == STREAM:
            continue
        operations += 1
        for mode in GenerationMode:
            try:
                exercise(operation, user, mode, examples)
            except Unsatisfiable:
                continue  # nothing can be sent to it that its schema forbids
            except (FailureGroup, AssertionError) as error:
                inner = " ".join(str(it) for it in getattr(error, "exceptions", ()))
                failures.append(f"{operation.label} ({mode}): {error} {inner}")
            if operation.method == "delete" and operation.path.endswith("/logins/current"):
                user.sign_in_again()
    assert operations > 40
    assert not failures, "\n\n".join(failures)


def test_who_is_not_signed_in_gets_nothing_that_needs_it(system: WholeSystem) -> None:
    needing = 0
    with httpx2.Client(base_url=system.origin, trust_env=False, verify=False) as anybody:
        document = anybody.get("/api/v1/openapi.json").json()
        for path, operations in document["paths"].items():
            for method, operation in operations.items():
                url = path.replace("{", "").replace("}", "")
                if "security" in operation:
                    answer = anybody.request(method, url, headers={"Idempotency-Key": str(uuid.uuid4())})
                    assert (answer.status_code, answer.json()["code"]) == (401, "not_signed_in"), (method, path)
                    needing += 1
    assert needing > 25


def test_the_refusal_of_a_wrong_method_names_every_right_one(system: WholeSystem) -> None:
    with httpx2.Client(base_url=system.origin, trust_env=False, verify=False) as anybody:
        paths = anybody.get("/api/v1/openapi.json").json()["paths"]
        for path, operations in paths.items():
            wrong = next(it for it in ("PATCH", "PUT", "DELETE") if it.lower() not in operations)
            answer = anybody.request(wrong, path.replace("{", "").replace("}", ""))
            assert (answer.status_code, answer.json()["code"]) == (405, "method_not_allowed"), path
            allowed = set(answer.headers["allow"].split(", "))
            assert allowed >= {it.upper() for it in operations}, path  # or more, by a path with a name in it


def test_the_event_stream_opens_or_refuses_as_it_says(system: WholeSystem, user: User) -> None:
    schema = schemathesis.openapi.from_url(f"{system.origin}/api/v1/openapi.json")
    operation = schema[STREAM]["GET"]
    for last_event_id, statuses in (("0", {200}), ("1", {200}), ("x" * 40, {400, 422}), ("-1", {400, 422})):
        headers = {"Last-Event-ID": last_event_id}
        with user.app._client.stream("GET", STREAM, headers=headers) as answer:
            assert answer.status_code in statuses, last_event_id
            assert str(answer.status_code) in operation.definition.raw["responses"]
            kind = answer.headers["content-type"].partition(";")[0]
            assert kind == ("text/event-stream" if answer.status_code == 200 else "application/problem+json")
