"""The pass: what a settled payment buys, its periods, and how it becomes the operator's income."""

import os
from collections.abc import Callable
from datetime import datetime
from zoneinfo import ZoneInfo

from sqlalchemy import Connection

from kswifi.kernel.ids import uuid7
from kswifi.payments import jobs
from kswifi.payments.bookings import book_earned_day
from kswifi.payments.model import Pass, PassPeriod, PassState, Payment, earned_after, end_of_day, period_end
from kswifi.payments.store import add_period, earned_days, find_payment, note_earned_days, period_of, periods_after


def grant_pass(
    connection: Connection,
    payment: Payment,
    at: datetime,
    zone: ZoneInfo,
    random_bytes: Callable[[int], bytes] = os.urandom,
) -> PassPeriod:
    """Grant the pass period of a payment. It starts now, or at the end of the payer's present pass."""
    held = periods_after(connection, payment.user_id, at)
    starts_at = held[-1].ends_at if held else at
    period = PassPeriod(
        period_id=str(uuid7(at, random_bytes)),
        user_id=payment.user_id,
        reference=payment.reference,
        offer_id=payment.offer_id,
        state=PassState.GRANTED,
        starts_at=starts_at,
        ends_at=period_end(starts_at, payment.valid_days, follows=bool(held), zone=zone),
        valid_days=payment.valid_days,
        price_kobo=payment.amount_kobo,
        limit_octets=payment.limit_octets,
    )
    add_period(connection, period)
    jobs.ask_to_earn(connection, payment.reference, 1, end_of_day(period, 1, zone))
    return period


def pass_of(connection: Connection, user_id: str, now: datetime) -> Pass | None:
    """Return the pass of a user that is running now; None if there is none. A suspended period does not run."""
    current: PassPeriod | None = None
    ends_at = now
    for period in periods_after(connection, user_id, now):
        if period.state is not PassState.GRANTED or period.starts_at > ends_at:
            break
        current, ends_at = current or period, period.ends_at
    return None if current is None else Pass(current, ends_at)


def earn_day(connection: Connection, reference: str, day: int, zone: ZoneInfo) -> None:
    """Book a day of a pass as earned and enqueue the next day; no effect if the pass was revoked."""
    payment, period = find_payment(connection, reference), period_of(connection, reference)
    if period is None or period.state is PassState.REVOKED or earned_days(connection, period.period_id) >= day:
        return
    book_earned_day(connection, payment, period, day, end_of_day(period, day, zone))
    note_earned_days(connection, period.period_id, day)
    if day < period.valid_days:
        jobs.ask_to_earn(connection, reference, day + 1, end_of_day(period, day + 1, zone))


def earned_kobo(connection: Connection, period: PassPeriod) -> int:
    """Return the kobo of a period's price that are booked as earned."""
    return earned_after(period.price_kobo, period.valid_days, earned_days(connection, period.period_id))
