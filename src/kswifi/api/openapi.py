"""The OpenAPI document: FastAPI's, with the errors, the authentication and the exact headers added."""

from collections.abc import Iterable, Iterator
from typing import Any, Final

from fastapi import APIRouter, FastAPI
from fastapi.dependencies.models import Dependant
from fastapi.openapi.utils import get_openapi
from fastapi.routing import APIRoute

from kswifi.api.edge import problems
from kswifi.api.edge.dependencies import CSRF_HEADER, cookie_name, signed_in, signed_in_writer
from kswifi.api.edge.idempotency import KEY_LENGTHS, KEY_PATTERN
from kswifi.api.edge.pages import page_request

IDEMPOTENCY_HEADER: Final = "Idempotency-Key"

OPENAPI_VERSION: Final = "3.2.0"
"""The first version with ``itemSchema``, by which the event stream is described (OpenAPI 3.2, 4.14)."""


def openapi_of(app: FastAPI, routers: Iterable[APIRouter]) -> dict[str, Any]:
    """Return the document, built once, with problem documents for every 4xx and 5xx and with authentication."""
    if app.openapi_schema is None:
        schema = get_openapi(
            title=app.title,
            version=app.version,
            openapi_version=OPENAPI_VERSION,
            description=app.description,
            routes=app.routes,
        )
        components = schema.setdefault("components", {})
        schemas = components.setdefault("schemas", {})
        for unused in ("HTTPValidationError", "ValidationError"):
            schemas.pop(unused, None)
        problem = problems.Problem.model_json_schema(ref_template="#/components/schemas/{model}")
        schemas.update(problem.pop("$defs"))
        schemas["Problem"] = problem
        components["securitySchemes"] = {
            "login": {
                "type": "apiKey",
                "in": "cookie",
                "name": cookie_name(app.state.services),
                "description": "The cookie of signing in.",
            },
            "csrf_token": {
                "type": "apiKey",
                "in": "header",
                "name": CSRF_HEADER,
                "description": "`csrf_token` of signing in or of `GET /api/v1/account`.",
            },
        }
        for route in (it for router in routers for it in router.routes):
            if isinstance(route, APIRoute) and route.include_in_schema:
                for method in route.methods or ():
                    _describe(schema["paths"][route.path_format][method.lower()], route)
        app.openapi_schema = schema
    return app.openapi_schema


def _describe(operation: dict[str, Any], route: APIRoute) -> None:
    _describe_errors(operation)
    _describe_headers(operation)
    _describe_location(operation)
    needed = {dependant.call for dependant in _all(route.dependant)}
    if page_request in needed:
        operation["responses"].update(
            {str(k): v for k, v in problems.problem_responses("page_cursor_invalid").items()}
        )
    if signed_in in needed:
        operation["security"] = [{"login": [], **({"csrf_token": []} if signed_in_writer in needed else {})}]


def _describe_errors(operation: dict[str, Any]) -> None:
    invalid = operation["responses"].get("422")
    if invalid is not None and "HTTPValidationError" in str(invalid):
        described = problems.problem_responses("weak_password")[422]
        described["description"] = "`invalid_request`: `errors` says what and where"
        operation["responses"]["422"] = described
    if "requestBody" in operation and "400" not in operation["responses"]:
        operation["responses"]["400"] = problems.problem_responses("idempotency_key_missing")[400]
        operation["responses"]["400"]["description"] = "`malformed_json`"
    operation["responses"]["default"] = {
        "description": "Any other problem",
        "content": {problems.PROBLEM_TYPE: {"schema": {"$ref": "#/components/schemas/Problem"}}},
    }


def _describe_location(operation: dict[str, Any]) -> None:
    """Describe the Location header of a response that created a resource (RFC 9110, 15.3.2)."""
    created = operation["responses"].get("201")
    if created is not None:
        created["headers"] = {
            "Location": {
                "description": "The path of what was created.",
                "required": True,
                "schema": {"type": "string", "pattern": "^/api/v1/"},
            }
        }


def _describe_headers(operation: dict[str, Any]) -> None:
    """Describe the Idempotency-Key as required, with its length and pattern, and remove the CSRF header.

    FastAPI knows the key as optional, because a missing key is refused with a code of its own.
    """
    kept = [it for it in operation.get("parameters", []) if it["name"].lower() != CSRF_HEADER.lower()]
    for parameter in kept:
        if parameter["name"].lower() == IDEMPOTENCY_HEADER.lower():
            parameter["name"], parameter["required"] = IDEMPOTENCY_HEADER, True
            parameter["schema"] = {
                "type": "string",
                "minLength": KEY_LENGTHS.start,
                "maxLength": KEY_LENGTHS.stop - 1,
                "pattern": KEY_PATTERN,
            }
    if "parameters" in operation:
        operation["parameters"] = kept


def _all(dependant: Dependant) -> Iterator[Dependant]:
    yield dependant
    for inner in dependant.dependencies:
        yield from _all(inner)
