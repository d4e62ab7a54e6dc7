"""Charges and refunds of a rehearsal gateway, kept in a file so that they survive a restart."""

import secrets
import sqlite3
from enum import StrEnum
from pathlib import Path
from typing import Final

import msgspec

from kswifi.kernel.errors import KswifiError

CHARGES_LIMIT: Final = 20_000
FEE_PER_MILLE: Final = 15
"""1.5 %, the usual fee of gateways in Nigeria for a small payment."""


class ChargeStatus(StrEnum):
    """The status of a charge."""

    OPEN = "open"
    PAID = "paid"
    DECLINED = "declined"
    REVERSED = "reversed"


class RefundStatus(StrEnum):
    """The status of a refund."""

    UNDER_WAY = "under_way"
    DONE = "done"
    FAILED = "failed"


class Refund(msgspec.Struct):
    """One refund of a charge."""

    number: int
    amount_kobo: int
    status: RefundStatus
    created_at: str


class Charge(msgspec.Struct):
    """One charge and its refunds.

    ``requested_kobo`` is the amount to pay, ``amount_kobo`` the amount paid. ``token`` is the random name of its
    checkout page. Times are in ISO 8601.
    """

    number: int
    reference: str
    token: str
    requested_kobo: int
    amount_kobo: int
    currency: str
    email: str
    title: str
    return_url: str
    created_at: str
    status: ChargeStatus = ChargeStatus.OPEN
    fees_kobo: int = 0
    paid_at: str | None = None
    refunds: list[Refund] = []


class GatewayRefusal(KswifiError):  # noqa: N818 - an answer of the gateway, not a defect
    """The gateway refuses a call; ``why`` is the code of the reason."""

    code = "refused"

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.why = code


class ChargeBook:
    """The charges, in an SQLite file; in memory if ``file`` is None."""

    def __init__(self, file: Path | None) -> None:
        self._database = sqlite3.connect(":memory:" if file is None else file, isolation_level=None)
        self._database.execute("PRAGMA journal_mode = WAL")
        self._database.execute("PRAGMA synchronous = NORMAL")
        self._database.execute(
            "CREATE TABLE IF NOT EXISTS charge (number INTEGER PRIMARY KEY, reference TEXT UNIQUE NOT NULL,"
            " token TEXT UNIQUE NOT NULL, body BLOB NOT NULL)"
        )

    def open(self, charge: Charge) -> Charge:
        """Add a charge and assign its number and token.

        Raises:
            GatewayRefusal: the reference has a charge already, or there are too many charges.
        """
        count, last = self._database.execute("SELECT count(*), max(number) FROM charge").fetchone()
        if count >= CHARGES_LIMIT:
            raise GatewayRefusal("too_many_charges", "this rehearsal gateway is full: start it with a fresh folder")
        charge.number, charge.token = (last or 0) + 1, secrets.token_urlsafe(16)
        try:
            self._database.execute(
                "INSERT INTO charge VALUES (?, ?, ?, ?)",
                (charge.number, charge.reference, charge.token, msgspec.json.encode(charge)),
            )
        except sqlite3.IntegrityError:
            raise GatewayRefusal("duplicate_reference", "this reference has a charge already") from None
        return charge

    def save(self, charge: Charge) -> None:
        """Store a changed charge."""
        self._database.execute(
            "UPDATE charge SET body = ? WHERE number = ?", (msgspec.json.encode(charge), charge.number)
        )

    def by_reference(self, reference: str) -> Charge:
        """Return a charge by its reference; raises GatewayRefusal if there is none."""
        return self._one("reference", reference)

    def by_token(self, token: str) -> Charge:
        """Return a charge by the name of its checkout page; raises GatewayRefusal if there is none."""
        return self._one("token", token)

    def by_number(self, number: int) -> Charge:
        """Return a charge by its number; raises GatewayRefusal if there is none."""
        return self._one("number", number)

    def close(self) -> None:
        """Close the file."""
        self._database.close()

    def _one(self, column: str, value: str | int) -> Charge:
        row = self._database.execute(f"SELECT body FROM charge WHERE {column} = ?", (value,)).fetchone()  # noqa: S608
        if row is None:
            raise GatewayRefusal("unknown_reference", "there is no charge of this reference")
        return msgspec.json.decode(row[0], type=Charge)
