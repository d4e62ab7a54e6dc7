"""Items in the gateway's lists other than charges, stored under the gateway's ids: refunds, disputes, payouts.

Receipts without a payment are stored here too. The rows show what has been booked and what is still open; the
amounts of money are kept only in the book.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from functools import partial
from typing import Any, Final

import structlog
from sqlalchemy import Connection, select

from kswifi.database.dialect import insert
from kswifi.database.engine import after_commit, transaction_instant
from kswifi.payments.ports import Dispute, DisputeStatus, Refund, RefundStatus
from kswifi.payments.sql import gateway_item
from kswifi.payments.standing import Standing
from kswifi.payments.store import batched

_log = structlog.get_logger(__name__)

LISTED: Final = 500
"""The maximum number of items of a kind that are shown."""


class ItemKind(StrEnum):
    """The kinds of gateway items."""

    REFUND = "refund"
    DISPUTE = "dispute"
    SETTLEMENT = "settlement"
    UNCLAIMED = "unclaimed"
    """A receipt with a reference of ours whose payment was deleted."""


HELD: Final = "held"
"""The state of an unclaimed receipt whose money has not been returned."""
RETURNED: Final = "returned"
"""The state of an unclaimed receipt whose money has been returned."""


@dataclass(frozen=True, slots=True)
class GatewayItem:
    """One item of a gateway's list, in its last known state."""

    gateway: str
    kind: ItemKind
    item_id: str
    reference: str | None
    sandbox: bool
    state: str
    amount_kobo: int
    fees_kobo: int
    due_at: datetime | None
    noted_at: datetime


def note_item(connection: Connection, item: GatewayItem) -> None:
    """Insert an item, or update its state."""
    values = {column.name: getattr(item, column.name) for column in gateway_item.c} | {"kind": str(item.kind)}
    new = insert(gateway_item).values(values)
    changed = {
        name: values[name] for name in ("reference", "state", "amount_kobo", "fees_kobo", "due_at", "noted_at")
    }
    connection.execute(new.on_conflict_do_update(index_elements=["gateway", "kind", "item_id"], set_=changed))


def note_standing(connection: Connection, gateway: str, sandbox: bool, standing: Standing) -> None:
    """Store the refunds and disputes of one charge; log a new or decided dispute for the operator."""
    reference, now = standing.charge.reference, transaction_instant(connection)
    common = {"gateway": gateway, "reference": reference, "sandbox": sandbox, "noted_at": now}
    items = [_refund_item(it, common) for it in standing.refunds if it.refund_id]
    items += [_dispute_item(it, common) for it in standing.disputes]
    known = {(it.kind, it.item_id): it for it in items_about(connection, gateway, [reference])}
    for item in items:
        before = known.get((item.kind, item.item_id))
        if before is not None and (before.state, before.amount_kobo) == (item.state, item.amount_kobo):
            continue
        note_item(connection, item)
        if item.kind is ItemKind.DISPUTE:
            due = None if item.due_at is None else item.due_at.isoformat()
            facts = {"reference": reference, "dispute": item.item_id, "state": item.state, "due_at": due}
            tell = partial(_log.warning, "payment_disputed", **facts)
            after_commit(connection, tell)


def settlement_amounts(connection: Connection, gateway: str, settlement_ids: Sequence[str]) -> dict[str, int]:
    """Return the amounts in kobo of those payouts that are booked, by id."""
    found: dict[str, int] = {}
    for some in batched(settlement_ids):
        query = select(gateway_item.c.item_id, gateway_item.c.amount_kobo).where(
            gateway_item.c.gateway == gateway,
            gateway_item.c.kind == str(ItemKind.SETTLEMENT),
            gateway_item.c.item_id.in_(some),
        )
        found |= {row.item_id: row.amount_kobo for row in connection.execute(query)}
    return found


def items_about(connection: Connection, gateway: str, references: Sequence[str]) -> list[GatewayItem]:
    """Return the items that belong to some payments."""
    there = gateway_item.c.gateway == gateway
    return [
        _read(row)
        for some in batched(references)
        for row in connection.execute(select(gateway_item).where(there, gateway_item.c.reference.in_(some)))
    ]


def items_in_state(
    connection: Connection, kind: ItemKind, state: str, gateway: str | None = None
) -> list[GatewayItem]:
    """Return the items of a kind in a state, the oldest first; of one gateway, or of all."""
    query = select(gateway_item).where(gateway_item.c.kind == str(kind), gateway_item.c.state == state)
    if gateway is not None:
        query = query.where(gateway_item.c.gateway == gateway)
    return [_read(row) for row in connection.execute(query.order_by(gateway_item.c.noted_at).limit(LISTED))]


def open_disputes(connection: Connection, gateway: str | None = None) -> list[GatewayItem]:
    """Return the disputes that are not decided yet."""
    return items_in_state(connection, ItemKind.DISPUTE, DisputeStatus.OPEN, gateway)


def unclaimed_receipts(connection: Connection, gateway: str | None = None) -> list[GatewayItem]:
    """Return the receipts without a payment whose money has not been returned."""
    return items_in_state(connection, ItemKind.UNCLAIMED, HELD, gateway)


def undecided_references(connection: Connection, gateway: str) -> set[str]:
    """Return the references with a pending refund, an open dispute, or an unclaimed receipt."""
    found = items_in_state(connection, ItemKind.REFUND, RefundStatus.UNDER_WAY, gateway)
    found += open_disputes(connection, gateway) + unclaimed_receipts(connection, gateway)
    return {it.reference for it in found if it.reference is not None}


def _refund_item(refund: Refund, common: dict[str, Any]) -> GatewayItem:
    amount = refund.amount_kobo
    return GatewayItem(
        kind=ItemKind.REFUND, item_id=refund.refund_id, state=refund.status, amount_kobo=amount, fees_kobo=0,
        due_at=None, **common,
    )  # fmt: skip


def _dispute_item(dispute: Dispute, common: dict[str, Any]) -> GatewayItem:
    return GatewayItem(
        kind=ItemKind.DISPUTE, item_id=dispute.dispute_id, state=dispute.status, amount_kobo=dispute.amount_kobo,
        fees_kobo=dispute.fee_kobo, due_at=dispute.due_at, **common,
    )  # fmt: skip


def _read(row: Any) -> GatewayItem:
    values = {column.name: getattr(row, column.name) for column in gateway_item.c}
    return GatewayItem(**values | {"kind": ItemKind(row.kind)})
