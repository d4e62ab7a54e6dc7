"""Errors as problem documents (RFC 9457): a stable code, a sentence for people, facts for programs."""

from collections.abc import Mapping, Sequence
from http import HTTPStatus
from typing import Annotated, Any, Final

import structlog
from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from pydantic import BaseModel, Field
from starlette.exceptions import HTTPException
from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute, Match, Route

from kswifi.api.edge.statuses import STATUS_OF_CODE
from kswifi.kernel.errors import KswifiError

_log = structlog.get_logger(__name__)

PROBLEM_TYPE: Final = "application/problem+json"
ERRORS_LIMIT: Final = 20

_CODE_OF_STATUS: Final = {
    400: ("malformed_request", "The request could not be read."),
    404: ("not_found", "There is nothing at this address."),
    405: ("method_not_allowed", "This address does not take this method."),
    413: ("body_too_large", "The body is larger than this address takes."),
    415: ("unsupported_media_type", "Send the body as application/json."),
}


class FieldProblem(BaseModel):
    """One invalid field of a request."""

    place: Annotated[str, Field(description="Where: body, query, path or header, and the way to it.")]
    reason: str


class Problem(BaseModel):
    """A problem document (RFC 9457). Programs decide by `code`."""

    type: Annotated[str, Field(examples=["urn:kswifi:problem:unknown_offer"])]
    title: Annotated[str, Field(examples=["Not Found"])]
    status: Annotated[int, Field(examples=[404])]
    detail: Annotated[str, Field(examples=["there is no offer 'free-2gb'"])]
    code: Annotated[str, Field(examples=["unknown_offer"])]
    facts: Annotated[dict[str, Any], Field(examples=[{"offer_id": "free-2gb"}])] = {}
    errors: list[FieldProblem] = []


def problem_response(
    status: int,
    code: str,
    detail: str,
    *,
    facts: Mapping[str, Any] | None = None,
    errors: list[FieldProblem] | None = None,
    headers: Mapping[str, str] | None = None,
) -> Response:
    """Return the response that carries a problem document."""
    problem = Problem(
        type=f"urn:kswifi:problem:{code}",
        title=HTTPStatus(status).phrase,
        status=status,
        detail=detail,
        code=code,
        facts=dict(facts or {}),
        errors=errors or [],
    )
    content = problem.model_dump(exclude_defaults=True)
    return JSONResponse(content, status, headers, media_type=PROBLEM_TYPE)


def refusal(error: KswifiError) -> Response:
    """Return the problem document of an error; its fact ``retry_after_seconds`` becomes the Retry-After header."""
    status = STATUS_OF_CODE.get(error.code)
    if status is None:
        _log.error("error_without_a_status", code=error.code, exc_info=error)
        return internal_error()
    retry = error.facts.get("retry_after_seconds", 2 if status == HTTPStatus.SERVICE_UNAVAILABLE else None)
    headers = {} if retry is None else {"Retry-After": str(retry)}
    if status == HTTPStatus.UNAUTHORIZED:
        headers["WWW-Authenticate"] = "Cookie"  # RFC 9110, 15.5.2 requires a challenge
    return problem_response(status, error.code, error.message, facts=error.facts, headers=headers)


def internal_error() -> Response:
    """Return the problem document of an internal error, without any details."""
    return problem_response(
        HTTPStatus.INTERNAL_SERVER_ERROR, "internal_error", "Something went wrong on our side. It was logged."
    )


def problem_responses(*codes: str) -> dict[int | str, dict[str, Any]]:
    """Return the ``responses`` of a route for OpenAPI, from the codes of its problems."""
    by_status: dict[int, list[str]] = {}
    for code in codes:
        by_status.setdefault(STATUS_OF_CODE[code], []).append(code)
    return {
        status: {
            "description": " or ".join(f"`{code}`" for code in names),
            "content": {PROBLEM_TYPE: {"schema": {"$ref": "#/components/schemas/Problem"}}},
        }
        for status, names in by_status.items()
    }


def install(app: FastAPI, routes: Sequence[BaseRoute]) -> None:
    """Make every error of the application a problem document; ``routes`` are all its routes."""

    async def on_http_exception(request: Request, error: Exception) -> Response:
        assert isinstance(error, HTTPException)  # noqa: S101 - registered for it alone
        headers = dict(error.headers or {})
        if error.status_code == HTTPStatus.METHOD_NOT_ALLOWED:
            headers["Allow"] = ", ".join(sorted(_methods_at(request, routes)))
            request.app.state.services.refusals.note_method(request.scope)
        return _http_problem(error.status_code, headers)

    app.add_exception_handler(KswifiError, _on_kswifi_error)
    app.add_exception_handler(RequestValidationError, _on_invalid_request)
    app.add_exception_handler(HTTPException, on_http_exception)


def _methods_at(request: Request, routes: Sequence[BaseRoute]) -> set[str]:
    """Return all methods of the request's path (RFC 9110, 15.5.6); each method has its own route."""
    here = (it for it in routes if isinstance(it, Route) and it.matches(request.scope)[0] is not Match.NONE)
    methods = {method for route in here for method in route.methods or ()}
    return methods | {"HEAD"} if "GET" in methods else methods


async def _on_kswifi_error(request: Request, error: Exception) -> Response:
    assert isinstance(error, KswifiError)  # noqa: S101 - registered for it alone
    response = refusal(error)
    request.app.state.services.refusals.note(error, request.scope, response.status_code)
    return response


async def _on_invalid_request(request: Request, error: Exception) -> Response:
    assert isinstance(error, RequestValidationError)  # noqa: S101 - registered for it alone
    request.app.state.services.refusals.note_input(request.scope)
    found = error.errors()[:ERRORS_LIMIT]
    if any(one["type"] == "json_invalid" for one in found):
        return problem_response(400, "malformed_json", "The body is not JSON.")
    # The sent value is not repeated in the answer: it may be a password.
    errors = [
        FieldProblem(place=".".join(str(part)[:80] for part in one["loc"]), reason=one["msg"]) for one in found
    ]
    detail = "; ".join(f"{one.place}: {one.reason}" for one in errors[:3])
    return problem_response(422, "invalid_request", detail, errors=errors)


def _http_problem(status: int, headers: Mapping[str, str]) -> Response:
    phrase = HTTPStatus(status).phrase
    code, detail = _CODE_OF_STATUS.get(status, (phrase.lower().replace(" ", "_"), phrase))
    return problem_response(status, code, detail, headers=headers)
