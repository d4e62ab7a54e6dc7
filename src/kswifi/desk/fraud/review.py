"""The clusters and the review queue as staff sees them, and the decision on a single hold."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from sqlalchemy import Connection, select

from kswifi.accounts.sql import user_account
from kswifi.database.engine import transaction_instant
from kswifi.desk.audit import checked_reason, record
from kswifi.desk.errors import HOLD_DECIDED, UNKNOWN_CLUSTER, UNKNOWN_HOLD
from kswifi.desk.fraud.model import Cluster, clusters_of
from kswifi.desk.fraud.sightings import shared_marks, sightings_of
from kswifi.desk.roles import Operator, Permission
from kswifi.free_data.holds import Hold, HoldState, find_hold, holds_of, holds_waiting, set_state

CLUSTER_DAYS: Final = 30
"""So far back accounts are joined. Marks are deleted after the rolling days of the allowance."""

CLUSTERS_LIMIT: Final = 100
ACCOUNTS_LIMIT: Final = 500
QUEUE_LIMIT: Final = 200
_u: Final = user_account.c


@dataclass(frozen=True, slots=True)
class HeldAccount:
    """An account with its holds, the newest first; ``identifier`` is to be masked where staff sees it."""

    user_id: str
    identifier: str
    created_at: datetime
    holds: tuple[Hold, ...]

    @property
    def held(self) -> bool:
        """Whether free data is held for it now."""
        return any(it.in_force for it in self.holds)


def clusters(connection: Connection) -> list[Cluster]:
    """Return the clusters of the last days, the largest first, at most CLUSTERS_LIMIT."""
    since = transaction_instant(connection) - timedelta(days=CLUSTER_DAYS)
    return clusters_of(sightings_of(connection, shared_marks(connection, since), since))[:CLUSTERS_LIMIT]


def find_cluster(connection: Connection, key: str) -> Cluster:
    """Return the cluster that an account belongs to; its key is the id of its oldest account.

    Raises:
        UNKNOWN_CLUSTER: the account is in no cluster.
    """
    found = next((it for it in clusters(connection) if key in it.user_ids), None)
    if found is None:
        raise UNKNOWN_CLUSTER("this account is in no cluster", user_id=key[:64])
    return found


def accounts_of(connection: Connection, user_ids: tuple[str, ...]) -> list[HeldAccount]:
    """Return some accounts with their holds, the oldest account first, at most ACCOUNTS_LIMIT."""
    shown = sorted(user_ids)[:ACCOUNTS_LIMIT]
    holds: dict[str, list[Hold]] = {user_id: [] for user_id in shown}
    for hold in holds_of(connection, shown):
        holds[hold.user_id].append(hold)
    query = select(_u.user_id, _u.phone_number, _u.email, _u.created_at).where(_u.user_id.in_(shown))
    return [
        HeldAccount(row.user_id, row.phone_number or row.email or "", row.created_at, tuple(holds[row.user_id]))
        for row in connection.execute(query.order_by(_u.user_id))
    ]


def queue(connection: Connection) -> list[tuple[Hold, HeldAccount]]:
    """Return the holds that wait for a person, the oldest first, each with its account."""
    waiting = holds_waiting(connection, QUEUE_LIMIT)
    accounts = {it.user_id: it for it in accounts_of(connection, tuple({it.user_id for it in waiting}))}
    return [(it, accounts[it.user_id]) for it in waiting]


def decide_hold(connection: Connection, operator: Operator, hold_id: str, *, release: bool, reason: str) -> Hold:
    """Release a hold, or keep it. A kept one can be released later.

    Raises:
        UNKNOWN_HOLD: there is none with this id.
        HOLD_DECIDED: it is released, or is kept and should be kept again.
        ROLE_MAY_NOT, REASON_MISSING
    """
    operator.require(Permission.REVIEW_HOLDS)
    reason = checked_reason(reason)
    hold = find_hold(connection, hold_id)
    if hold is None:
        raise UNKNOWN_HOLD("there is no such hold", hold_id=hold_id[:64])
    state = HoldState.RELEASED if release else HoldState.KEPT
    if not hold.in_force or hold.state is state:
        raise HOLD_DECIDED(f"this hold is {hold.state}", state=str(hold.state))
    set_state(connection, hold_id, state, decided_by=operator.name, reason=reason)
    record(
        connection,
        operator,
        "fraud release" if release else "fraud keep",
        hold.user_id,
        reason=reason,
        before={"hold_id": hold_id, "state": str(hold.state)},
        after={"state": str(state)},
    )
    return hold
