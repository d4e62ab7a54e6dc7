"""What bodies have in common."""

from datetime import datetime
from typing import Annotated

from pydantic import BaseModel, ConfigDict, PlainSerializer


class RequestBody(BaseModel):
    """What a client sends: exact types, and no member that nobody reads."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)


class ResponseBody(BaseModel):
    """What a client gets."""

    model_config = ConfigDict(frozen=True)


def _to_text(instant: datetime) -> str:
    return instant.isoformat(timespec="milliseconds").replace("+00:00", "Z")


Instant = Annotated[
    datetime, PlainSerializer(_to_text, return_type=str, when_used="json"), "an instant in UTC, RFC 3339"
]
