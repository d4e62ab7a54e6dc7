"""Payments and passes: their states, and the rules that need no database."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, time, timedelta
from enum import StrEnum
from types import MappingProxyType
from typing import Final
from zoneinfo import ZoneInfo

from kswifi.catalogue.model import LAGOS
from kswifi.kernel.clock import require_aware
from kswifi.payments.errors import IllegalPaymentTransitionError
from kswifi.payments.ports import Charge

CURRENCY: Final = "NGN"


class PaymentState(StrEnum):
    """The states of a payment."""

    INTENDED = "intended"
    """Stored before the gateway is called; it is not known yet whether a checkout is open."""
    PENDING = "pending"
    """The checkout is open: it can be paid."""
    SETTLED = "settled"
    """Paid, verified with the gateway, and the pass is granted."""
    FAILED = "failed"
    """Not opened, or declined. If the checkout is still open, a later payment settles it."""
    LAPSED = "lapsed"
    """Not paid in time; a later payment settles it."""
    REFUND_ASKED = "refund_asked"
    """A refund was requested; the pass is suspended while the system checks that it is unused."""
    REFUNDING = "refunding"
    """The pass is revoked, and the gateway is asked to send the money back."""
    REFUNDED = "refunded"
    REFUND_REFUSED = "refund_refused"
    """The gateway refused the refund: a person has to send the money."""


class PaymentEvent(StrEnum):
    """The events of a payment."""

    OPENED = "opened"
    NOT_OPENED = "not_opened"
    PAID = "paid"
    PAID_WITHOUT_RIGHT = "paid_without_right"
    """Paid, but the amount is wrong or the pass cannot be granted: the money goes back."""
    DECLINED = "declined"
    GIVEN_UP = "given_up"
    REFUND_ASKED = "refund_asked"
    REFUND_DENIED = "refund_denied"
    RIGHT_WITHDRAWN = "right_withdrawn"
    REFUND_DONE = "refund_done"
    REFUND_REFUSED = "refund_refused"


HELD_STATES: Final = (PaymentState.SETTLED, PaymentState.REFUND_ASKED)
"""The states in which the payer has the pass, suspended or not."""

UNPAID_STATES: Final = (PaymentState.INTENDED, PaymentState.PENDING, PaymentState.FAILED, PaymentState.LAPSED)
OPEN_STATES: Final = (PaymentState.INTENDED, PaymentState.PENDING)
PAID_STATES: Final = (
    PaymentState.SETTLED,
    PaymentState.REFUND_ASKED,
    PaymentState.REFUNDING,
    PaymentState.REFUNDED,
    PaymentState.REFUND_REFUSED,
)

PAYMENT_TRANSITIONS: Final[Mapping[tuple[PaymentState, PaymentEvent], PaymentState]] = MappingProxyType(
    {
        (PaymentState.INTENDED, PaymentEvent.OPENED): PaymentState.PENDING,
        (PaymentState.INTENDED, PaymentEvent.NOT_OPENED): PaymentState.FAILED,
        (PaymentState.INTENDED, PaymentEvent.GIVEN_UP): PaymentState.LAPSED,
        (PaymentState.PENDING, PaymentEvent.DECLINED): PaymentState.FAILED,
        (PaymentState.PENDING, PaymentEvent.GIVEN_UP): PaymentState.LAPSED,
        **{(state, PaymentEvent.PAID): PaymentState.SETTLED for state in UNPAID_STATES},
        **{(state, PaymentEvent.PAID_WITHOUT_RIGHT): PaymentState.REFUNDING for state in UNPAID_STATES},
        (PaymentState.SETTLED, PaymentEvent.REFUND_ASKED): PaymentState.REFUND_ASKED,
        (PaymentState.REFUND_ASKED, PaymentEvent.REFUND_DENIED): PaymentState.SETTLED,
        (PaymentState.REFUND_ASKED, PaymentEvent.RIGHT_WITHDRAWN): PaymentState.REFUNDING,
        # The gateway returned the money without our request: its operator or the payer's bank did.
        (PaymentState.SETTLED, PaymentEvent.RIGHT_WITHDRAWN): PaymentState.REFUNDING,
        (PaymentState.REFUNDING, PaymentEvent.REFUND_DONE): PaymentState.REFUNDED,
        (PaymentState.REFUNDING, PaymentEvent.REFUND_REFUSED): PaymentState.REFUND_REFUSED,
        (PaymentState.REFUND_REFUSED, PaymentEvent.REFUND_DONE): PaymentState.REFUNDED,
    }
)
"""All transitions of the state machine. Other pairs are refused."""


def next_payment_state(state: PaymentState, event: PaymentEvent) -> PaymentState:
    """Return the state after an event.

    Raises:
        IllegalPaymentTransitionError: the table does not list this event for this state.
    """
    following = PAYMENT_TRANSITIONS.get((state, event))
    if following is None:
        raise IllegalPaymentTransitionError(
            f"a payment that is {state} cannot take {event}", state=str(state), event=str(event)
        )
    return following


@dataclass(frozen=True, slots=True)
class Payment:
    """One payment. The offer and price are fixed when it is begun; later changes of the catalogue have no effect.

    ``reference`` is ours and the same at the gateway. ``limit_octets`` is the limit of the pass in octets, None
    without a limit. ``paid_kobo`` and ``fees_kobo`` are None until it is paid; ``refund_kobo`` is the amount owed
    back or returned, None if there is none.
    """

    reference: str
    user_id: str
    offer_id: str
    title: str
    amount_kobo: int
    valid_days: int
    limit_octets: int | None
    gateway: str
    sandbox: bool
    state: PaymentState
    reason: str | None
    checkout_url: str | None
    created_at: datetime
    settled_at: datetime | None
    refunded_at: datetime | None
    paid_kobo: int | None
    fees_kobo: int | None
    refund_kobo: int | None
    channel: str | None


class PassState(StrEnum):
    """The states of a pass period."""

    GRANTED = "granted"
    SUSPENDED = "suspended"
    """Its refund was requested: no new InternetSession is downloaded under it."""
    REVOKED = "revoked"


@dataclass(frozen=True, slots=True)
class PassPeriod:
    """The days from ``starts_at`` to ``ends_at`` that one payment bought."""

    period_id: str
    user_id: str
    reference: str
    offer_id: str
    state: PassState
    starts_at: datetime
    ends_at: datetime
    valid_days: int
    price_kobo: int
    limit_octets: int | None


@dataclass(frozen=True, slots=True)
class Pass:
    """A user's pass: the current period, and the end of the last consecutive period."""

    current: PassPeriod
    ends_at: datetime


