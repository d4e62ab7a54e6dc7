"""The core of a rehearsal gateway, common to both APIs: charges are opened, paid, refunded and disputed.

Once a day, or on request, it pays out the money that it holds, less its fees.
"""

import asyncio
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Final, Protocol

from kswifi.kernel.clock import Clock, SystemClock
from kswifi.lab.rehearsal.payments.faults import Faults
from kswifi.lab.rehearsal.payments.model import (
    FEE_PER_MILLE,
    Charge,
    ChargeBook,
    ChargeStatus,
    Dispute,
    DisputeStatus,
    GatewayRefusal,
    Refund,
    RefundStatus,
    Settlement,
)

ANSWER_A_DISPUTE: Final = timedelta(days=3)
"""The time that a merchant has to answer a dispute."""


class Face(Protocol):
    """How a gateway encodes its webhooks."""

    def charge_event(self, charge: Charge) -> bytes | None:
        """Return the webhook for the present status of a charge; None if this gateway sends none for it."""
        ...

    def refund_event(self, charge: Charge, refund: Refund) -> bytes:
        """Return the webhook for the present status of a refund."""
        ...

    def dispute_event(self, charge: Charge, dispute: Dispute) -> bytes:
        """Return the webhook for the present status of a dispute."""
        ...


class Tells(Protocol):
    """Sends webhooks to the shop."""

    def send(self, body: bytes, *, times: int = 1, delay_seconds: float = 0.0) -> None:
        """Send a webhook ``times`` times, after a delay. It returns at once."""
        ...


