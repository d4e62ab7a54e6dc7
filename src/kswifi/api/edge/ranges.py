"""Serve content whose download can be resumed at any octet (RFC 9110, 13 and 14)."""

import re
from typing import Final

from starlette.datastructures import Headers
from starlette.responses import Response

from kswifi.api.edge.problems import problem_response
from kswifi.api.edge.statuses import STATUS_OF_CODE

RANGE_NOT_SATISFIABLE: Final = "range_not_satisfiable"

_ONE_RANGE: Final = re.compile(r"bytes=(\d{0,18})-(\d{0,18})")


def ranged_response(content: bytes, headers: Headers, *, etag: str, media_type: str, file_name: str) -> Response:
    """Return 200 with all octets, 206 with the requested range, 304 if the client has the content, or 416.

    If-Range with another ETag than this strong one gets all octets. Several ranges, or a malformed range, are
    ignored, as RFC 9110, 14.2 allows.
    """
    common = {
        "ETag": etag,
        "Accept-Ranges": "bytes",
        "Cache-Control": "private, no-cache",
    }
    file = {"Content-Disposition": f'attachment; filename="{file_name}"'}
    if etag in [one.strip() for one in headers.get("if-none-match", "").split(",")]:
        return Response(status_code=304, headers=common | file)
    asked = _range(headers, etag)
    if asked is None:
        return Response(content, 200, common | file, media_type)
    first, last = _place(asked, len(content))
    if first >= len(content) or last < first:
        return problem_response(
            STATUS_OF_CODE[RANGE_NOT_SATISFIABLE],
            RANGE_NOT_SATISFIABLE,
            f"the range lies behind the end: there are {len(content)} octets",
            facts={"octets": len(content)},
            headers=common | {"Content-Range": f"bytes */{len(content)}"},
        )
    place = {"Content-Range": f"bytes {first}-{last}/{len(content)}"}
    return Response(content[first : last + 1], 206, common | file | place, media_type)


def _range(headers: Headers, etag: str) -> tuple[str, str] | None:
    if headers.get("if-range", etag) != etag:
        return None
    found = _ONE_RANGE.fullmatch(headers.get("range", "").replace(" ", ""))
    if found is None or found.groups() == ("", ""):
        return None
    first, last = found.groups()
    if first and last and int(last) < int(first):
        return None  # 14.1.1: such a range is invalid, and an invalid range is ignored
    return first, last


def _place(asked: tuple[str, str], size: int) -> tuple[int, int]:
    first, last = asked
    if not first:  # a suffix range: the last ``count`` octets
        count = int(last)
        return (max(0, size - count), size - 1) if count else (size, size - 1)
    return int(first), min(int(last), size - 1) if last else size - 1
