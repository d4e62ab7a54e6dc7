"""Pages of lists: how many items at most, the item after which a page begins, and the cursor that names it.

Paging goes by keys, not by counts of rows ("keyset pagination"): a page begins after the key of the last item of
the page before. Items that are added or deleted between two requests therefore neither repeat nor hide others, and
a late page costs as little as the first.
"""

import json
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Final, Generic, TypeAlias, TypeVar

from kswifi.kernel.errors import Refusal

T = TypeVar("T")
U = TypeVar("U")

Key: TypeAlias = tuple[int | str, ...]
"""The values by which a list is ordered; they differ for any two items. Instants are microseconds since 1970."""

LARGEST_KEY: Final = 2**53
"""The largest absolute value of an integer in a key: as an instant it is the year 2255."""

PAGE_CURSOR_INVALID = Refusal(
    "page_cursor_invalid", "`after` is not the `next` of an earlier page of this list.", status=400
)


@dataclass(frozen=True, slots=True)
class PageRequest:
    """The wanted page: at most ``limit`` items after the item with the key ``after``; None: from the start."""

    limit: int
    after: Key | None = None


FIRST_PAGE: Final = PageRequest(100)
"""The page of a request that names neither ``limit`` nor ``after``."""


@dataclass(frozen=True, slots=True)
class Page(Generic[T]):
    """The items of a page; ``last`` is the key of its last item if more items follow, else None."""

    items: list[T]
    last: Key | None = None

    @property
    def cursor(self) -> str | None:
        """The text by which a client asks for the next page; None at the end of the list."""
        return None if self.last is None else encode_cursor(self.last)

    def map(self, convert: Callable[[T], U]) -> "Page[U]":
        """Return the page with each item converted."""
        return Page([convert(one) for one in self.items], self.last)


def encode_cursor(key: Key) -> str:
    """Return the cursor of a key: its JSON in base64url without padding."""
    return urlsafe_b64encode(json.dumps(key, separators=(",", ":")).encode()).rstrip(b"=").decode()


def decode_cursor(text: str) -> Key:
    """Return the key of a cursor.

    Raises:
        PAGE_CURSOR_INVALID: it is no cursor of ``encode_cursor``.
    """
    try:
        values = json.loads(urlsafe_b64decode(text + "=" * (-len(text) % 4)))
    except (ValueError, RecursionError) as error:
        raise cursor_invalid() from error
    if not isinstance(values, list) or not all(_is_key_value(one) for one in values):
        raise cursor_invalid()
    key: Key = tuple(values)
    if encode_cursor(key) != text:
        raise cursor_invalid()
    return key


def cursor_invalid() -> Exception:
    """Return the refusal of an ``after`` that does not belong to the list."""
    return PAGE_CURSOR_INVALID("`after` is not the `next` of a page of this list")


def page_of(items: Iterable[T], key: Callable[[T], Key], request: PageRequest) -> Page[T]:
    """Return a page of a short list in memory, which is ordered by ascending ``key``.

    Raises:
        PAGE_CURSOR_INVALID: ``request.after`` is the key of another kind of list.
    """
    keyed = [(key(one), one) for one in items]
    if request.after is not None:
        after = request.after
        if keyed and _kinds(after) != _kinds(keyed[0][0]):
            raise cursor_invalid()
        keyed = [(its, one) for its, one in keyed if its > after]
    return first_of(keyed, request.limit)


def first_of(keyed: Sequence[tuple[Key, T]], limit: int) -> Page[T]:
    """Return the page of the first ``limit`` items; an item beyond them tells that the list goes on."""
    shown = keyed[:limit]
    return Page([one for _, one in shown], shown[-1][0] if len(keyed) > limit else None)


def _is_key_value(value: object) -> bool:
    if isinstance(value, str):
        return value.isprintable() and value.isascii()
    return type(value) is int and abs(value) <= LARGEST_KEY


def _kinds(key: Key) -> list[type]:
    return [type(one) for one in key]
