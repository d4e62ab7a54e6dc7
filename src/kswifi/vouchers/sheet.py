"""The sheet for a venue's counter: A4 pages to cut, each voucher with its code in letters and as a QR code."""

import io
from collections.abc import Iterator
from typing import Final
from zoneinfo import ZoneInfo

from kswifi.printing.pdf_fonts import BOLD, printable, register_pdf_fonts
from kswifi.vouchers.codes import VoucherCodes
from kswifi.vouchers.model import Batch

COLUMNS: Final = 3
ROWS: Final = 8
_MARGIN: Final = 28
_QR_POINTS: Final = 62
_VENUE_POINTS: Final = 10
_QUIET_MODULES: Final = 4
"""The width in modules of the light border that readers need (ISO/IEC 18004, 9.1)."""


def sheet_pdf(batch: Batch, codes: VoucherCodes, zone: ZoneInfo) -> bytes:
    """Return the batch as a PDF. The same batch gives the same octets.

    The QR code contains the code as it is typed, and no web address, so that guests do not get used to opening the
    address on a sticker.
    """
    # Imported here, because importing reportlab takes longer than most commands take to run.
    from reportlab.lib.pagesizes import A4  # noqa: PLC0415 - lazily, see above
    from reportlab.pdfgen.canvas import Canvas  # noqa: PLC0415

    register_pdf_fonts()
    out = io.BytesIO()
    width, height = A4
    wide, high = (width - 2 * _MARGIN) / COLUMNS, (height - 2 * _MARGIN) / ROWS
    until = f"until {batch.expires_at.astimezone(zone):%Y-%m-%d %H:%M}"
    page = Canvas(out, pagesize=A4, invariant=1)
    page.setTitle(printable(f"KSWiFi vouchers, batch {batch.batch_id}: {batch.venue}"))
    for place, serial in enumerate(batch.serials):
        row, column = divmod(place % (COLUMNS * ROWS), COLUMNS)
        if place and not row and not column:
            page.showPage()
        x, y = _MARGIN + column * wide, height - _MARGIN - (row + 1) * high
        code = codes.code(serial)
        page.setDash(2, 2)
        page.rect(x, y, wide, high)
        _draw_qr(page, code, x + 6, y + 6)
        page.setFont(BOLD, _VENUE_POINTS)
        page.drawString(x + 8, y + high - 16, _fitting(batch.venue, wide - 16))
        page.setFont("Helvetica", 7)
        for line, words in enumerate((_session(batch), until, f"batch {batch.batch_id}, no. {place + 1}")):
            page.drawString(x + _QR_POINTS + 12, y + 34 - 11 * line, words)
        page.setFont("Courier-Bold", 10)
        page.drawString(x + _QR_POINTS + 12, y + 52, code)
    page.save()
    return out.getvalue()


def _session(batch: Batch) -> str:
    return "1 free KSWiFi session" if batch.offer_id is None else f"1 KSWiFi session: {printable(batch.offer_id)}"


def _draw_qr(page: object, code: str, x: float, y: float) -> None:
    for left, bottom, size in _qr_squares(code):
        page.rect(x + left, y + bottom, size, size, stroke=0, fill=1)  # type: ignore[attr-defined]


def _qr_squares(code: str) -> Iterator[tuple[float, float, float]]:
    """Yield the dark modules of a QR code as squares, in points from its lower left corner."""
    import segno  # noqa: PLC0415 - lazily, as above

    rows = list(segno.make_qr(code, error="m").matrix_iter(border=_QUIET_MODULES))
    size = _QR_POINTS / len(rows)
    for down, row in enumerate(rows):
        for right, dark in enumerate(row):
            if dark:
                yield right * size, (len(rows) - down - 1) * size, size


def _fitting(words: str, width: float) -> str:
    """Return a venue's name, cut to the width of its voucher."""
    from reportlab.pdfbase.pdfmetrics import stringWidth  # noqa: PLC0415 - lazily, as above

    whole = kept = printable(words)
    while stringWidth(kept, BOLD, _VENUE_POINTS) > width:
        whole = whole[:-1]
        kept = printable(whole + "…")
    return kept
