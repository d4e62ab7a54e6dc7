"""What the gateway lists besides charges, noted under the gateway's own ids: refunds, disputes, payouts.

Also receipts that no payment of ours claims. The notes say what has been taken into the book already, and what is
still open there; the money itself is in the book alone.
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
"""How many items of a kind are shown at most."""


class ItemKind(StrEnum):
    """What kind of thing the gateway lists."""

    REFUND = "refund"
    DISPUTE = "dispute"
    SETTLEMENT = "settlement"
    UNCLAIMED = "unclaimed"
    """A receipt under a reference of ours for which there is no payment: it was deleted."""


HELD: Final = "held"
"""The state of an unclaimed receipt whose money has not gone back."""
RETURNED: Final = "returned"
"""The state of an unclaimed receipt whose money has gone back."""


@dataclass(frozen=True, slots=True)
class GatewayItem:
    """One thing that the gateway lists, as it was last seen."""

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
    """Note an item, or how it stands now."""
    values = {column.name: getattr(item, column.name) for column in gateway_item.c} | {"kind": str(item.kind)}
    new = insert(gateway_item).values(values)
    changed = {
        name: values[name] for name in ("reference", "state", "amount_kobo", "fees_kobo", "due_at", "noted_at")
    }
    connection.execute(new.on_conflict_do_update(index_elements=["gateway", "kind", "item_id"], set_=changed))


def note_standing(connection: Connection, gateway: str, sandbox: bool, standing: Standing) -> None:
    """Note the refunds and disputes of one charge; a new dispute, or a decided one, is logged for the operator."""
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
    """Return what the booked ones of these payouts have paid out, in kobo, by their ids."""
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
    """Return the items of some payments."""
    there = gateway_item.c.gateway == gateway
    return [
        _read(row)
        for some in batched(references)
        for row in connection.execute(select(gateway_item).where(there, gateway_item.c.reference.in_(some)))
    ]


def items_in_state(
    connection: Connection, kind: ItemKind, state: str, gateway: str | None = None
) -> list[GatewayItem]:
    """Return the items of a kind that are in a state, the first noted first; of one gateway, or of all."""
    query = select(gateway_item).where(gateway_item.c.kind == str(kind), gateway_item.c.state == state)
    if gateway is not None:
        query = query.where(gateway_item.c.gateway == gateway)
    return [_read(row) for row in connection.execute(query.order_by(gateway_item.c.noted_at).limit(LISTED))]


def open_disputes(connection: Connection, gateway: str | None = None) -> list[GatewayItem]:
    """Return the disputes that are not decided yet."""
    return items_in_state(connection, ItemKind.DISPUTE, DisputeStatus.OPEN, gateway)


def unclaimed_receipts(connection: Connection, gateway: str | None = None) -> list[GatewayItem]:
    """Return the receipts that no payment claims and whose money has not gone back."""
    return items_in_state(connection, ItemKind.UNCLAIMED, HELD, gateway)


def undecided_references(connection: Connection, gateway: str) -> set[str]:
    """Return the payments of which a refund is under way, a dispute is open, or which nobody claims."""
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
