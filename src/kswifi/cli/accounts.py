"""`kswifi accounts kyc`: what an operator sets on accounts; the server may run."""

from typing import TYPE_CHECKING, Annotated

import typer

from kswifi.cli.money.budget import NOTHING_HERE, open_control_database
from kswifi.cli.running import run_async

if TYPE_CHECKING:
    from sqlalchemy import Connection

accounts_app = typer.Typer(help="What an operator sets on accounts.", no_args_is_help=True)


@accounts_app.command("kyc")
def kyc(
    identifier: Annotated[str, typer.Argument(help="The phone number or email address of the account.")],
    level: Annotated[int, typer.Argument(min=0, max=3, help="0: not identified; the rest as you define it.")],
) -> None:
    """Set how far an account's owner has been identified (KSWIFI_FREE_KYC_LEVEL asks for it before an order)."""
    from sqlalchemy import select

    from kswifi.accounts.kyc import kyc_level, set_kyc_level
    from kswifi.accounts.model import parse_identifier
    from kswifi.accounts.sql import user_account
    from kswifi.cli.desk.opened import shell_operator
    from kswifi.desk.audit import record

    async def work() -> None:
        who = parse_identifier(identifier)
        column = user_account.c.phone_number if who.phone_number else user_account.c.email
        async with open_control_database() as database:

            def change(connection: "Connection") -> None:
                user_id = connection.scalar(select(user_account.c.user_id).where(column == str(who)))
                if user_id is None:
                    raise NOTHING_HERE(f"no account has {who}")
                before = {"kyc_level": kyc_level(connection, user_id)}
                set_kyc_level(connection, user_id, level)
                after = {"kyc_level": level}
                record(connection, shell_operator(), "accounts kyc", user_id, before=before, after=after)

            await database.write(change)
        print(f"{who}: KYC level {level}")

    run_async(work())
