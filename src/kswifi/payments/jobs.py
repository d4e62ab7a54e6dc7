"""The outbox entries of payments: kinds, keys and delays, in one place for their writers and their handlers.

No worker waits for a gateway that does not answer. Work that must be repeated writes its own next entry with the
next delay of a list. So it continues for days and through restarts, and ends with the list.
"""

from datetime import datetime, timedelta
from typing import Final

from sqlalchemy import Connection

from kswifi.database.engine import transaction_instant
from kswifi.outbox.service import enqueue

OPEN: Final = "payment.open"
LOOK: Final = "payment.look"
NOTICE: Final = "payment.notice"
WITHDRAW: Final = "payment.withdraw"
REFUND: Final = "payment.refund"
RECONCILE: Final = "payment.reconcile"
EARN: Final = "pass.earn"
END_SESSIONS: Final = "pass.end_sessions"

_SECONDS, _MINUTES, _HOURS = timedelta(seconds=1), timedelta(minutes=1), timedelta(hours=1)

OPEN_DELAYS: Final = (45 * _SECONDS, 45 * _SECONDS, 2 * _MINUTES, 5 * _MINUTES, 15 * _MINUTES, 30 * _MINUTES)
"""The first delay lets the request that made the payment end, with or without an answer."""

LOOK_DELAYS: Final = (
    10 * _SECONDS,
    20 * _SECONDS,
    30 * _SECONDS,
    1 * _MINUTES,
    3 * _MINUTES,
    5 * _MINUTES,
    10 * _MINUTES,
    15 * _MINUTES,
    30 * _MINUTES,
    1 * _HOURS,
    3 * _HOURS,
    6 * _HOURS,
    12 * _HOURS,
    24 * _HOURS,
    24 * _HOURS,
    24 * _HOURS,
)
"""The delays between look-ups of an unpaid payment without a webhook: about four days in all."""

LAPSE_AFTER_LOOK: Final = 10
"""From this look-up on (two hours), an unpaid payment has lapsed; look-ups go on, because it may still be paid."""

REFUND_DELAYS: Final = (
    timedelta(0),
    5 * _SECONDS,
    30 * _SECONDS,
    2 * _MINUTES,
    10 * _MINUTES,
    1 * _HOURS,
    6 * _HOURS,
    *(24 * _HOURS for _ in range(14)),
)
"""The delays between refund requests or look-ups: banks take up to ten working days."""


def ask_to_open(connection: Connection, reference: str, attempt: int = 0) -> bool:
    """Enqueue opening a checkout that the request did not open; return False when the delays are used up."""
    return _next(connection, OPEN, reference, attempt, OPEN_DELAYS)


def ask_to_look(
    connection: Connection, reference: str, attempt: int = 0, not_within_seconds: int | None = None
) -> bool:
    """Enqueue a look-up of a payment, not before ``not_within_seconds``; False when the delays are used up."""
    return _next(connection, LOOK, reference, attempt, LOOK_DELAYS, not_within_seconds)


def ask_to_refund(
    connection: Connection, reference: str, attempt: int = 0, not_within_seconds: int | None = None
) -> bool:
    """Enqueue a refund request or look-up, not before ``not_within_seconds``; False when the delays are used up."""
    return _next(connection, REFUND, reference, attempt, REFUND_DELAYS, not_within_seconds)


RECHECK_DAYS: Final = (1, 2, 8, 31)
"""The ages in days at which a day is compared with the gateway: the next day, and again for late changes."""


def ask_to_reconcile(connection: Connection, gateway: str) -> None:
    """Enqueue the reconciliation of the days that are due. Idempotent on one day."""
    today = transaction_instant(connection).date()
    for days in RECHECK_DAYS:
        day = (today - timedelta(days=days)).isoformat()
        key = f"{RECONCILE}:{gateway}:{day}:{days}"
        enqueue(connection, kind=RECONCILE, key=key, payload={"day": day})


def ask_about(connection: Connection, reference: str, digest: str) -> None:
    """Enqueue a look-up of the payment of a webhook; one webhook (by digest) gives one entry."""
    # The previous release reads ``about_refund``; True makes it look everything up, as this release does.
    payload = {"reference": reference, "about_refund": True}
    enqueue(connection, kind=NOTICE, key=notice_key(digest), payload=payload)


def notice_key(digest: str) -> str:
    """Return the outbox key for a webhook with this digest."""
    return f"{NOTICE}:{digest}"


def ask_to_withdraw(connection: Connection, reference: str) -> None:
    """Enqueue withdrawing what a payment bought, if it is unused. Each call enqueues a new entry."""
    asked_at = transaction_instant(connection)
    key = f"{WITHDRAW}:{reference}:{asked_at.isoformat()}"
    enqueue(connection, kind=WITHDRAW, key=key, payload={"reference": reference})


def ask_to_end_sessions(connection: Connection, reference: str) -> None:
    """Enqueue ending the InternetSessions that extend into a revoked pass period."""
    enqueue(connection, kind=END_SESSIONS, key=f"{END_SESSIONS}:{reference}", payload={"reference": reference})


def ask_to_earn(connection: Connection, reference: str, day: int, at: datetime) -> None:
    """Enqueue booking a day of a pass as earned, at the end of the day."""
    payload = {"reference": reference, "day": day}
    enqueue(connection, kind=EARN, key=f"{EARN}:{reference}:{day}", payload=payload, run_at=at)


def _next(
    connection: Connection,
    kind: str,
    reference: str,
    attempt: int,
    delays: tuple[timedelta, ...],
    not_within_seconds: int | None = None,
) -> bool:
    if attempt >= len(delays):
        return False
    enqueue(
        connection,
        kind=kind,
        key=f"{kind}:{reference}:{attempt}",
        payload={"reference": reference, "attempt": attempt},
        run_at=transaction_instant(connection) + max(delays[attempt], (not_within_seconds or 0) * _SECONDS),
    )
    return True
