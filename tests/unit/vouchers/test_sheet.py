"""The sheet: all codes of a batch, in QR codes that hold them."""

import re
import unicodedata
import zlib
from base64 import a85decode
from collections.abc import Iterator
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import segno
from reportlab.pdfbase.pdfmetrics import stringWidth

from kswifi.printing.pdf_fonts import BOLD
from kswifi.vouchers.codes import VoucherCodes
from kswifi.vouchers.model import Batch
from kswifi.vouchers.sheet import COLUMNS, ROWS, _fitting, sheet_pdf

CODES = VoucherCodes(bytes(range(32)))
LAGOS = ZoneInfo("Africa/Lagos")
AT = datetime(2026, 11, 23, 23, 30, tzinfo=UTC)


def _streams(pdf: bytes) -> Iterator[bytes]:
    """Give what the streams hold: pages are in ASCII85, fonts and their maps are not."""
    for filters, stream in re.findall(rb"/Filter \[([^\]]*)\][^>]*>>\s*stream\n(.*?)endstream", pdf, re.DOTALL):
        packed = a85decode(b"<~" + stream.strip(), adobe=True) if b"ASCII85" in filters else stream
        yield zlib.decompress(packed)


def _pages(pdf: bytes) -> Iterator[str]:
    return (one.decode("latin-1") for one in _streams(pdf) if b" Tf " in one)


def test_each_voucher_is_printed_once_with_its_code_and_its_qr_code() -> None:
    batch = Batch(4, "Café (Yaba) 北", None, 100, COLUMNS * ROWS + 1, AT, AT, None)
    pdf = sheet_pdf(batch, CODES, LAGOS)
    pages = list(_pages(pdf))
    assert len(pages) == 2
    for number, serial in enumerate(batch.serials):
        page = pages[number // (COLUMNS * ROWS)]
        assert page.count(f"({CODES.code(serial)})") == 1
        assert f"(batch 4, no. {number + 1})" in page
    assert "2026-11-24 00:30" in pages[1]  # the venue's own time
    qr = segno.make_qr(CODES.code(batch.serials[-1]), error="m")
    dark = sum(sum(row) for row in qr.matrix)
    assert len(re.findall(r" re f", pages[1])) == dark
    assert pdf == sheet_pdf(batch, CODES, LAGOS)


def _letters(pdf: bytes) -> set[str]:
    """Return the letters of embedded fonts, by their ToUnicode maps (PDF 1.7, 9.10.3)."""
    maps = "".join(one.decode() for one in _streams(pdf) if b"beginbf" in one)
    return {chr(int(code, 16)) for code in re.findall(r"<([0-9A-F]{4})>", maps)}


def test_a_venue_is_written_in_its_own_letters() -> None:
    venue = "Ọlá's Café, Ọjọ́ta"
    letters = _letters(sheet_pdf(Batch(4, venue, None, 0, 1, AT, AT, None), CODES, LAGOS))
    assert set(unicodedata.normalize("NFC", venue)) <= letters


def test_a_long_name_stays_on_its_voucher() -> None:
    def widths(venue: str) -> float:
        return stringWidth(_fitting(venue, 150), BOLD, 10)

    assert 130 < widths("W" * 60) <= 150
    assert _fitting("W" * 60, 150).endswith("W…")
    assert _fitting("Ọjọ́ta", 150) == "Ọjọ́ta"
