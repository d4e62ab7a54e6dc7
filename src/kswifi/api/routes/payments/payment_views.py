"""Request and response bodies of payments and passes."""

from typing import Annotated, Literal

from pydantic import Field

from kswifi.api.edge.pages import PageView
from kswifi.api.edge.schemas import Instant, RequestBody, ResponseBody
from kswifi.payments.model import PassPeriod, PassState, Payment, PaymentState
from kswifi.payments.rules import PassRules

SandboxMark = Annotated[
    bool,
    Field(description="Whether this is only a rehearsal: then no money moves. Show it wherever you show this."),
]


class BeginPaymentBody(RequestBody):
    """The offer to pay for."""

    offer_id: Annotated[str, Field(max_length=32, examples=["unlimited"])]


class PaymentView(ResponseBody):
    """A payment."""

    reference: Annotated[str, Field(description="Ours, and the same at the gateway.")]
    offer_id: str
    title: str
    amount_kobo: Annotated[int, Field(description="100 kobo are 1 naira.", examples=[80_000])]
    currency: Literal["NGN"] = "NGN"
    state: PaymentState
    reason: Annotated[str | None, Field(description="Why it is in this state, in words, where that needs saying.")]
    checkout_url: Annotated[
        str | None,
        Field(description="Where to pay: open it. Null until the gateway has answered, and once it is paid."),
    ]
    gateway: Annotated[str, Field(examples=["paystack", "sandbox"])]
    sandbox: SandboxMark
    created_at: Instant
    settled_at: Instant | None
    refunded_at: Instant | None
    refund_kobo: Annotated[int | None, Field(description="What is owed back, or went back.")]


class PaymentsView(PageView):
    """All your payments, the newest first."""

    payments: list[PaymentView]


class PassPeriodView(ResponseBody):
    """The part of a pass that one payment bought."""

    reference: Annotated[str, Field(description="The payment's.")]
    offer_id: str
    state: PassState
    starts_at: Instant
    ends_at: Instant
    fair_use_octets: Annotated[int | None, Field(description="What it gives at most; null without a limit.")]


class PassRulesView(ResponseBody):
    """The rules of passes, to read before buying."""

    fair_use_octets: Annotated[int | None, Field(description="What one pass gives at most; null without a limit.")]
    sessions_at_once: Annotated[int, Field(description="How many unfinished sessions it allows at a time.")]
    payments: Annotated[
        Literal["live", "sandbox", "off"],
        Field(description="`sandbox`: a rehearsal, in which no money moves; `off`: nothing can be bought here."),
    ]


class PassView(PageView):
    """Your pass, and the rules of passes."""

    active: Annotated[bool, Field(description="Whether sessions can be downloaded under a pass now.")]
    ends_at: Annotated[Instant | None, Field(description="When the last of your passes ends; null without one.")]
    periods: Annotated[list[PassPeriodView], Field(description="Those that have not ended, the earliest first.")]
    rules: PassRulesView


def payment_view(payment: Payment) -> PaymentView:
    """Return the view of a payment; it contains the checkout only while the payment can be paid."""
    payable = payment.state in (PaymentState.PENDING, PaymentState.FAILED, PaymentState.LAPSED)
    return PaymentView(
        reference=payment.reference,
        offer_id=payment.offer_id,
        title=payment.title,
        amount_kobo=payment.amount_kobo,
        state=payment.state,
        reason=payment.reason,
        checkout_url=payment.checkout_url if payable else None,
        gateway=payment.gateway,
        sandbox=payment.sandbox,
        created_at=payment.created_at,
        settled_at=payment.settled_at,
        refunded_at=payment.refunded_at,
        refund_kobo=payment.refund_kobo,
    )


def period_view(period: PassPeriod) -> PassPeriodView:
    """Return the view of a pass period."""
    return PassPeriodView(
        reference=period.reference,
        offer_id=period.offer_id,
        state=period.state,
        starts_at=period.starts_at,
        ends_at=period.ends_at,
        fair_use_octets=period.limit_octets,
    )


def rules_view(rules: PassRules | None, *, sandbox: bool) -> PassRulesView:
    """Return the view of the rules of passes; ``rules`` is None if nothing can be bought."""
    known = rules or PassRules()
    return PassRulesView(
        fair_use_octets=known.fair_use_octets,
        sessions_at_once=known.sessions_at_once,
        payments="off" if rules is None else "sandbox" if sandbox else "live",
    )
