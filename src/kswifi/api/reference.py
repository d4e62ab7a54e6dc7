"""The reference page of the API: the OpenAPI document as one HTML page, which loads nothing and has no scripts."""

import json
from base64 import b64encode
from collections.abc import Iterator, Mapping
from hashlib import sha256
from html import escape
from typing import Any, Final, TypeAlias

from markdown_it import MarkdownIt

REFERENCE_PATH: Final = "/api/v1/reference"

Json: TypeAlias = Mapping[str, Any]

_METHODS: Final = ("get", "head", "post", "put", "patch", "delete")

_STYLE: Final = """\
:root{color-scheme:dark light}
body{font:1rem/1.5 system-ui,sans-serif;max-width:60rem;margin:0 auto;padding:1rem}
code,pre{font-family:ui-monospace,monospace;overflow-wrap:anywhere}
pre{white-space:pre-wrap;padding:.75rem;border:1px solid;border-radius:.5rem}
table{border-collapse:collapse;width:100%}
th,td{border-bottom:1px solid;padding:.375rem .5rem;text-align:start;vertical-align:top}
section{margin-block:2rem}
.method{text-transform:uppercase;font-weight:700}
"""

CONTENT_SECURITY_POLICY: Final = (
    f"default-src 'none'; style-src 'sha256-{b64encode(sha256(_STYLE.encode()).digest()).decode()}'; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
"""The policy of the page: its own style sheet, by its hash, and nothing else."""

_MARKDOWN: Final = MarkdownIt("commonmark", {"html": False})


def reference_page(document: Json) -> str:
    """Return the page of an OpenAPI document: each operation by its tag, and each schema with its members."""
    info = document["info"]
    title = f"{escape(info['title'])} API {escape(info['version'])}"
    return (
        '<!doctype html><html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>{title}</title><style>{_STYLE}</style></head><body><main><h1>{title}</h1>"
        f"{_MARKDOWN.render(info.get('description', ''))}"
        '<p>The same as a document for programs: <a href="openapi.json">openapi.json</a>.</p>'
        f"{''.join(_contents(document))}{''.join(_operations(document))}{''.join(_schemas(document))}"
        "</main></body></html>"
    )


def _by_tag(document: Json) -> dict[str, list[tuple[str, str, Json]]]:
    found: dict[str, list[tuple[str, str, Json]]] = {}
    for path, item in document["paths"].items():
        for method in _METHODS:
            if method in item:
                operation = item[method]
                tag = (operation.get("tags") or ["other"])[0]
                found.setdefault(tag, []).append((method, path, operation))
    return found


def _contents(document: Json) -> Iterator[str]:
    yield '<nav aria-label="Operations"><h2>Operations</h2>'
    for tag, operations in _by_tag(document).items():
        yield f"<h3>{escape(tag.capitalize())}</h3><ul>"
        for method, path, operation in operations:
            yield (
                f'<li><a href="#{_anchor(operation)}">{_call(method, path)}</a> '
                f"{escape(operation.get('summary', ''))}</li>"
            )
        yield "</ul>"
    yield "</nav>"


def _operations(document: Json) -> Iterator[str]:
    for tag, operations in _by_tag(document).items():
        yield f"<h2>{escape(tag.capitalize())}</h2>"
        for method, path, operation in operations:
            yield f'<section id="{_anchor(operation)}"><h3>{_call(method, path)}</h3>'
            yield f"<p><strong>{escape(operation.get('summary', ''))}</strong></p>"
            yield _MARKDOWN.render(operation.get("description", ""))
            yield _security(operation)
            yield "".join(_parameters(operation))
            yield "".join(_body(operation))
            yield "".join(_responses(operation))
            yield "</section>"


def _schemas(document: Json) -> Iterator[str]:
    yield "<h2>Schemas</h2>"
    for name, schema in sorted(document.get("components", {}).get("schemas", {}).items()):
        yield f'<section id="schema-{escape(name)}"><h3>{escape(name)}</h3>'
        yield _MARKDOWN.render(schema.get("description", ""))
        members = schema.get("properties")
        if members is None:
            yield f"<p>{_type(schema)}</p></section>"
            continue
        required = schema.get("required", ())
        rows = (
            (f"<code>{escape(member)}</code>", _type(its), _yes(member in required), _words(its))
            for member, its in members.items()
        )
        yield _table(("member", "type", "required", "meaning"), rows) if members else "<p>No members.</p>"
        yield "</section>"


def _security(operation: Json) -> str:
    schemes = [name for one in operation.get("security", ()) for name in one]
    names = " and ".join(f"<code>{escape(name)}</code>" for name in schemes)
    return f"<p>Needs {names}.</p>" if names else ""


def _parameters(operation: Json) -> Iterator[str]:
    parameters = operation.get("parameters", ())
    if parameters:
        yield "<h4>Parameters</h4>"
        rows = (
            (
                f"<code>{escape(one['name'])}</code> in {escape(one['in'])}",
                _type(one.get("schema", {})),
                _yes(one.get("required", False)),
                _words(one) or _words(one.get("schema", {})),
            )
            for one in parameters
        )
        yield _table(("parameter", "type", "required", "meaning"), rows)


def _body(operation: Json) -> Iterator[str]:
    body = operation.get("requestBody")
    if body:
        yield "<h4>Body</h4><ul>"
        for media_type, content in body["content"].items():
            yield f"<li><code>{escape(media_type)}</code>: {_type(content.get('schema', {}))}</li>"
        yield "</ul>"


def _responses(operation: Json) -> Iterator[str]:
    yield "<h4>Responses</h4>"
    rows = []
    for status, response in operation["responses"].items():
        contents = "<br>".join(
            f"<code>{escape(media_type)}</code>: {_type(content.get('schema', content.get('itemSchema', {})))}"
            for media_type, content in response.get("content", {}).items()
        )
        headers = "".join(f" Header <code>{escape(name)}</code>." for name in response.get("headers", ()))
        meaning = _MARKDOWN.renderInline(response.get("description", "")) + headers
        rows.append((escape(status), contents, meaning))
    yield _table(("status", "content", "meaning"), rows)


def _type(schema: Json) -> str:
    """Return a schema in words, with links to the schemas that it names."""
    if "$ref" in schema:
        name = escape(schema["$ref"].rpartition("/")[2])
        return f'<a href="#schema-{name}">{name}</a>'
    for key, joint in (("anyOf", " or "), ("oneOf", " or "), ("allOf", " and ")):
        if key in schema:
            return joint.join(dict.fromkeys(_type(one) for one in schema[key]))
    if "const" in schema:
        return _value(schema["const"])
    if "enum" in schema:
        return ", ".join(_value(one) for one in schema["enum"])
    if schema.get("type") == "array":
        return f"array of {_type(schema.get('items', {}))}{_limits(schema)}"
    kind = schema.get("type", "any value")
    kinds = " or ".join(kind) if isinstance(kind, list) else kind
    kept_format = f" ({escape(schema['format'])})" if "format" in schema else ""
    return f"{escape(kinds)}{kept_format}{_limits(schema)}"


def _limits(schema: Json) -> str:
    words = {
        "minimum": "at least",
        "maximum": "at most",
        "minLength": "length at least",
        "maxLength": "length at most",
        "minItems": "items at least",
        "maxItems": "items at most",
        "pattern": "pattern",
    }
    found = [f"{text} <code>{escape(str(schema[key]))}</code>" for key, text in words.items() if key in schema]
    return f", {', '.join(found)}" if found else ""


def _words(described: Json) -> str:
    """Return the description of a member or parameter, its default and its examples."""
    parts = [_MARKDOWN.renderInline(described["description"])] if "description" in described else []
    if "default" in described:
        parts.append(f"Default: {_value(described['default'])}.")
    if described.get("examples"):
        parts.append(f"Example: {_value(described['examples'][0])}.")
    return " ".join(parts)


def _table(heads: tuple[str, ...], rows: Any) -> str:
    head = "".join(f'<th scope="col">{one}</th>' for one in heads)
    body = "".join(f"<tr>{''.join(f'<td>{cell}</td>' for cell in row)}</tr>" for row in rows)
    return f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"


def _anchor(operation: Json) -> str:
    return escape(f"operation-{operation['operationId']}")


def _call(method: str, path: str) -> str:
    return f'<code><span class="method">{method}</span> {escape(path)}</code>'


def _value(value: object) -> str:
    return f"<code>{escape(json.dumps(value, ensure_ascii=False))}</code>"


def _yes(value: bool) -> str:
    return "yes" if value else "no"
