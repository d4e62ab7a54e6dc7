"""The standing of a payment at the gateway: its charge, refunds and disputes, and their sums."""

from dataclasses import dataclass

from kswifi.payments.ports import (
    Charge,
    ChargeStatus,
    Dispute,
    DisputeStatus,
    GatewayRefused,
    GatewayUnknown,
    PaymentGateway,
    Refund,
    RefundStatus,
)

PAID_STATUSES = (ChargeStatus.PAID, ChargeStatus.REVERSED)


@dataclass(frozen=True, slots=True)
class Standing:
    """A charge with its refunds, the newest first, and its disputes."""

    charge: Charge
    refunds: tuple[Refund, ...] = ()
    disputes: tuple[Dispute, ...] = ()

    @property
    def is_paid(self) -> bool:
        """Whether it was paid, even if the money was returned since."""
        return self.charge.status in PAID_STATUSES

    @property
    def returned_kobo(self) -> int:
        """Return the kobo that the gateway has returned to the payer: completed refunds and lost disputes.

        A refund that carries out a lost dispute is counted once. If the gateway reports REVERSED and lists neither
        a refund nor a lost dispute, the whole amount was returned.
        """
        done = [it for it in self.refunds if it.status is RefundStatus.DONE]
        total = sum(it.amount_kobo for it in done)
        for dispute in self.lost_disputes:
            by_refund = sum(it.amount_kobo for it in done if it.dispute_id == dispute.dispute_id)
            total += max(dispute.amount_kobo - by_refund, 0)
        if total == 0 and self.under_way_kobo == 0 and self.charge.status is ChargeStatus.REVERSED:
            return self.charge.amount_kobo
        return total

    @property
    def under_way_kobo(self) -> int:
        """Return the kobo of refunds that are neither done nor failed."""
        return sum(it.amount_kobo for it in self.refunds if it.status is RefundStatus.UNDER_WAY)

    @property
    def lost_disputes(self) -> tuple[Dispute, ...]:
        """Return the disputes that were decided for the payer."""
        return tuple(it for it in self.disputes if it.status is DisputeStatus.LOST)


async def look_up(gateway: PaymentGateway, reference: str) -> Standing | GatewayRefused | GatewayUnknown:
    """Look up the charge of a payment and, once it was paid, its refunds and disputes.

    If the gateway refuses to list refunds or disputes, there are none; if it does not answer, the result is
    unknown.
    """
    charge = await gateway.verify(reference)
    if not isinstance(charge, Charge):
        return charge
    if charge.status not in PAID_STATUSES:
        return Standing(charge)
    refunds = await gateway.refunds(charge)
    if isinstance(refunds, GatewayUnknown):
        return refunds
    disputes = await gateway.disputes(charge)
    if isinstance(disputes, GatewayUnknown):
        return disputes
    return Standing(
        charge,
        () if isinstance(refunds, GatewayRefused) else refunds,
        () if isinstance(disputes, GatewayRefused) else disputes,
    )
