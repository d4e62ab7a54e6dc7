"""The statement of a month as files: CSV for programs, PDF for people."""

import csv
import io
from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime
from typing import Any, Final

from kswifi.people.statements import MonthStatement, Sum
from kswifi.people.use_model import CountedBy
from kswifi.printing.pdf_fonts import BOLD, REGULAR, printable, register_pdf_fonts

CSV_COLUMNS: Final = (
    "row",
    "starts_at",
    "session_id",
    "offer_id",
    "counted_by",
    "octets",
    "uplink_octets",
    "downlink_octets",
)
_MARGIN: Final = 42
_LINE: Final = 13
_SIZE: Final = 9
_UNKNOWN_DESTINATIONS: Final = (
    "Only the number of octets in each hour is recorded. Which sites, apps or people were reached is not."
)
_COUNTED: Final = {
    CountedBy.NETWORK: "our network",
    CountedBy.PROVIDER: "the data provider",
    CountedBy.YOUR_NETWORK: "your network",
}
_PORTIONS: Final = (
    "On a line counted by your network, the octets are the portions that were sent to it. "
    "When they were used, only your network knows."
)

_Row = Sequence[str]
_DAY_COLUMNS: Final = (0, 200, 300, 400)
_SESSION_COLUMNS: Final = (0, 110, 225, 320, 420)
_TRANSFER_COLUMNS: Final = (0, 110, 225, 320)


def statement_csv(statement: MonthStatement) -> str:
    """Return a statement as CSV (RFC 4180) with a heading.

    A row is of one of these kinds: ``hour`` is the use of a session in an hour, ``in`` and ``out`` are octets that
    came into a session or left it for another one, and ``total`` is the sum of all hours. No cell begins with a
    sign that a spreadsheet takes for a formula.
    """
    out = io.StringIO()
    writer = csv.writer(out)
    writer.writerow(CSV_COLUMNS)
    sessions = {it.session_id: it for it in statement.sessions}
    for it in statement.hours:
        session = sessions[it.session_id]
        begins = it.starts_at.astimezone(statement.zone).isoformat(timespec="minutes")
        writer.writerow(("hour", begins, it.session_id, session.offer_id, str(session.counted_by), *_three(it.use)))
    for transfer in statement.transfers:
        at = transfer.at.astimezone(statement.zone).isoformat(timespec="minutes")
        row = "in" if transfer.octets > 0 else "out"
        writer.writerow((row, at, transfer.session_id, "", str(transfer.kind), abs(transfer.octets), "", ""))
    writer.writerow(("total", str(statement.month), "", "", "", *_three(statement.total)))
    return out.getvalue()


def statement_pdf(statement: MonthStatement, person: str, seller: str) -> bytes:
    """Return a statement as a PDF of A4 pages. The same statement gives the same octets.

    Args:
        statement: the month.
        person: the identifier of whose statement it is.
        seller: the operator's name.
    """
    # Imported here, because importing reportlab takes longer than most commands take to run.
    from reportlab.lib.pagesizes import A4  # noqa: PLC0415 - lazily, see above
    from reportlab.pdfgen.canvas import Canvas  # noqa: PLC0415

    register_pdf_fonts()
    out = io.BytesIO()
    canvas = Canvas(out, pagesize=A4, invariant=1)
    title = printable(f"{seller}: data used in {statement.month}")
    canvas.setTitle(title)
    page = _Page(canvas, A4[1], title)
    page.heading(title, 15)
    for line in _about(statement, person):
        page.row((0,), (line,))
    _tables(page, statement)
    page.gap()
    notes = [_UNKNOWN_DESTINATIONS]
    if any(it.counted_by is CountedBy.YOUR_NETWORK for it in statement.sessions):
        notes.append(_PORTIONS)
    for note in notes:
        for line in _wrapped(note, A4[0] - 2 * _MARGIN):
            page.row((0,), (line,))
    canvas.save()
    return out.getvalue()


