"""Reconciliation: fetch the gateway's lists, compare, look up and book differences, report what needs a person.

It can run again at any time, also concurrently with webhooks and look-ups: only differences between the gateway's
figures and the book are booked. Nothing is granted or booked from a list; a list only tells which payments to look
up.
"""

import asyncio
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, date, datetime, time, timedelta
from functools import partial
from typing import Any, Final, TypeVar

import structlog
from sqlalchemy import Connection, delete, select

from kswifi.books.model import Account
from kswifi.books.service import post
from kswifi.database.dialect import insert
from kswifi.database.engine import Database, transaction_instant
from kswifi.outbox.results import Done, JobResult, Refused, Unknown
from kswifi.payments import jobs
from kswifi.payments.bookings import sandbox_kind
from kswifi.payments.comparing import Finding, FindingKind, Here, There, compare, settlement_problem
from kswifi.payments.errors import GatewayNotListedError
from kswifi.payments.gateway_items import (
    GatewayItem,
    ItemKind,
    items_about,
    note_item,
    open_disputes,
    settlement_amounts,
    unclaimed_receipts,
    undecided_references,
)
from kswifi.payments.ports import (
    Charge,
    GatewayRefused,
    GatewayUnknown,
    PaymentGateway,
    Settlement,
    SettlementStatus,
    Window,
)
from kswifi.payments.rules import PassRules
from kswifi.payments.settling import follow
from kswifi.payments.sql import reconciliation
from kswifi.payments.standing import Standing, look_up
from kswifi.payments.store import payment_of, payments_by_reference, references_settled_in
from kswifi.payments.unclaimed import follow_unclaimed

_log = structlog.get_logger(__name__)

_Item = TypeVar("_Item")

LOOKS_IN_A_JOB: Final = 40
"""The maximum of look-ups in one attempt of a job; its next attempt continues."""
LOOKS_LIMIT: Final = 2_000
LOOKS_AT_ONCE: Final = 4
RUNS_KEPT: Final = timedelta(days=400)


@dataclass(frozen=True, slots=True)
class Report:
    """The result of the reconciliation of a window.

    ``found`` are the differences before the look-ups, ``left`` those after them. Each item of ``left``, of
    ``disputes`` (the open ones) and of ``unclaimed`` needs a person.
    """

    window: Window
    found: tuple[Finding, ...]
    left: tuple[Finding, ...]
    disputes: tuple[GatewayItem, ...]
    unclaimed: tuple[GatewayItem, ...]

    @property
    def needs_a_person(self) -> bool:
        """Whether anything needs a person."""
        return bool(self.left or self.disputes or self.unclaimed)


