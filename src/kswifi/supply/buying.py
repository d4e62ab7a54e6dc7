"""Carry out one order: the paid call, the looks after an unknown result, delivery, installation, refunds.

The state ``unknown`` is committed before the paid call. An order in that state is looked up; it is sent again only
to a provider that recognises our reference. So a crash, a lost answer or two workers never buy twice.
"""

from dataclasses import dataclass, replace
from datetime import timedelta
from functools import partial

import structlog
from sqlalchemy import Connection

from kswifi.books.service import post
from kswifi.database.engine import transaction_instant
from kswifi.esim.lines.service import set_supplied_state
from kswifi.esim.model import ProfileState
from kswifi.free_data.grants import spend_bundle
from kswifi.supply import jobs, store
from kswifi.supply.context import Supply
from kswifi.supply.model import Money
from kswifi.supply.money import purchase_lines, refund_lines
from kswifi.supply.orders import CHARGED_STATES, DELIVERED_STATES, OrderEvent, OrderState, events_to
from kswifi.supply.ports import (
    Ambiguous,
    DataProvider,
    Delivery,
    NotThere,
    Ordered,
    OrderStatus,
    Refunded,
    RefusalKind,
    Refused,
    Unknown,
)
from kswifi.supply.records import ProviderLine, ProviderOrder
from kswifi.supply.rules import ASK_AGAIN_AT, back_off

_log = structlog.get_logger(__name__)

_BEFORE_ASKING = timedelta(seconds=60)
"""An order at the provider can be older than our intent by this much: clocks differ."""
_TURN = timedelta(seconds=5)

_UNUSED = (OrderState.ALLOCATED, OrderState.INSTALLED)

Answer = Ordered | OrderStatus | Refused | NotThere | Ambiguous | Unknown


@dataclass(frozen=True, slots=True)
class _Read:
    order: ProviderOrder
    line: ProviderLine
    owned: frozenset[str]


def _converted(supply: Supply, amount: Money) -> int | None:
    """Return an amount in kobo without the margin; None without a rate, which must not lose the order's result."""
    return replace(supply.rates, margin_percent=0).kobo(amount)


