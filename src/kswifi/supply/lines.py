"""The lines of data providers: made with an order, or with a verified phone number; and what is bought for them."""

import os
import secrets
from collections.abc import Callable
from datetime import timedelta
from typing import Final

from sqlalchemy import Connection

from kswifi.catalogue.model import Offer
from kswifi.database.engine import transaction_instant
from kswifi.esim.lines.service import add_supplied_line, esims_of, set_supplied_state
from kswifi.esim.model import ESim, LineKind, ProfileState
from kswifi.supply import store
from kswifi.supply.context import Supply
from kswifi.supply.errors import (
    BUNDLE_NOT_MAPPED,
    BUNDLE_SOLD_OUT,
    NETWORK_UNKNOWN,
    NO_LINE_YET,
    NO_PORTION_LEFT,
    NOT_A_PROVIDER_LINE,
    NUMBER_NOT_VERIFIED,
    PORTION_PENDING,
    TOO_MANY_BUNDLES,
)
from kswifi.supply.money import cost_kobo, reserve_kobo
from kswifi.supply.orders import DELIVERED_STATES, OPEN_STATES, OrderEvent, OrderState
from kswifi.supply.ports import Capabilities, Delivery, Suspension
from kswifi.supply.records import Mapping, ProviderLine, ProviderOrder
from kswifi.supply.rules import Absence

VERIFIED_LIFE: Final = timedelta(days=30)
"""The age at which a phone number is verified again before an irreversible purchase: numbers change hands."""
_A_DAY: Final = timedelta(days=1)
_UNIQUE_OCTETS: Final = 12


