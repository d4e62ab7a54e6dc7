"""Weekly reports for venues, by a signed link."""

from typing import Annotated, Final

from fastapi import APIRouter, Path, Response

from kswifi.api.edge.dependencies import ServicesDep
from kswifi.api.edge.problems import problem_responses
from kswifi.api.edge.session_dependencies import SessionServicesDep
from kswifi.desk.venue_reports import ReportLinks, VenueReport, report_csv, report_of, report_pdf
from kswifi.kernel.local_days import local_day

router = APIRouter(prefix="/api/v1/venue-reports", tags=["catalogue"])

CSV_TYPE: Final = "text/csv"
PDF_TYPE: Final = "application/pdf"
_PROBLEMS: Final = problem_responses("report_link_invalid")
LinkToken = Annotated[
    str,
    Path(min_length=20, max_length=400, pattern=r"^[A-Za-z0-9_-]+$", description="From the operator's link."),
]


@router.get(
    "/{token}.csv",
    summary="A venue's weekly report as CSV",
    response_class=Response,
    responses={200: {"description": "The report", "content": {CSV_TYPE: {}}}, **_PROBLEMS},
)
async def read_report_csv(token: LinkToken, services: ServicesDep, sessions: SessionServicesDep) -> Response:
    """Return the weeks of a venue as CSV (RFC 4180, UTF-8). The link is the only credential: keep it."""
    report = await _report(token, services, sessions)
    return Response(report_csv(report), headers=_file("csv"), media_type=CSV_TYPE)


@router.get(
    "/{token}.pdf",
    summary="A venue's weekly report as PDF",
    response_class=Response,
    responses={
        200: {
            "description": "The report",
            "content": {PDF_TYPE: {"schema": {"type": "string", "format": "binary"}}},
        },
        **_PROBLEMS,
    },
)
async def read_report_pdf(token: LinkToken, services: ServicesDep, sessions: SessionServicesDep) -> Response:
    """Return the weeks of a venue as PDF. The link is the only credential: keep it."""
    report = await _report(token, services, sessions)
    return Response(report_pdf(report, sessions.statements.seller), headers=_file("pdf"), media_type=PDF_TYPE)


async def _report(token: str, services: ServicesDep, sessions: SessionServicesDep) -> VenueReport:
    now = services.database.clock.now()
    venue = ReportLinks(sessions.free_data.marks.digest).venue_of(token, now)
    today = local_day(now, sessions.free_data.rules.zone)
    return await services.database.read(lambda connection: report_of(connection, venue, today))


def _file(ending: str) -> dict[str, str]:
    return {"Content-Disposition": f'attachment; filename="venue-report.{ending}"', "Cache-Control": "no-store"}
