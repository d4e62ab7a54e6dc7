"""Outbox entries and domain events: plain values."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any, Final

from kswifi.outbox.errors import PayloadTooLargeError

Payload = Mapping[str, Any]
"""A JSON object: str keys; str, int, bool, None, lists and objects as values."""

PAYLOAD_LIMIT_OCTETS: Final = 16 * 1024


class EntryState(StrEnum):
    """The states of an entry. A waiting one may be leased to a worker."""

    WAITING = "waiting"
    DONE = "done"
    REFUSED = "refused"
    STUCK = "stuck"


@dataclass(frozen=True, slots=True)
class Entry:
    """One leased piece of work. ``attempts`` includes this attempt and is the fencing number of the lease."""

    id: int
    kind: str
    key: str
    payload: Payload
    attempts: int
    lease_owner: str


@dataclass(frozen=True, slots=True)
class DomainEvent:
    """Something that happened to a user's data; ``sequence`` only grows."""

    sequence: int
    user_id: str
    kind: str
    payload: Payload
    at: datetime


def checked_payload(payload: Payload) -> dict[str, Any]:
    """Return the payload as a dict.

    Raises:
        PayloadTooLargeError: its JSON is over 16 KiB; large data belongs in its own tables.
        TypeError: a value is not JSON, or is a float (all our amounts are integers).
    """
    size = len(json.dumps(_exact(payload), allow_nan=False))
    if size > PAYLOAD_LIMIT_OCTETS:
        raise PayloadTooLargeError(f"a payload has at most {PAYLOAD_LIMIT_OCTETS} octets, not {size}", octets=size)
    return dict(payload)


def _exact(value: Any) -> Any:
    if isinstance(value, float):
        raise TypeError(f"{value!r} is a float: payloads hold exact integers")
    if isinstance(value, Mapping):
        return {key: _exact(inner) for key, inner in value.items()}
    if isinstance(value, (list, tuple)):
        return [_exact(inner) for inner in value]
    return value
