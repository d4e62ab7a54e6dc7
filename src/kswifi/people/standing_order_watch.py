"""Declares the due dates of standing orders: by the balances that the projector reported, and the ends of sessions.

It reads a batch of standing orders at a time, in the order of their ids, and decides each that has changed again in
a write of its own.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial

from sqlalchemy import Connection

from kswifi.database.engine import Database, transaction_instant
from kswifi.esim.lines.service import esims_of_all
from kswifi.esim.model import ESim
from kswifi.free_data import waiting
from kswifi.kernel.errors import KswifiError
from kswifi.people import standing_order_store as store
from kswifi.people.standing_order_model import (
    Holding,
    LastResult,
    StandingOrder,
    StandingOrderEvent,
    StandingOrderState,
    is_needed,
    next_standing_order_state,
)
from kswifi.people.standing_orders import JOIN_WAITING_LIST, LEAST_BETWEEN_CALLS, StandingOrderService
from kswifi.sessions.orders import SessionDownloadService


@dataclass(frozen=True, slots=True)
class _Look:
    """A standing order with the line that its next session would go to, and the live sessions of that line."""

    order: StandingOrder
    line: ESim | None
    holdings: Sequence[Holding]


class StandingOrderWatch:
    """Looks at all standing orders, a batch at each call."""

    def __init__(
        self, database: Database, downloads: SessionDownloadService, service: StandingOrderService
    ) -> None:
        self._database = database
        self._downloads = downloads
        self._service = service
        self._after = ""

    async def look(self) -> int:
        """Look at the next batch; return how many standing orders were changed. After the last one begin again."""
        if not self._service.rules.enabled:
            return 0
        after = self._after

        def read(connection: Connection) -> tuple[list[StandingOrder], list[StandingOrder]]:
            orders = store.to_look_at(connection, after)
            return orders, [it.order for it in self._looks(connection, orders) if self._has_changed(connection, it)]

        orders, changed = await self._database.read(read)
        self._after = orders[-1].standing_order_id if len(orders) == store.AT_ONCE else ""
        for order in changed:
            await self._database.write(partial(self._decide, order=order))
        return len(changed) if self._after else 0

    def _looks(self, connection: Connection, orders: Sequence[StandingOrder]) -> list[_Look]:
        esims = esims_of_all(connection, [it.user_id for it in orders])
        lines = {it.user_id: self._downloads.line_for_more(esims[it.user_id]) for it in orders}
        holdings = store.holdings_on(connection, [line.esim_id for line in lines.values() if line is not None])
        found = []
        for order in orders:
            line = lines[order.user_id]
            found.append(_Look(order, line, () if line is None else holdings[line.esim_id]))
        return found

    def _has_changed(self, connection: Connection, look: _Look) -> bool:
        """Tell whether ``_decide`` would write something."""
        order, now = look.order, transaction_instant(connection)
        needed = look.line is not None and is_needed(order, look.holdings, now)
        if order.state is StandingOrderState.WAITING:
            return not (needed and waiting.waits(connection, order.user_id))
        if order.due_since is None:
            return needed or (look.line is None and order.last_result != LastResult.NO_ESIM)
        is_over = now >= order.due_since + self._service.rules.ignored_after
        return is_over or not needed or self._refusal(connection, look) is not None

    def _decide(self, connection: Connection, order: StandingOrder) -> None:
        """Declare a due date, or end the present one, if that is still right in this step."""
        current = store.find_standing_order(connection, order.user_id)
        if current is None or current.standing_order_id != order.standing_order_id:
            return
        if current.state not in (StandingOrderState.ON, StandingOrderState.WAITING):
            return
        (look,) = self._looks(connection, [current])
        if self._service.offer_of(current) is None:
            state = next_standing_order_state(current.state, StandingOrderEvent.ENDED)
            store.write_standing_order(
                connection, current, None, state=state, due_since=None, last_result=LastResult.OFFER_GONE
            )
        elif current.state is StandingOrderState.WAITING:
            self._decide_waiting(connection, look)
        elif current.due_since is not None:
            self._decide_due(connection, look)
        else:
            self._decide_on(connection, look)

    def _decide_waiting(self, connection: Connection, look: _Look) -> None:
        """Turn a waiting one on when the waiting list has called its owner, or nothing is needed any more."""
        order, now = look.order, transaction_instant(connection)
        needed = look.line is not None and is_needed(order, look.holdings, now)
        if needed and waiting.waits(connection, order.user_id):
            return
        state = next_standing_order_state(order.state, StandingOrderEvent.MONEY_BACK)
        self._write(connection, order, state=state, call_after=now)

    def _decide_due(self, connection: Connection, look: _Look) -> None:
        """End a due date that is not needed, cannot be carried out, or was ignored."""
        order, now, rules = look.order, transaction_instant(connection), self._service.rules
        assert order.due_since is not None  # noqa: S101 - the caller looked
        if look.line is None or not is_needed(order, look.holdings, now):
            result = LastResult.NO_ESIM if look.line is None else LastResult.NOT_NEEDED
            self._write(connection, order, due_since=None, ignored=0, last_result=result)
        elif (refused := self._refusal(connection, look)) is not None:
            self._service.note_refusal(connection, order, refused)
        elif now >= order.due_since + rules.ignored_after:
            ignored, state = order.ignored + 1, order.state
            if ignored >= rules.ignored_limit:
                state = next_standing_order_state(state, StandingOrderEvent.PAUSED)
            self._write(
                connection, order, due_since=None, ignored=ignored, state=state, last_result=LastResult.IGNORED
            )

    def _decide_on(self, connection: Connection, look: _Look) -> None:
        """Declare the next due date if the line needs a session and an order would be granted."""
        order, now = look.order, transaction_instant(connection)
        if now < order.call_after:
            return
        if look.line is None:
            store.put_off(connection, order, last_result=LastResult.NO_ESIM)
        elif not is_needed(order, look.holdings, now):
            return
        elif (refused := self._refusal(connection, look)) is None:
            self._write(
                connection,
                order,
                due_number=order.due_number + 1,
                due_since=now,
                call_after=now + LEAST_BETWEEN_CALLS,
            )
        elif refused.code == order.last_result and refused.facts.get("do") != JOIN_WAITING_LIST:
            store.put_off(connection, order, call_after=now + LEAST_BETWEEN_CALLS)
        else:
            self._service.note_refusal(connection, order, refused)

    def _refusal(self, connection: Connection, look: _Look) -> KswifiError | None:
        offer = self._service.offer_of(look.order)
        if offer is None or look.line is None:
            return None
        return self._downloads.refusal(connection, look.order.user_id, offer, look.line)

    def _write(self, connection: Connection, order: StandingOrder, **columns: object) -> None:
        offer = self._service.offer_of(order)
        store.write_standing_order(connection, order, None if offer is None else offer.allowance_octets, **columns)
