"""Fraud: safeguards, the review queue, clusters, and actions on many accounts that can be undone."""

from typing import Any, Final

from sqlalchemy import Connection
from starlette.responses import Response

from kswifi.console.errors import EXPORT_INVALID
from kswifi.console.visit import Page, Visit
from kswifi.desk.fraud.actions import ActionKind, FraudAction, act, fraud_actions, undo
from kswifi.desk.fraud.review import accounts_of, clusters, decide_hold, find_cluster, queue
from kswifi.desk.fraud.sightings import networks_of
from kswifi.desk.roles import Permission
from kswifi.free_data.budgets import budgets
from kswifi.free_data.safeguards import missing_safeguards


async def _fraud(visit: Visit) -> Response:
    def look(connection: Connection) -> dict[str, Any]:
        return {
            "missing": missing_safeguards(visit.services.rules, budgets(connection)),
            "waiting": queue(connection),
            "clusters": clusters(connection),
            "actions": fraud_actions(connection),
        }

    return visit.page("fraud.html", **await visit.read(look))


async def _cluster(visit: Visit) -> Response:
    def look(connection: Connection) -> dict[str, Any]:
        cluster = find_cluster(connection, visit.part("user_id"))
        return {
            "cluster": cluster,
            "accounts": accounts_of(connection, cluster.user_ids),
            "networks": networks_of(connection, cluster.user_ids),
        }

    return visit.page("cluster.html", **await visit.read(look))


async def _act_on_cluster(visit: Visit) -> Response:
    kind, reason = _kind(visit), visit.field("reason")

    def change(connection: Connection) -> FraudAction:
        cluster = find_cluster(connection, visit.part("user_id"))
        return act(connection, visit.member.operator, kind, cluster.user_ids, reason)

    return visit.to("/fraud", _words(await visit.write(change)))


async def _act_on_chosen(visit: Visit) -> Response:
    """Do something with the accounts that were ticked in the review queue."""
    kind, reason = _kind(visit), visit.field("reason")
    chosen = [value for name, value in visit.chosen if name == "user_id"]
    if not chosen:
        raise EXPORT_INVALID("tick the accounts first")
    done = await visit.write(lambda connection: act(connection, visit.member.operator, kind, chosen, reason))
    return visit.to("/fraud", _words(done))


async def _decide(visit: Visit) -> Response:
    hold_id, release, reason = visit.part("hold_id"), visit.field("decision") == "release", visit.field("reason")
    await visit.write(
        lambda connection: decide_hold(connection, visit.member.operator, hold_id, release=release, reason=reason)
    )
    return visit.to("/fraud", "Free data is given again" if release else "The account stays held")


async def _undo(visit: Visit) -> Response:
    action_id, reason = visit.part("action_id"), visit.field("reason")
    await visit.write(lambda connection: undo(connection, visit.member.operator, action_id, reason))
    return visit.to("/fraud", "The action is undone")


def _kind(visit: Visit) -> ActionKind:
    kind = visit.field("kind")
    if kind not in set(ActionKind):
        raise EXPORT_INVALID("choose hold, freeze or release")
    return ActionKind(kind)


def _words(action: FraudAction) -> str:
    lines = f" and {action.lines} lines" if action.lines else ""
    return f"Done: {action.kind} of {action.accounts} accounts{lines}. It can be undone below."


PAGES: Final = (
    Page("GET", "/fraud", _fraud),
    Page("GET", "/fraud/clusters/{user_id}", _cluster),
    Page("POST", "/fraud/clusters/{user_id}", _act_on_cluster, Permission.HOLD_ACCOUNTS),
    Page("POST", "/fraud/accounts", _act_on_chosen, Permission.HOLD_ACCOUNTS),
    Page("POST", "/fraud/holds/{hold_id}", _decide, Permission.REVIEW_HOLDS),
    Page("POST", "/fraud/actions/{action_id}/undo", _undo, Permission.HOLD_ACCOUNTS),
)