class SuppliedLines:
    """Makes the lines of one provider, the first of those configured, and decides what is bought for them.

    Args:
        supply: the providers.
        bundles_per_day: the most bundles that one line buys within 24 hours.
        random_bytes: the source of ids.
    """

    def __init__(
        self, supply: Supply, bundles_per_day: int = 10, random_bytes: Callable[[int], bytes] = os.urandom
    ) -> None:
        self._supply = supply
        self._bundles_per_day = bundles_per_day
        self._random_bytes = random_bytes
        self._provider = next(iter(supply.providers.values()))

    @property
    def delivers(self) -> Delivery:
        """The way in which new sessions are delivered."""
        return self._provider.capabilities.delivers

    def capabilities(self, line: ProviderLine) -> Capabilities:
        """Return what the provider of a line can do."""
        return self._supply.providers[line.provider].capabilities

    def are_delivered_as(self, line: ESim) -> bool:
        """Tell whether new lines would be of the same kind as this one."""
        return line.kind is self._kind

    def takes_more(self, line: ESim) -> bool:
        """Tell whether another session can be bought for an installed line."""
        return line.kind is self._kind and (line.kind is LineKind.OWN_LINE or self._provider.capabilities.top_up)

    def has_numbers(self, connection: Connection) -> bool:
        """Tell whether a bundle is in stock."""
        return any(mapping.in_stock for mapping in store.mappings(connection))

    def allocate(self, connection: Connection, user_id: str) -> ESim:
        """Make a line for a user. The line that a person has is not made here, but with its verified number.

        Raises:
            NO_LINE_YET: the provider loads lines that people have, and this user has given none.
        """
        if self._kind is LineKind.OWN_LINE:
            mine = [it for it in esims_of(connection, user_id) if it.kind is LineKind.OWN_LINE]
            if not mine:
                raise NO_LINE_YET("verify the phone number of your line first, and choose its network")
            return mine[0]
        line = add_supplied_line(connection, user_id, self._kind, self._random_bytes)
        pauses = self._provider.capabilities.suspension is Suspension.REVERSIBLE
        store.add_line(connection, line.esim_id, self._provider.name, Delivery.PROFILE, pauses=pauses)
        return line

    def keep_number(self, connection: Connection, user_id: str, msisdn: str, network: str) -> ESim:
        """Keep a number that was verified in this transaction, with its owner's consent, for the user's line.

        The line of the same user is changed to this number and network.

        Raises:
            NOT_A_PROVIDER_LINE: the provider does not load lines that people have.
            BUNDLE_NOT_MAPPED: the provider's catalogue was not read yet.
            NETWORK_UNKNOWN: no bundle is set for this network.
        """
        if self._kind is not LineKind.OWN_LINE:
            raise NOT_A_PROVIDER_LINE("sessions are delivered as an eSIM here, not onto a line that you have")
        networks = {it.network for it in store.mappings(connection)}
        if not networks:
            raise BUNDLE_NOT_MAPPED("no mobile network has a bundle yet: try again in a minute")
        if network not in networks:
            raise NETWORK_UNKNOWN(f"choose one of {', '.join(sorted(networks))}", network=network)
        mine = [it for it in esims_of(connection, user_id) if it.kind is LineKind.OWN_LINE]
        line = mine[0] if mine else add_supplied_line(connection, user_id, LineKind.OWN_LINE, self._random_bytes)
        sealed = store.seal_msisdn(self._supply.vault, line.esim_id, msisdn)
        digest = store.number_digest(self._supply.vault, msisdn)
        if mine:
            now = transaction_instant(connection)
            store.change_line(
                connection,
                line.esim_id,
                sealed_msisdn=sealed,
                msisdn_digest=digest,
                network=network,
                verified_at=now,
                consent_at=now,
            )
        else:
            name = self._provider.name
            store.add_line(
                connection,
                line.esim_id,
                name,
                Delivery.ONTO_LINE,
                pauses=False,
                network=network,
                sealed_msisdn=sealed,
                msisdn_digest=digest,
            )
            set_supplied_state(connection, line.esim_id, ProfileState.INSTALLED)
        return line

    def bundle_cost(self, connection: Connection, offer: Offer) -> int | None:
        """Return the kobo to reserve for a session of an offer: its bundles at the rate of the day and the margin.

        Of several networks the dearest counts. None for an offer without a bundle; it cannot be ordered.
        """
        fitting = [it for it in store.mappings(connection) if it.offer_id == offer.id]
        if not fitting:
            return None
        allowance = offer.allowance_octets or 0
        return max(
            reserve_kobo(self._supply.rates, it.price) * portions(allowance, it.bundle_octets) for it in fitting
        )

    def require_bundle(self, connection: Connection, offer: Offer) -> int | None:
        """Refuse the order of an offer that no bundle serves now.

        Return the most octets of one session, if they are limited.
        A session on a profile has one bundle. So an uncapped offer gives sessions of the size of its bundle.

        Raises:
            BUNDLE_NOT_MAPPED: the operator has set none.
            BUNDLE_SOLD_OUT: the provider had none when it was last asked.
        """
        fitting = [it for it in store.mappings(connection) if it.offer_id == offer.id]
        if not fitting:
            raise BUNDLE_NOT_MAPPED("this offer cannot be delivered yet", offer_id=offer.id)
        if not any(it.in_stock for it in fitting):
            raise BUNDLE_SOLD_OUT("the provider has none of it at present: choose another", offer_id=offer.id)
        if offer.allowance_octets is not None or self.delivers is Delivery.ONTO_LINE:
            return None
        return min(it.bundle_octets for it in fitting)

    def line(self, connection: Connection, line_id: str) -> ProviderLine:
        """Return a provider's line.

        Raises:
            NOT_A_PROVIDER_LINE: no provider serves it.
        """
        line = store.line_of(connection, line_id, self._supply.vault)
        if line is None:
            raise NOT_A_PROVIDER_LINE("this line is not served by a data provider")
        return line

    def intend(
        self, connection: Connection, *, session_id: str, line_id: str, offer_id: str, allowance_octets: int
    ) -> ProviderOrder:
        """Store the intent to buy the next bundle of a session; the worker buys it. One at a time.

        Raises:
            PORTION_PENDING: an earlier one is not delivered yet.
            NO_PORTION_LEFT: the session's allowance was bought already.
            BUNDLE_NOT_MAPPED, BUNDLE_SOLD_OUT: nothing can be bought for this offer now.
            NUMBER_NOT_VERIFIED: the number of the line was verified too long ago.
            TOO_MANY_BUNDLES: the line bought too many within a day.
        """
        line = self.line(connection, line_id)
        now = transaction_instant(connection)
        earlier = store.orders_of(connection, session_id)
        if any(order.state in OPEN_STATES for order in earlier):
            raise PORTION_PENDING("what you asked for before is not delivered yet")
        bought = sum(it.covers_octets for it in earlier if it.state not in _NOT_BOUGHT)
        if bought >= allowance_octets:
            raise NO_PORTION_LEFT("all of this session was sent to your line")
        mapping = self._mapping(connection, offer_id, line)
        if line.kind is Delivery.ONTO_LINE and (line.verified_at is None or now - line.verified_at > VERIFIED_LIFE):
            raise NUMBER_NOT_VERIFIED("verify the number of your line again: it may have changed hands")
        if store.purchases_since(connection, line_id, now - _A_DAY) >= self._bundles_per_day:
            raise TOO_MANY_BUNDLES(f"a line gets {self._bundles_per_day} bundles in 24 hours")
        provider = self._supply.providers[line.provider]
        order = ProviderOrder(
            reference=provider.reference(now, secrets.token_hex(_UNIQUE_OCTETS)),
            session_id=session_id,
            line_id=line_id,
            number=len(earlier) + 1,
            for_line=line.ref is not None,
            provider=line.provider,
            bundle_id=mapping.bundle_id,
            bundle_octets=mapping.bundle_octets,
            covers_octets=min(mapping.bundle_octets, allowance_octets - bought),
            price=mapping.price,
            cost_kobo=cost_kobo(self._supply.rates, mapping.price),
            booked_kobo=0,
            state=OrderState.INTENDED,
            words=None,
            refusal=None,
            provider_ref=None,
            bundle_ref=None,
            absence=Absence(),
            looks=0,
            wants_cancel=False,
            created_at=now,
            asked_at=None,
            delivered_at=None,
            next_look_at=now,
        )
        store.add_order(connection, order)
        return order

    def _mapping(self, connection: Connection, offer_id: str, line: ProviderLine) -> Mapping:
        mapping = store.mapping_of(connection, offer_id, line.network or "")
        if mapping is None:
            raise BUNDLE_NOT_MAPPED("no bundle is set for this offer on your line", offer_id=offer_id)
        if not mapping.in_stock:
            raise BUNDLE_SOLD_OUT("the provider has none of it at present", offer_id=offer_id)
        return mapping

    @property
    def _kind(self) -> LineKind:
        return LineKind.OWN_LINE if self.delivers is Delivery.ONTO_LINE else LineKind.PROFILE


