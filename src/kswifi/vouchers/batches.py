"""Batches of vouchers: make, list and revoke them."""

from datetime import datetime
from typing import Any

from sqlalchemy import Connection, func, insert, select, update
from sqlalchemy.engine import Row

from kswifi.database.engine import transaction_instant
from kswifi.vouchers.codes import SERIALS
from kswifi.vouchers.errors import UNKNOWN_VOUCHER_BATCH, VOUCHER_BATCH_INVALID
from kswifi.vouchers.model import BATCH_LIMIT, VENUE_LIMIT, Batch, BatchStanding
from kswifi.vouchers.sql import voucher, voucher_batch

_b = voucher_batch.c


def make_batch(
    connection: Connection,
    venue: str,
    count: int,
    expires_at: datetime,
    budget_id: str | None = None,
    offer_id: str | None = None,
) -> Batch:
    """Make a batch of vouchers for a venue. The budget ``budget_id`` and the offer ``offer_id`` must exist.

    Raises:
        VOUCHER_BATCH_INVALID: no name, no sensible number, over already, or all serial numbers are used up.
    """
    now = transaction_instant(connection)
    venue = " ".join(venue.split())
    if not (1 <= len(venue) <= VENUE_LIMIT and venue.isprintable()):
        raise VOUCHER_BATCH_INVALID(f"a venue's name has 1 to {VENUE_LIMIT} characters")
    if not 1 <= count <= BATCH_LIMIT:
        raise VOUCHER_BATCH_INVALID(f"a batch has 1 to {BATCH_LIMIT:,} vouchers")
    if expires_at <= now:
        raise VOUCHER_BATCH_INVALID("vouchers expire in the future")
    first = int(connection.scalar(select(func.coalesce(func.max(_b.first_serial + _b.vouchers), 0))) or 0)
    if first + count > SERIALS:
        raise VOUCHER_BATCH_INVALID("the serial numbers of vouchers are used up")
    made = connection.execute(
        insert(voucher_batch)
        .values(
            venue=venue,
            budget_id=budget_id,
            offer_id=offer_id,
            first_serial=first,
            vouchers=count,
            made_at=now,
            expires_at=expires_at,
        )
        .returning(_b.batch_id)
    )
    return find_batch(connection, int(made.scalar_one()))


def find_batch(connection: Connection, batch_id: int) -> Batch:
    """Return a batch.

    Raises:
        UNKNOWN_VOUCHER_BATCH: there is none of this number.
    """
    row = connection.execute(select(voucher_batch).where(_b.batch_id == batch_id)).one_or_none()
    if row is None:
        raise UNKNOWN_VOUCHER_BATCH(f"there is no batch {batch_id}", batch_id=batch_id)
    return read_batch(row)


def batches(connection: Connection, limit: int = 1_000) -> list[BatchStanding]:
    """Return the batches, the newest first."""
    redeemed = (
        select(func.count()).where(voucher.c.batch_id == _b.batch_id).correlate(voucher_batch).scalar_subquery()
    )
    query = select(*_b, redeemed.label("redeemed")).order_by(_b.batch_id.desc()).limit(limit)
    return [BatchStanding(read_batch(row), int(row.redeemed)) for row in connection.execute(query)]


def revoke_batch(connection: Connection, batch_id: int) -> Batch:
    """Revoke a batch: its vouchers can no longer be redeemed or used; sessions that used one stay. Idempotent.

    Raises:
        UNKNOWN_VOUCHER_BATCH: there is none of this number.
    """
    now = transaction_instant(connection)
    whose = (_b.batch_id == batch_id, _b.revoked_at.is_(None))
    connection.execute(update(voucher_batch).where(*whose).values(revoked_at=now))
    return find_batch(connection, batch_id)


def read_batch(row: Row[*tuple[Any, ...]]) -> Batch:
    """Return a row as a batch."""
    return Batch(
        batch_id=row.batch_id,
        venue=row.venue,
        budget_id=row.budget_id,
        first_serial=row.first_serial,
        count=row.vouchers,
        made_at=row.made_at,
        expires_at=row.expires_at,
        revoked_at=row.revoked_at,
        offer_id=row.offer_id,
    )
