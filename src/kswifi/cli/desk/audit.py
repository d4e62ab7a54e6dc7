"""`kswifi audit ...`: the trail of what the operator's staff did, and its verification."""

from typing import TYPE_CHECKING, Annotated

import typer

from kswifi.cli.desk.opened import AsJson, print_json, read

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from kswifi.desk.audit import Action

audit_app = typer.Typer(help="The audit trail: who did what, when and why.", no_args_is_help=True)


@audit_app.command("list")
def list_(
    subject: Annotated[str | None, typer.Option(help="Only actions on this account, line, session, ...")] = None,
    who: Annotated[str | None, typer.Option(help="Only actions of this person.")] = None,
    limit: Annotated[int, typer.Option(min=1, max=10_000, help="At most so many.")] = 100,
    as_json: AsJson = False,
) -> None:
    """List actions, the newest first."""
    from kswifi.desk.audit import actions

    def look(connection: "Connection") -> "list[Action]":
        return actions(connection, subject=subject, who=who, limit=limit)

    found = read(look)
    if as_json:
        print_json({"actions": found})
        return
    for it in found:
        person = f"{it.who} ({it.role})"
        print(f"  {it.number:6}  {it.at:%Y-%m-%d %H:%M:%S}  {person}  {it.command}  {it.subject}  {it.reason}")
    if not found:
        print("  nothing was done yet")


@audit_app.command("verify")
def verify(
    contains: Annotated[
        str | None, typer.Option(help="A hash that an earlier verification printed, which must still be there.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Check every row, the chain of hashes and the database's triggers; exit status 1 if anything is wrong."""
    from kswifi.desk.audit import verify_trail

    found = read(lambda connection: verify_trail(connection, contains))
    if as_json:
        print_json(found)
    else:
        print(f"{found.rows} actions; the newest hash is {found.newest_hash}")
        for finding in found.findings:
            print(f"WRONG: {finding}")
    if found.findings:
        raise SystemExit(1)
