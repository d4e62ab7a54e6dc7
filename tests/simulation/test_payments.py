"""Payments under whatever can happen, in whatever order: the gateway and the book agree in the end, to the kobo.

The gateway is the rehearsal one with its application called in this process; answers are lost on the way. Webhooks
are kept and delivered by the test: late, never, or twice. The gateway's operator refunds wholly or in part, payers
dispute through their banks, payouts are made, unpaid payments are deleted here. In the end no webhook is delivered:
one reconciliation has to find everything.
"""

import asyncio
import hashlib
import hmac
import tempfile
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import Any

import httpx2
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import Connection, func, insert, select

from kswifi.accounts.sql import user_account
from kswifi.books.model import Account
from kswifi.books.service import balances, entries_after
from kswifi.books.verify import verify_book
from kswifi.catalogue.service import Catalogue
from kswifi.database.engine import Database, transaction_instant
from kswifi.jobs.worker import Worker, WorkerLimits
from kswifi.lab.rehearsal.payments.engine import Engine
from kswifi.lab.rehearsal.payments.model import ChargeStatus, DisputeStatus, GatewayRefusal
from kswifi.lab.rehearsal.payments.server import GatewayConfig, make_gateway
from kswifi.payments.errors import PaymentsError
from kswifi.payments.job_handlers import PaymentHandlers, pass_handlers
from kswifi.payments.model import UNPAID_STATES, PassState, Payment, PaymentState
from kswifi.payments.opening import Opening, PayerPage
from kswifi.payments.ports import PaymentGateway, Window
from kswifi.payments.reconciliation import Reconciler
from kswifi.payments.rules import PassRules
from kswifi.payments.service import PaymentService, ask_refund
from kswifi.payments.settling import take_back
from kswifi.payments.sql import pass_period
from kswifi.payments.store import find_payment, payments_of, prune_unpaid
from tests.support.clocks import ManualClock
from tests.support.databases import START, open_database
from tests.support.payments import ADA, DISPUTE_FEE, FACES, PRICE, SECRET, gateway_at

ORIGIN = "http://127.0.0.1:1"


class LossyTransport(httpx2.AsyncBaseTransport):
    """Calls the gateway's application; loses the requests and answers listed in ``losses``."""

    def __init__(self, app: Any) -> None:
        self._inner = httpx2.ASGITransport(app)
        self.losses: list[str] = []

    async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
        loss = self.losses.pop(0) if self.losses else ""
        if loss == "request":
            raise httpx2.ConnectError("lost on the way there")
        answer = await self._inner.handle_async_request(request)
        await answer.aread()
        if loss == "answer":
            raise httpx2.ReadTimeout("lost on the way back")
        if loss == "busy":
            return httpx2.Response(503, request=request)
        return answer


@dataclass
class Kept:
    """Webhooks that were sent, and not delivered yet."""

    face: str
    bodies: list[bytes] = field(default_factory=list)

    def send(self, body: bytes, *, times: int = 1, delay_seconds: float = 0.0) -> None:
        self.bodies += [body] * times

    def signed(self, number: int) -> tuple[bytes, dict[str, str]]:
        body = self.bodies[number % len(self.bodies)]
        header = "x-paystack-signature" if self.face == "paystack" else "x-kswifi-sandbox-signature"
        return body, {header: hmac.new(SECRET.encode(), body, hashlib.sha512).hexdigest()}


