"""Read a page of rows by its keys."""

from collections.abc import Callable
from typing import Any, Final, TypeVar

from sqlalchemy import Connection, Select, String, bindparam, tuple_
from sqlalchemy.engine import Row
from sqlalchemy.schema import Column

from kswifi.database.types import UtcDateTime, unix_microseconds, utc_instant
from kswifi.kernel.pages import Key, Page, PageRequest, cursor_invalid, first_of

T = TypeVar("T")

_LIMIT: Final = "page_limit"
_AFTER: Final = "page_after_{}"


class PagedQuery:
    """A list of rows that is read page by page; the statements are built once.

    ``query`` has neither order nor limit. It selects the ``key`` columns, none of which is NULL, and which together
    differ for any two rows. The rows come in the order of the key, with ``newest_first`` in descending order.
    """

    def __init__(self, query: Select[Any], *key: "Column[Any]", newest_first: bool = False) -> None:
        after = tuple_(*(bindparam(_AFTER.format(at), type_=one.type) for at, one in enumerate(key)))
        beyond = tuple_(*key) < after if newest_first else tuple_(*key) > after
        order = [one.desc() if newest_first else one.asc() for one in key]
        self._key = key
        self._first = query.order_by(*order).limit(bindparam(_LIMIT))
        self._following = self._first.where(beyond)

    def read(
        self, connection: Connection, request: PageRequest, convert: Callable[[Row[Any]], T], **parameters: Any
    ) -> Page[T]:
        """Return the page; ``parameters`` are those of the query.

        Raises:
            PAGE_CURSOR_INVALID: ``request.after`` is the key of another list.
        """
        # One row more than the page shows tells whether the list goes on.
        parameters = {**parameters, _LIMIT: request.limit + 1}
        statement = self._first
        if request.after is not None:
            statement = self._following
            parameters |= self._bounds(request.after)
        rows = connection.execute(statement, parameters).all()
        return first_of([(self._key_of(row), row) for row in rows], request.limit).map(convert)

    def _key_of(self, row: Row[Any]) -> Key:
        values = (row._mapping[column] for column in self._key)  # noqa: SLF001 - SQLAlchemy's public name for it
        return tuple(one if isinstance(one, int | str) else unix_microseconds(one) for one in values)

    def _bounds(self, after: Key) -> dict[str, Any]:
        if len(after) != len(self._key):
            raise cursor_invalid()
        bounds: dict[str, Any] = {}
        for at, (column, value) in enumerate(zip(self._key, after, strict=True)):
            if isinstance(value, str) is not isinstance(column.type, String):
                raise cursor_invalid()
            if isinstance(column.type, UtcDateTime) and isinstance(value, int):
                bounds[_AFTER.format(at)] = utc_instant(value)
            else:
                bounds[_AFTER.format(at)] = value
        return bounds
