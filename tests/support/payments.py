"""A till: payments with a rehearsal gateway behind them, reached over HTTP both ways, on a clock that is moved.

``face`` says whose API the gateway speaks, and so which adapter is used: ours, or Paystack's.
"""

import asyncio
import socket
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import Any, Final

import httpx2
from sqlalchemy import Connection, insert, select
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from kswifi.accounts.sql import user_account
from kswifi.books.model import Account
from kswifi.books.service import balances
from kswifi.books.verify import verify_book
from kswifi.catalogue.service import Catalogue
from kswifi.database.engine import Database
from kswifi.jobs.worker import Worker, WorkerLimits
from kswifi.kernel.clock import Clock
from kswifi.lab.rehearsal.payments.server import GatewayConfig, serving_gateway
from kswifi.listeners.http_server import HttpServer
from kswifi.outbox.sql import outbox_entry
from kswifi.payments.errors import PaymentsError
from kswifi.payments.job_handlers import PaymentHandlers, pass_handlers
from kswifi.payments.model import PassPeriod, Payment
from kswifi.payments.opening import Opening, PayerPage
from kswifi.payments.ports import Order, PaymentGateway
from kswifi.payments.rules import PassRules
from kswifi.payments.service import PaymentService, ask_refund, passes_held
from kswifi.providers.payments.paystack import Paystack
from kswifi.providers.payments.sandbox import SandboxGateway
from tests.support.clocks import ManualClock
from tests.support.databases import START, open_database

ADA: Final = "019ab0de-0000-7000-8000-00000000ada0"
BOLA: Final = "019ab0de-0000-7000-8000-00000000b01a"
SECRET: Final = "sk_test_0123456789abcdef"
FACES: Final = ("sandbox", "paystack")
PRICE: Final = 80_000
FEE: Final = 1_200
DISPUTE_FEE: Final = 2_500
"""What the sandbox's face charges for a lost dispute."""


def order(reference: str, amount_kobo: int = PRICE) -> Order:
    """Return what a checkout is opened for."""
    return Order(reference, amount_kobo, "NGN", "ada@example.ng", "Unlimited (₦800)", "http://shop.test/?payment=1")


def gateway_at(face: str, origin: str, answer_seconds: float = 5.0) -> PaymentGateway:
    """Return the adapter that speaks with a face."""
    if face == "paystack":
        return Paystack(SECRET, origin, answer_seconds)
    return SandboxGateway(origin, SECRET, answer_seconds)


@dataclass
class Rehearsal:
    """A rehearsal gateway: its origin, what its payers do, and the webhooks that came of it."""

    face: str
    origin: str
    gateway: PaymentGateway
    webhooks: list[tuple[bytes, dict[str, str]]] = field(default_factory=list)
    client: httpx2.AsyncClient = field(default_factory=lambda: httpx2.AsyncClient(trust_env=False, verify=False))

    async def control(self, path: str, body: Mapping[str, Any] | None = None, status: int = 204) -> None:
        """Tell the gateway something."""
        answer = await self.client.post(
            f"{self.origin}/control/{path}", json=dict(body or {}), headers={"X-KSWiFi-Lab": "1"}
        )
        assert answer.status_code == status, answer.text

    async def pay(self, reference: str, **told: Any) -> None:
        """Have the payer pay."""
        await self.control(f"charges/{reference}/pay", told)

    async def fault(self, call: str, wrong: str, **more: Any) -> None:
        """Have a call go wrong."""
        await self.control("faults", {"call": call, "wrong": wrong, **more})

    async def told(self, count: int) -> None:
        """Wait until so many webhooks have come."""
        async with asyncio.timeout(20):
            while len(self.webhooks) < count:  # noqa: ASYNC110 - a server appends; nobody sets an event
                await asyncio.sleep(0.01)


@asynccontextmanager
async def rehearsal(
    face: str,
    file: Path | None = None,
    *,
    answer_seconds: float = 5.0,
    refund_seconds: float | None = 0.05,
    take: Any = None,
    clock: Clock | None = None,
) -> AsyncIterator[Rehearsal]:
    """Give a gateway that tells a server of this test; ``take`` is asked what to answer to a webhook."""
    heard: list[tuple[bytes, dict[str, str]]] = []

    async def webhook(request: Request) -> Response:
        body, headers = await request.body(), dict(request.headers)
        status = 204 if take is None else await take(body, headers)
        heard.append((body, headers))
        return Response(status_code=status)

    listener = socket.create_server(("127.0.0.1", 0))
    shop = f"http://127.0.0.1:{listener.getsockname()[1]}"
    app = Starlette(routes=[Route("/webhooks", webhook, methods=["POST"])])
    server = HttpServer(app, "shop")
    running = asyncio.ensure_future(server.serve(sockets=[listener]))
    config = GatewayConfig(
        face="paystack" if face == "paystack" else "sandbox",
        secret=SECRET,
        webhook_url=f"{shop}/webhooks",
        file=file,
        refund_seconds=refund_seconds,
        retry_seconds=0.02,
        dispute_fee_kobo=DISPUTE_FEE if face == "sandbox" else 0,
        clock=clock,
    )
    try:
        async with serving_gateway(config) as origin:
            gateway = gateway_at(face, origin, answer_seconds)
            found = Rehearsal(face, origin, gateway, heard)
            try:
                yield found
            finally:
                await gateway.close()
                await found.client.aclose()
                server.should_exit = True
    finally:
        server.should_exit = server.force_exit = True
        await running