class Buying:
    """Works on orders, one call at a time."""

    def __init__(self, supply: Supply) -> None:
        self._supply = supply

    async def work(self, reference: str) -> None:
        """Make the next call of an order, and write its result."""
        database = self._supply.database
        read = await database.write(partial(self._begin, reference=reference))
        if read is None:
            return
        provider = self._supply.providers[read.order.provider]
        answer = await self._call(provider, read)
        await database.write(partial(self._settle, reference=reference, answer=answer))

    def _begin(self, connection: Connection, reference: str) -> _Read | None:
        """Decide on the next call; commit the state ``unknown`` before the first paid one."""
        order = store.find_order(connection, reference)
        line = store.line_of(connection, order.line_id, self._supply.vault)
        if order.next_look_at is None or line is None:
            return None
        provider = self._supply.providers[order.provider]
        now = transaction_instant(connection)
        if order.state is OrderState.INTENDED:
            if not provider.capabilities.idempotent and store.has_unanswered(connection, order):
                # A look could not distinguish two unanswered orders of one bundle.
                store.change_order(connection, reference, next_look_at=now + _TURN)
                return None
            order = store.move_order(
                connection, order, OrderEvent.ASKED, asked_at=now, next_look_at=now + back_off(1)
            )
            # Until a refusal is certain, the money counts as spent.
            spend_bundle(connection, order.session_id, order.cost_kobo)
            return _Read(order, line, frozenset())
        owned = store.owned_since(connection, order, (order.asked_at or now) - _BEFORE_ASKING)
        store.change_order(
            connection, reference, looks=order.looks + 1, next_look_at=now + back_off(order.looks + 1)
        )
        return _Read(store.find_order(connection, reference), line, owned)

    async def _call(self, provider: DataProvider, read: _Read) -> Answer | Refunded:
        """Make the call: the purchase for an order that was just marked, else a look or a return."""
        order = read.order
        intent = order.intent(read.line.ref)
        if order.state is OrderState.UNKNOWN and order.looks == 0:
            return await provider.order(intent)
        if order.wants_cancel and order.state in _UNUSED and provider.capabilities.cancels_unused:
            return await provider.cancel(intent)
        answer = await provider.look(intent, read.owned)
        asks_again = provider.capabilities.idempotent and order.looks in ASK_AGAIN_AT
        if isinstance(answer, NotThere) and order.state is OrderState.UNKNOWN and asks_again:
            # Nothing can be bought twice under one reference at this provider. A refusal of the repeated call does
            # not tell what became of the first one, which may still be under way.
            repeated = await provider.order(intent)
            return Unknown(repeated.words) if isinstance(repeated, Refused) else repeated
        return answer

    def _settle(self, connection: Connection, reference: str, answer: Answer | Refunded) -> None:
        order = store.find_order(connection, reference)
        match answer:
            case Ordered(status=status) | (OrderStatus() as status):
                self._follow(connection, order, status)
            case Refunded():
                self._back(connection, order, OrderEvent.REFUNDED, "the provider returned the price")
            case Refused(kind=kind, words=words):
                self._refused(connection, order, kind, words)
            case NotThere():
                self._absent(connection, order)
            case Ambiguous(provider_refs=refs):
                # A person decides: no further call is made for this order.
                words = f"several orders at the provider fit: {', '.join(refs)}"
                store.change_order(connection, reference, words=words[: store.WORDS_LIMIT], next_look_at=None)
                _log.error("provider_order_ambiguous", reference=reference, provider_refs=refs)
            case Unknown(words=words, retry_after_seconds=seconds):
                store.change_order(connection, reference, words=words[: store.WORDS_LIMIT])
                if seconds:
                    until = transaction_instant(connection) + timedelta(seconds=seconds)
                    store.change_order(connection, reference, next_look_at=until)

    def _follow(self, connection: Connection, order: ProviderOrder, status: OrderStatus) -> None:
        """Take the order to the stage that the provider reports."""
        found = {"provider_ref": status.provider_ref, "bundle_ref": status.bundle_ref}
        store.change_order(
            connection,
            order.reference,
            absent_looks=0,
            absent_since=None,
            **{name: value for name, value in found.items() if value is not None},
        )
        order = store.find_order(connection, order.reference)
        for event in events_to(order.state, status.stage):
            order = self._apply(connection, order, event, status)
        self._begin_to_count(connection, order)
        if not self._needs_look(order):
            store.change_order(connection, order.reference, next_look_at=None)

    def _begin_to_count(self, connection: Connection, order: ProviderOrder) -> None:
        """Add the counter of a delivered bundle, once its id is known; it may be used up by then."""
        lag = self._supply.providers[order.provider].capabilities.usage_lag_seconds
        is_counted = (*DELIVERED_STATES, OrderState.DEPLETED, OrderState.EXPIRED)
        if order.state not in is_counted or order.bundle_ref is None or lag is None:
            return
        if order.bundle_ref not in store.counters_of(connection, order.line_id) or order.looks == 0:
            now = transaction_instant(connection)
            store.add_counter(connection, order, order.bundle_ref, now + timedelta(seconds=max(1, lag)))

    def _needs_look(self, order: ProviderOrder) -> bool:
        """Return whether an order is looked at further: for its delivery, its installation, or its return."""
        if order.state in (OrderState.UNKNOWN, OrderState.PLACED):
            return True
        capabilities = self._supply.providers[order.provider].capabilities
        returns = order.wants_cancel and order.state in _UNUSED and capabilities.cancels_unused
        waits = capabilities.tells_installation and order.state is OrderState.ALLOCATED
        # Some providers tell the id of the bundle's counter later than the delivery.
        is_uncounted = order.bundle_ref is None and capabilities.usage_lag_seconds is not None
        return returns or waits or (is_uncounted and order.state in DELIVERED_STATES)

    def _apply(
        self, connection: Connection, order: ProviderOrder, event: OrderEvent, status: OrderStatus
    ) -> ProviderOrder:
        now = transaction_instant(connection)
        if event in (OrderEvent.NOT_PLACED, OrderEvent.FAILED, OrderEvent.CANCELLED, OrderEvent.REFUNDED):
            return self._back(connection, order, event, status.words or f"the provider reports {status.stage}")
        columns = {"delivered_at": now} if event is OrderEvent.DELIVERED else {}
        was_charged = order.state in CHARGED_STATES
        order = store.move_order(connection, order, event, **columns)
        if not was_charged and order.state in CHARGED_STATES:
            self._charge(connection, order, status)
        if event is OrderEvent.DELIVERED:
            self._deliver(connection, order, status)
        if event is OrderEvent.INSTALLED:
            set_supplied_state(connection, order.line_id, ProfileState.INSTALLED)
            jobs.tell_installed(connection, order)
        return store.find_order(connection, order.reference)

    def _charge(self, connection: Connection, order: ProviderOrder, status: OrderStatus) -> None:
        """Book what the provider took; correct what the payer of free data has spent for it."""
        kobo = order.cost_kobo
        if status.charged is not None and status.charged != order.price:
            kobo = _converted(self._supply, status.charged) or kobo
        store.change_order(connection, order.reference, booked_kobo=kobo)
        if kobo:
            post(
                connection,
                reference=f"provider_order:{order.reference}",
                kind="data_bought",
                lines=purchase_lines(kobo),
                at=transaction_instant(connection),
            )
        spend_bundle(connection, order.session_id, kobo - order.cost_kobo)

    def _deliver(self, connection: Connection, order: ProviderOrder, status: OrderStatus) -> None:
        line = store.line_of(connection, order.line_id, self._supply.vault)
        if line is None:
            return
        store.put_delivered(connection, line, status, self._supply.vault)
        if line.kind is Delivery.PROFILE:
            set_supplied_state(connection, order.line_id, ProfileState.RELEASED)
        jobs.tell_delivered(connection, order)

    def _refused(self, connection: Connection, order: ProviderOrder, kind: RefusalKind, words: str) -> None:
        if order.state is OrderState.UNKNOWN:
            store.change_order(connection, order.reference, refusal=kind)
            self._back(connection, order, OrderEvent.NOT_PLACED, words)
            _log.warning("provider_refused", reference=order.reference, kind=kind, words=words)
            return
        # A refused return: the bundle stays bought.
        store.change_order(
            connection,
            order.reference,
            refusal=kind,
            words=words[: store.WORDS_LIMIT],
            wants_cancel=False,
            next_look_at=None,
        )

    def _absent(self, connection: Connection, order: ProviderOrder) -> None:
        now = transaction_instant(connection)
        absence = order.absence.seen(now)
        store.change_order(connection, order.reference, absent_looks=absence.looks, absent_since=absence.since)
        capabilities = self._supply.providers[order.provider].capabilities
        if order.state is OrderState.UNKNOWN and absence.is_proof(capabilities, now):
            self._back(connection, order, OrderEvent.NOT_PLACED, "the provider has no such order")

    def _back(self, connection: Connection, order: ProviderOrder, event: OrderEvent, words: str) -> ProviderOrder:
        """End an order that delivers nothing (any more); book the money back that came back."""
        was_charged = order.state in CHARGED_STATES
        order = store.move_order(connection, order, event, words=words[: store.WORDS_LIMIT], next_look_at=None)
        came_back = order.state in (OrderState.REFUSED, OrderState.REFUNDED)
        if came_back:
            spend_bundle(connection, order.session_id, -(order.booked_kobo if was_charged else order.cost_kobo))
        if came_back and order.booked_kobo:
            post(
                connection,
                reference=f"provider_refund:{order.reference}",
                kind="data_refunded",
                lines=refund_lines(order.booked_kobo),
                at=transaction_instant(connection),
            )
            store.change_order(connection, order.reference, booked_kobo=0)
        jobs.tell_failed(connection, order, words)
        return store.find_order(connection, order.reference)
