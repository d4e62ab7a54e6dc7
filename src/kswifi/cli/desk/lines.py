"""`kswifi lines ...`: show a line, freeze it, thaw it, ask for its move to a new eSIM."""

from typing import TYPE_CHECKING, Annotated

import typer

from kswifi.cli.desk.opened import AsJson, Reason, print_json, read, shell_operator, write

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from kswifi.esim.model import ESim
    from kswifi.sessions.model import InternetSession

lines_app = typer.Typer(help="Lines: show, freeze (lost phone, fraud), thaw, move.", no_args_is_help=True)

LineId = Annotated[str, typer.Argument(help="The line's (eSIM's) id.")]


@lines_app.command("show")
def show(line_id: LineId, as_json: AsJson = False) -> None:
    """Show a line with its profile, its hold, and the sessions on it."""
    from kswifi.esim.lines.service import find_esim
    from kswifi.sessions.store import sessions_on

    def look(connection: "Connection") -> tuple["ESim", list["InternetSession"]]:
        line = find_esim(connection, line_id)
        return line, sessions_on(connection, line.esim_id)

    line, sessions = read(look)
    if as_json:
        print_json({"line": line, "sessions": sessions})
        return
    print(f"{line.esim_id}  of {line.user_id}\n  ICCID {line.iccid}  IMSI {line.imsi}  EID {line.eid or 'unknown'}")
    print(
        f"  profile {line.profile_state}, hold {line.hold or 'none'}, {'FROZEN' if line.frozen else 'not frozen'}"
    )
    if line.wants_frozen != line.frozen:
        print("  a freeze or thaw is under way: the ledger has not confirmed it yet")
    for it in sessions:
        print(f"  session {it.session_id}  {it.offer_id:12} {it.state}")


@lines_app.command("freeze")
def freeze(line_id: LineId, reason: Reason) -> None:
    """Freeze a line: nothing is granted to it until it is thawed, also not if its owner switches it on."""
    _set(line_id, reason, frozen=True)


@lines_app.command("thaw")
def thaw(line_id: LineId, reason: Reason) -> None:
    """Thaw a frozen line."""
    _set(line_id, reason, frozen=False)


@lines_app.command("move")
def move(
    line_id: LineId,
    reason: Reason,
    why: Annotated[str, typer.Option(help="lost, broken, deleted or new_phone.")] = "lost",
) -> None:
    """Freeze a line and ask for its sessions to move to a new eSIM: in 24 hours, or when the owner confirms it.

    `lost` also signs the owner's devices out.
    """
    from kswifi.desk.moves import ask_to_move
    from kswifi.people.move_model import MoveReason
    from kswifi.people.moves import MoveService

    if why not in set(MoveReason):
        raise typer.BadParameter(f"one of {', '.join(MoveReason)}", param_hint="--why")
    asked = write(
        lambda connection: ask_to_move(
            connection, shell_operator(), MoveService(), line_id, MoveReason(why), reason
        )
    )
    print(f"{asked.old_esim_id}: frozen; its sessions move at {asked.due_at:%Y-%m-%d %H:%M} UTC, or when confirmed")


def _set(line_id: str, reason: str, *, frozen: bool) -> None:
    from kswifi.desk.lines import set_line_frozen

    line = write(lambda connection: set_line_frozen(connection, shell_operator(), line_id, reason, frozen=frozen))
    done = line.frozen == frozen
    words = "frozen" if frozen else "thawed"
    print(f"{line.esim_id}: {words if done else f'will be {words} as soon as the server has done it'}")
