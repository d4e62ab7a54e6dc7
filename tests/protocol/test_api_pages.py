"""Every list of the API is paged by ``limit``, ``after`` and ``next``; its pages together are the whole list."""

from pathlib import Path
from typing import Any, Final, get_args
from uuid import uuid4

import pytest
from fastapi.dependencies.models import Dependant
from fastapi.routing import APIRoute
from pydantic import BaseModel

from kswifi.api.app import ROUTERS
from kswifi.api.edge.pages import LARGEST_LIMIT, PageView, page_request
from kswifi.lab.demo.app import PhoneApp
from tests.support.api import PASSWORD, problem, register, serving
from tests.support.system import new_identifier, running_system

NO_PAGES: Final = {
    "list_portions": "a session has as many portions as bundles fit its allowance",
    "export_account": "one file with all data of the account (GDPR, article 20), not a list",
    "read_use": "how the use stands, with the five biggest hours",
}

LISTS: Final = {
    "/api/v1/logins": "logins",
    "/api/v1/moves": "moves",
    "/api/v1/passkeys": "passkeys",
    "/api/v1/notifications": "subscriptions",
    "/api/v1/offers": "offers",
    "/api/v1/venues": "venues",
    "/api/v1/free-data": "offers",
    "/api/v1/sessions": "sessions",
    "/api/v1/sessions/{session_id}/statement": "hours",
    "/api/v1/sessions/{session_id}/disputes": "disputes",
    "/api/v1/esims": "esims",
    "/api/v1/esims/{esim_id}/sessions": "records",
    "/api/v1/payments": "payments",
    "/api/v1/pass": "periods",
    "/api/v1/gifts": "gifts",
    "/api/v1/statements": "months",
    "/api/v1/usage/periods": "periods",
    "/api/v1/usage/sessions": "sessions",
}
"""The lists, by the path of their route; the member that holds the items."""

WHOLE: Final = {
    ("/api/v1/sessions/{session_id}/statement", "transfers"): "at most 100, and the hours are the list",
    ("/api/v1/sessions", "notices"): "of open incidents, which are few",
}
"""Further members that every page holds as a whole, and why they stay short."""


def read_routes() -> list[APIRoute]:
    routes = [route for router in ROUTERS for route in router.routes if isinstance(route, APIRoute)]
    return [route for route in routes if "GET" in (route.methods or ())]


def lists_in(model: Any) -> set[str]:
    """Return the members of an answer that are lists of objects."""
    if not (isinstance(model, type) and issubclass(model, BaseModel)):
        return set()
    return {
        name
        for name, field in model.model_fields.items()
        for inner in get_args(field.annotation)
        if isinstance(inner, type) and issubclass(inner, BaseModel) and "list[" in str(field.annotation)
    }


def calls(dependant: Dependant) -> set[Any]:
    return {dependant.call} | {it for inner in dependant.dependencies for it in calls(inner)}


def test_every_route_that_answers_a_list_takes_limit_and_after_and_answers_next() -> None:
    listed = {}
    for route in read_routes():
        members = lists_in(route.response_model)
        if not members or route.name in NO_PAGES:
            continue
        assert issubclass(route.response_model, PageView), route.path
        assert page_request in calls(route.dependant), route.path
        [listed[route.path]] = members - {member for path, member in WHOLE if path == route.path}
    assert listed == LISTS
    assert set(NO_PAGES) <= {route.name for route in read_routes()}


def test_the_rule_sees_lists_of_objects_alone() -> None:
    class One(BaseModel):
        number: int

    class Lists(BaseModel):
        names: list[str]
        several: list[One]
        single: One

    assert lists_in(Lists) == {"several"}


def walk(app: PhoneApp, path: str, member: str) -> list[Any]:
    found: list[Any] = []
    after: dict[str, Any] = {}
    while True:
        answer = app._client.get(path, params={"limit": 1, **after})
        assert answer.status_code == 200, answer.text
        page = answer.json()
        assert len(page[member]) <= 1
        found += page[member]
        if page["next"] is None:
            return found
        assert page[member]
        after = {"after": page["next"]}


def test_the_pages_of_each_list_are_the_whole_list(tmp_path: Path) -> None:
    with running_system(tmp_path) as system:
        app = PhoneApp(system.origin)
        identifier = new_identifier()
        try:
            app.register(identifier, PASSWORD)
            for _ in range(2):
                other = PhoneApp(system.origin)
                answer = other._client.post("/api/v1/logins", json={"identifier": identifier, "password": PASSWORD})
                assert answer.status_code == 201
                other.close()
                app.buy("unlimited")
            sessions = [
                post(app, "/api/v1/sessions", {"offer_id": "unlimited", "new_esim": True}) for _ in range(2)
            ]
            for words in ("one", "two", "three"):
                path = f"/api/v1/sessions/{sessions[0]['session_id']}/disputes"
                post(app, path, {"words": words, "hours": []})
            lengths = {}
            for template, member in LISTS.items():
                path = template.format(session_id=sessions[0]["session_id"], esim_id=sessions[0]["esim_id"])
                whole = app._client.get(path).json()
                assert whole["next"] is None
                assert walk(app, path, member) == whole[member], template
                lengths[template] = len(whole[member])
        finally:
            app.close()
    assert lengths["/api/v1/logins"] == 3
    assert lengths["/api/v1/sessions/{session_id}/disputes"] == 3
    assert lengths["/api/v1/payments"] == lengths["/api/v1/pass"] == lengths["/api/v1/sessions"] == 2
    assert lengths["/api/v1/esims"] == 2
    assert lengths["/api/v1/offers"] > 3


def post(app: PhoneApp, path: str, body: dict[str, Any]) -> dict[str, Any]:
    headers = {"X-CSRF-Token": app._csrf_token, "Idempotency-Key": str(uuid4())}
    answer = app._client.post(path, json=body, headers=headers)
    assert answer.status_code == 201, answer.text
    made: dict[str, Any] = answer.json()
    return made


@pytest.mark.parametrize("limit", ["0", "-1", str(LARGEST_LIMIT + 1), "x", "1.5"])
async def test_a_limit_out_of_range_is_refused(tmp_path: Path, limit: str) -> None:
    async with serving(tmp_path) as (client, _services):
        problem(await client.get("/api/v1/offers", params={"limit": limit}), 422, "invalid_request")


@pytest.mark.parametrize("after", ["", "x", "WzFd=", "WyJhIl0", "W10", "WzEsMl0"])
async def test_an_after_that_no_page_gave_is_refused(tmp_path: Path, after: str) -> None:
    async with serving(tmp_path) as (client, _services):
        await register(client)
        for path in ("/api/v1/offers", "/api/v1/logins"):
            problem(await client.get(path, params={"after": after}), 400, "page_cursor_invalid")