@dataclass
class World:
    """A shop, its gateway, and everything between them."""

    clock: ManualClock
    database: Database
    service: PaymentService
    worker: Worker
    engine: Engine
    kept: Kept
    transport: LossyTransport
    gateway: PaymentGateway
    begun: list[str] = field(default_factory=list)

    async def do(self, action: str, number: int) -> None:
        """Take one step; what is refused is refused."""
        with suppress(PaymentsError, GatewayRefusal):
            await getattr(self, f"_{action}")(number)

    async def _begin(self, number: int) -> None:
        operation = f"operation-{number % 4}"
        self.begun.append(f"kswifi-{operation}")
        self.begun.append((await self.service.begin(ADA, "unlimited", operation)).reference)

    async def _pay(self, number: int) -> None:
        self.engine.pay(self.engine.book.by_reference(self._one(number)))

    async def _pay_wrongly(self, number: int) -> None:
        self.engine.pay(self.engine.book.by_reference(self._one(number)), amount_kobo=PRICE - 1 - number)

    async def _decline(self, number: int) -> None:
        self.engine.decline(self.engine.book.by_reference(self._one(number)))

    async def _tell(self, number: int) -> None:
        if self.kept.bodies:
            await self.service.take_webhook(self.kept.face, *self.kept.signed(number))

    async def _lose(self, number: int) -> None:
        self.transport.losses.append(("answer", "request", "busy", "")[number % 4])

    async def _wait(self, number: int) -> None:
        self.clock.advance((timedelta(seconds=15), timedelta(minutes=20), timedelta(hours=30))[number % 3])
        await self.worker.run_until_idle()

    async def _work(self, _number: int) -> None:
        await self.worker.run_until_idle()

    async def _ask_refund(self, number: int) -> None:
        await self.database.write(partial(ask_refund, user_id=ADA, reference=self._one(number)))

    async def _give_back(self, number: int) -> None:
        def change(connection: Connection) -> None:
            payment = find_payment(connection, self._one(number))
            if payment.state is PaymentState.REFUND_ASKED:
                take_back(connection, payment, "nothing was used")

        await self.database.write(change)

    async def _refund_arrives(self, number: int) -> None:
        charge = self.engine.book.by_reference(self._one(number))
        for refund in charge.refunds:
            self.engine.settle_refund(charge, refund.number)

    async def _gateway_refunds(self, number: int) -> None:
        charge = self.engine.book.by_reference(self._one(number))
        self.engine.refund(charge, charge.amount_kobo)

    async def _refund_in_part(self, number: int) -> None:
        charge = self.engine.book.by_reference(self._one(number))
        self.engine.refund(charge, PRICE // 4 + number)

    async def _dispute(self, number: int) -> None:
        charge = self.engine.book.by_reference(self._one(number))
        self.engine.open_dispute(charge, PRICE // 2 if number % 3 == 0 else None)

    async def _decide(self, number: int) -> None:
        self.engine.resolve_dispute(self.engine.book.by_reference(self._one(number)), lost=number % 2 == 0)

    async def _pay_out(self, _number: int) -> None:
        self.engine.settle()

    async def _lose_webhooks(self, _number: int) -> None:
        self.kept.bodies.clear()

    async def _prune(self, _number: int) -> None:
        """Delete unpaid payments as housekeeping does, only sooner; some may still be paid at the gateway."""
        await self.database.write(
            lambda connection: prune_unpaid(connection, transaction_instant(connection) - timedelta(hours=3))
        )

    def _one(self, number: int) -> str:
        return self.begun[number % len(self.begun)] if self.begun else "unknown"

    async def heal(self) -> None:
        """Have everything go right from here on, and time go by."""
        self.transport.losses.clear()
        for _ in range(12):
            self.clock.advance(timedelta(hours=26))
            await self.worker.run_until_idle()
            for reference in set(self.begun):
                await self.do_quietly(reference)
        window = Window(START - timedelta(days=1), self.clock.now() + timedelta(days=1))
        reconciler = Reconciler(self.database, self.gateway, PassRules())
        await reconciler.run(window)
        for _ in range(12):  # refunds that this has begun arrive
            self.clock.advance(timedelta(hours=26))
            await self.worker.run_until_idle()
            for reference in set(self.begun):
                await self.do_quietly(reference)
        window = Window(window.from_at, self.clock.now() + timedelta(days=1))
        report = await reconciler.run(window)
        before = await self.database.read(lambda connection: len(entries_after(connection, 0)))
        again = await reconciler.run(window)
        assert again.found == again.left == report.left == (), "what is reconciled stays reconciled"
        assert before == await self.database.read(lambda connection: len(entries_after(connection, 0)))

    async def do_quietly(self, reference: str) -> None:
        try:
            charge = self.engine.book.by_reference(reference)
        except GatewayRefusal:
            return
        for refund in charge.refunds:
            self.engine.settle_refund(charge, refund.number)
        self.engine.resolve_dispute(charge, lost=bool(charge.number % 2))

    async def check(self) -> None:
        """Compare the book and the states with what the gateway knows."""

        def look(connection: Connection) -> tuple[Mapping[Account, int], dict[str, Payment], Sequence[Any]]:
            assert verify_book(connection).findings == ()
            standing = balances(connection)
            payments = {it.reference: it for it in payments_of(connection, ADA)}
            periods = connection.execute(
                select(pass_period.c.reference, pass_period.c.state, func.count()).group_by(
                    pass_period.c.reference, pass_period.c.state
                )
            ).all()
            return standing, payments, periods

        standing, payments, periods = await self.database.read(look)
        granted = {reference: PassState(state) for reference, state, _ in periods}
        assert all(count == 1 for _, _, count in periods)
        for reference, payment in payments.items():
            try:
                charge = self.engine.book.by_reference(reference)
            except GatewayRefusal:
                assert payment.state in UNPAID_STATES
                continue
            paid = charge.status in (ChargeStatus.PAID, ChargeStatus.REVERSED)
            lost = any(it.status is DisputeStatus.LOST for it in charge.disputes)
            if paid and (charge.returned_kobo >= min(PRICE, charge.amount_kobo) or lost):
                assert payment.state is PaymentState.REFUNDED, payment
                assert payment.refund_kobo == charge.returned_kobo, payment
            elif paid:
                assert payment.state in (PaymentState.SETTLED, PaymentState.REFUND_ASKED), payment
                assert (payment.refund_kobo or 0) == charge.returned_kobo, payment
            else:
                assert payment.state in UNPAID_STATES, payment
            holds = payment.state in (PaymentState.SETTLED, PaymentState.REFUND_ASKED)
            assert holds == (granted.get(reference) in (PassState.GRANTED, PassState.SUSPENDED)), payment
        assert standing[Account.CASH_AT_GATEWAY] == self.engine.balance_kobo()
        paid_charges = [it for it in self.engine.book.all() if it.is_paid]
        disputes = [dispute for it in paid_charges for dispute in it.disputes]
        fees = sum(it.fees_kobo for it in paid_charges)
        fees += sum(it.fee_kobo for it in disputes if it.status is DisputeStatus.LOST)
        assert standing[Account.GATEWAY_FEES] == fees
        assert standing[Account.CASH_AT_BANK] == sum(it.paid_out_kobo for it in self.engine.book.settlements())
        assert standing[Account.REFUNDS_OWED] == 0
        unclaimed = [it for it in paid_charges if it.reference not in payments]
        held = sum(it.amount_kobo - it.returned_kobo for it in unclaimed)
        assert standing[Account.UNASSIGNED_RECEIPTS] == -held


@asynccontextmanager
async def world(folder: Path, face: str) -> AsyncIterator[World]:
    clock = ManualClock(START)
    kept = Kept(face)
    config = GatewayConfig(
        face="paystack" if face == "paystack" else "sandbox",
        secret=SECRET,
        webhook_url=ORIGIN,
        refund_seconds=None,
        dispute_fee_kobo=DISPUTE_FEE if face == "sandbox" else 0,
        clock=clock,
    )
    engine, app = make_gateway(config, kept, ORIGIN)
    gateway = gateway_at(face, ORIGIN)
    transport = LossyTransport(app)
    await gateway.close()
    headers = {"Authorization": f"Bearer {SECRET}"}
    gateway._http._client = httpx2.AsyncClient(  # type: ignore[attr-defined]
        base_url=ORIGIN, transport=transport, headers=headers
    )
    async with open_database(folder, clock) as database:
        await database.write(
            lambda connection: connection.execute(
                insert(user_account).values(
                    user_id=ADA,
                    email="ada@example.ng",
                    password_hash="",
                    recovery_code_hash=b"",
                    created_at=START,
                )
            )
        )
        rules = PassRules()
        opening = Opening(database, gateway, PayerPage("http://shop.test", "pay@example.ng"), rules)
        service = PaymentService(database, Catalogue.load(), gateway, opening, rules)
        handlers = {
            **PaymentHandlers(database, gateway, opening, rules).handlers(),
            **pass_handlers(database, rules),
        }
        worker = Worker(database, handlers, WorkerLimits())
        yield World(clock, database, service, worker, engine, kept, transport, gateway)
    await gateway.close()
    engine.close()


ACTIONS = (
    *("begin", "begin", "pay", "pay", "pay_wrongly", "decline", "tell", "tell", "lose", "lose", "wait", "work"),
    *("ask_refund", "give_back", "refund_arrives", "gateway_refunds", "refund_in_part", "dispute", "decide"),
    *("pay_out", "lose_webhooks", "prune"),
)
steps = st.lists(st.tuples(st.sampled_from(ACTIONS), st.integers(0, 7)), min_size=3, max_size=25)


def _run(face: str, taken: list[tuple[str, int]]) -> None:
    async def scenario() -> None:
        with tempfile.TemporaryDirectory() as folder:
            async with world(Path(folder), face) as shop:
                for action, number in taken:
                    await shop.do(action, number)
                await shop.heal()
                await shop.check()

    asyncio.run(scenario())


@pytest.mark.parametrize("face", FACES)
@settings(deadline=None, max_examples=6, suppress_health_check=list(HealthCheck))
@given(taken=steps)
def test_the_gateway_and_the_book_agree_in_the_end(face: str, taken: list[tuple[str, int]]) -> None:
    _run(face, [("begin", 0), *taken])


@pytest.mark.soak
@pytest.mark.parametrize("face", FACES)
@settings(deadline=None, max_examples=1_500, suppress_health_check=list(HealthCheck))
@given(taken=steps)
def test_they_agree_for_long(face: str, taken: list[tuple[str, int]]) -> None:
    _run(face, [("begin", 0), *taken])
