"""Receipts without a payment: paid under a reference of ours after its payment was deleted.

The money is booked on the liability account ``unassigned_receipts`` and stays there until a person refunds it, at
the gateway or by bank transfer. No pass is granted, because the payer is no longer stored.
"""

from dataclasses import replace
from functools import partial
from typing import Final

import structlog
from sqlalchemy import Connection

from kswifi.books.model import Account
from kswifi.books.service import post
from kswifi.database.engine import after_commit, transaction_instant
from kswifi.payments.bookings import booked_of, sandbox_kind
from kswifi.payments.gateway_items import (
    HELD,
    RETURNED,
    GatewayItem,
    ItemKind,
    note_item,
    note_standing,
    unclaimed_receipts,
)
from kswifi.payments.model import CURRENCY
from kswifi.payments.sql import REFERENCE_LENGTH
from kswifi.payments.standing import Standing

_log = structlog.get_logger(__name__)

OUR_PREFIX: Final = "kswifi-"
"""The prefix of our references. Other references at the same gateway belong to other shops of its owner."""


def is_ours(reference: str) -> bool:
    """Return whether a reference at the gateway can be one of ours."""
    return reference.startswith(OUR_PREFIX) and len(reference) <= REFERENCE_LENGTH


def follow_unclaimed(connection: Connection, gateway: str, sandbox: bool, standing: Standing) -> GatewayItem | None:
    """Book a receipt without a payment, and the returned part of it; return its item, None if nothing was paid.

    Idempotent: only differences to the book are booked.
    """
    charge = standing.charge
    if not (
        standing.is_paid and charge.currency == CURRENCY and charge.amount_kobo > 0 and is_ours(charge.reference)
    ):
        return None
    now = transaction_instant(connection)
    prefix = _prefix(gateway, charge.reference)
    booked = booked_of(connection, prefix, Account.UNASSIGNED_RECEIPTS)
    if not booked.names:
        lines = [
            (Account.CASH_AT_GATEWAY, charge.amount_kobo - charge.fees_kobo),
            (Account.GATEWAY_FEES, charge.fees_kobo),
            (Account.UNASSIGNED_RECEIPTS, -charge.amount_kobo),
        ]
        at = now if charge.paid_at is None else min(charge.paid_at, now)
        kind = sandbox_kind("unclaimed_receipt", sandbox=sandbox)
        post(connection, reference=f"{prefix}:received", kind=kind, lines=lines, at=at)
        facts = {"reference": charge.reference, "kobo": charge.amount_kobo}
        after_commit(connection, partial(_log.error, "unclaimed_receipt", **facts))
        booked = booked_of(connection, prefix, Account.UNASSIGNED_RECEIPTS)
    more = standing.returned_kobo - booked.sent_back_kobo
    if more > 0:
        of_debt = min(more, booked.owed_kobo)
        lines = [
            (Account.UNASSIGNED_RECEIPTS, of_debt),
            (Account.REFUNDS, more - of_debt),
            (Account.CASH_AT_GATEWAY, -more),
        ]
        kind = sandbox_kind("unclaimed_refunded", sandbox=sandbox)
        name = booked.next_name("sent_back")
        post(connection, reference=f"{prefix}:{name}", kind=kind, lines=lines, at=now)
        booked = booked_of(connection, prefix, Account.UNASSIGNED_RECEIPTS)
    for dispute in standing.lost_disputes:
        if dispute.fee_kobo:
            lines = [(Account.GATEWAY_FEES, dispute.fee_kobo), (Account.CASH_AT_GATEWAY, -dispute.fee_kobo)]
            kind = sandbox_kind("dispute_fee", sandbox=sandbox)
            reference = f"{prefix}:dispute_fee:{dispute.dispute_id}"
            post(connection, reference=reference, kind=kind, lines=lines, at=now)
    note_standing(connection, gateway, sandbox, standing)
    item = GatewayItem(
        gateway=gateway,
        kind=ItemKind.UNCLAIMED,
        item_id=charge.reference,
        reference=charge.reference,
        sandbox=sandbox,
        state=HELD if booked.owed_kobo else RETURNED,
        amount_kobo=charge.amount_kobo,
        fees_kobo=charge.fees_kobo,
        due_at=None,
        noted_at=now,
    )
    note_item(connection, item)
    return item


def unclaimed_sent_by_hand(connection: Connection, reference: str) -> int:
    """Book that an unclaimed receipt was sent back by bank transfer; return the kobo, 0 if none is held."""
    item = next((it for it in unclaimed_receipts(connection) if it.item_id == reference), None)
    if item is None:
        return 0
    now, prefix = transaction_instant(connection), _prefix(item.gateway, reference)
    owed = booked_of(connection, prefix, Account.UNASSIGNED_RECEIPTS).owed_kobo
    lines = [(Account.UNASSIGNED_RECEIPTS, owed), (Account.CASH_AT_BANK, -owed)]
    kind = sandbox_kind("unclaimed_refunded", sandbox=item.sandbox)
    post(connection, reference=f"{prefix}:refunded", kind=kind, lines=lines, at=now)
    note_item(connection, replace(item, state=RETURNED, noted_at=now))
    return owed


def _prefix(gateway: str, reference: str) -> str:
    return f"gateway:{gateway}:unclaimed:{reference}"
