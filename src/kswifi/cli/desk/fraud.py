"""`kswifi fraud ...`: safeguards, clusters, the review queue, and actions on many accounts with their undoing."""

from typing import TYPE_CHECKING, Annotated

import typer

from kswifi.cli.desk.opened import AsJson, Reason, print_json, read, shell_operator, write

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from kswifi.desk.fraud.actions import ActionKind, FraudAction
    from kswifi.desk.fraud.model import Cluster

fraud_app = typer.Typer(help="Fraud: accounts that share marks, holds of free data, review.", no_args_is_help=True)

ClusterKey = Annotated[
    str, typer.Argument(metavar="CLUSTER", help="An account of it, as `fraud clusters` shows it.")
]
HoldId = Annotated[str, typer.Argument(help="The hold, as `kswifi fraud holds` shows it.")]


@fraud_app.command("safeguards")
def safeguards(as_json: AsJson = False) -> None:
    """Say what is missing before free data starts; exit status 1 if something is."""
    from kswifi.free_data.budgets import budgets
    from kswifi.free_data.safeguards import missing_safeguards
    from kswifi.settings import load_settings

    rules = load_settings().free_rules
    missing = missing_safeguards(rules, read(budgets))
    if as_json:
        print_json({"asked_for": rules.guarded, "missing": missing})
    else:
        for words in missing:
            print(f"MISSING: {words}")
        if not missing:
            print("all safeguards are there" if rules.guarded else "this installation asks for no safeguards")
    if missing:
        raise SystemExit(1)


@fraud_app.command("clusters")
def clusters(as_json: AsJson = False) -> None:
    """List groups of accounts that share devices, cards, number series or payment instruments."""
    from kswifi.desk.fraud.review import clusters as look

    found = read(look)
    if as_json:
        print_json({"clusters": found})
        return
    for it in found:
        print(f"  {it.key}  {len(it.user_ids):5} accounts  {_shared(it)}  last seen {it.last_at:%Y-%m-%d %H:%M}")
    if not found:
        print("  no accounts share a mark with enough others")


@fraud_app.command("show")
def show(cluster: ClusterKey, as_json: AsJson = False) -> None:
    """Show the accounts of a cluster with their holds, and the networks from which they are signed in."""
    from kswifi.desk.customers import masked
    from kswifi.desk.fraud.review import accounts_of, find_cluster
    from kswifi.desk.fraud.sightings import networks_of

    def look(connection: "Connection") -> dict[str, object]:
        found = find_cluster(connection, cluster)
        accounts = accounts_of(connection, found.user_ids)
        return {"cluster": found, "accounts": accounts, "networks": networks_of(connection, found.user_ids)}

    found = read(look)
    if as_json:
        print_json(found)
        return
    for it in found["accounts"]:  # type: ignore[attr-defined]
        state = "HELD" if it.held else "open"
        print(f"  {it.user_id}  {masked(it.identifier):24} since {it.created_at:%Y-%m-%d %H:%M}  {state}")
    for network, accounts in found["networks"].items():  # type: ignore[attr-defined]
        print(f"  {accounts} are signed in from {network} (an address alone holds nobody)")


@fraud_app.command("holds")
def holds(as_json: AsJson = False) -> None:
    """List the holds that wait for a person, the oldest first."""
    from kswifi.desk.customers import masked
    from kswifi.desk.fraud.review import queue

    found = read(queue)
    if as_json:
        print_json({"holds": [hold for hold, _ in found]})
        return
    for hold, account in found:
        about = f"{hold.why}, {hold.facts.get('accounts', 1)} accounts"
        print(f"  {hold.hold_id}  {masked(account.identifier):24} since {hold.placed_at:%Y-%m-%d %H:%M}  {about}")
    if not found:
        print("  no hold waits for a person")


@fraud_app.command("release")
def release(hold: HoldId, reason: Reason) -> None:
    """Release the hold of one account: free data is given again at once."""
    _decide(hold, reason, release=True)


@fraud_app.command("keep")
def keep(hold: HoldId, reason: Reason) -> None:
    """Keep the hold of one account."""
    _decide(hold, reason, release=False)


@fraud_app.command("hold")
def hold(cluster: ClusterKey, reason: Reason) -> None:
    """Hold free data of all accounts of a cluster."""
    from kswifi.desk.fraud.actions import ActionKind

    _act(ActionKind.HOLD, cluster, reason)


@fraud_app.command("freeze")
def freeze(cluster: ClusterKey, reason: Reason) -> None:
    """Hold free data of all accounts of a cluster, and freeze their lines, paid sessions included."""
    from kswifi.desk.fraud.actions import ActionKind

    _act(ActionKind.FREEZE, cluster, reason)


@fraud_app.command("release-all")
def release_all(cluster: ClusterKey, reason: Reason) -> None:
    """Release the holds of all accounts of a cluster."""
    from kswifi.desk.fraud.actions import ActionKind

    _act(ActionKind.RELEASE, cluster, reason)


@fraud_app.command("actions")
def actions(as_json: AsJson = False) -> None:
    """List the actions on many accounts, the newest first."""
    from kswifi.desk.fraud.actions import fraud_actions

    found = read(fraud_actions)
    if as_json:
        print_json({"actions": found})
        return
    for it in found:
        undone = f", undone by {it.undone_by}" if it.undone_at else ""
        print(f"  {it.action_id}  {it.done_at:%Y-%m-%d %H:%M}  {_done(it)} by {it.done_by}: {it.reason}{undone}")
    if not found:
        print("  no action yet")


@fraud_app.command("undo")
def undo(
    action: Annotated[str, typer.Argument(help="The action, as `kswifi fraud actions` shows it.")], reason: Reason
) -> None:
    """Undo an action on many accounts, once; what was decided after it stays."""
    from kswifi.desk.fraud.actions import undo as undo_action

    undone = write(lambda connection: undo_action(connection, shell_operator(), action, reason))
    print(f"{undone.action_id}: {undone.kind} is undone")


def _act(kind: "ActionKind", cluster: str, reason: str) -> None:
    from kswifi.desk.fraud.actions import act
    from kswifi.desk.fraud.review import find_cluster

    def change(connection: "Connection") -> "FraudAction":
        return act(connection, shell_operator(), kind, find_cluster(connection, cluster).user_ids, reason)

    done = write(change)
    print(f"{_done(done)}; undo it with: kswifi fraud undo {done.action_id}")


def _decide(hold_id: str, reason: str, *, release: bool) -> None:
    from kswifi.desk.fraud.review import decide_hold

    decided = write(
        lambda connection: decide_hold(connection, shell_operator(), hold_id, release=release, reason=reason)
    )
    print(f"{decided.user_id}: {'released' if release else 'stays held'}")


def _done(action: "FraudAction") -> str:
    lines = f" and {action.lines} lines" if action.lines else ""
    return f"{action.kind} of {action.accounts} accounts{lines}"


def _shared(cluster: "Cluster") -> str:
    return ", ".join(f"{it.accounts} by {it.link}" for it in cluster.shared[:3])
