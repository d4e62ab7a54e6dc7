"""Venues and their vouchers, changed by the operator's staff."""

from datetime import timedelta

from sqlalchemy import Connection

from kswifi.catalogue.model import Offer
from kswifi.database.engine import transaction_instant
from kswifi.desk.audit import checked_reason, record
from kswifi.desk.roles import Operator, Permission
from kswifi.free_data.budgets import find_budget
from kswifi.free_data.model import BudgetKind
from kswifi.venues.model import Venue
from kswifi.venues.service import add_venue, remove_venue
from kswifi.vouchers.batches import make_batch, revoke_batch
from kswifi.vouchers.errors import VOUCHER_BATCH_INVALID
from kswifi.vouchers.model import Batch


def make_vouchers(
    connection: Connection,
    operator: Operator,
    venue: str,
    count: int,
    days: int,
    budget_id: str | None,
    offer: Offer | None = None,
) -> Batch:
    """Make a batch of vouchers that can be redeemed for so many days, for one offer or any free one.

    Raises:
        VOUCHER_BATCH_INVALID: as ``make_batch``; or the budget is not a venue's, or the offer is not free.
        UNKNOWN_BUDGET, ROLE_MAY_NOT
    """
    operator.require(Permission.CHANGE_MONEY)
    if budget_id is not None and find_budget(connection, budget_id).kind is not BudgetKind.VENUE:
        raise VOUCHER_BATCH_INVALID(f"{budget_id} is not a venue's budget")
    if offer is not None and (not offer.free or offer.allowance_octets is None):
        raise VOUCHER_BATCH_INVALID(f"{offer.id} is not a free, capped offer", offer_id=offer.id)
    offer_id = None if offer is None else offer.id
    expires_at = transaction_instant(connection) + timedelta(days=days)
    made = make_batch(connection, venue, count, expires_at, budget_id, offer_id)
    facts = {"venue": made.venue, "vouchers": made.count, "days": days, "budget": budget_id, "offer": offer_id}
    record(connection, operator, "vouchers make", f"batch {made.batch_id}", after=facts)
    return made


def revoke_vouchers(connection: Connection, operator: Operator, batch_id: int, reason: str) -> Batch:
    """Revoke a batch.

    Raises:
        UNKNOWN_VOUCHER_BATCH, ROLE_MAY_NOT, REASON_MISSING
    """
    operator.require(Permission.CHANGE_MONEY)
    reason = checked_reason(reason)
    revoked = revoke_batch(connection, batch_id)
    record(connection, operator, "vouchers revoke", f"batch {batch_id}", reason=reason, after={"revoked": True})
    return revoked


def list_venue(connection: Connection, operator: Operator, name: str, area: str, hours: str) -> Venue:
    """Add a venue to the list in the app.

    Raises:
        VENUE_INVALID, ROLE_MAY_NOT
    """
    operator.require(Permission.CHANGE_MONEY)
    added = add_venue(connection, name, area, hours)
    facts = {"name": added.name, "area": added.area, "hours": added.hours}
    record(connection, operator, "venues add", f"venue {added.venue_id}", after=facts)
    return added


def unlist_venue(connection: Connection, operator: Operator, venue_id: int) -> None:
    """Remove a venue from the list in the app.

    Raises:
        UNKNOWN_VENUE, ROLE_MAY_NOT
    """
    operator.require(Permission.CHANGE_MONEY)
    remove_venue(connection, venue_id)
    record(connection, operator, "venues remove", f"venue {venue_id}")