class Engine:
    """One rehearsal gateway.

    Args:
        book: its charges.
        face: how it encodes webhooks.
        webhooks: sends them.
        refund_seconds: how long a refund takes; None until ``settle_refund`` is called.
        dispute_fee_kobo: the fee of a lost dispute.
        clock: the source of its instants; None for the system's.
    """

    def __init__(
        self,
        book: ChargeBook,
        face: Face,
        webhooks: Tells,
        refund_seconds: float | None = 0.2,
        dispute_fee_kobo: int = 0,
        clock: Clock | None = None,
    ) -> None:
        self.book = book
        self._dispute_fee_kobo = dispute_fee_kobo
        self._clock = clock or SystemClock()
        self.faults = Faults()
        self._face = face
        self._webhooks = webhooks
        self._refund_seconds = refund_seconds

    def open(
        self, reference: str, amount_kobo: int, currency: str, email: str, title: str, return_url: str
    ) -> Charge:
        """Open a charge.

        Raises:
            GatewayRefusal: the reference has a charge already, or there are too many charges.
        """
        return self.book.open(
            Charge(
                number=0,
                reference=reference,
                token="",
                requested_kobo=amount_kobo,
                amount_kobo=amount_kobo,
                currency=currency,
                email=email,
                title=title,
                return_url=return_url,
                created_at=self._now(),
            )
        )

    def pay(
        self,
        charge: Charge,
        *,
        amount_kobo: int | None = None,
        currency: str | None = None,
        card: str = "",
        tell_times: int = 1,
        tell_after_seconds: float = 0.0,
    ) -> None:
        """Pay a charge, and notify the shop.

        Args:
            charge: the charge.
            amount_kobo: the amount paid; None for the amount requested.
            currency: the currency paid in; None for the one requested.
            card: names the card that pays; empty for one of its own.
            tell_times: how often the webhook is sent; 0 for never.
            tell_after_seconds: the delay of the webhook.

        Raises:
            GatewayRefusal: it was paid already.
        """
        if charge.status not in (ChargeStatus.OPEN, ChargeStatus.DECLINED):
            raise GatewayRefusal("paid_already", "this charge was paid already")
        charge.amount_kobo = charge.requested_kobo if amount_kobo is None else amount_kobo
        charge.currency = currency or charge.currency
        charge.card = card
        charge.fees_kobo = charge.amount_kobo * FEE_PER_MILLE // 1000
        charge.status, charge.paid_at = ChargeStatus.PAID, self._now()
        self.book.save(charge)
        self.tell(charge, times=tell_times, after_seconds=tell_after_seconds)

    def decline(self, charge: Charge) -> None:
        """Let the payer's bank decline an open charge; the payer may try again. Other charges are unchanged."""
        if charge.status is ChargeStatus.OPEN:
            charge.status = ChargeStatus.DECLINED
            self.book.save(charge)
            self.tell(charge)

    def refund(self, charge: Charge, amount_kobo: int, *, told: bool = True) -> Refund:
        """Accept a refund, which is settled later.

        Args:
            charge: the charge.
            amount_kobo: the amount to refund.
            told: whether webhooks report it.

        Raises:
            GatewayRefusal: the charge is not paid, or the amount exceeds what is left of it.
        """
        if charge.status is not ChargeStatus.PAID:
            raise GatewayRefusal("not_refundable", "only what was paid can be refunded")
        if not 0 < amount_kobo <= charge.amount_kobo - charge.claimed_kobo:
            raise GatewayRefusal("not_refundable", "more than is left of this charge cannot be refunded")
        refund = Refund(
            number=charge.number * 100 + len(charge.refunds) + 1,
            amount_kobo=amount_kobo,
            status=RefundStatus.UNDER_WAY,
            created_at=self._now(),
            told=told,
        )
        charge.refunds.append(refund)
        self.book.save(charge)
        if self._refund_seconds is not None:
            asyncio.get_running_loop().call_later(
                self._refund_seconds, self._settle_later(charge.reference, refund.number)
            )
        return refund

    def settle_refund(self, charge: Charge, number: int, *, fails: bool = False) -> None:
        """Complete a refund, or let it fail, and notify the shop. A fully refunded charge becomes reversed.

        Idempotent: no effect on a refund that is not under way.
        """
        refund = next((it for it in charge.refunds if it.number == number), None)
        if refund is None or refund.status is not RefundStatus.UNDER_WAY:
            return
        refund.status = RefundStatus.FAILED if fails else RefundStatus.DONE
        self._save_returned(charge)
        if refund.told:
            self._webhooks.send(self._face.refund_event(charge, refund))

    def open_dispute(self, charge: Charge, amount_kobo: int | None = None, *, told: bool = True) -> Dispute:
        """Open a dispute, as a payer does through their bank.

        Args:
            charge: the charge.
            amount_kobo: the disputed amount; None for all that is left of the charge.
            told: whether a webhook reports it.

        Raises:
            GatewayRefusal: the charge is not paid, or the amount exceeds what is left of it.
        """
        left = charge.amount_kobo - charge.claimed_kobo
        claimed = left if amount_kobo is None else amount_kobo
        if charge.status is not ChargeStatus.PAID or not 0 < claimed <= left:
            raise GatewayRefusal("not_disputable", "only what was paid, and is left, can be disputed")
        dispute = Dispute(
            number=charge.number * 100 + len(charge.disputes) + 51,
            amount_kobo=claimed,
            fee_kobo=self._dispute_fee_kobo,
            status=DisputeStatus.OPEN,
            created_at=self._now(),
            due_at=_text(self._clock.now() + ANSWER_A_DISPUTE),
        )
        charge.disputes.append(dispute)
        self.book.save(charge)
        if told:
            self._webhooks.send(self._face.dispute_event(charge, dispute))
        return dispute

    def resolve_dispute(self, charge: Charge, *, lost: bool, told: bool = True) -> None:
        """Decide the open disputes of a charge: for the payer (``lost``), or for the merchant."""
        for dispute in charge.disputes:
            if dispute.status is DisputeStatus.OPEN:
                dispute.status = DisputeStatus.LOST if lost else DisputeStatus.WON
                dispute.resolved_at = self._now()
                self._save_returned(charge)
                if told:
                    self._webhooks.send(self._face.dispute_event(charge, dispute))

    def settle(self) -> Settlement | None:
        """Pay out the charges that are not paid out yet, less fees and returned money; None if nothing is left."""
        charges = [it for it in self.book.all() if it.is_paid and it.currency == "NGN"]
        new = [it for it in charges if it.settled_in is None]
        back = [it for charge in charges for it in _returns(charge) if it.deducted_in is None]
        settlement = Settlement(
            number=0,
            currency="NGN",
            processed_kobo=sum(it.amount_kobo for it in new),
            fees_kobo=sum(it.fees_kobo for it in new),
            deductions_kobo=sum(it.amount_kobo + getattr(it, "fee_kobo", 0) for it in back),
            settled_at=self._now(),
        )
        if settlement.paid_out_kobo <= 0:
            return None
        self.book.add_settlement(settlement)
        for charge in charges:
            if charge.settled_in is None:
                charge.settled_in = settlement.number
            for item in _returns(charge):
                item.deducted_in = item.deducted_in or settlement.number
            self.book.save(charge)
        return settlement

    def settle_due(self) -> Settlement | None:
        """Pay out if a charge was paid before today (UTC) and is not paid out yet."""
        today = self._now()[:10]
        due = any(it.settled_in is None and it.paid_at and it.paid_at[:10] < today for it in self.book.all())
        return self.settle() if due else None

    def balance_kobo(self) -> int:
        """Return the merchant's money at the gateway, in kobo: received, less fees, returned money and payouts."""
        balance = -sum(it.paid_out_kobo for it in self.book.settlements())
        for charge in self.book.all():
            if charge.is_paid and charge.currency == "NGN":
                balance += charge.amount_kobo - charge.fees_kobo - charge.returned_kobo
                balance -= sum(it.fee_kobo for it in charge.disputes if it.status is DisputeStatus.LOST)
        return balance

    def tell(self, charge: Charge, *, times: int = 1, after_seconds: float = 0.0) -> None:
        """Notify the shop of the status of a charge."""
        body = self._face.charge_event(charge)
        if body is not None:
            self._webhooks.send(body, times=times, delay_seconds=after_seconds)

    def close(self) -> None:
        """Close the book of charges."""
        self.book.close()

    def _settle_later(self, reference: str, number: int) -> Callable[[], None]:
        def settle() -> None:
            self.settle_refund(self.book.by_reference(reference), number)

        return settle

    def _save_returned(self, charge: Charge) -> None:
        if charge.returned_kobo >= charge.amount_kobo:
            charge.status = ChargeStatus.REVERSED
        self.book.save(charge)

    def _now(self) -> str:
        return _text(self._clock.now())


def _returns(charge: Charge) -> list[Refund | Dispute]:
    refunds = [it for it in charge.refunds if it.status is RefundStatus.DONE]
    return [*refunds, *(it for it in charge.disputes if it.status is DisputeStatus.LOST)]


def _text(at: datetime) -> str:
    return at.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
