"""Bundles, lines and orders of a rehearsal provider, kept in a file so that they survive a restart."""

from datetime import datetime
from enum import StrEnum
from pathlib import Path
from typing import Final

import msgspec

from kswifi.kernel.errors import KswifiError
from kswifi.kernel.files import write_owner_only

LINES_LIMIT: Final = 20_000
ORDERS_LIMIT: Final = 50_000
READINGS_LIMIT: Final = 500


class OrderState(StrEnum):
    """The state of an order."""

    PENDING = "pending"
    COMPLETED = "completed"
    FAILED = "failed"
    REVERSED = "reversed"
    """Charged, and the whole price was returned later."""
    CANCELLED = "cancelled"


class AssignmentState(StrEnum):
    """The state of a bundle on a line."""

    QUEUED = "queued"
    ACTIVE = "active"
    DEPLETED = "depleted"
    EXPIRED = "expired"
    REVOKED = "revoked"


class LabBundle(msgspec.Struct):
    """A bundle that the provider sells. ``stock`` is None without a limit."""

    bundle_id: str
    name: str
    octets: int
    days: int
    price_minor: int
    countries: list[str] = []
    network: str | None = None
    unlimited: bool = False
    top_up: bool = False
    starts_at_install: bool = False
    stock: int | None = None


class Reading(msgspec.Struct):
    """The octets that were used up to an instant."""

    at: datetime
    used: int


class Assignment(msgspec.Struct):
    """One bundle on a line, with the history of its counter."""

    number: int
    bundle_id: str
    order: str
    total: int
    created_at: datetime
    days: int
    used: int = 0
    unlimited: bool = False
    state: AssignmentState = AssignmentState.QUEUED
    starts_at: datetime | None = None
    ends_at: datetime | None = None
    readings: list[Reading] = []


class Profile(msgspec.Struct, forbid_unknown_fields=True):
    """What a phone installs: it comes from the profile source, such as an SM-DP+."""

    iccid: str
    activation_code: str
    confirmation_code: str | None = None
    apn: str | None = None


class LabLine(msgspec.Struct):
    """A line: a profile of the provider, or the line of a person (``msisdn``)."""

    number: str
    profile: Profile | None = None
    msisdn: str | None = None
    eid: str = ""
    installed: bool = False
    attached: bool = False
    deleted: bool = False
    suspended: bool = False
    suspended_by_policy: bool = False
    assignments: list[Assignment] = []


class LabOrder(msgspec.Struct):
    """An order. ``reference`` is the caller's, if the API has one; a pending order completes at ``settles_at``."""

    number: str
    bundle_id: str
    line: str
    created_at: datetime
    price_minor: int
    reference: str | None = None
    state: OrderState = OrderState.PENDING
    settles_at: datetime | None = None
    fails: bool = False
    top_up: bool = False


class Book(msgspec.Struct):
    """All that a rehearsal provider keeps."""

    currency: str
    balance_minor: int
    bundles: dict[str, LabBundle] = {}
    lines: dict[str, LabLine] = {}
    orders: dict[str, LabOrder] = {}
    last_number: int = 0


class ProviderRefusedError(KswifiError):
    """A rehearsal provider refuses a call; ``why`` is a word that each API writes in its own way."""

    code = "rehearsal_provider_refused"

    def __init__(self, why: str, message: str) -> None:
        super().__init__(message)
        self.why = why


def load_book(file: Path | None, fresh: Book) -> Book:
    """Return the book of a file; the fresh one if there is no file. Bundles are always those of the fresh one."""
    if file is None or not file.exists():
        return fresh
    book = msgspec.json.decode(file.read_bytes(), type=Book)
    book.bundles = fresh.bundles
    return book


def save_book(file: Path | None, book: Book) -> None:
    """Write the book to its file, if it has one."""
    if file is not None:
        write_owner_only(file, msgspec.json.encode(book))
