"""Standing orders as their owners make, change and end them, and as a phone on WiFi carries a due one out.

Only the watch (``standing_order_watch``) declares a due date, and only a phone carries it out: by one step, which
orders the session under a key of the due date, so that a due date never gives two sessions. Nothing is reserved
before. Every rule of an ordinary order applies.
"""

import os
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum
from typing import Final

from sqlalchemy import Connection

from kswifi.catalogue.model import Offer
from kswifi.catalogue.service import Catalogue
from kswifi.database.engine import Database, transaction_instant
from kswifi.esim.lines.service import esims_of
from kswifi.free_data.errors import FreeOrderRefusedError
from kswifi.free_data.service import FreeData
from kswifi.kernel.errors import KswifiError, RefusedError
from kswifi.kernel.ids import uuid7
from kswifi.people import standing_order_store as store
from kswifi.people.errors import (
    STANDING_ORDER_NEEDS_TAP,
    STANDING_ORDER_NOT_DUE,
    STANDING_ORDER_NOT_OFFERED,
    STANDING_ORDERS_OFF,
    UNKNOWN_STANDING_ORDER,
    WIFI_NOT_CERTAIN,
)
from kswifi.people.rules import StandingOrderRules
from kswifi.people.standing_order_model import (
    LastResult,
    StandingOrder,
    StandingOrderEvent,
    StandingOrderState,
    is_needed,
    next_standing_order_state,
)
from kswifi.sessions.errors import NOT_ON_WIFI
from kswifi.sessions.model import InternetSession
from kswifi.sessions.orders import SessionDownloadService
from kswifi.sessions.ports import NetworkAccess
from kswifi.sessions.store import ordered_with

JOIN_WAITING_LIST: Final = "join_waiting_list"
"""What helps, in a refusal for lack of money where a waiting list is kept."""

LEAST_BETWEEN_CALLS: Final = timedelta(hours=1)
"""An owner is called at most so often, even if the need for a session comes and goes."""


class CarriedOutBy(StrEnum):
    """Who asks for the session of a due date."""

    PERSON = "person"
    """The owner tapped: in the app, or on the message."""
    BACKGROUND = "background"
    """The device did it by itself, by a background sync."""


async def require_certain_wifi(access: NetworkAccess, host: str, port: int, *, device_knows: bool) -> None:
    """Refuse to carry a due date out over an internet session, or over a network that nobody knows.

    Args:
        access: knows where requests come from.
        host: the client's address.
        port: the client's port.
        device_knows: whether the device, or its owner, says that it is on WiFi. It counts only where the server
            cannot know it.

    Raises:
        NOT_ON_WIFI: the request came over an internet session, or from outside the operator's WiFi networks.
        WIFI_NOT_CERTAIN: it cannot be known.
    """
    if await access.is_over_session(host, port):
        raise NOT_ON_WIFI("you are not on WiFi: find WiFi and try again")
    if await access.is_wifi(host, port) is None and not device_knows:
        raise WIFI_NOT_CERTAIN("it is not certain that you are on WiFi")


@dataclass(frozen=True, slots=True)
class StandingWish:
    """What a user wants: an offer, exactly one of the two conditions, and whether it is on or paused."""

    offer_id: str
    below_percent: int | None
    days_before_end: int | None
    paused: bool = False


@dataclass(frozen=True, slots=True)
class CarriedOut:
    """What became of a due date: the session, or why the order was refused; the other one is None."""

    order: StandingOrder
    session: InternetSession | None
    refusal: KswifiError | None = None


