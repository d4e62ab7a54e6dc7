"""Base classes and types of request and response bodies."""

from datetime import datetime
from typing import Annotated, Final

from pydantic import BaseModel, BeforeValidator, ConfigDict, PlainSerializer, model_validator

from kswifi.kernel.text import is_storable

_EXACT_IN_A_FLOAT: Final = 2**53


class RequestBody(BaseModel):
    """Base of request bodies: exact types, no unknown members, no text that the database cannot store."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)

    @model_validator(mode="before")
    @classmethod
    def _storable(cls, value: object) -> object:
        if not is_storable(value):
            raise ValueError("text that UTF-8 cannot write, or NUL, is not taken")
        return value


class ResponseBody(BaseModel):
    """Base of response bodies."""

    model_config = ConfigDict(frozen=True)


def _whole(value: object) -> object:
    """Return a whole number as int if JSON wrote it as 1.0 or 1e9, which JSON Schema counts as integers."""
    exact = isinstance(value, float) and value.is_integer() and abs(value) <= _EXACT_IN_A_FLOAT
    return int(value) if isinstance(value, float) and exact else value


WHOLE: Final = BeforeValidator(_whole)
"""The validator of integers in requests; it follows their bounds in ``Annotated``."""


def _to_text(instant: datetime) -> str:
    return instant.isoformat(timespec="milliseconds").replace("+00:00", "Z")


Instant = Annotated[
    datetime, PlainSerializer(_to_text, return_type=str, when_used="json"), "an instant in UTC, RFC 3339"
]
