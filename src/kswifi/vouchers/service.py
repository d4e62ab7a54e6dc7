"""Redeeming vouchers: each voucher by one account only, with limits against guessing codes."""

from datetime import datetime, timedelta
from typing import Any, Final

from sqlalchemy import Connection, select, update
from sqlalchemy.engine.row import Row

from kswifi.accounts.rates import NO_VENUES, AddressLimiter, Rate, RateLimiter, Venues
from kswifi.database.dialect import insert
from kswifi.database.engine import Database
from kswifi.vouchers.batches import read_batch
from kswifi.vouchers.codes import VoucherCodes
from kswifi.vouchers.errors import (
    UNKNOWN_VOUCHER,
    VOUCHER_EXPIRED,
    VOUCHER_REVOKED,
    VOUCHER_USED,
)
from kswifi.vouchers.model import Batch, Voucher
from kswifi.vouchers.sql import voucher, voucher_batch, voucher_use

TRIES_BY_ACCOUNT: Final = Rate(10, timedelta(minutes=15))
TRIES_BY_ADDRESS: Final = Rate(60, timedelta(minutes=15))
"""The rate of attempts. Right codes count too, so that a person with one code cannot guess the next."""


class VoucherService:
    """Redeems vouchers."""

    def __init__(self, database: Database, codes: VoucherCodes, venues: Venues = NO_VENUES) -> None:
        self._database = database
        self._codes = codes
        self._by_account = RateLimiter(TRIES_BY_ACCOUNT)
        self._by_address = AddressLimiter(TRIES_BY_ADDRESS, venues)

    async def redeem(self, user_id: str, code: str, address: str) -> Voucher:
        """Redeem the voucher of a code for a user. Idempotent for the same user.

        Raises:
            TooManyAttemptsError: from this account, or this address.
            UNKNOWN_VOUCHER: not ours.
            VOUCHER_REVOKED, VOUCHER_EXPIRED: not any more.
            VOUCHER_USED: somebody else was earlier.
        """
        now = self._database.clock.now()
        self._by_account.attempt(user_id, now)
        self._by_address.attempt(address, now)
        serial = self._codes.serial(code)

        def change(connection: Connection) -> tuple[Batch, Row[tuple[Any, ...]]]:
            batch = _batch_of(connection, serial)
            _require_live(batch, now)
            values = {"serial": serial, "batch_id": batch.batch_id, "user_id": user_id, "redeemed_at": now}
            connection.execute(insert(voucher).values(**values).on_conflict_do_nothing())
            row = connection.execute(select(voucher).where(voucher.c.serial == serial)).one()
            return batch, row

        batch, row = await self._database.write(change)
        if row.user_id != user_id:
            raise VOUCHER_USED("this voucher was used already: each is good for one person, once")
        return Voucher(
            serial, batch.venue, batch.budget_id, row.redeemed_at, batch.expires_at, row.session_id, batch.offer_id
        )


def vouchers_of(connection: Connection, user_id: str, limit: int) -> list[Voucher]:
    """Return the vouchers that a user has redeemed, without revoked batches; the first to expire comes first."""
    v, b = voucher.c, voucher_batch.c
    query = (
        select(v.serial, b.venue, b.budget_id, v.redeemed_at, b.expires_at, v.session_id, b.offer_id)
        .join_from(voucher, voucher_batch, v.batch_id == b.batch_id)
        .where(v.user_id == user_id, b.revoked_at.is_(None))
        .order_by(b.expires_at, v.serial)
        .limit(limit)
    )
    return [Voucher(*row) for row in connection.execute(query)]


def use_voucher(connection: Connection, serial: int, session_id: str) -> None:
    """Store the InternetSession for which a voucher is used."""
    changed = update(voucher).where(voucher.c.serial == serial).values(session_id=session_id)
    batch_id = connection.scalar(changed.returning(voucher.c.batch_id))
    connection.execute(insert(voucher_use).values(session_id=session_id, serial=serial, batch_id=batch_id))


def _batch_of(connection: Connection, serial: int) -> Batch:
    b = voucher_batch.c
    query = select(voucher_batch).where(b.first_serial <= serial).order_by(b.first_serial.desc()).limit(1)
    row = connection.execute(query).one_or_none()
    batch = None if row is None else read_batch(row)
    if batch is None or serial not in batch.serials:
        raise UNKNOWN_VOUCHER("this voucher belongs to no batch: ask at the counter for another")
    return batch


def _require_live(batch: Batch, now: datetime) -> None:
    if batch.revoked_at is not None:
        raise VOUCHER_REVOKED("this voucher was called back: ask at the counter for another")
    if batch.expires_at <= now:
        raise VOUCHER_EXPIRED(
            "this voucher has expired: ask at the counter for another", expired_at=batch.expires_at.isoformat()
        )
