"""Pagination of lists: the query members ``limit`` and ``after``, and the member ``next`` of the answer."""

from typing import Annotated, Final

from fastapi import Depends, Query
from pydantic import Field

from kswifi.api.edge.schemas import ResponseBody
from kswifi.kernel.pages import FIRST_PAGE, PageRequest, decode_cursor

LARGEST_LIMIT: Final = 1_000
CURSOR_LENGTH: Final = 400


async def page_request(
    limit: Annotated[
        int, Query(ge=1, le=LARGEST_LIMIT, description="How many items the answer has at most.")
    ] = FIRST_PAGE.limit,
    after: Annotated[
        str | None,
        Query(max_length=CURSOR_LENGTH, description="`next` of the page before; left out: the first page."),
    ] = None,
) -> PageRequest:
    """Return the page that a request asks for.

    Raises:
        PAGE_CURSOR_INVALID: ``after`` is no cursor.
    """
    return PageRequest(limit, None if after is None else decode_cursor(after))


PageQuery = Annotated[PageRequest, Depends(page_request)]


class PageView(ResponseBody):
    """Base of answers that hold a page of a list."""

    next: Annotated[
        str | None,
        Field(
            description="Send it as `after` to get the next page. null: the list ends here.",
            max_length=CURSOR_LENGTH,
        ),
    ] = None
