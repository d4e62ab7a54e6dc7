"""`kswifi sessions ...`: revoke a session, give goodwill for one, and decide on goodwill above the limits."""

from typing import TYPE_CHECKING, Annotated

import typer

from kswifi.cli.desk.opened import AsJson, Reason, print_json, read, shell_operator, write
from kswifi.kernel.quantities import format_octets

if TYPE_CHECKING:
    from kswifi.desk.goodwill import Goodwill

sessions_app = typer.Typer(help="Sessions: revoke, goodwill.", no_args_is_help=True)

SessionId = Annotated[str, typer.Argument(help="The session's id.")]
RequestId = Annotated[str, typer.Argument(help="The request, as `kswifi sessions waiting` shows it.")]


@sessions_app.command("revoke")
def revoke(session_id: SessionId, reason: Reason) -> None:
    """End a session; what was not used comes back to its payer."""
    from kswifi.desk.sessions import revoke as revoke_session

    after = write(lambda connection: revoke_session(connection, shell_operator(), session_id, reason))
    print(
        f"{after.session_id}: {after.state}"
        + ("" if after.state == "revoked" else ", the ledger is asked to end it")
    )


@sessions_app.command("goodwill")
def goodwill(
    session_id: SessionId,
    reason: Reason,
    offer: Annotated[str, typer.Option(help="The free offer that is given.")] = "free-1gb",
    as_json: AsJson = False,
) -> None:
    """Give a free session for one that went wrong: at most 1 GB a case and 10 GB a person and day alone."""
    from kswifi.catalogue.service import Catalogue
    from kswifi.desk.goodwill import ask
    from kswifi.settings import load_settings

    wanted = Catalogue.load(load_settings().offers_file).offer(offer)
    made = write(lambda connection: ask(connection, shell_operator(), session_id, wanted, reason))
    if as_json:
        print_json(made)
        return
    print(f"{made.goodwill_id}: {format_octets(made.octets)}, {_WORDS[made.state]}")


@sessions_app.command("waiting")
def waiting(as_json: AsJson = False) -> None:
    """List the requests for goodwill that wait for a second person."""
    from kswifi.desk.goodwill import waiting as requests

    found = read(requests)
    if as_json:
        print_json({"waiting": found})
        return
    for it in found:
        print(f"  {it.goodwill_id}  {format_octets(it.octets):>8}  by {it.asked_by}: {it.reason}")
    if not found:
        print("  nothing waits")


@sessions_app.command("approve")
def approve(request_id: RequestId, reason: Reason) -> None:
    """Approve goodwill that another person asked for."""
    _say(_decide(request_id, reason, approve=True))


@sessions_app.command("refuse")
def refuse(request_id: RequestId, reason: Reason) -> None:
    """Refuse goodwill that another person asked for."""
    _say(_decide(request_id, reason, approve=False))


_WORDS = {
    "approved": "will be ordered as soon as the server has done it",
    "waiting": "above the limits: another person has to approve it (`kswifi sessions approve`)",
    "given": "given",
    "refused": "refused",
}


def _decide(request_id: str, reason: str, *, approve: bool) -> "Goodwill":
    from kswifi.desk.goodwill import decide

    return write(
        lambda connection: decide(connection, shell_operator(), request_id, approve=approve, reason=reason)
    )


def _say(made: "Goodwill") -> None:
    print(f"{made.goodwill_id}: {_WORDS[made.state]}")