class StandingOrderService:
    """Makes, changes, ends and carries out standing orders."""

    def __init__(
        self,
        database: Database,
        catalogue: Catalogue,
        downloads: SessionDownloadService,
        free_data: FreeData,
        rules: StandingOrderRules,
        random_bytes: Callable[[int], bytes] = os.urandom,
    ) -> None:
        self.rules = rules
        self._database = database
        self._catalogue = catalogue
        self._downloads = downloads
        self._free_data = free_data
        self._random_bytes = random_bytes

    def put(self, connection: Connection, user_id: str, wish: StandingWish) -> StandingOrder:
        """Make a user's standing order, or change it. Idempotent.

        A changed or resumed one begins anew: its present due date is over, and earlier ignored ones do not count.

        Raises:
            STANDING_ORDERS_OFF: the operator allows none.
            UNKNOWN_OFFER: there is no such offer.
            STANDING_ORDER_NOT_OFFERED: the offer has a price, or the condition is beyond the limits.
        """
        offer = self._require_allowed(wish)
        now = transaction_instant(connection)
        order = store.find_standing_order(connection, user_id)
        if order is None or order.state is StandingOrderState.ENDED:
            order = StandingOrder(
                standing_order_id=str(uuid7(now, self._random_bytes)),
                user_id=user_id,
                offer_id=wish.offer_id,
                below_percent=wish.below_percent,
                days_before_end=wish.days_before_end,
                state=StandingOrderState.PAUSED if wish.paused else StandingOrderState.ON,
                last_result=None,
                due_number=0,
                due_since=None,
                ignored=0,
                call_after=now,
                session_id=None,
                created_at=now,
                changed_at=now,
            )
            store.add_standing_order(connection, order, offer.allowance_octets)
            return order
        is_paused = order.state is StandingOrderState.PAUSED
        present = StandingWish(order.offer_id, order.below_percent, order.days_before_end, is_paused)
        if wish == present:
            return order
        state: StandingOrderState = order.state
        if wish.paused and not is_paused:
            state = next_standing_order_state(state, StandingOrderEvent.PAUSED)
        elif not wish.paused and state is not StandingOrderState.ON:
            state = next_standing_order_state(state, StandingOrderEvent.TURNED_ON)
        return store.write_standing_order(
            connection,
            order,
            offer.allowance_octets,
            offer_id=wish.offer_id,
            below_percent=wish.below_percent,
            days_before_end=wish.days_before_end,
            state=state,
            due_since=None,
            ignored=0,
            call_after=now,
        )

    def end(self, connection: Connection, user_id: str) -> StandingOrder:
        """End a user's standing order. Idempotent; a session that it ordered stays.

        Raises:
            UNKNOWN_STANDING_ORDER: the user has none.
        """
        order = _require(connection, user_id)
        if order.state is StandingOrderState.ENDED:
            return order
        state = next_standing_order_state(order.state, StandingOrderEvent.ENDED)
        return store.write_standing_order(connection, order, None, state=state, due_since=None)

    async def carry_out(
        self, user_id: str, due_number: int, by: CarriedOutBy, device_id: str | None = None
    ) -> InternetSession:
        """Order the session of a due date, as an ordinary order. Idempotent by the due date.

        The caller makes certain that the device is on WiFi. A refusal of the order is stored as the last result; if
        money is lacking and a waiting list is kept, the owner is put on it.

        Raises:
            UNKNOWN_STANDING_ORDER: the user has none.
            STANDING_ORDERS_OFF: the operator allows none.
            STANDING_ORDER_NOT_DUE: this due date was not declared, or is over.
            STANDING_ORDER_NEEDS_TAP: a data provider serves the line, and the device asks by itself.
            FreeOrderRefusedError, CARD_FULL and others: as an order.
        """
        with self._free_data.counting_refusals():
            done = await self._database.write(
                lambda connection: self.carry_out_step(connection, user_id, due_number, by, device_id)
            )
            if done.refusal is not None:
                raise done.refusal
        assert done.session is not None  # noqa: S101 - one of the two is there
        return done.session

    def carry_out_step(
        self, connection: Connection, user_id: str, due_number: int, by: CarriedOutBy, device_id: str | None
    ) -> CarriedOut:
        """Order the session of a due date within the caller's step, as ``carry_out``; a refusal is returned."""
        order = _require(connection, user_id)
        key = order.key_of(due_number)
        earlier = ordered_with(connection, user_id, key)
        if earlier is not None:
            return CarriedOut(order, earlier)
        if not self.rules.enabled:
            raise STANDING_ORDERS_OFF("standing orders are switched off here")
        is_due = order.state is StandingOrderState.ON and order.due_since is not None
        line = self._downloads.line_for_more(esims_of(connection, user_id))
        now = transaction_instant(connection)
        if (
            not is_due
            or due_number != order.due_number
            or line is None
            or not is_needed(order, store.holdings_on(connection, [line.esim_id])[line.esim_id], now)
        ):
            raise STANDING_ORDER_NOT_DUE("your next session is not due", due_number=order.due_number)
        if by is CarriedOutBy.BACKGROUND and not line.is_card:
            raise STANDING_ORDER_NEEDS_TAP("a data provider is paid for this session: tap to order it")
        try:
            offer = self._catalogue.offer(order.offer_id)
            with connection.begin_nested():
                session = self._downloads.order_step(connection, user_id, offer, key, line.esim_id, device_id)
        except (FreeOrderRefusedError, RefusedError) as refused:
            # The watch may see no reason for this refusal, so it would declare the next due date at once.
            noted = self.note_refusal(connection, order, refused, call_again_after=self.rules.ignored_after)
            return CarriedOut(noted, None, refused)
        carried = store.write_standing_order(
            connection,
            order,
            offer.allowance_octets,
            due_since=None,
            ignored=0,
            last_result=LastResult.ORDERED,
            call_after=now,
            session_id=session.session_id,
        )
        return CarriedOut(carried, session)

    def note_refusal(
        self,
        connection: Connection,
        order: StandingOrder,
        refused: KswifiError,
        call_again_after: timedelta = LEAST_BETWEEN_CALLS,
    ) -> StandingOrder:
        """Store why the next session cannot be ordered; without money, put the owner on the waiting list.

        The owner is called again after ``call_again_after`` at the earliest, or once there is money.
        """
        offer, state = self.offer_of(order), order.state
        if offer is not None and refused.facts.get("do") == JOIN_WAITING_LIST:
            self._free_data.join_waiting_list(connection, order.user_id, offer)
            state = next_standing_order_state(state, StandingOrderEvent.MONEY_GONE)
        return store.write_standing_order(
            connection,
            order,
            None if offer is None else offer.allowance_octets,
            state=state,
            due_since=None,
            last_result=refused.code,
            call_after=transaction_instant(connection) + call_again_after,
        )

    def offer_of(self, order: StandingOrder) -> Offer | None:
        """Return the offer of a standing order, None if the catalogue has it no more."""
        return next((it for it in self._catalogue.offers() if it.id == order.offer_id), None)

    def _require_allowed(self, wish: StandingWish) -> Offer:
        if not self.rules.enabled:
            raise STANDING_ORDERS_OFF("standing orders are switched off here")
        offer = self._catalogue.offer(wish.offer_id)
        if not offer.free or offer.allowance_octets is None:
            raise STANDING_ORDER_NOT_OFFERED("only free sessions can be ordered ahead", offer_id=offer.id)
        percent, days = self.rules.largest_percent, self.rules.largest_days
        if (wish.below_percent or 0) > percent or (wish.days_before_end or 0) > days:
            raise STANDING_ORDER_NOT_OFFERED(
                f"the next session is ordered at {percent} % or {days} days before the end at the earliest",
                largest_percent=percent,
                largest_days=days,
            )
        return offer


def _require(connection: Connection, user_id: str) -> StandingOrder:
    order = store.find_standing_order(connection, user_id)
    if order is None:
        raise UNKNOWN_STANDING_ORDER("you have no standing order")
    return order
