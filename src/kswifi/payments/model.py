"""A payment and a pass: their states, and the rules that need no database."""

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
    """Where a payment stands."""

    INTENDED = "intended"
    """Written down before the gateway was asked; whether a checkout is open is not known yet."""
    PENDING = "pending"
    """The checkout is open: it can be paid."""
    SETTLED = "settled"
    """Paid, verified with the gateway, and what it buys is granted."""
    FAILED = "failed"
    """Not opened, or declined. Where the checkout is still open, paying it after all settles it."""
    LAPSED = "lapsed"
    """Nobody paid in time; paying after all settles it."""
    REFUND_ASKED = "refund_asked"
    """The pass is suspended while it is seen that nothing of it was used."""
    REFUNDING = "refunding"
    """What it bought is taken back, and the gateway is asked to send the money back."""
    REFUNDED = "refunded"
    REFUND_REFUSED = "refund_refused"
    """The gateway does not send the money back: a person has to."""


class PaymentEvent(StrEnum):
    """What can happen to a payment."""

    OPENED = "opened"
    NOT_OPENED = "not_opened"
    PAID = "paid"
    PAID_WITHOUT_RIGHT = "paid_without_right"
    """Paid, but not what was asked for, or there is nobody to give it to: it goes back."""
    DECLINED = "declined"
    GIVEN_UP = "given_up"
    REFUND_ASKED = "refund_asked"
    REFUND_DENIED = "refund_denied"
    RIGHT_WITHDRAWN = "right_withdrawn"
    REFUND_DONE = "refund_done"
    REFUND_REFUSED = "refund_refused"


HELD_STATES: Final = (PaymentState.SETTLED, PaymentState.REFUND_ASKED)
"""Its payer has what it bought, if only suspended."""

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
        # The gateway gave it back without our asking: its operator did, or the payer's bank.
        (PaymentState.SETTLED, PaymentEvent.RIGHT_WITHDRAWN): PaymentState.REFUNDING,
        (PaymentState.REFUNDING, PaymentEvent.REFUND_DONE): PaymentState.REFUNDED,
        (PaymentState.REFUNDING, PaymentEvent.REFUND_REFUSED): PaymentState.REFUND_REFUSED,
        (PaymentState.REFUND_REFUSED, PaymentEvent.REFUND_DONE): PaymentState.REFUNDED,
    }
)
"""The whole machine. A pair that is not here is refused."""


def next_payment_state(state: PaymentState, event: PaymentEvent) -> PaymentState:
    """Return the state that follows.

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
    """One payment. What it buys, and for how much, is fixed when it is begun: a later catalogue changes nothing.

    ``reference`` is ours and the same at the gateway. ``limit_octets`` is what the pass gives at most, None without
    a limit. ``paid_kobo`` and ``fees_kobo`` are None until it is paid; ``refund_kobo`` is what is owed back or went
    back, None while nothing is.
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
    """Whether what a payment bought holds."""

    GRANTED = "granted"
    SUSPENDED = "suspended"
    """Its refund was asked for: nothing new is downloaded under it meanwhile."""
    REVOKED = "revoked"


@dataclass(frozen=True, slots=True)
class PassPeriod:
    """What one payment bought: the days from ``starts_at`` to ``ends_at``."""

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
    """What a user has of passes now: the period that runs, and the end of the last that follows it."""

    current: PassPeriod
    ends_at: datetime


def period_end(starts_at: datetime, valid_days: int, *, follows: bool, zone: ZoneInfo = LAGOS) -> datetime:
    """Return when a period ends, in UTC: with a local day, so that people are shown a day and have all of it.

    A first one has the rest of the day on which it was paid and ``valid_days`` more; one that follows another
    begins with a local day and has ``valid_days`` of them.
    """
    day = require_aware(starts_at).astimezone(zone).date() + timedelta(days=valid_days + (0 if follows else 1))
    return require_aware(datetime.combine(day, time.min, tzinfo=zone))


def end_of_day(period: PassPeriod, day: int, zone: ZoneInfo = LAGOS) -> datetime:
    """Return when the ``day``-th of a period's days is over, in UTC; the last of them with the period."""
    last = period.ends_at.astimezone(zone).date()
    over_on = last - timedelta(days=period.valid_days - day)
    return require_aware(datetime.combine(over_on, time.min, tzinfo=zone))


def what_is_wrong(payment: Payment, charge: Charge) -> str | None:
    """Return why a paid charge does not pay for this payment, None if it does.

    The gateway's fee may be the payer's: then more was paid than we asked for, and the gateway says both.
    """
    if charge.reference != payment.reference:
        return "the gateway told of another payment"
    if charge.currency != CURRENCY:
        return f"it was paid in {charge.currency[:8]}, not in {CURRENCY}"
    exactly = charge.amount_kobo == payment.amount_kobo
    with_the_fee = charge.requested_kobo == payment.amount_kobo and charge.amount_kobo > payment.amount_kobo
    if not exactly and not with_the_fee:
        return f"{charge.amount_kobo} kobo were paid, not {payment.amount_kobo}"
    return None


def earned_after(price_kobo: int, valid_days: int, days: int) -> int:
    """Return how much of a price is earned after so many of its days; all of it after the last."""
    return price_kobo * min(days, valid_days) // valid_days
