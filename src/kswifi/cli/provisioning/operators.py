"""`kswifi operators ...`: operators that order profiles over ES2+, and their stock, also while the server runs."""

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final

import typer

from kswifi.cli.running import run_async
from kswifi.kernel.errors import Refusal

if TYPE_CHECKING:
    from kswifi.database.engine import Database
    from kswifi.esim.lines.vault import SubscriberVault

operators_app = typer.Typer(help="Operators who order profiles here over ES2+.", no_args_is_help=True)

MOST_FILES: Final = 10_000

Name = Annotated[str, typer.Argument(help="The operator's name; cards show it with its profiles.")]
NO_INSTALLATION_HERE = Refusal("no_installation_here", "The data directory has no database yet.")


class Rule(StrEnum):
    """Profile policy rules (SGP.22, 2.9.1), with the names of ``PolicyRule``."""

    UPDATE_CONTROL = "update-control"
    DISABLING_NOT_ALLOWED = "disabling-not-allowed"
    DELETION_NOT_ALLOWED = "deletion-not-allowed"


@operators_app.command("add")
def add(
    name: Name,
    certificate: Annotated[Path, typer.Option(help="Its TLS client certificate (PEM or DER), not its issuer's.")],
    callback: Annotated[
        str | None, typer.Option(help="https://... where the operator is notified of downloads (ES2+).")
    ] = None,
    callback_ca: Annotated[
        Path | None, typer.Option(help="Authorities of the callback's certificate (PEM).")
    ] = None,
) -> None:
    """Register an operator, or add a further certificate to one, for example before the present one expires."""
    from kswifi.esim.operators.operators import add_operator, read_certificates

    own = read_certificates(certificate.read_bytes())[0]
    ca = None if callback_ca is None else callback_ca.read_text()
    if ca is not None:
        read_certificates(ca.encode())

    async def work() -> None:
        async with _database() as database:
            await database.write(
                lambda connection: add_operator(connection, name, own, callback_url=callback, callback_ca=ca)
            )

    run_async(work())
    print(f"{name} is registered; a server that runs lets it in within seconds.")


@operators_app.command("list")
def list_all(
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object a line.")] = False,
) -> None:
    """List operators with their certificates and the number of profiles in each state."""
    from kswifi.esim.operators.operators import list_operators

    async def work() -> None:
        async with _database() as database:
            found = await database.write(list_operators)
        for each in found:
            certificates = {digest: f"{end:%Y-%m-%d}" for digest, end in each.certificates}
            if as_json:
                shown = {
                    "name": each.operator.name,
                    "callback": each.operator.callback_url,
                    "certificates": certificates,
                    "profiles": each.profiles,
                }
                print(json.dumps(shown))
                continue
            print(f"{each.operator.name}  {each.operator.callback_url or 'no callback'}")
            for digest, end in certificates.items():
                print(f"  certificate {digest[:16]} until {end}")
            for state, count in each.profiles.items():
                print(f"  {count:6} {state}")

    run_async(work())


@operators_app.command("remove")
def remove(
    name: Name,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask first.")] = False,
) -> None:
    """Remove an operator. Profiles that it ordered are still delivered; profiles without an order are deleted."""
    from kswifi.esim.operators.operators import remove_operator

    if not yes:
        typer.confirm(f"Remove {name} and its profiles that nobody ordered?", abort=True)

    async def work() -> None:
        async with _database() as database:
            await database.write(lambda connection: remove_operator(connection, name))

    run_async(work())
    print(f"{name} is not known here any more.")


@operators_app.command("stock")
def stock(
    name: Name,
    packages: Annotated[list[Path], typer.Argument(help="Profile packages (DER), one profile each.")],
    profile_type: Annotated[str, typer.Option("--type", help="What the operator calls these profiles.")],
    profile_name: Annotated[str | None, typer.Option(help="The name that phones show; else the package's.")] = None,
    icon: Annotated[Path | None, typer.Option(help="A PNG or JPEG of 64 x 64 pixels, at most 1024 octets.")] = None,
    owner: Annotated[
        str | None,
        typer.Option(help="Their owner: MCC and MNC, then /GID1 and /GID2 in hexadecimal if it has any."),
    ] = None,
    policy_rules: Annotated[
        list[Rule] | None, typer.Option("--policy-rule", help="A profile policy rule; needs --owner. Repeatable.")
    ] = None,
    order_days: Annotated[
        int | None, typer.Option(help="Days that an order can be downloaded; else KSWIFI_ORDER_DAYS.")
    ] = None,
) -> None:
    """Add profile packages to an operator's stock; they are stored encrypted, as they hold subscribers' keys."""
    from kswifi.esim.operators.operators import find_operator
    from kswifi.esim.operators.profile_stock import stock_profile
    from kswifi.esim.operators.stock_metadata import StockMetadata, profile_owner
    from kswifi.rsp.messages.metadata import PolicyRule

    if len(packages) > MOST_FILES:
        raise typer.BadParameter(f"at most {MOST_FILES} files at once")
    said = StockMetadata(
        profile_name=profile_name,
        icon=None if icon is None else icon.read_bytes(),
        owner=None if owner is None else profile_owner(owner),
        policy_rules=frozenset(int(PolicyRule[rule.name]) for rule in policy_rules or ()),
        order_days=order_days,
    ).checked()

    async def work() -> None:
        async with _database() as database:
            vault = _vault()
            for path in packages:
                octets = path.read_bytes()
                iccid = await database.write(
                    lambda connection, octets=octets: stock_profile(  # type: ignore[misc]
                        connection, vault, find_operator(connection, name), profile_type, octets, said
                    )
                )
                print(f"{iccid}  {path.name}")

    run_async(work())


@operators_app.command("expire")
def expire(
    name: Name,
    iccid: Annotated[str, typer.Argument(help="The profile whose released order ends now.")],
) -> None:
    """End a released order: its profile goes to Error, cards are refused with 8.8.5/4.10; cancelOrder frees it."""
    from kswifi.esim.operators.operator_orders import expire_order
    from kswifi.esim.operators.operators import find_operator
    from kswifi.kernel.numbers import Iccid

    number = str(Iccid.as_read(iccid))

    async def work() -> None:
        async with _database() as database:
            await database.write(
                lambda connection: expire_order(connection, find_operator(connection, name).operator_id, number)
            )

    run_async(work())
    print(f"The order of {number} has expired.")


@asynccontextmanager
async def _database() -> "AsyncIterator[Database]":
    from kswifi.data_directory.layout import installation_of
    from kswifi.database.engine import Database
    from kswifi.settings import load_settings

    installation = installation_of(load_settings())
    if not installation.has_database:
        raise NO_INSTALLATION_HERE(
            f"{installation.control_database} is not there: start the server once, then register operators"
        )
    database = Database(installation.database_url)
    try:
        yield database
    finally:
        await database.close()


def _vault() -> "SubscriberVault":
    from kswifi.data_directory.layout import installation_of
    from kswifi.esim.lines.vault import SubscriberVault
    from kswifi.settings import load_settings

    return SubscriberVault(installation_of(load_settings()).subscriber_key.read_bytes())
