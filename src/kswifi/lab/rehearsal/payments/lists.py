"""Lists of both APIs: objects of a period, the newest first, in pages."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final, TypeVar

from starlette.requests import Request

from kswifi.lab.rehearsal.payments.model import ChargeBook, GatewayRefusal

LARGEST_PAGE: Final = 100

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Paging:
    """One page of a list; ``total`` is the length of the whole list."""

    items: tuple[Any, ...]
    total: int
    per_page: int
    page: int

    @property
    def pages(self) -> int:
        """Return the number of pages."""
        return -(-self.total // self.per_page)


def page_of(request: Request, found: Sequence[T], per_page: int | None = None) -> Paging:
    """Return the requested page: ?page, from 1, and ?perPage, at most ``LARGEST_PAGE``."""
    asked = request.query_params
    size = per_page or _number(asked.get("perPage"), 50)
    size, page = min(size, LARGEST_PAGE), _number(asked.get("page"), 1)
    return Paging(tuple(found[(page - 1) * size : page * size]), len(found), size, page)


def within(request: Request, created_at: str) -> bool:
    """Tell whether an instant is in the requested period: from ?from, until before ?to.

    Raises:
        GatewayRefusal: ?from or ?to is not an instant.
    """
    at = datetime.fromisoformat(created_at)
    asked = request.query_params
    try:
        from_at = datetime.fromisoformat(asked["from"]) if "from" in asked else at
        to_at = datetime.fromisoformat(asked["to"]) if "to" in asked else None
    except ValueError as error:
        raise GatewayRefusal("invalid_span", "from and to are instants, RFC 3339") from error
    return from_at <= at and (to_at is None or at < to_at)


def paid_out_charges(book: ChargeBook, number: str) -> list[Any]:
    """Return the charges of a payout; raises GatewayRefusal if there is no such payout."""
    if not any(str(it.number) == number for it in book.settlements()):
        raise GatewayRefusal("unknown_reference", "there is no payout of this number")
    return [it for it in book.all() if str(it.settled_in) == number]


def _number(text: str | None, otherwise: int) -> int:
    return (
        max(int(text), 1) if text is not None and text.isascii() and text.isdigit() and len(text) < 8 else otherwise
    )