def _tables(page: "_Page", statement: MonthStatement) -> None:
    total = statement.total
    page.heading("By day", 11)
    page.row(_DAY_COLUMNS, ("Day", "Octets", "Sent", "Received"), BOLD)
    for day, use in statement.days.items():
        page.row(_DAY_COLUMNS, (f"{day:%Y-%m-%d %a}", *map(_figure, _three(use))))
    page.row(_DAY_COLUMNS, ("Total", *map(_figure, _three(total))), BOLD)
    page.heading("By session", 11)
    page.row(_SESSION_COLUMNS, ("Offer", "Session", "Counted by", "Octets", "Size"), BOLD)
    for it in statement.sessions:
        size = "uncapped" if it.allowance_octets is None else _figure(it.allowance_octets)
        name, counted = _short(it.session_id), _COUNTED[it.counted_by]
        page.row(_SESSION_COLUMNS, (it.offer_id, name, counted, _figure(it.use.octets), size))
    page.row(_SESSION_COLUMNS, ("Total", "", "", _figure(total.octets)), BOLD)
    if statement.transfers:
        page.heading("Given and received", 11)
        page.row(_TRANSFER_COLUMNS, ("When", "Session", "What", "Octets"), BOLD)
        for transfer in statement.transfers:
            when, name = _when(transfer.at, statement), _short(transfer.session_id)
            page.row(_TRANSFER_COLUMNS, (when, name, str(transfer.kind), f"{transfer.octets:+,}"))


class _Page:
    """Writes rows from the top of a page to its bottom, and then on the next one."""

    def __init__(self, canvas: Any, height: float, title: str) -> None:
        self._canvas = canvas
        self._height = height
        self._title = title
        self._y = height - _MARGIN

    def heading(self, words: str, size: int) -> None:
        """Write a heading; it does not stand alone at the bottom."""
        self._need(6 * _LINE)
        self._y -= _LINE
        self._canvas.setFont(BOLD, size)
        self._canvas.drawString(_MARGIN, self._y, words)
        self._y -= _LINE + size / 2

    def row(self, columns: Sequence[int], words: _Row, font: str = REGULAR) -> None:
        """Write a row, each word at its column."""
        self._need(_LINE)
        self._canvas.setFont(font, _SIZE)
        for column, one in zip(columns, words, strict=False):
            self._canvas.drawString(_MARGIN + column, self._y, printable(one))
        self._y -= _LINE

    def gap(self) -> None:
        """Leave a line free."""
        self._y -= _LINE

    def _need(self, height: float) -> None:
        if self._y - height < _MARGIN:
            self._canvas.showPage()
            self._y = self._height - _MARGIN
            self._canvas.setFont(REGULAR, _SIZE)
            self._canvas.drawString(_MARGIN, self._y, self._title)
            self._y -= 2 * _LINE


def _about(statement: MonthStatement, person: str) -> Iterator[str]:
    yield f"For {person}"
    yield f"Made {_when(statement.made_at, statement)}; times and days are those of {statement.zone}"
    if not statement.is_whole:
        yield "The month is not over: use after this time is not in it."


def _wrapped(words: str, width: float) -> Iterable[str]:
    from reportlab.lib.utils import simpleSplit  # noqa: PLC0415 - lazily, as above

    lines: list[str] = simpleSplit(words, REGULAR, _SIZE, width)
    return lines


def _three(use: Sum) -> tuple[int, int, int]:
    return use.octets, use.uplink_octets, use.downlink_octets


def _figure(octets: int) -> str:
    return f"{octets:,}"


def _short(session_id: str) -> str:
    """Return the last twelve digits of a session's id, which tell a person's sessions apart."""
    return session_id[-12:]


def _when(instant: datetime, statement: MonthStatement) -> str:
    return f"{instant.astimezone(statement.zone):%Y-%m-%d %H:%M}"
