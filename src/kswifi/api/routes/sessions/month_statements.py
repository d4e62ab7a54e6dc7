"""A person's statements of months, as CSV and PDF."""

from typing import Annotated, Final

from fastapi import APIRouter, Path, Response
from pydantic import Field

from kswifi.api.edge.dependencies import SignedInUser
from kswifi.api.edge.pages import PageQuery, PageView
from kswifi.api.edge.problems import problem_responses
from kswifi.api.edge.schemas import ResponseBody
from kswifi.api.edge.session_dependencies import SessionServicesDep
from kswifi.people.statement_files import statement_csv, statement_pdf
from kswifi.people.statements import Month, MonthStatement

router = APIRouter(prefix="/api/v1/statements", tags=["usage"])

CSV_TYPE: Final = "text/csv"
PDF_TYPE: Final = "application/pdf"
_PROBLEMS: Final = problem_responses("no_statement", "statement_too_long", "not_signed_in")

MonthName = Annotated[
    str,
    Path(
        pattern=r"^20[0-9]{2}-(0[1-9]|1[0-2])$",
        description="A month of the operator's time zone: 2026-11.",
        examples=["2026-11"],
    ),
]


class StatementMonthView(ResponseBody):
    """A month with its files."""

    month: Annotated[str, Field(examples=["2026-11"])]
    csv: Annotated[str, Field(description="The path of the file.", examples=["/api/v1/statements/2026-11.csv"])]
    pdf: str


class StatementMonthsView(PageView):
    """The months from your first use to now, the newest first."""

    months: list[StatementMonthView]


@router.get("", summary="The months with a statement", responses=problem_responses("not_signed_in"))
async def list_statement_months(
    user: SignedInUser, services: SessionServicesDep, page: PageQuery
) -> StatementMonthsView:
    """List the months of which there is a statement. That of this month holds what is known so far."""
    found = await services.statements.months(user.user.user_id, page)
    return StatementMonthsView(
        months=[
            StatementMonthView(month=str(it), csv=f"{router.prefix}/{it}.csv", pdf=f"{router.prefix}/{it}.pdf")
            for it in found.items
        ],
        next=found.cursor,
    )


@router.get(
    "/{month}.csv",
    summary="A month's statement as CSV",
    response_class=Response,
    responses={200: {"description": "The statement", "content": {CSV_TYPE: {}}}, **_PROBLEMS},
)
async def read_statement_csv(month: MonthName, user: SignedInUser, services: SessionServicesDep) -> Response:
    """Return every hour with use, what was given and received, and the total, as CSV (RFC 4180, UTF-8)."""
    statement = await _statement(services, user.user.user_id, month)
    return Response(statement_csv(statement), headers=_file(month, "csv"), media_type=CSV_TYPE)


@router.get(
    "/{month}.pdf",
    summary="A month's statement as PDF",
    response_class=Response,
    responses={
        200: {
            "description": "The statement",
            "content": {PDF_TYPE: {"schema": {"type": "string", "format": "binary"}}},
        },
        **_PROBLEMS,
    },
)
async def read_statement_pdf(month: MonthName, user: SignedInUser, services: SessionServicesDep) -> Response:
    """Return the use by day and by session, what was given and received, and the total, as PDF."""
    statement = await _statement(services, user.user.user_id, month)
    person = user.user.email or user.user.phone_number or ""
    content = statement_pdf(statement, person, services.statements.seller)
    return Response(content, headers=_file(month, "pdf"), media_type=PDF_TYPE)


async def _statement(services: SessionServicesDep, user_id: str, month: str) -> MonthStatement:
    year, number = month.split("-")
    return await services.statements.month(user_id, Month(int(year), int(number)))


def _file(month: str, ending: str) -> dict[str, str]:
    return {"Content-Disposition": f'attachment; filename="kswifi-{month}.{ending}"', "Cache-Control": "no-store"}
