"""Read the counters of bundles at the provider, and report their growth to the ledger."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from functools import partial

import structlog
from sqlalchemy import Connection

from kswifi.database.engine import transaction_instant
from kswifi.supply import jobs, store
from kswifi.supply.context import Supply
from kswifi.supply.orders import DELIVERED_STATES, OrderEvent
from kswifi.supply.ports import BundleState, BundleUsage, Refused, Unknown
from kswifi.supply.records import ProviderLine, ProviderOrder
from kswifi.supply.rules import Counter, spread

_log = structlog.get_logger(__name__)

_AGAIN = timedelta(seconds=60)


class Counting:
    """Works on counters: one call for several lines."""

    def __init__(self, supply: Supply) -> None:
        self._supply = supply
        self._open: dict[str, tuple[datetime, int]] = {}

    async def work(self, provider_name: str, line_ids: Sequence[str]) -> None:
        """Read the counters of these lines, and write what grew."""
        database, provider = self._supply.database, self._supply.providers[provider_name]

        def begin(connection: Connection) -> list[ProviderLine]:
            # Whatever fails in this look, the next comes later.
            store.postpone_counters(connection, line_ids, transaction_instant(connection) + _AGAIN)
            found = (store.line_of(connection, line_id, self._supply.vault) for line_id in line_ids)
            return [line for line in found if line is not None]

        lines = [line for line in await database.write(begin) if line.ref is not None]
        answer = await provider.usage([line.ref for line in lines if line.ref is not None])
        by_ref = {line.ref.provider_ref: line.line_id for line in lines if line.ref is not None}
        await database.write(partial(self._settle, line_ids=line_ids, by_ref=by_ref, answer=answer))

    def _settle(
        self,
        connection: Connection,
        line_ids: Sequence[str],
        by_ref: dict[str, str],
        answer: tuple[BundleUsage, ...] | Refused | Unknown,
    ) -> None:
        now = transaction_instant(connection)
        if isinstance(answer, Unknown) and answer.retry_after_seconds:
            store.postpone_counters(connection, line_ids, now + timedelta(seconds=answer.retry_after_seconds))
        if isinstance(answer, Refused | Unknown):
            _log.warning("usage_not_read", lines=len(line_ids), words=answer.words)
            return
        for usage in answer:
            line_id = by_ref.get(usage.line_ref)
            if line_id is not None:
                self._count(connection, line_id, usage)

    def _open_counters(self, connection: Connection, provider_name: str) -> int:
        """Return how many counters of a provider are looked at, as it was within the last minute."""
        now = transaction_instant(connection)
        counted_at, counters = self._open.get(provider_name, (now, 0))
        if not counters or abs(now - counted_at) >= _AGAIN:
            counters = store.open_counters(connection, provider_name)
            self._open[provider_name] = (now, counters)
        return counters

    def _count(self, connection: Connection, line_id: str, usage: BundleUsage) -> None:
        counter = store.counters_of(connection, line_id).get(usage.bundle_ref)
        orders = store.orders_on(connection, line_id, usage.bundle_ref)
        if counter is None or not orders:
            return
        provider_name, now = orders[0].provider, transaction_instant(connection)
        counter = counter.after(usage, now)
        capabilities = self._supply.providers[provider_name].capabilities
        delivered_at = max((order.delivered_at for order in orders if order.delivered_at), default=now)
        counters = self._open_counters(connection, provider_name)
        next_look = counter.next_look(capabilities, now, delivered_at, counters)
        store.put_counter(connection, line_id, usage.bundle_ref, counter, next_look)
        volumes = [order.bundle_octets for order in orders]
        for order, used in zip(orders, spread(counter.used_octets, volumes), strict=True):
            _use(connection, order, used, counter, usage)


def _use(connection: Connection, order: ProviderOrder, used: int, counter: Counter, usage: BundleUsage) -> None:
    """Report the use of one order's bundle, and end the order with its bundle."""
    if used:
        # A profile's session has one bundle: its counter is the session's.
        jobs.tell_used(connection, order.session_id, used, usage.as_of)
    event = None
    if order.state not in DELIVERED_STATES:
        return
    if counter.state is BundleState.DEPLETED or used >= order.bundle_octets:
        event = OrderEvent.DEPLETED
    elif counter.state in (BundleState.EXPIRED, BundleState.REVOKED):
        event = OrderEvent.EXPIRED
    elif used and order.state is not DELIVERED_STATES[-1]:
        event = OrderEvent.USED
    if event is not None:
        store.move_order(connection, order, event, next_look_at=None)
        if event is OrderEvent.DEPLETED:
            # The provider ended the bundle: its status confirms the cut-off.
            store.change_line(connection, order.line_id, next_try_at=transaction_instant(connection))
