"""The rows of supply as values: mappings, lines, orders."""

from dataclasses import dataclass, field
from datetime import datetime

from kswifi.supply.model import Money
from kswifi.supply.orders import OrderState
from kswifi.supply.ports import Delivery, Installation, LineRef, OrderIntent
from kswifi.supply.rules import Absence, Service


@dataclass(frozen=True, slots=True)
class Mapping:
    """The bundle that is bought for an offer; ``network`` is "" for a profile."""

    offer_id: str
    provider: str
    network: str
    bundle_id: str
    bundle_octets: int
    days: int | None
    price: Money
    in_stock: bool = True


@dataclass(frozen=True, slots=True)
class ProviderLine:
    """A line that a provider serves.

    Attributes:
        provider_ref: the key at the provider; None before the first bundle was delivered.
        msisdn: the phone number in E.164 of a line that the person has.
        verified_at: when that number was last verified.
        installation: of a profile, once it is known.
        next_try_at: when to work on ``service`` again; None if that is confirmed.
    """

    line_id: str
    provider: str
    kind: Delivery
    provider_ref: str | None
    iccid: str | None
    msisdn: str | None = field(repr=False)
    network: str | None
    verified_at: datetime | None
    installation: Installation | None
    service: Service
    observed_at: datetime | None
    next_try_at: datetime | None

    @property
    def ref(self) -> LineRef | None:
        """The line as the port takes it; None before the provider has one."""
        key = self.msisdn or self.provider_ref
        return None if key is None else LineRef(key, self.iccid, self.msisdn, self.network)


@dataclass(frozen=True, slots=True)
class ProviderOrder:
    """An order at a provider, stored before its first call.

    Attributes:
        number: of the session's orders, from 1.
        for_line: whether the bundle is for a line that was there before; else the order brings a new profile.
        covers_octets: the octets of the session that this bundle covers.
        cost_kobo: its price at the exchange rate of the intent.
        booked_kobo: the part that is in the book.
        looks: calls about it since its last change.
        wants_cancel: whether it shall be returned, once it is delivered and unused.
    """

    reference: str
    session_id: str
    line_id: str
    number: int
    for_line: bool
    provider: str
    bundle_id: str
    bundle_octets: int
    covers_octets: int
    price: Money
    cost_kobo: int
    booked_kobo: int
    state: OrderState
    words: str | None
    refusal: str | None
    provider_ref: str | None
    bundle_ref: str | None
    absence: Absence
    looks: int
    wants_cancel: bool
    created_at: datetime
    asked_at: datetime | None
    delivered_at: datetime | None
    next_look_at: datetime | None

    def intent(self, line: LineRef | None) -> OrderIntent:
        """Return the order as the port takes it; ``line`` is left out of an order that brings a new profile."""
        line = line if self.for_line else None
        return OrderIntent(
            self.reference, self.bundle_id, self.price, self.asked_at or self.created_at, line, self.provider_ref
        )
