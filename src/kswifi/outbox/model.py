"""Entries to be worked and events to be told: plain values."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any, Final

from kswifi.outbox.errors import PayloadTooLargeError

Payload = Mapping[str, Any]
"""A JSON object: str keys; str, int, bool, None, lists and objects below."""

PAYLOAD_LIMIT_OCTETS: Final = 16 * 1024


class EntryState(StrEnum):
    """Where an entry stands. A waiting one may be leased to a worker at the moment."""

    WAITING = "waiting"
    DONE = "done"
    REFUSED = "refused"
    STUCK = "stuck"


@dataclass(frozen=True, slots=True)
class Entry:
    """One piece of work, leased: ``attempts`` counts this one and is the lease's fencing number."""

    id: int
    kind: str
    key: str
    payload: Payload
    attempts: int
    lease_owner: str


@dataclass(frozen=True, slots=True)
class DomainEvent:
    """Something that happened to a user's things; ``sequence`` only ever grows."""

    sequence: int
    user_id: str
    kind: str
    payload: Payload
    at: datetime


def checked_payload(payload: Payload) -> dict[str, Any]:
    """Return the payload as a dict.

    Raises:
        PayloadTooLargeError: its JSON is over 16 KiB; large things belong in their own tables.
        TypeError: something in it is not JSON, or is a float (no amount of ours is one).
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
