"""Receipts of payments, as data for a page and as PDF."""

import io
from dataclasses import dataclass
from datetime import datetime
from typing import Final
from zoneinfo import ZoneInfo

from kswifi.payments.errors import NoReceiptError
from kswifi.payments.model import PAID_STATES, PassPeriod, PassState, Payment, PaymentState
from kswifi.printing.pdf_fonts import BOLD, REGULAR, printable, register_pdf_fonts

SANDBOX_WORDS: Final = "SANDBOX: no money has moved"

_STATE_WORDS: Final = {
    PaymentState.SETTLED: "Paid",
    PaymentState.REFUND_ASKED: "Paid; a refund was asked for",
    PaymentState.REFUNDING: "Paid; the money is on its way back",
    PaymentState.REFUNDED: "Paid, and paid back",
    PaymentState.REFUND_REFUSED: "Paid; a person sees to its refund",
}


@dataclass(frozen=True, slots=True)
class Receipt:
    """The lines of a receipt in order, each a label and a text."""

    title: str
    sandbox: bool
    lines: tuple[tuple[str, str], ...]


def receipt_of(
    payment: Payment, period: PassPeriod | None, payer: str, seller: str, contact: str | None, zone: ZoneInfo
) -> Receipt:
    """Return the receipt of a paid payment.

    Raises:
        NoReceiptError: the payment was not paid.
    """
    if payment.state not in PAID_STATES or payment.settled_at is None:
        raise NoReceiptError(f"a payment that is {payment.state} has no receipt", reference=payment.reference)
    paid = payment.amount_kobo if payment.paid_kobo is None else payment.paid_kobo
    lines = [
        ("Seller", seller if contact is None else f"{seller}, {contact}"),
        ("Payer", payer),
        ("For", payment.title),
        ("Price", ngn(payment.amount_kobo)),
        ("Paid", ngn(paid)),
        ("Paid on", _when(payment.settled_at, zone)),
        ("By", payment.channel or payment.gateway),
        ("Reference", payment.reference),
    ]
    if period is not None and period.state is PassState.REVOKED:
        lines.append(("The pass", "Ended before its time"))
    elif period is not None:
        lines.append(("The pass runs", f"{_when(period.starts_at, zone)} to {_when(period.ends_at, zone)}"))
    if payment.refunded_at is not None and payment.refund_kobo is not None:
        lines.append(("Paid back", f"{ngn(payment.refund_kobo)} on {_when(payment.refunded_at, zone)}"))
    lines.append(("State", _STATE_WORDS[payment.state]))
    return Receipt(f"Receipt of {seller}", payment.sandbox, tuple(lines))


def ngn(kobo: int) -> str:
    """Return kobo as text for receipts, in ASCII letters: 80_000 is "NGN 800.00"."""
    naira, rest = divmod(kobo, 100)
    return f"NGN {naira:,}.{rest:02d}"


def receipt_pdf(receipt: Receipt) -> bytes:
    """Return the receipt as a PDF with one A5 page."""
    # Imported here, because importing reportlab takes longer than most commands take to run.
    from reportlab.lib.pagesizes import A5  # noqa: PLC0415 - lazily, see above
    from reportlab.lib.utils import simpleSplit  # noqa: PLC0415
    from reportlab.pdfgen.canvas import Canvas  # noqa: PLC0415

    register_pdf_fonts()
    out = io.BytesIO()
    width, height = A5
    page = Canvas(out, pagesize=A5, invariant=1)
    page.setTitle(printable(receipt.title))
    y = height - 50
    if receipt.sandbox:
        page.setFillColorRGB(1, 0.84, 0.29)
        page.rect(0, height - 28, width, 28, stroke=0, fill=1)
        page.setFillColorRGB(0, 0, 0)
        page.setFont(BOLD, 11)
        page.drawCentredString(width / 2, height - 19, SANDBOX_WORDS)
        y -= 15
    page.setFont(BOLD, 15)
    page.drawString(36, y, printable(receipt.title))
    y -= 30
    for name, words in receipt.lines:
        page.setFont(BOLD, 9)
        page.drawString(36, y, name)
        page.setFont(REGULAR, 9)
        for line in simpleSplit(printable(words), REGULAR, 9, width - 150) or [""]:
            page.drawString(115, y, line)
            y -= 13
        y -= 4
    page.showPage()
    page.save()
    return out.getvalue()


def _when(instant: datetime, zone: ZoneInfo) -> str:
    return instant.astimezone(zone).strftime("%Y-%m-%d %H:%M %Z")