class Reconciler:
    """Reconciles this installation with its gateway."""

    def __init__(self, database: Database, gateway: PaymentGateway, rules: PassRules) -> None:
        self._database = database
        self._gateway = gateway
        self._rules = rules

    async def work_day(self, day: str) -> JobResult:
        """Reconcile one day (ISO 8601, UTC) as a job; beyond the limit of look-ups, the next attempt continues."""
        try:
            report = await self.run(day_window(date.fromisoformat(day)), looks=LOOKS_IN_A_JOB)
        except GatewayNotListedError as error:
            return Refused(error.message) if error.facts["refused"] else Unknown(error.message)
        if any(it.kind is FindingKind.NOT_LOOKED_AT for it in report.left):
            return Unknown("more differed than one try looks at")
        if report.needs_a_person:
            _log.error(
                "reconciliation_needs_a_person",
                day=day,
                findings=[f"{it.kind}:{it.reference or it.item_id}" for it in report.left[:20]],
                disputes=len(report.disputes),
                unclaimed=len(report.unclaimed),
            )
        return Done()

    async def run(self, window: Window, looks: int = LOOKS_LIMIT) -> Report:
        """Reconcile a window: look up at most ``looks`` payments, book the differences, and store what is left.

        Raises:
            GatewayNotListedError: the gateway did not return one of its lists; what was booked before stays booked.
        """
        name = self._gateway.name
        there = await self._fetch(window)
        here = await self._read(there, window)
        found = compare(here, there)
        asked = [it.reference for it in found if it.reference is not None]
        asked += sorted(await self._database.read(lambda connection: undecided_references(connection, name)))
        wanted = list(dict.fromkeys(asked))
        paid = await self._look_at(wanted[:looks])
        problems = await self._book_settlements(there, window)
        here = await self._read(there, window)
        # A charge that is missing in the list but confirmed by the look-up is at the edge of the window.
        left = [
            it
            for it in compare(here, there)
            if it.kind is not FindingKind.SETTLEMENT_NOT_BOOKED
            and not (it.kind is FindingKind.MISSING_THERE and it.reference in paid)
        ]
        left += problems
        left += [Finding(FindingKind.NOT_LOOKED_AT, it) for it in wanted[looks:]]

        def keep(connection: Connection) -> Report:
            report = Report(
                window,
                tuple(found),
                tuple(left),
                tuple(open_disputes(connection, name)),
                tuple(unclaimed_receipts(connection, name)),
            )
            _keep(connection, name, report)
            return report

        return await self._database.write(keep)

    async def _fetch(self, window: Window) -> There:
        transactions = _listed(await self._gateway.list_transactions(window), "charges")
        refunds = _listed(await self._gateway.list_refunds(window), "refunds")
        disputes = _listed(await self._gateway.list_disputes(window), "disputes")
        settlements = _listed(await self._gateway.list_settlements(window), "payouts")
        contents: dict[str, tuple[Charge, ...]] = {}
        for one in settlements:
            if one.status is SettlementStatus.PAID_OUT:
                listed = await self._gateway.settlement_transactions(one.settlement_id)
                contents[one.settlement_id] = _listed(listed, "a payout's charges")
        return There(transactions, refunds, disputes, settlements, contents)

    async def _read(self, there: There, window: Window) -> Here:
        name = self._gateway.name
        listed = there.references()

        def look(connection: Connection) -> Here:
            settled = references_settled_in(connection, name, self._gateway.sandbox, window.from_at, window.to_at)
            payments = payments_by_reference(connection, name, listed | settled)
            items = items_about(connection, name, list(listed))
            return Here(
                payments,
                frozenset(settled),
                frozenset(it.item_id for it in items if it.kind is ItemKind.UNCLAIMED),
                {it.item_id: it.state for it in items if it.kind is ItemKind.REFUND},
                {it.item_id: it.state for it in items if it.kind is ItemKind.DISPUTE},
                settlement_amounts(connection, name, [it.settlement_id for it in there.settlements]),
            )

        return await self._database.read(look)

    async def _look_at(self, references: Sequence[str]) -> set[str]:
        """Look up payments with limited concurrency, and book the answers; return the references that were paid."""
        turns = asyncio.Semaphore(LOOKS_AT_ONCE)

        async def look(reference: str) -> bool:
            async with turns:
                return await self._follow(reference)

        answers = await asyncio.gather(*(look(it) for it in references))
        return {reference for reference, paid in zip(references, answers, strict=True) if paid}

    async def _follow(self, reference: str) -> bool:
        standing = await look_up(self._gateway, reference)
        if not isinstance(standing, Standing):
            _log.warning("payment_not_looked_up", reference=reference, words=standing.words)
            return False

        def take(connection: Connection) -> None:
            payment = payment_of(connection, reference)
            if payment is None:
                follow_unclaimed(connection, self._gateway.name, self._gateway.sandbox, standing)
            elif payment.gateway == self._gateway.name:
                follow(connection, reference, standing, self._rules)

        await self._database.write(take)
        return standing.is_paid

    async def _book_settlements(self, there: There, window: Window) -> list[Finding]:
        """Book the payouts whose amounts add up; return findings for the others."""
        here = await self._read(there, window)
        known = set(here.payments) | here.unclaimed
        problems = []
        for one in there.settlements:
            if one.status is not SettlementStatus.PAID_OUT or one.settlement_id in here.settlements:
                continue
            words = settlement_problem(one, there.contents[one.settlement_id], known)
            if words is None:
                await self._database.write(partial(self._book_settlement, one=one))
            else:
                kind, number = FindingKind.SETTLEMENT_DIFFERS, one.settlement_id
                problems.append(Finding(kind, None, number, there_kobo=one.paid_out_kobo, words=words))
        return problems

    def _book_settlement(self, connection: Connection, one: Settlement) -> None:
        now, name, sandbox = transaction_instant(connection), self._gateway.name, self._gateway.sandbox
        if one.paid_out_kobo:
            post(
                connection,
                reference=f"gateway:{name}:settlement:{one.settlement_id}",
                kind=sandbox_kind("gateway_settlement", sandbox=sandbox),
                lines=[
                    (Account.CASH_AT_BANK, one.paid_out_kobo),
                    (Account.CASH_AT_GATEWAY, -one.paid_out_kobo),
                ],
                at=now if one.settled_at is None else min(one.settled_at, now),
            )
        note_item(
            connection,
            GatewayItem(
                gateway=name,
                kind=ItemKind.SETTLEMENT,
                item_id=one.settlement_id,
                reference=None,
                sandbox=sandbox,
                state=one.status,
                amount_kobo=one.paid_out_kobo,
                fees_kobo=one.fees_kobo,
                due_at=None,
                noted_at=now,
            ),
        )


async def ask_daily(database: Database, gateway: str) -> int:
    """Enqueue today's reconciliations; return 0. Idempotent on one day. A housekeeping chore."""
    await database.write(lambda connection: jobs.ask_to_reconcile(connection, gateway))
    return 0


def day_window(day: date) -> Window:
    """Return the window of a day in UTC."""
    from_at = datetime.combine(day, time.min, tzinfo=UTC)
    return Window(from_at, from_at + timedelta(days=1))


def findings_left(connection: Connection, gateway: str) -> list[dict[str, Any]]:
    """Return what the last reconciliation of each window left to a person, the newest window first."""
    query = (
        select(reconciliation.c.from_at, reconciliation.c.findings)
        .where(reconciliation.c.gateway == gateway)
        .order_by(reconciliation.c.from_at.desc())
        .limit(RUNS_KEPT.days)
    )
    return [
        {"day": from_at.date().isoformat(), **finding}
        for from_at, findings in connection.execute(query)
        for finding in findings
    ]


def finding_json(finding: Finding) -> dict[str, Any]:
    """Return a finding as a JSON object without its empty fields."""
    return {name: value for name, value in asdict(finding).items() if value is not None}


def _keep(connection: Connection, gateway: str, report: Report) -> None:
    now = transaction_instant(connection)
    values = {
        "gateway": gateway,
        "from_at": report.window.from_at,
        "to_at": report.window.to_at,
        "ran_at": now,
        "findings": [finding_json(it) for it in report.left],
    }
    new = insert(reconciliation).values(values)
    changed = {name: values[name] for name in ("to_at", "ran_at", "findings")}
    connection.execute(new.on_conflict_do_update(index_elements=["gateway", "from_at"], set_=changed))
    connection.execute(delete(reconciliation).where(reconciliation.c.to_at < now - RUNS_KEPT))


def _listed(answer: tuple[_Item, ...] | GatewayRefused | GatewayUnknown, what: str) -> tuple[_Item, ...]:
    if isinstance(answer, tuple):
        return answer
    refused = isinstance(answer, GatewayRefused)
    raise GatewayNotListedError(f"the gateway did not list its {what}: {answer.words}", refused=refused)
