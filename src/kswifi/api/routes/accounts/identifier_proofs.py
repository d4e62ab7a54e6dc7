"""Prove a phone number or email address before signing up, with a code that is sent to it."""

from typing import Annotated, Literal

from fastapi import APIRouter, Depends, Path, Response
from pydantic import Field

from kswifi.api.edge.dependencies import ClientAddress, ServicesDep
from kswifi.api.edge.problems import problem_responses
from kswifi.api.edge.schemas import Instant, RequestBody, ResponseBody
from kswifi.api.routes.accounts.accounts import IdentifierText
from kswifi.api.routes.accounts.phone_verifications import CodeBody, LabMessageView
from kswifi.identifier_proofs.errors import IdentifierCannotBeProvedError
from kswifi.identifier_proofs.service import IdentifierProofs

router = APIRouter(prefix="/api/v1/identifier-proofs", tags=["accounts"])

PathProofId = Annotated[str, Path(max_length=64, description="The proof's UUID.")]


class ProofBody(RequestBody):
    """The phone number or email address to which the code is sent."""

    identifier: IdentifierText


class ProofView(ResponseBody):
    """A requested code. Keep the id: together with the code it is the proof."""

    proof_id: str
    expires_at: Annotated[Instant, Field(description="When the code no longer holds.")]


class ProvedView(ResponseBody):
    """The code was correct: sign up, sign in or change your identifier with this proof within half an hour."""

    proved: Literal[True] = True


async def identifier_proofs(services: ServicesDep) -> IdentifierProofs:
    """Return the service that proves identifiers.

    Raises:
        IdentifierCannotBeProvedError: this server sends no codes.
    """
    if services.identifier_proofs is None:
        raise IdentifierCannotBeProvedError("no codes are sent here")
    return services.identifier_proofs


IdentifierProofsDep = Annotated[IdentifierProofs, Depends(identifier_proofs)]


@router.post(
    "",
    status_code=201,
    summary="Have a code sent to prove an identifier",
    responses=problem_responses("invalid_identifier", "identifier_cannot_be_proved", "too_many_attempts"),
)
async def ask_for_proof(
    body: ProofBody, proofs: IdentifierProofsDep, address: ClientAddress, response: Response
) -> ProofView:
    """Send six digits to a phone number or email address. The answer is the same with and without an account."""
    made = await proofs.begin(body.identifier, address)
    response.headers["Location"] = f"/api/v1/identifier-proofs/{made.proof_id}"
    return ProofView(proof_id=made.proof_id, expires_at=made.expires_at)


@router.get("/{proof_id}", summary="Until when a code is valid", responses=problem_responses("unknown_proof"))
async def read_proof(proof_id: PathProofId, proofs: IdentifierProofsDep) -> ProofView:
    """Return until when the code of a proof can be confirmed."""
    made = await proofs.proof(proof_id)
    return ProofView(proof_id=made.proof_id, expires_at=made.expires_at)


@router.post(
    "/{proof_id}/confirm",
    summary="Type the code in",
    responses=problem_responses("unknown_proof", "proof_code_wrong", "proof_code_over"),
)
async def confirm_proof(proof_id: PathProofId, body: CodeBody, proofs: IdentifierProofsDep) -> ProvedView:
    """Confirm the code that you received. It is valid for ten minutes and five tries."""
    await proofs.confirm(proof_id, body.code)
    return ProvedView()


@router.get(
    "/{proof_id}/lab-message",
    summary="The message of a proof, in the lab",
    responses=problem_responses("unknown_proof", "no_lab_message"),
)
async def read_proof_lab_message(proof_id: PathProofId, proofs: IdentifierProofsDep) -> LabMessageView:
    """Return the message from the lab's outbox. A server that really sends messages has none."""
    found = await proofs.lab_message(proof_id)
    return LabMessageView(to=found.to, words=found.words, at=found.at)
