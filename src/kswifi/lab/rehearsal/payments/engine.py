"""The core of a rehearsal gateway, common to both APIs: charges are opened, paid, declined and refunded."""

import asyncio
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Protocol

from kswifi.lab.rehearsal.payments.faults import Faults
from kswifi.lab.rehearsal.payments.model import (
    FEE_PER_MILLE,
    Charge,
    ChargeBook,
    ChargeStatus,
    GatewayRefusal,
    Refund,
    RefundStatus,
)


class Face(Protocol):
    """How a gateway encodes its webhooks."""

    def charge_event(self, charge: Charge) -> bytes | None:
        """Return the webhook for the present status of a charge; None if this gateway sends none for it."""
        ...

    def refund_event(self, charge: Charge, refund: Refund) -> bytes:
        """Return the webhook for the present status of a refund."""
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
    """

    def __init__(self, book: ChargeBook, face: Face, webhooks: Tells, refund_seconds: float | None = 0.2) -> None:
        self.book = book
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
                created_at=_now(),
            )
        )

    def pay(
        self,
        charge: Charge,
        *,
        amount_kobo: int | None = None,
        currency: str | None = None,
        tell_times: int = 1,
        tell_after_seconds: float = 0.0,
    ) -> None:
        """Pay a charge, and notify the shop.

        Args:
            charge: the charge.
            amount_kobo: the amount paid; None for the amount requested.
            currency: the currency paid in; None for the one requested.
            tell_times: how often the webhook is sent; 0 for never.
            tell_after_seconds: the delay of the webhook.

        Raises:
            GatewayRefusal: it was paid already.
        """
        if charge.status not in (ChargeStatus.OPEN, ChargeStatus.DECLINED):
            raise GatewayRefusal("paid_already", "this charge was paid already")
        charge.amount_kobo = charge.requested_kobo if amount_kobo is None else amount_kobo
        charge.currency = currency or charge.currency
        charge.fees_kobo = charge.amount_kobo * FEE_PER_MILLE // 1000
        charge.status, charge.paid_at = ChargeStatus.PAID, _now()
        self.book.save(charge)
        self.tell(charge, times=tell_times, after_seconds=tell_after_seconds)

    def decline(self, charge: Charge) -> None:
        """Let the payer's bank decline an open charge; the payer may try again. Other charges are unchanged."""
        if charge.status is ChargeStatus.OPEN:
            charge.status = ChargeStatus.DECLINED
            self.book.save(charge)
            self.tell(charge)

    def refund(self, charge: Charge, amount_kobo: int) -> Refund:
        """Accept a refund, which is settled later.

        Raises:
            GatewayRefusal: the charge is not paid, or the amount exceeds what is left of it.
        """
        if charge.status is not ChargeStatus.PAID:
            raise GatewayRefusal("not_refundable", "only what was paid can be refunded")
        taken = sum(it.amount_kobo for it in charge.refunds if it.status is not RefundStatus.FAILED)
        if not 0 < amount_kobo <= charge.amount_kobo - taken:
            raise GatewayRefusal("not_refundable", "more than is left of this charge cannot be refunded")
        refund = Refund(
            number=charge.number * 100 + len(charge.refunds) + 1,
            amount_kobo=amount_kobo,
            status=RefundStatus.UNDER_WAY,
            created_at=_now(),
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
        if sum(it.amount_kobo for it in charge.refunds if it.status is RefundStatus.DONE) >= charge.amount_kobo:
            charge.status = ChargeStatus.REVERSED
        self.book.save(charge)
        self._webhooks.send(self._face.refund_event(charge, refund))

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


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
