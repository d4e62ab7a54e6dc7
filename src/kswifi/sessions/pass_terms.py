"""Sessions under a pass: many while it runs, up to the pass's limits, none counted against the free allowance.

The allowance and the end of a session are signed into its package and onto its card. So a session ends when the
pass ended as of its download. After an extension of the pass the user downloads a new session, which ends later.
"""

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection, case, func, select

from kswifi.catalogue.model import Offer
from kswifi.database.engine import transaction_instant
from kswifi.kernel.quantities import format_naira, format_octets
from kswifi.payments.errors import PaymentsNotSetUpError
from kswifi.payments.model import PassPeriod
from kswifi.payments.passes import pass_of
from kswifi.payments.rules import PassRules
from kswifi.sessions.errors import FAIR_USE_REACHED, PAYMENT_REQUIRED, TOO_MANY_PASS_SESSIONS
from kswifi.sessions.model import LIVE_STATES
from kswifi.sessions.sql import internet_session, session_balance


@dataclass(frozen=True, slots=True)
class PassTerms:
    """The terms of an order under a pass; ``allowance_octets`` is None if uncapped."""

    period_id: str
    allowance_octets: int | None
    valid_until: datetime


def terms_under_pass(
    connection: Connection, user_id: str, offer: Offer, rules: PassRules | None
) -> PassTerms | None:
    """Return the terms of this offer under the user's pass, None without a pass.

    Runs in the order's write transaction.

    Raises:
        FAIR_USE_REACHED: the pass has a limit, and nothing is left under it.
        TOO_MANY_PASS_SESSIONS: too many of its sessions are unfinished.
    """
    held = None if rules is None else pass_of(connection, user_id, transaction_instant(connection))
    if held is None or rules is None:
        return None
    t = internet_session.c
    unfinished = connection.scalar(
        select(func.count()).where(t.user_id == user_id, t.pass_period_id.is_not(None), t.state.in_(LIVE_STATES))
    )
    if int(unfinished or 0) >= rules.sessions_at_once:
        raise TOO_MANY_PASS_SESSIONS(
            f"{rules.sessions_at_once} sessions under a pass are unfinished: use one up, or take one back",
            sessions_at_once=rules.sessions_at_once,
        )
    allowance: int | None = offer.allowance_octets
    limit = held.current.limit_octets
    if limit is not None:
        left = limit - _allotted(connection, held.current)
        if left <= 0:
            raise FAIR_USE_REACHED(
                f"this pass gives {format_octets(limit)} at most, and all of it is used or on a session",
                limit_octets=limit,
            )
        allowance = left if allowance is None else min(allowance, left)
    return PassTerms(held.current.period_id, allowance, held.ends_at)


def require_free_offer(offer: Offer, rules: PassRules | None) -> None:
    """Refuse an offer with a price to a user without a pass.

    Raises:
        PAYMENT_REQUIRED: it has a price.
        PaymentsNotSetUpError: it has a price, and nobody here could take it.
    """
    if offer.free and offer.allowance_octets is not None:
        return
    if rules is None or not rules.sold:
        raise PaymentsNotSetUpError(
            f"{offer.title} has to be paid for, and payments are not set up: nothing was taken",
            offer_id=offer.id,
            price_kobo=offer.price_kobo,
        )
    raise PAYMENT_REQUIRED(
        f"{offer.title} needs a pass for {format_naira(offer.price_kobo)}: "
        f'POST /api/v1/payments {{"offer_id": "{offer.id}"}}, pay, and order again',
        offer_id=offer.id,
        price_kobo=offer.price_kobo,
    )


def _allotted(connection: Connection, period: PassPeriod) -> int:
    """Return the octets of a period's limit that are taken: allowances of live sessions and usage of ended ones."""
    t = internet_session.c
    used = func.coalesce(session_balance.c.used, 0) + func.coalesce(session_balance.c.overrun, 0)
    held = func.coalesce(t.allowance_octets, 0) - t.sent_octets
    counted = case((t.state.in_(LIVE_STATES), held), else_=used)
    joined = internet_session.outerjoin(session_balance, session_balance.c.session_id == t.session_id)
    query = select(func.coalesce(func.sum(counted), 0)).select_from(joined)
    return int(connection.scalar(query.where(t.pass_period_id == period.period_id)) or 0)