def period_end(starts_at: datetime, valid_days: int, *, follows: bool, zone: ZoneInfo = LAGOS) -> datetime:
    """Return the end of a period, in UTC. It is the end of a local day, so that a day that is shown counts in full.

    A first period has the rest of the day of payment and ``valid_days`` more days. A period that follows another
    (``follows``) begins with a local day and has ``valid_days`` days.
    """
    day = require_aware(starts_at).astimezone(zone).date() + timedelta(days=valid_days + (0 if follows else 1))
    return require_aware(datetime.combine(day, time.min, tzinfo=zone))


def end_of_day(period: PassPeriod, day: int, zone: ZoneInfo = LAGOS) -> datetime:
    """Return the end of the ``day``-th day of a period, in UTC; the last day ends with the period."""
    last = period.ends_at.astimezone(zone).date()
    over_on = last - timedelta(days=period.valid_days - day)
    return require_aware(datetime.combine(over_on, time.min, tzinfo=zone))


def what_is_wrong(payment: Payment, charge: Charge) -> str | None:
    """Return why a paid charge does not settle this payment; None if it does.

    The payer may bear the gateway's fee. Then the amount is more than we requested, and the gateway reports both.
    """
    if charge.reference != payment.reference:
        return "the gateway reported another payment"
    if charge.currency != CURRENCY:
        return f"it was paid in {charge.currency[:8]}, not in {CURRENCY}"
    exactly = charge.amount_kobo == payment.amount_kobo
    with_the_fee = charge.requested_kobo == payment.amount_kobo and charge.amount_kobo > payment.amount_kobo
    if not exactly and not with_the_fee:
        return f"{charge.amount_kobo} kobo were paid, not {payment.amount_kobo}"
    return None


def earned_after(price_kobo: int, valid_days: int, days: int) -> int:
    """Return the kobo of a price that are earned after ``days`` of ``valid_days``; all after the last day."""
    return price_kobo * min(days, valid_days) // valid_days
