"""The reference page shows every operation and schema of the OpenAPI document, and loads nothing."""

import json
from base64 import b64encode
from hashlib import sha256
from html.parser import HTMLParser
from pathlib import Path
from typing import Any, Final

from kswifi.api.reference import REFERENCE_PATH, reference_page
from tests.support.api import serving

VOID: Final = {"meta", "br"}
DOCUMENT: Final = json.loads((Path(__file__).parents[1] / "golden/data/openapi.json").read_text(encoding="utf-8"))


class Reader(HTMLParser):
    """Reads a page: its anchors, links, style sheets and texts; every element must be closed in order."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.ids: list[str] = []
        self.links: list[str] = []
        self.names: set[str] = set()
        self.styles: list[str] = []
        self.attributes: set[str] = set()
        self.texts: dict[str, str] = {}
        self._section = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.names.add(tag)
        if tag not in VOID:
            self.open.append(tag)
        found = dict(attrs)
        self.attributes |= found.keys()
        if found.get("id"):
            self.ids.append(found["id"] or "")
            self._section = found["id"] or ""
        if "href" in found:
            self.links.append(found["href"] or "")

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if self.open and self.open[-1] == "style":
            self.styles.append(data)
        self.texts[self._section] = self.texts.get(self._section, "") + data


def read(page: str) -> Reader:
    reader = Reader()
    reader.feed(page)
    reader.close()
    assert reader.open == []
    return reader


def operations(document: dict[str, Any]) -> list[tuple[str, str, dict[str, Any]]]:
    return [(method, path, it) for path, item in document["paths"].items() for method, it in item.items()]


async def test_the_page_has_every_operation_and_schema_of_the_servers_document(tmp_path: Path) -> None:
    async with serving(tmp_path) as (client, _services):
        document = (await client.get("/api/v1/openapi.json")).json()
        answer = await client.get(REFERENCE_PATH)
    assert answer.status_code == 200
    assert answer.headers["content-type"] == "text/html; charset=utf-8"
    page = read(answer.text)
    found = operations(document)
    assert len(found) > 60
    for method, path, operation in found:
        text = page.texts[f"operation-{operation['operationId']}"]
        assert f"{method} {path}" in text
        assert operation["summary"] in text
        for parameter in operation.get("parameters", ()):
            assert f"{parameter['name']} in {parameter['in']}" in text
        for status in operation["responses"]:
            assert status in text
    for name, schema in document["components"]["schemas"].items():
        text = page.texts[f"schema-{name}"]
        assert all(member in text for member in schema.get("properties", ()))
    assert len(set(page.ids)) == len(page.ids) == len(found) + len(document["components"]["schemas"])


async def test_the_page_loads_nothing_and_its_policy_allows_its_own_style_alone(tmp_path: Path) -> None:
    async with serving(tmp_path) as (client, _services):
        answer = await client.get(REFERENCE_PATH)
    page = read(answer.text)
    assert {it for it in page.links if not it.startswith("#")} == {"openapi.json"}
    assert {it[1:] for it in page.links if it.startswith("#")} <= set(page.ids)
    assert not page.names & {"script", "img", "link", "iframe", "form", "object", "base"}
    assert not {it for it in page.attributes if it == "style" or it.startswith("on")}
    [style] = page.styles
    digest = b64encode(sha256(style.encode()).digest()).decode()
    policy = answer.headers["content-security-policy"]
    assert f"style-src 'sha256-{digest}';" in policy
    assert policy.startswith("default-src 'none'; ")
    assert "unsafe" not in policy


def test_texts_of_the_document_are_text_and_never_markup() -> None:
    hostile = "<script>alert(1)</script><img src=x onerror=y>\"'&"
    document: dict[str, Any] = json.loads(json.dumps(DOCUMENT))
    document["info"] = {"title": hostile, "version": hostile, "description": hostile}
    for _method, _path, operation in operations(document):
        operation["summary"] = operation["description"] = hostile
        operation["tags"] = [hostile]
        for response in operation["responses"].values():
            response["description"] = hostile
        for parameter in operation.get("parameters", ()):
            parameter["description"] = hostile
    for schema in document["components"]["schemas"].values():
        schema["description"] = hostile
        for member in schema.get("properties", {}).values():
            member |= {"description": hostile, "default": hostile, "examples": [hostile]}
            if "enum" in member:
                member["enum"] = [hostile]
    page = read(reference_page(document))
    assert not page.names & {"script", "img"}
    assert hostile in page.texts["schema-SessionView"]
