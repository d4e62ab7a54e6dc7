"""A session's statement for its user: the usage of each hour, and the octets that it gave and received."""

from typing import Annotated, Literal

from fastapi import APIRouter
from pydantic import Field

from kswifi.api.edge.dependencies import ServicesDep, SignedInUser
from kswifi.api.edge.pages import PageQuery, PageView
from kswifi.api.edge.problems import problem_responses
from kswifi.api.edge.schemas import Instant, ResponseBody
from kswifi.api.edge.session_dependencies import SessionServicesDep
from kswifi.api.routes.sessions.sessions import SessionId
from kswifi.charging_records.service import statement_of
from kswifi.kernel.clock import from_unix_seconds
from kswifi.people.model import TransferKind, TransferState
from kswifi.people.store import transfers_of_session

router = APIRouter(prefix="/api/v1/sessions", tags=["sessions"])


class StatementHourView(ResponseBody):
    """The usage that the network reported in one hour; the octets may have been used shortly before the report."""

    starts_at: Annotated[Instant, Field(description="The beginning of the hour, UTC.")]
    octets: Annotated[int, Field(description="Both ways together.")]
    uplink_octets: Annotated[int, Field(description="From your phone, where the network tells directions apart.")]
    downlink_octets: Annotated[int, Field(description="To your phone; both are 0 where it does not.")]


class StatementTransferView(ResponseBody):
    """Octets that came into the session or left it for another one."""

    transfer_id: str
    kind: TransferKind
    direction: Literal["in", "out"]
    octets: int
    state: Annotated[TransferState, Field(description="`returned`: they came back; `refused`: they never left.")]
    at: Annotated[Instant, Field(description="When it was offered.")]


class StatementView(PageView):
    """Usage by hour, the oldest first; hours without usage are left out."""

    session_id: str
    octets: Annotated[int, Field(description="The sum of all hours.")]
    hours: list[StatementHourView]
    transfers: Annotated[list[StatementTransferView], Field(description="Gifts, shares and moves, at most 100.")]


@router.get(
    "/{session_id}/statement",
    summary="What was used in which hour",
    responses=problem_responses("unknown_session", "not_signed_in"),
)
async def read_statement(
    session_id: SessionId, user: SignedInUser, services: ServicesDep, sessions: SessionServicesDep, page: PageQuery
) -> StatementView:
    """Return the session's usage by hour, from its charging data records, about a second after the network."""
    session = await sessions.downloads.session(user.user.user_id, session_id)
    statement = await statement_of(services.database, session.session_id, page)
    transfers = await services.database.read(
        lambda connection: transfers_of_session(connection, session.session_id)
    )
    return StatementView(
        session_id=session.session_id,
        octets=statement.octets,
        hours=[
            StatementHourView(
                starts_at=from_unix_seconds(it.hour_at),
                octets=it.octets,
                uplink_octets=it.input_octets,
                downlink_octets=it.output_octets,
            )
            for it in statement.hours.items
        ],
        transfers=[
            StatementTransferView(
                transfer_id=it.transfer_id,
                kind=it.kind,
                direction="in" if it.to_session_id == session.session_id else "out",
                octets=it.octets,
                state=it.state,
                at=it.created_at,
            )
            for it in transfers
        ],
        next=statement.hours.cursor,
    )
