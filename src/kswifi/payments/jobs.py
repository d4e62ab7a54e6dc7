"""The outbox entries of payments: their kinds, keys and delays, in one place for those who ask and who do.

Nothing here waits in a worker for a gateway that is away: work that must be looked at again leaves its own next
entry, a step later in a list of delays, and so goes on for days and through restarts, and ends.
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
"""First after the request that made the payment is over, whether it was answered or not."""

LOOK_DELAYS: Final = (
    *(10 * _SECONDS, 20 * _SECONDS, 30 * _SECONDS, 1 * _MINUTES, 3 * _MINUTES, 5 * _MINUTES),
    *(10 * _MINUTES, 15 * _MINUTES, 30 * _MINUTES, 1 * _HOURS),
    *(3 * _HOURS, 6 * _HOURS, 12 * _HOURS, 24 * _HOURS, 24 * _HOURS, 24 * _HOURS),
)
"""How often an unpaid payment is looked up although no webhook came: about four days."""

LAPSE_AFTER_LOOK: Final = 10
"""From this look on (two hours), an unpaid payment has lapsed; it is still looked up, since it may yet be paid."""

REFUND_DELAYS: Final = (
    *(timedelta(0), 5 * _SECONDS, 30 * _SECONDS, 2 * _MINUTES, 10 * _MINUTES, 1 * _HOURS, 6 * _HOURS),
    *(24 * _HOURS for _ in range(14)),
)
"""When the gateway is asked for a refund, or how it stands: banks take up to ten working days."""


def ask_to_open(connection: Connection, reference: str, attempt: int = 0) -> bool:
    """Open the checkout, if the request that should have done so did not; tell whether it is asked once more."""
    return _next(connection, OPEN, reference, attempt, OPEN_DELAYS)


def ask_to_look(
    connection: Connection, reference: str, attempt: int = 0, not_within_seconds: int | None = None
) -> bool:
    """Look up how a payment stands at the gateway; not sooner than a busy gateway asks for."""
    return _next(connection, LOOK, reference, attempt, LOOK_DELAYS, not_within_seconds)


def ask_to_refund(
    connection: Connection, reference: str, attempt: int = 0, not_within_seconds: int | None = None
) -> bool:
    """Have the gateway send the money back, or look how far that is; not sooner than it asks for."""
    return _next(connection, REFUND, reference, attempt, REFUND_DELAYS, not_within_seconds)


RECHECK_DAYS: Final = (1, 2, 8, 31)
"""How many days ago a day was when it is compared with the gateway: the next day, and again for late changes."""


def ask_to_reconcile(connection: Connection, gateway: str) -> None:
    """Compare the days that are due with the gateway's lists; asked again on the same day, nothing more happens."""
    today = transaction_instant(connection).date()
    for days in RECHECK_DAYS:
        day = (today - timedelta(days=days)).isoformat()
        key = f"{RECONCILE}:{gateway}:{day}:{days}"
        enqueue(connection, kind=RECONCILE, key=key, payload={"day": day})


def ask_about(connection: Connection, reference: str, digest: str) -> None:
    """Look up the payment that a webhook is about; the same webhook again is the same entry."""
    # The release before this one reads about_refund, and True makes it look at everything as this one does.
    payload = {"reference": reference, "about_refund": True}
    enqueue(connection, kind=NOTICE, key=notice_key(digest), payload=payload)


def notice_key(digest: str) -> str:
    """Return the key of what a webhook of this digest asks for."""
    return f"{NOTICE}:{digest}"


def ask_to_withdraw(connection: Connection, reference: str) -> None:
    """See that nothing of what was bought has been used, and take it back. Each asking is a new piece of work."""
    asked_at = transaction_instant(connection)
    key = f"{WITHDRAW}:{reference}:{asked_at.isoformat()}"
    enqueue(connection, kind=WITHDRAW, key=key, payload={"reference": reference})


def ask_to_end_sessions(connection: Connection, reference: str) -> None:
    """End the sessions that reach into what was taken back."""
    enqueue(connection, kind=END_SESSIONS, key=f"{END_SESSIONS}:{reference}", payload={"reference": reference})


def ask_to_earn(connection: Connection, reference: str, day: int, at: datetime) -> None:
    """Book a day of a pass as earned, at its end."""
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
