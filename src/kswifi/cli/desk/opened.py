"""What all commands of the desk share: the person at the shell, one step on the database, and JSON output."""

import json
from collections.abc import Callable
from dataclasses import asdict, is_dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Annotated, Any, TypeVar

import typer

from kswifi.cli.money.budget import open_control_database
from kswifi.cli.provisioning.operating_user import operating_user
from kswifi.cli.running import run_async

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from kswifi.desk.roles import Operator

_T = TypeVar("_T")

AsJson = Annotated[bool, typer.Option("--json", help="Print one JSON object on one line.")]
Reason = Annotated[str, typer.Option("--reason", help="Why: the audit trail keeps it.")]
CustomerId = Annotated[str, typer.Argument(help="The account's id, as `kswifi customers find` shows it.")]


def shell_operator() -> "Operator":
    """Return the person at the shell, who may do everything; the audit trail gets the login name."""
    from kswifi.desk.roles import Operator, Role
    from kswifi.desk.sql import STAFF_NAME_LIMIT

    return Operator(operating_user()[:STAFF_NAME_LIMIT], Role.SHELL)


def read(step: "Callable[[Connection], _T]") -> _T:
    """Run a step that reads the installation's database; the server may run."""

    async def work() -> _T:
        async with open_control_database() as database:
            return await database.read(step)

    return run_async(work())


def write(step: "Callable[[Connection], _T]") -> _T:
    """Run a step that changes the installation's database; the running server carries on from there."""

    async def work() -> _T:
        async with open_control_database() as database:
            return await database.write(step)

    return run_async(work())


def print_json(what: Any) -> None:
    """Print a value of plain data and dataclasses as one JSON object on one line."""
    print(json_text(what))


def json_text(what: Any) -> str:
    """Return a value of plain data and dataclasses as JSON on one line."""
    return json.dumps(what, default=_plain)


def _plain(value: Any) -> Any:
    if is_dataclass(value) and not isinstance(value, type):
        return asdict(value)
    return value.isoformat() if isinstance(value, datetime) else str(value)
