"""Column types that enforce the project's rules: instants in UTC, and integer counts."""

from datetime import UTC, datetime, timedelta
from typing import Any, Final

from sqlalchemy import BigInteger, Integer, String
from sqlalchemy.engine import Dialect
from sqlalchemy.types import TypeDecorator

from kswifi.kernel.clock import require_aware

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND: Final = timedelta(microseconds=1)

BigId: Final = BigInteger().with_variant(Integer(), "sqlite")
"""A key that the database generates; SQLite does so only for a column whose type is exactly INTEGER."""

UuidText: Final = String(36)
"""A UUID in its canonical text form."""


def unix_microseconds(instant: datetime) -> int:
    """Return the whole microseconds from 1970 to an instant, as a column of ``UtcDateTime`` holds it.

    Raises:
        ValueError: the instant is naive.
    """
    return (require_aware(instant) - _EPOCH) // _MICROSECOND


def utc_instant(microseconds: int | None) -> datetime | None:
    """Return the instant that a column of ``UtcDateTime`` holds as the driver gives it."""
    return None if microseconds is None else _EPOCH + timedelta(microseconds=microseconds)


class UtcDateTime(TypeDecorator[datetime]):
    """An instant, stored as whole microseconds since 1970 in UTC, so that it sorts and no time zone changes it.

    Raises:
        ValueError: on binding a naive datetime.
    """

    impl = BigInteger
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> int | None:  # noqa: ARG002 - its shape
        """Return the microseconds of an aware instant."""
        return None if value is None else unix_microseconds(value)

    def process_result_value(self, value: Any, dialect: Dialect) -> datetime | None:  # noqa: ARG002 - its shape
        """Return the instant, in UTC."""
        return utc_instant(value)


class ExactInteger(TypeDecorator[int]):
    """A count of octets, kobo or similar: an int, and no other type that SQLite would accept.

    SQLite would store 0.5 in an integer column without an error.

    Raises:
        TypeError: on binding a float, a bool or a string.
    """

    impl = BigInteger
    cache_ok = True

    def process_bind_param(self, value: int | None, dialect: Dialect) -> int | None:  # noqa: ARG002 - its shape
        """Return the int unchanged."""
        if value is not None and type(value) is not int:
            raise TypeError(f"{value!r} is not an exact integer")
        return value
