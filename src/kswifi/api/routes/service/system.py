"""The server's environment, health and readiness."""

import asyncio
from typing import Annotated, Final, Literal

from fastapi import APIRouter, Request
from pydantic import Field
from sqlalchemy import text

from kswifi.api.edge.dependencies import ServicesDep, cookie_name
from kswifi.api.edge.errors import NOT_READY
from kswifi.api.edge.problems import problem_responses
from kswifi.api.edge.schemas import ResponseBody
from kswifi.api.services import Check, Services
from kswifi.kernel.errors import KswifiError

router = APIRouter(tags=["system"])

READY_SECONDS: Final = 2.0


class SupportView(ResponseBody):
    """How to reach the operator for help; null where there is no such way."""

    whatsapp: Annotated[str | None, Field(description="Digits, as https://wa.me/ takes them.")]
    phone: str | None
    email: str | None


class EnvironmentView(ResponseBody):
    """How this server is run."""

    mode: Literal["embedded", "own-core", "resold"]
    public_origin: str
    lab_origin: Annotated[
        str | None,
        Field(description="The lab phone's control, in embedded mode.", examples=["http://127.0.0.1:8081"]),
    ]
    passkey_rp_id: Annotated[
        str | None, Field(description="The host name that passkeys belong to; null where there are none.")
    ]
    identifier_proof: Annotated[
        bool,
        Field(description="Whether registering takes the `proof_id` of a proved phone number or email address."),
    ]
    provable_identifiers: Annotated[
        list[Literal["phone_number", "email"]],
        Field(description="The kinds of identifiers that codes are sent to."),
    ]
    stored_session_starts: Annotated[
        bool,
        Field(
            description="A session that is ordered after the last one was used up can be used as soon as the card "
            "holds it; false: it has to be activated, which needs a network."
        ),
    ]
    support: SupportView
    login_cookie: Annotated[
        bool, Field(description="Whether the request carries a login cookie; its LoginSession may have ended.")
    ]


class HealthView(ResponseBody):
    """The state of the process."""

    status: Literal["ok"] = "ok"


@router.get("/api/v1/environment", summary="How this server is run")
async def read_environment(request: Request, services: ServicesDep) -> EnvironmentView:
    """Return the addresses and options that the page needs."""
    environment, proofs = services.environment, services.identifier_proofs
    return EnvironmentView(
        mode=environment.mode,
        public_origin=environment.public_origin,
        lab_origin=environment.lab_origin,
        stored_session_starts=environment.stored_session_starts,
        passkey_rp_id=services.passkeys.rp_id,
        identifier_proof=services.accounts.proof_required,
        provable_identifiers=[] if proofs is None else list(proofs.kinds),
        support=SupportView(
            whatsapp=environment.support.whatsapp,
            phone=environment.support.phone,
            email=environment.support.email,
        ),
        login_cookie=bool(request.cookies.get(cookie_name(services))),
    )


@router.get("/healthz", summary="Is the process alive")
async def check_health() -> HealthView:
    """Answer 200 while the event loop runs; checks nothing else."""
    return HealthView()


@router.get("/readyz", summary="Can it serve", responses=problem_responses("not_ready"))
async def check_readiness(services: ServicesDep) -> HealthView:
    """Answer 200 if the database and every part that requests need answer too.

    Only the monitoring listener names the missing part (docs/reverse-proxy.md).
    """
    if await missing_parts(services):
        raise NOT_READY("not ready: try again later")
    return HealthView()


async def missing_parts(services: Services) -> list[str]:
    """Return the names of the parts that requests need and that do not answer now."""
    checks: dict[str, Check] = {"database": lambda: _database_answers(services), **services.readiness}
    results = await asyncio.gather(*(_passes(check) for check in checks.values()))
    return [name for name, there in zip(checks, results, strict=True) if not there]


async def _passes(check: Check) -> bool:
    try:
        async with asyncio.timeout(READY_SECONDS):
            return await check()
    except (KswifiError, OSError, TimeoutError):
        return False


async def _database_answers(services: Services) -> bool:
    return await services.database.read(lambda connection: bool(connection.scalar(text("SELECT 1")) == 1))
