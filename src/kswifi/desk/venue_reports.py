"""Weekly reports for a venue, as CSV and PDF, and the signed links by which a venue reads them without an account.

A link names the venue, and the instant until which it is good. It is not stored: the installation's key signs it.
The figures are those of the page Venues; a week in which fewer than five vouchers were redeemed shows no more than
that, so that nobody learns what single guests did.
"""

import csv
import hmac
import io
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Final

from sqlalchemy import Connection, select

from kswifi.accounts.model import Digest
from kswifi.database.engine import transaction_instant
from kswifi.desk.audit import record
from kswifi.desk.errors import REPORT_LINK_INVALID, UNKNOWN_REPORT_VENUE
from kswifi.desk.figures.report import VenueFigures, venue_figures
from kswifi.desk.roles import Operator, Permission
from kswifi.kernel.clock import from_unix_seconds, unix_seconds
from kswifi.kernel.quantities import format_octets
from kswifi.printing.pdf_fonts import BOLD, REGULAR, printable, register_pdf_fonts
from kswifi.vouchers.sql import voucher_batch

WEEKS: Final = 12
LINK_DAYS: Final = 90
LINK_DAYS_LIMIT: Final = 366
_PURPOSE: Final = "venue report"
_MAC_OCTETS: Final = 16
_TOKEN_LIMIT: Final = 400
_MARGIN: Final = 42
_COLUMNS: Final = (0, 150, 230, 310, 400)


@dataclass(frozen=True, slots=True)
class Week:
    """A week from Monday to Sunday; the figures are None where too few guests were there."""

    first: date
    figures: VenueFigures | None

    @property
    def last(self) -> date:
        """Its Sunday."""
        return self.first + timedelta(days=6)


@dataclass(frozen=True, slots=True)
class VenueReport:
    """The weeks of a venue, the newest first."""

    venue: str
    made_on: date
    weeks: tuple[Week, ...]


class ReportLinks:
    """Signs and reads links; ``digest`` is the installation's keyed digest."""

    def __init__(self, digest: Digest) -> None:
        self._digest = digest

    def make(self, connection: Connection, operator: Operator, venue: str, days: int = LINK_DAYS) -> str:
        """Return the token of a link that is good for so many days; the audit trail keeps that it was made.

        Raises:
            UNKNOWN_REPORT_VENUE: no vouchers were made for the venue.
            REPORT_LINK_INVALID: the days are not 1 to LINK_DAYS_LIMIT.
            ROLE_MAY_NOT
        """
        operator.require(Permission.CHANGE_MONEY)
        require_venue(connection, venue)
        if not 1 <= days <= LINK_DAYS_LIMIT:
            raise REPORT_LINK_INVALID(f"a link is good for 1 to {LINK_DAYS_LIMIT} days")
        until = transaction_instant(connection) + timedelta(days=days)
        facts = {"venue": venue, "until": until.isoformat()}
        record(connection, operator, "venues report-link", f"venue {venue}", after=facts)
        return self.token(venue, until)

    def token(self, venue: str, until: datetime) -> str:
        """Return the token for a venue until an instant."""
        body = f"{unix_seconds(until)} {venue}"
        return _text(self._mac(body) + body.encode())

    def venue_of(self, token: str, now: datetime) -> str:
        """Return the venue of a token.

        Raises:
            REPORT_LINK_INVALID: it is not signed with this key, or is no longer good.
        """
        octets = _octets(token)
        mac, body = octets[:_MAC_OCTETS], octets[_MAC_OCTETS:].decode(errors="replace")
        until, _, venue = body.partition(" ")
        if not hmac.compare_digest(mac, self._mac(body)) or from_unix_seconds(int(until)) <= now:
            raise REPORT_LINK_INVALID("this link is not ours, or is no longer good: ask for a new one")
        return venue

    def _mac(self, body: str) -> bytes:
        return self._digest(_PURPOSE, body)[:_MAC_OCTETS]


def require_venue(connection: Connection, venue: str) -> None:
    """Refuse a venue for which no vouchers were made.

    Raises:
        UNKNOWN_REPORT_VENUE: there is none of this name.
    """
    query = select(voucher_batch.c.batch_id).where(voucher_batch.c.venue == venue).limit(1)
    if connection.scalar(query) is None:
        raise UNKNOWN_REPORT_VENUE("no vouchers were made for this venue", venue=venue[:60])


def report_of(connection: Connection, venue: str, today: date, weeks: int = WEEKS) -> VenueReport:
    """Return the report of a venue: this week so far, and those before it."""
    monday = today - timedelta(days=today.weekday())
    found = []
    for number in range(weeks):
        first = monday - timedelta(weeks=number)
        figures = venue_figures(connection, first, first + timedelta(days=6))
        found.append(Week(first, next((it for it in figures if it.venue == venue), None)))
    return VenueReport(venue, today, tuple(found))


def report_csv(report: VenueReport) -> str:
    """Return a report as CSV (RFC 4180) with a heading; empty cells where too few guests were there.

    All cells are dates and numbers, so none begins with a sign that a spreadsheet takes for a formula.
    """
    out = io.StringIO()
    writer = csv.writer(out)
    writer.writerow(("from", "to", "vouchers", "orders", "activated", "octets"))
    for week in report.weeks:
        writer.writerow((week.first, week.last, *_cells(week, str)))
    return out.getvalue()


def report_pdf(report: VenueReport, seller: str) -> bytes:
    """Return a report as a PDF of one A4 page. The same report gives the same octets."""
    # Imported here, because importing reportlab takes longer than most commands take to run.
    from reportlab.lib.pagesizes import A4  # noqa: PLC0415 - lazily, see above
    from reportlab.pdfgen.canvas import Canvas  # noqa: PLC0415

    register_pdf_fonts()
    out = io.BytesIO()
    canvas = Canvas(out, pagesize=A4, invariant=1)
    title = printable(f"{seller}: {report.venue}")
    canvas.setTitle(title)
    y = A4[1] - _MARGIN - 15
    canvas.setFont(BOLD, 15)
    canvas.drawString(_MARGIN, y, title)
    rows = [("Week", "Vouchers", "Sessions", "Activated", "Used")]
    rows += [(f"{it.first} to {it.last}", *_cells(it, format_octets)) for it in report.weeks]
    for number, row in enumerate(rows):
        y -= 18
        canvas.setFont(REGULAR if number else BOLD, 10)
        for column, words in zip(_COLUMNS, row, strict=True):
            canvas.drawString(_MARGIN + column, y, words)
    canvas.setFont(REGULAR, 9)
    for words in (
        f"Made on {report.made_on}. A week with fewer than five redeemed vouchers shows no sessions,",
        "so that nobody learns what single guests did.",
    ):
        y -= 14
        canvas.drawString(_MARGIN, y - 10, words)
    canvas.save()
    return out.getvalue()


def _cells(week: Week, octets: Callable[[int], str]) -> tuple[str, str, str, str]:
    it = week.figures
    if it is None:
        return "0", "", "", ""
    if it.orders is None or it.activated is None or it.octets is None:
        return str(it.vouchers), "", "", ""
    return str(it.vouchers), str(it.orders), str(it.activated), octets(it.octets)


def _text(octets: bytes) -> str:
    return urlsafe_b64encode(octets).rstrip(b"=").decode()


def _octets(token: str) -> bytes:
    """Return the octets of a token; an unreadable one gives octets that no key has signed."""
    if len(token) > _TOKEN_LIMIT or not token.isascii():
        return b""
    try:
        return urlsafe_b64decode(token + "=" * (-len(token) % 4))
    except ValueError:
        return b""
