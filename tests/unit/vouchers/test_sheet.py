"""The sheet: all codes of a batch, in QR codes that hold them."""

import re
import zlib
from base64 import a85decode
from collections.abc import Iterator
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import segno

from kswifi.vouchers.codes import VoucherCodes
from kswifi.vouchers.model import Batch
from kswifi.vouchers.sheet import COLUMNS, ROWS, sheet_pdf

CODES = VoucherCodes(bytes(range(32)))
LAGOS = ZoneInfo("Africa/Lagos")
AT = datetime(2026, 11, 23, 23, 30, tzinfo=UTC)


def _pages(pdf: bytes) -> Iterator[str]:
    for stream in re.findall(rb"stream\n(.*?)endstream", pdf, re.DOTALL):
        yield zlib.decompress(a85decode(b"<~" + stream.strip(), adobe=True)).decode("latin-1")


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


def test_a_long_name_stays_on_its_voucher() -> None:
    page = next(_pages(sheet_pdf(Batch(1, "W" * 60, None, 0, 1, AT, AT, None), CODES, LAGOS)))
    assert re.search(r"\(W{10,18}\\205\)", page)  # an ellipsis in PDF's own encoding
