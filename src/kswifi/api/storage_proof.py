"""The card's proof that it holds the session."""

import asyncio
from typing import Annotated, Final

from fastapi import APIRouter, Path, Response

from kswifi.api.dependencies import ServicesDep, SignedInUser
from kswifi.api.idempotency import Idempotent
from kswifi.api.problems import problem_responses
from kswifi.api.services import Services, SessionServices
from kswifi.api.session_dependencies import SessionServicesDep
from kswifi.api.session_views import (
    SessionView,
    StorageChallengeView,
    StorageResponsesBody,
    challenge_view,
    session_view,
)
from kswifi.outbox.service import events_topic
from kswifi.sessions.model import SessionOverview, SessionState

router = APIRouter(prefix="/api/v1/sessions/{session_id}/storage-proof", tags=["sessions"])

SessionId = Annotated[str, Path(max_length=64, description="The session's UUID.")]

LEDGER_SECONDS: Final = 5.0
"""How long an accepted proof waits for the ledger to say `stored`, before it is answered as it is."""


@router.get(
    "",
    summary="Ask for the card's challenge",
    responses=problem_responses("unknown_session", "illegal_transition"),
)
async def challenge_card(
    session_id: SessionId, user: SignedInUser, services: SessionServicesDep
) -> StorageChallengeView:
    """Get the command APDUs that the card is to answer: its ICCID, the session record, and AUTHENTICATE.

    Each challenge is judged once; a new one replaces it.
    """
    return challenge_view(await services.proofs.challenge(user.user.user_id, session_id))


@router.post(
    "",
    response_model=SessionView,
    summary="Hand in the card's answers",
    responses=problem_responses(
        "unknown_session",
        "illegal_transition",
        "storage_proof_no_challenge",
        "storage_proof_malformed",
        "storage_proof_card_refused",
        "storage_proof_wrong_card",
        "storage_proof_record_differs",
        "storage_proof_wrong_response",
        "storage_proof_resynchronised",
    ),
)
async def prove_storage(
    session_id: SessionId,
    body: StorageResponsesBody,
    request: Idempotent,
    every: ServicesDep,
    services: SessionServicesDep,
) -> Response:
    """Prove that the card holds the session. It is `stored`, and can be spent, once the ledger says so.

    That is a matter of milliseconds and waited for; should it take longer, the answer still says `transferring`,
    with `storage_proof` set. Another card, another record or other keys fail the transfer: ask for it again.
    """
    user_id = request.user.user.user_id

    async def work() -> SessionView:
        responses = [bytes.fromhex(response) for response in body.responses]
        await services.proofs.prove(user_id, session_id, responses, body.challenge_id)
        return session_view(await _until_the_ledger_says(every, services, user_id, session_id))

    return await request.answer(work)


async def _until_the_ledger_says(
    every: Services, services: SessionServices, user_id: str, session_id: str
) -> SessionOverview:
    woken = asyncio.Event()
    end = every.database.subscribe(events_topic(user_id), woken.set)
    try:
        async with asyncio.timeout(LEDGER_SECONDS):
            while True:
                woken.clear()
                found = await services.downloads.overview(user_id, session_id)
                if found.session.state is not SessionState.TRANSFERRING:
                    return found
                await woken.wait()
    except TimeoutError:
        return await services.downloads.overview(user_id, session_id)
    finally:
        end()
