"""Sessions under a pass: as many as one likes while it runs, none counted against the free allowance.

What a session is allowed, and until when, is signed into its package and onto its card. So a session ends with the
pass as it was when the session was downloaded; after an extension one downloads another, which ends later.
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
from kswifi.sessions.errors import FairUseReachedError, PaymentRequiredError, TooManyPassSessionsError
from kswifi.sessions.model import LIVE_STATES
from kswifi.sessions.sql import internet_session, session_balance


@dataclass(frozen=True, slots=True)
class PassTerms:
    """What an order gets under a pass; ``allowance_octets`` is None where it is uncapped."""

    period_id: str
    allowance_octets: int | None
    valid_until: datetime


def terms_under_pass(
    connection: Connection, user_id: str, offer: Offer, rules: PassRules | None
) -> PassTerms | None:
    """Return what the user's pass gives for this offer, None without a pass. In the order's write transaction.

    Raises:
        FairUseReachedError: the pass has a limit, and nothing is left under it.
        TooManyPassSessionsError: too many of its sessions are unfinished.
    """
    held = None if rules is None else pass_of(connection, user_id, transaction_instant(connection))
    if held is None or rules is None:
        return None
    t = internet_session.c
    unfinished = connection.scalar(
        select(func.count()).where(t.user_id == user_id, t.pass_period_id.is_not(None), t.state.in_(LIVE_STATES))
    )
    if int(unfinished or 0) >= rules.sessions_at_once:
        raise TooManyPassSessionsError(
            f"{rules.sessions_at_once} sessions under a pass are unfinished: use one up, or take one back",
            sessions_at_once=rules.sessions_at_once,
        )
    allowance: int | None = offer.allowance_octets
    limit = held.current.limit_octets
    if limit is not None:
        left = limit - _allotted(connection, held.current)
        if left <= 0:
            raise FairUseReachedError(
                f"this pass gives {format_octets(limit)} at most, and all of it is used or on a session",
                limit_octets=limit,
            )
        allowance = left if allowance is None else min(allowance, left)
    return PassTerms(held.current.period_id, allowance, held.ends_at)


def require_free_offer(offer: Offer, rules: PassRules | None) -> None:
    """Refuse what has a price to somebody without a pass.

    Raises:
        PaymentRequiredError: it has a price.
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
    raise PaymentRequiredError(
        f"{offer.title} needs a pass for {format_naira(offer.price_kobo)}: "
        f'POST /api/v1/payments {{"offer_id": "{offer.id}"}}, pay, and order again',
        offer_id=offer.id,
        price_kobo=offer.price_kobo,
    )


def _allotted(connection: Connection, period: PassPeriod) -> int:
    """Return what of a period's limit is gone: all of unfinished sessions, and of ended ones what they used."""
    t = internet_session.c
    used = func.coalesce(session_balance.c.used, 0) + func.coalesce(session_balance.c.overrun, 0)
    counted = case((t.state.in_(LIVE_STATES), func.coalesce(t.allowance_octets, 0)), else_=used)
    joined = internet_session.outerjoin(session_balance, session_balance.c.session_id == t.session_id)
    query = select(func.coalesce(func.sum(counted), 0)).select_from(joined)
    return int(connection.scalar(query.where(t.pass_period_id == period.period_id)) or 0)
