"""HEAD is answered wherever GET is, with the same status and headers and without a body (RFC 9110, 9.3.2)."""

import re
from pathlib import Path

import httpx2

from kswifi.api.app import create_app
from kswifi.pwa.router import pwa_routes
from tests.support.session_api import ORIGIN, WIFI_SOCKET, served

VOLATILE = {"x-request-id", "date", "set-cookie"}
STREAM = "/api/v1/events"


def about(answer: httpx2.Response) -> dict[str, str]:
    return {name: value for name, value in answer.headers.items() if name not in VOLATILE}


async def test_head_answers_as_get_does_on_every_route(tmp_path: Path) -> None:
    async with served(tmp_path) as api:
        document = (await api.get("/api/v1/openapi.json")).json()
        session = await api.order()
        known = {"session_id": session.rpartition("/")[2], "offer_id": "free-1gb"}
        paths = [path for path, operations in document["paths"].items() if "get" in operations and path != STREAM]
        paths += ["/api/v1/openapi.json", "/api/v1/nothing", "/healthz"]
        answered = 0
        for path in paths:
            url = path.format_map({**dict.fromkeys(_names(path), "none"), **known})
            got, headed = await api.get(url), await api.page.client.head(url)
            assert (headed.status_code, about(headed)) == (got.status_code, about(got)), path
            assert headed.content == b"", path
            answered += got.status_code == 200
        assert answered > 15


async def test_head_of_an_address_without_get_is_refused_and_get_names_head(tmp_path: Path) -> None:
    async with served(tmp_path) as api:
        refused = await api.page.client.head("/api/v1/accounts")
        assert (refused.status_code, refused.headers["allow"], refused.content) == (405, "POST", b"")
        other = await api.page.client.patch("/api/v1/offers", json={})
        assert (other.status_code, other.headers["allow"]) == (405, "GET, HEAD")


async def test_head_of_the_event_stream_ends_with_the_headers_and_closes_the_stream(tmp_path: Path) -> None:
    async with served(tmp_path) as api:
        for _ in range(20):  # more than a user may have open
            answer = await api.page.client.head(STREAM)
            assert (answer.status_code, answer.content) == (200, b"")
            assert answer.headers["content-type"].startswith("text/event-stream")
        assert not list(api.services.streams.users())


def _names(path: str) -> list[str]:
    return re.findall(r"{(\w+)}", path)


async def test_head_of_each_file_of_the_app(tmp_path: Path) -> None:
    async with served(tmp_path) as api:
        app = create_app(api.services)
        routes = pwa_routes()
        app.router.routes.extend(routes)
        transport = httpx2.ASGITransport(app, client=WIFI_SOCKET)
        async with httpx2.AsyncClient(transport=transport, base_url=ORIGIN) as client:
            for route in routes:
                url = route.path  # type: ignore[attr-defined]
                got, headed = await client.get(url), await client.head(url)
                assert (headed.status_code, about(headed), headed.content) == (200, about(got), b""), url