@dataclass
class Till:
    """The parts of payments, and the few steps that most tests take with them."""

    clock: ManualClock
    database: Database
    service: PaymentService
    handlers: PaymentHandlers
    rehearsal: Rehearsal
    operations: int = 0

    def __post_init__(self) -> None:
        worked = {**self.handlers.handlers(), **pass_handlers(self.database, self.service.rules)}
        self.worker = Worker(self.database, worked, WorkerLimits(attempts=3))

    async def ask_refund(self, reference: str) -> Payment:
        """Ask for the money of a payment back as its payer does."""
        return await self.database.write(partial(ask_refund, user_id=ADA, reference=reference))

    async def begin(self, user_id: str = ADA, operation: str | None = None) -> Payment:
        """Begin to pay for the pass."""
        self.operations += 1
        return await self.service.begin(user_id, "unlimited", operation or f"operation-{self.operations}")

    async def settle(self) -> None:
        """Work what is due now."""
        await self.worker.run_until_idle()

    async def later(self, by: timedelta) -> None:
        """Move the clock and work what is due then."""
        self.clock.advance(by)
        await self.settle()

    async def look(self, payment: Payment) -> Payment:
        """Return a payment as it is now."""
        return await self.service.payment(payment.user_id, payment.reference)

    async def paid(self, user_id: str = ADA) -> Payment:
        """Begin to pay, pay, and see it settled."""
        payment = await self.begin(user_id)
        told = len(self.rehearsal.webhooks)
        await self.rehearsal.pay(payment.reference)
        await self.rehearsal.told(told + 1)
        await self.settle()
        return await self.look(payment)

    async def periods(self, user_id: str) -> tuple[list[PassPeriod], bool]:
        """Return a user's passes, and whether one runs."""
        return await passes_held(self.database, user_id)

    async def book(self) -> dict[str, int]:
        """Return the accounts that are not at zero, having looked the whole book through."""

        def look(connection: Connection) -> dict[str, int]:
            assert verify_book(connection).findings == ()
            return {str(account): kobo for account, kobo in balances(connection).items() if kobo}

        return await self.database.read(look)

    async def waiting(self, kind: str) -> int:
        """Return how many entries of a kind wait."""
        query = select(outbox_entry.c.id).where(outbox_entry.c.kind == kind, outbox_entry.c.state == "waiting")
        return await self.database.read(lambda connection: len(connection.execute(query).all()))


SETTLED: Final = {
    Account.CASH_AT_GATEWAY.value: PRICE - FEE,
    Account.GATEWAY_FEES.value: FEE,
    Account.DEFERRED_REVENUE.value: -PRICE,
}


@asynccontextmanager
async def open_till(
    folder: Path,
    face: str = "sandbox",
    rules: PassRules | None = None,
    *,
    answer_seconds: float = 5.0,
    refund_seconds: float | None = 0.05,
) -> AsyncIterator[Till]:
    """Give a till with two users, closed when the test is through with it."""
    rules = rules or PassRules()
    tills: list[Till] = []

    async def take(body: bytes, headers: dict[str, str]) -> int:
        try:
            await tills[0].service.take_webhook(face, body, headers)
        except PaymentsError:
            return 400
        return 204

    clock = ManualClock(START)
    async with (
        open_database(folder, clock) as database,
        rehearsal(
            face, answer_seconds=answer_seconds, refund_seconds=refund_seconds, take=take, clock=clock
        ) as there,
    ):

        def change(connection: Connection) -> None:
            for user_id, email, phone in ((ADA, "ada@example.ng", None), (BOLA, None, "+2348031234567")):
                connection.execute(
                    insert(user_account).values(
                        user_id=user_id,
                        email=email,
                        phone_number=phone,
                        password_hash="",
                        recovery_code_hash=b"",
                        created_at=START,
                    )
                )

        await database.write(change)
        page = PayerPage("http://shop.test", "payer@example.ng")
        opening = Opening(database, there.gateway, page, rules)
        service = PaymentService(database, Catalogue.load(), there.gateway, opening, rules)
        handlers = PaymentHandlers(database, there.gateway, opening, rules)
        tills.append(Till(clock, database, service, handlers, there))
        yield tills[0]
