"""Weekly reports: the figures of a venue, and nothing of few guests."""

from datetime import date
from pathlib import Path

from sqlalchemy import Connection, insert

from kswifi.desk.figures.sql import figure_day
from kswifi.desk.venue_reports import report_csv, report_of, report_pdf
from tests.support.databases import open_database


async def test_a_week_with_few_guests_shows_no_more_than_their_number(tmp_path: Path) -> None:
    async with open_database(tmp_path) as database:

        def change(connection: Connection) -> None:
            for day, vouchers in (("2026-11-24", 3), ("2026-11-29", 2), ("2026-11-22", 4)):
                for name, value in (("vouchers", vouchers), ("orders", vouchers), ("octets", 10**9)):
                    for venue in ("Mama Put", "=Cafe"):
                        values = {"day": day, "name": name, "dimension": f"venue:{venue}", "value": value}
                        connection.execute(insert(figure_day).values(**values))

        await database.write(change)
        report = await database.read(lambda connection: report_of(connection, "Mama Put", date(2026, 11, 30), 4))
        assert report_csv(report).splitlines() == [
            "from,to,vouchers,orders,activated,octets",
            "2026-11-30,2026-12-06,0,,,",
            "2026-11-23,2026-11-29,5,5,0,2000000000",
            "2026-11-16,2026-11-22,4,,,",
            "2026-11-09,2026-11-15,0,,,",
        ]
        assert report_pdf(report, "KSWiFi") == report_pdf(report, "KSWiFi")
