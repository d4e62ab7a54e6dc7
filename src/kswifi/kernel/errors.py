"""The root of every error, and the tables of refusals.

A capability refuses in two ways. An error that some code catches, or that has behaviour, is a class derived from
``KswifiError``. Every other one is a ``Refusal``: a row of the table in the capability's ``errors.py``. Calling the
row makes the exception::

    VOUCHER_EXPIRED = Refusal("voucher_expired", "The voucher's last day is over.", status=410)

    raise VOUCHER_EXPIRED("the voucher expired on 2026-03-01", batch_id=7)
"""

from collections.abc import Iterable
from dataclasses import dataclass
from types import ModuleType
from typing import TypeAlias

Fact: TypeAlias = str | int | bool | None


class KswifiError(Exception):
    """A refusal: a message for people, and a stable ``code`` with facts for programs.

    The edges (HTTP, Diameter, command line) map the code. Facts never hold a secret: they are shown and logged.
    """

    code: str = "internal_error"

    def __init__(self, message: str, **facts: Fact) -> None:
        super().__init__(message)
        self.message = message
        self.facts = facts


class RefusedError(KswifiError):
    """The exception of every row of a table; ``refusal`` is the row."""

    def __init__(self, refusal: "Refusal", message: str, **facts: Fact) -> None:
        super().__init__(message, **facts)
        self.refusal = refusal
        self.code = refusal.code


@dataclass(frozen=True, slots=True)
class Refusal:
    """One row of a capability's table.

    Attributes:
        code: stable; programs and stored answers hold it.
        about: when it is given.
        status: the HTTP status; None where it never reaches HTTP.
    """

    code: str
    about: str
    status: int | None = None

    def __call__(self, message: str, **facts: Fact) -> RefusedError:
        """Return the exception, to be raised."""
        return RefusedError(self, message, **facts)


def statuses_of(tables: Iterable[ModuleType]) -> dict[str, int]:
    """Return the HTTP status of each code in these modules' tables.

    Raises:
        ValueError: two rows give one code different statuses.
    """
    found: dict[str, int] = {}
    for table in tables:
        for row in vars(table).values():
            if not isinstance(row, Refusal) or row.status is None:
                continue
            if found.setdefault(row.code, row.status) != row.status:
                raise ValueError(f"the code {row.code} has two statuses")
    return found
