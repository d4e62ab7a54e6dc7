"""Charges, refunds, disputes and payouts of a rehearsal gateway, kept in a file so that they survive a restart."""

import hashlib
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


class DisputeStatus(StrEnum):
    """The status of a dispute."""

    OPEN = "open"
    WON = "won"
    LOST = "lost"


class Refund(msgspec.Struct):
    """One refund of a charge.

    ``told``: whether a webhook reports it. ``deducted_in``: the payout from which it was deducted.
    """

    number: int
    amount_kobo: int
    status: RefundStatus
    created_at: str
    told: bool = True
    deducted_in: int | None = None


class Dispute(msgspec.Struct):
    """One dispute of a charge; ``fee_kobo`` is charged if it is lost."""

    number: int
    amount_kobo: int
    fee_kobo: int
    status: DisputeStatus
    created_at: str
    due_at: str
    resolved_at: str | None = None
    deducted_in: int | None = None


class Settlement(msgspec.Struct):
    """One payout: the amount processed, less fees and deductions."""

    number: int
    currency: str
    processed_kobo: int
    fees_kobo: int
    deductions_kobo: int
    settled_at: str

    @property
    def paid_out_kobo(self) -> int:
        """Return the amount that reaches the bank, in kobo."""
        return self.processed_kobo - self.fees_kobo - self.deductions_kobo


class Charge(msgspec.Struct):
    """One charge, its refunds and disputes.

    ``requested_kobo`` is the amount to pay, ``amount_kobo`` the amount paid. ``token`` is the random name of its
    checkout page, ``settled_in`` the payout that it was part of. Times are in ISO 8601.
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
    disputes: list[Dispute] = []
    settled_in: int | None = None
    card: str = ""

    @property
    def instrument(self) -> str:
        """The identifier of the card that paid: the one that a rehearsal names, else each charge has its own."""
        return f"SIG_{hashlib.sha256((self.card or self.reference).encode()).hexdigest()[:20]}"

    @property
    def is_paid(self) -> bool:
        """Whether it was paid, also if the money was returned later."""
        return self.status in (ChargeStatus.PAID, ChargeStatus.REVERSED)

    @property
    def returned_kobo(self) -> int:
        """Return the amount returned to the payer, in kobo."""
        done = sum(it.amount_kobo for it in self.refunds if it.status is RefundStatus.DONE)
        return done + sum(it.amount_kobo for it in self.disputes if it.status is DisputeStatus.LOST)

    @property
    def claimed_kobo(self) -> int:
        """Return the amount that was returned, is being refunded, or is disputed, in kobo."""
        refunds = sum(it.amount_kobo for it in self.refunds if it.status is not RefundStatus.FAILED)
        return refunds + sum(it.amount_kobo for it in self.disputes if it.status is not DisputeStatus.WON)


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
        self._database.execute(
            "CREATE TABLE IF NOT EXISTS settlement (number INTEGER PRIMARY KEY, body BLOB NOT NULL)"
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

    def all(self) -> list[Charge]:
        """Return all charges, the newest first."""
        rows = self._database.execute("SELECT body FROM charge ORDER BY number DESC")
        return [msgspec.json.decode(body, type=Charge) for (body,) in rows]

    def settlements(self) -> list[Settlement]:
        """Return all payouts, the newest first."""
        rows = self._database.execute("SELECT body FROM settlement ORDER BY number DESC")
        return [msgspec.json.decode(body, type=Settlement) for (body,) in rows]

    def add_settlement(self, settlement: Settlement) -> Settlement:
        """Add a payout and assign its number."""
        (last,) = self._database.execute("SELECT max(number) FROM settlement").fetchone()
        settlement.number = (last or 0) + 1
        self._database.execute(
            "INSERT INTO settlement VALUES (?, ?)", (settlement.number, msgspec.json.encode(settlement))
        )
        return settlement

    def close(self) -> None:
        """Close the file."""
        self._database.close()

    def _one(self, column: str, value: str | int) -> Charge:
        row = self._database.execute(f"SELECT body FROM charge WHERE {column} = ?", (value,)).fetchone()  # noqa: S608
        if row is None:
            raise GatewayRefusal("unknown_reference", "there is no charge of this reference")
        return msgspec.json.decode(row[0], type=Charge)
