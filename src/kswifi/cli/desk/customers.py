"""`kswifi customers ...`: find a customer, show everything, sign out, new recovery code, export, delete."""

import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from kswifi.cli.desk.opened import AsJson, CustomerId, Reason, print_json, read, shell_operator, write
from kswifi.cli.money.budget import open_control_database
from kswifi.cli.running import run_async
from kswifi.kernel.quantities import format_naira, format_octets

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from kswifi.accounts.model import User
    from kswifi.desk.customers import Customer
    from kswifi.vouchers.codes import VoucherCodes

customers_app = typer.Typer(help="Customers: find, show, sign out, recover, export, delete.", no_args_is_help=True)


@customers_app.command("find")
def find(
    word: Annotated[
        str,
        typer.Argument(help="A phone number, e-mail, ICCID, IMSI, payment reference, voucher, or any id."),
    ],
    as_json: AsJson = False,
) -> None:
    """Find the customers that a word names; a number or an address may be cut short."""
    from kswifi.desk.customers import find_customers

    codes = _voucher_codes()
    found = read(lambda connection: find_customers(connection, word, codes))
    if as_json:
        print_json({"found": found})
        return
    for it in found:
        print(f"  {it.user_id}  {it.identifier:32} since {it.created_at:%Y-%m-%d}  found by {it.by}")
    if not found:
        print("  nobody was found")


@customers_app.command("show")
def show(customer_id: CustomerId, as_json: AsJson = False) -> None:
    """Show a customer: lines, sessions, payments, disputes, and everything that happened, the newest first."""
    from kswifi.desk.customers import show_customer
    from kswifi.desk.timeline import timeline

    def look(connection: "Connection") -> tuple["Customer", list[object]]:
        customer = show_customer(connection, customer_id)
        return customer, list(timeline(connection, customer))

    customer, moments = read(look)
    if as_json:
        print_json({"customer": customer, "timeline": moments})
        return
    _show(customer)
    for it in moments:
        print(f"  {it.at:%Y-%m-%d %H:%M:%S}  {it.source:9} {it.words}  {it.about}")  # type: ignore[attr-defined]


@customers_app.command("logout")
def logout(customer_id: CustomerId, reason: Reason) -> None:
    """Sign a customer out on every device."""
    from kswifi.desk.customers import sign_out

    count = write(lambda connection: sign_out(connection, shell_operator(), customer_id, reason))
    print(f"{customer_id}: {count} sign-ins ended")


@customers_app.command("recovery")
def recovery(customer_id: CustomerId, reason: Reason) -> None:
    """Replace the recovery code of a customer who lost it, and print the new one, once."""
    from kswifi.desk.customers import replace_recovery_code

    code = write(
        lambda connection: replace_recovery_code(connection, shell_operator(), customer_id, reason, os.urandom)
    )
    print(f"{customer_id}: the new recovery code is {code}")


@customers_app.command("export")
def export(
    customer_id: CustomerId,
    file: Annotated[Path, typer.Argument(help="Where to write the JSON; must not exist yet.")],
    reason: Reason = "asked for by the customer",
) -> None:
    """Write everything that is stored about a customer into a file, as the app's export does."""
    from kswifi.api.routes.accounts.account_data import export_of
    from kswifi.desk.audit import checked_reason, record
    from kswifi.kernel.files import write_owner_only

    async def work() -> None:
        async with open_control_database() as database:
            user = await database.read(lambda connection: _user(connection, customer_id))
            view = await export_of(database, user, "")
            write_owner_only(file, view.model_dump_json(indent=2).encode())
            await database.write(
                lambda connection: record(
                    connection, shell_operator(), "customers export", customer_id, reason=checked_reason(reason)
                )
            )

    run_async(work())
    print(f"{file}: it holds personal data; delete it when it was handed over")


@customers_app.command("delete")
def delete(customer_id: CustomerId, reason: Reason) -> None:
    """Delete an account as its owner would; what the books need is kept without a name."""
    from kswifi.accounts.passwords import Passwords
    from kswifi.accounts.service import AccountService
    from kswifi.api.routes.accounts.account_data import forget_account
    from kswifi.desk.audit import checked_reason, record

    why = checked_reason(reason)

    async def work() -> None:
        passwords = Passwords()
        try:
            async with open_control_database() as database:
                user = await database.read(lambda connection: _user(connection, customer_id))

                def also(connection: "Connection") -> None:
                    forget_account(connection, user.user_id)
                    record(connection, shell_operator(), "customers delete", user.user_id, reason=why)

                await AccountService(database, passwords).erase(user, also)
        finally:
            passwords.close()

    run_async(work())
    print(f"{customer_id}: the account is deleted")


def _user(connection: "Connection", customer_id: str) -> "User":
    from kswifi.accounts.service import find_user
    from kswifi.desk.errors import NO_SUCH_CUSTOMER

    user = find_user(connection, customer_id)
    if user is None:
        raise NO_SUCH_CUSTOMER("there is no such account", user_id=customer_id[:64])
    return user


def _voucher_codes() -> "VoucherCodes | None":
    """Return what reads the codes of vouchers; None where no server was ever started."""
    from kswifi.bootstrap.parts.vouchers import voucher_codes
    from kswifi.data_directory.layout import Installation
    from kswifi.esim.lines.vault import SubscriberVault
    from kswifi.settings import load_settings

    key = Installation(load_settings().data_dir).subscriber_key
    return voucher_codes(SubscriberVault(key.read_bytes())) if key.exists() else None


def _show(customer: "Customer") -> None:
    state = "DELETED" if customer.deleted else "verified" if customer.phone_verified else "not verified"
    print(f"{customer.user_id}  {customer.identifier}  {state}, KYC level {customer.kyc_level}")
    print(f"  {len(customer.logins)} sign-ins, {customer.passkeys} passkeys")
    for line in customer.lines:
        frozen = "FROZEN" if line.frozen else "to be frozen" if line.wants_frozen else line.hold or "open"
        print(f"  line     {line.esim_id}  {line.iccid}  {line.profile_state}  {frozen}")
    for it in customer.sessions:
        one, balance = it.session, it.usage.balance
        left = "uncapped" if one.allowance_octets is None else f"{format_octets(balance.available)} left"
        print(f"  session  {one.session_id}  {one.offer_id:12} {one.state:12} {left}")
    for paid in customer.payments:
        print(f"  payment  {paid.reference}  {format_naira(paid.amount_kobo)}  {paid.state}")
