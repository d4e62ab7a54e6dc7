"""`kswifi disputes ...`: the queue of disputes, and answers to them."""

from typing import Annotated

import typer

from kswifi.cli.desk.opened import AsJson, print_json, read, shell_operator, write

disputes_app = typer.Typer(help="Disputes of customers: the queue, and answers.", no_args_is_help=True)


@disputes_app.command("list")
def list_(as_json: AsJson = False) -> None:
    """List the open disputes, the one that is due first at the top."""
    from kswifi.sessions.disputes import open_disputes

    found = read(open_disputes)
    if as_json:
        print_json({"disputes": found})
        return
    for it in found:
        print(f"  {it.dispute_id}  due {it.due_at:%Y-%m-%d %H:%M}  session {it.session_id}: {it.words}")
    if not found:
        print("  no dispute is open")


@disputes_app.command("answer")
def answer(
    dispute_id: Annotated[str, typer.Argument(help="The dispute, as `kswifi disputes list` shows it.")],
    words: Annotated[str, typer.Argument(help="The answer, which the customer reads in the app.")],
) -> None:
    """Answer a dispute; the customer gets the answer in the app."""
    from kswifi.desk.disputes import answer as answer_dispute

    answered = write(lambda connection: answer_dispute(connection, shell_operator(), dispute_id, words))
    print(f"{answered.dispute_id}: answered")
