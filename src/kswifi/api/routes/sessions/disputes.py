"""Dispute the statement of a session."""

from datetime import datetime
from typing import Annotated

from fastapi import APIRouter, Response
from pydantic import AwareDatetime, Field, StringConstraints
from sqlalchemy import Connection

from kswifi.api.edge.dependencies import ServicesDep, SignedInUser
from kswifi.api.edge.idempotency import Idempotent
from kswifi.api.edge.pages import PageQuery, PageView
from kswifi.api.edge.problems import problem_responses
from kswifi.api.edge.schemas import Instant, RequestBody, ResponseBody
from kswifi.api.routes.sessions.sessions import SessionId
from kswifi.kernel.pages import Page
from kswifi.sessions.disputes import Dispute, disputes_of, open_dispute
from kswifi.sessions.store import find_session

router = APIRouter(prefix="/api/v1/sessions", tags=["sessions"])


class DisputeBody(RequestBody):
    """What is wrong, in your words, and the hours of the statement that it concerns."""

    words: Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=1000)]
    hours: Annotated[
        list[Annotated[AwareDatetime, Field(strict=False)]],
        Field(default_factory=list, max_length=100, description="`starts_at` of each; none is all of it."),
    ]


class DisputeView(ResponseBody):
    """A dispute of yours."""

    dispute_id: str
    session_id: str
    words: str
    hours: list[Instant]
    created_at: Instant
    answer: Annotated[str | None, Field(description="What support answered; null while it is open.")]
    answered_at: Instant | None


class DisputesView(PageView):
    """Your disputes of a session, the newest first."""

    disputes: list[DisputeView]


@router.post(
    "/{session_id}/disputes",
    status_code=201,
    response_model=DisputeView,
    summary="Dispute the statement",
    responses=problem_responses("unknown_session", "too_many_disputes"),
)
async def dispute_statement(session_id: SessionId, body: DisputeBody, request: Idempotent) -> Response:
    """Dispute the session's statement. The dispute is stored with the hours you name."""
    hours: list[datetime] = sorted(set(body.hours))

    def dispute(connection: Connection) -> DisputeView:
        return dispute_view(
            open_dispute(connection, request.user.user.user_id, session_id, request.operation_id, body.words, hours)
        )

    return await request.answer_step(dispute, status=201, location="/api/v1/sessions/{session_id}/disputes")


@router.get(
    "/{session_id}/disputes",
    summary="What you disputed",
    responses=problem_responses("unknown_session", "not_signed_in"),
)
async def list_disputes(
    session_id: SessionId, user: SignedInUser, services: ServicesDep, page: PageQuery
) -> DisputesView:
    """List your disputes of this session's statement."""

    def look(connection: Connection) -> Page[Dispute]:
        session = find_session(connection, session_id, user.user.user_id)
        return disputes_of(connection, session.session_id, page)

    found = await services.database.read(look)
    return DisputesView(disputes=[dispute_view(one) for one in found.items], next=found.cursor)


def dispute_view(dispute: Dispute) -> DisputeView:
    """Return the view of a dispute."""
    return DisputeView(
        dispute_id=dispute.dispute_id,
        session_id=dispute.session_id,
        words=dispute.words,
        hours=list(dispute.hours),
        created_at=dispute.created_at,
        answer=dispute.answer,
        answered_at=dispute.answered_at,
    )
