"""Vouchers that pay for free data: which of a user's vouchers are valid, and whether their venues can pay."""

from datetime import datetime
from typing import Final

from sqlalchemy import Connection, select

from kswifi.free_data.budgets import require_budget
from kswifi.free_data.errors import BudgetGoneError
from kswifi.free_data.rules import FreeDataRules
from kswifi.free_data.sql import free_grant
from kswifi.vouchers.model import Voucher
from kswifi.vouchers.service import vouchers_of

VOUCHERS_LIMIT: Final = 500
"""The maximum of vouchers of one account that are read; the rate limits of redeeming keep the number far lower."""


def good_vouchers(connection: Connection, user_id: str, now: datetime) -> list[Voucher]:
    """Return the vouchers with which a user may order; the first to expire comes first.

    An InternetSession uses up its voucher, unless it ended without one used octet: what failed, was cancelled or
    expired unused costs nothing, as with every allowance.
    """
    held = [it for it in vouchers_of(connection, user_id, VOUCHERS_LIMIT) if it.expires_at > now]
    used = [it.session_id for it in held if it.session_id is not None]
    t = free_grant.c
    given_back = set(
        connection.scalars(
            select(t.session_id).where(t.session_id.in_(used), t.ended_at.is_not(None), t.used_octets == 0)
        )
    )
    return [it for it in held if it.session_id is None or it.session_id in given_back]


def require_payer(
    connection: Connection,
    vouchers: list[Voucher],
    cost_kobo: int,
    now: datetime,
    rules: FreeDataRules,
    *,
    needed: bool,
) -> Voucher | None:
    """Return the voucher that pays for an order; None if other budgets pay and no voucher is used.

    A venue that can pay does. Otherwise, if a voucher is ``needed``, the order is refused; if not, the other
    budgets pay and the voucher is kept.

    Raises:
        BudgetGoneError: nobody can pay.
    """
    refused: BudgetGoneError | None = None
    for voucher in vouchers:
        if voucher.budget_id is None and not needed:
            continue
        try:
            require_budget(connection, cost_kobo, now, rules, voucher.budget_id)
        except BudgetGoneError as error:
            refused = error
        else:
            return voucher
    if needed and refused is not None:
        raise refused
    require_budget(connection, cost_kobo, now, rules)
    return None