_NOT_BOUGHT: Final = (OrderState.REFUSED, OrderState.REFUNDED, OrderState.CANCELLED)


def is_bought(connection: Connection, session_id: str) -> bool:
    """Tell whether a bundle of a session was bought, or is being bought."""
    return any(order.state not in _NOT_BOUGHT for order in store.orders_of(connection, session_id))


def portions(allowance_octets: int, bundle_octets: int) -> int:
    """Return how many bundles cover an allowance."""
    return max(1, -(-allowance_octets // bundle_octets))


def withdraw_orders(connection: Connection, session_id: str) -> None:
    """Give the orders of an unused session up: one that was not sent yet, at once; a delivered one is returned.

    The worker returns it where the provider takes unused bundles back.
    """
    now = transaction_instant(connection)
    for order in store.orders_of(connection, session_id):
        if order.state is OrderState.INTENDED:
            store.move_order(connection, order, OrderEvent.WITHDRAWN, next_look_at=None)
        elif order.state in (*OPEN_STATES, *DELIVERED_STATES):
            store.change_order(connection, order.reference, wants_cancel=True, next_look_at=now)
            store.wake_worker(connection)


def forget_numbers(connection: Connection, user_id: str) -> None:
    """Delete the phone numbers of a user's lines, with the account."""
    for line in esims_of(connection, user_id):
        if line.kind is LineKind.OWN_LINE:
            store.change_line(connection, line.esim_id, sealed_msisdn=None, msisdn_digest=None)
