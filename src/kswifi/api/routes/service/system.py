"""What the server says about itself."""

import asyncio
from typing import Annotated, Final, Literal

from fastapi import APIRouter
from pydantic import Field
from sqlalchemy import text

from kswifi.api.edge.dependencies import ServicesDep
from kswifi.api.edge.errors import NotReadyError
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
    support: SupportView


class HealthView(ResponseBody):
    """The process answers."""

    status: Literal["ok"] = "ok"


@router.get("/api/v1/environment", summary="How this server is run")
async def read_environment(services: ServicesDep) -> EnvironmentView:
    """Tell the page where things are."""
    environment = services.environment
    return EnvironmentView(
        mode=environment.mode,
        public_origin=environment.public_origin,
        lab_origin=environment.lab_origin,
        passkey_rp_id=services.passkeys.rp_id,
        support=SupportView(
            whatsapp=environment.support.whatsapp,
            phone=environment.support.phone,
            email=environment.support.email,
        ),
    )


@router.get("/healthz", summary="Is the process alive")
async def check_health() -> HealthView:
    """Answer as long as the event loop turns; touches nothing else."""
    return HealthView()


@router.get("/readyz", summary="Can it serve", responses=problem_responses("not_ready"))
async def check_readiness(services: ServicesDep) -> HealthView:
    """Answer when the database and every part that requests need answer too.

    Which part is missing is told on the monitoring listener only (docs/reverse-proxy.md).
    """
    if await missing_parts(services):
        raise NotReadyError("not ready: try again later")
    return HealthView()


async def missing_parts(services: Services) -> list[str]:
    """Return the names of the parts that requests need and that do not answer at this moment."""
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
    async with services.database.reading() as connection:
        return bool(await connection.scalar(text("SELECT 1")) == 1)
