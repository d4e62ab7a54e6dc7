"""`kswifi vouchers ...`: make and manage vouchers of venues, also while the server runs."""

import json
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from kswifi.cli.money.budget import AsJson, Why, open_control_database
from kswifi.cli.running import run_async
from kswifi.kernel.errors import Refusal

if TYPE_CHECKING:
    from kswifi.vouchers.codes import VoucherCodes

vouchers_app = typer.Typer(help="Vouchers of WiFi venues: one-use codes for free data.", no_args_is_help=True)

BatchNumber = Annotated[int, typer.Argument(min=1, help="The batch, as `kswifi vouchers list` numbers it.")]
VOUCHERS_REFUSED = Refusal("vouchers_refused", "A batch or its sheet cannot be made as asked.")


@vouchers_app.command("make")
def make(
    venue: Annotated[str, typer.Option(help="The venue, as its guests know it.")],
    count: Annotated[int, typer.Option(min=1, max=10_000, help="How many vouchers.")],
    days: Annotated[int, typer.Option(min=1, max=366, help="Redeemed and used within so many days.")] = 30,
    budget: Annotated[
        str | None, typer.Option(help="The venue's budget that pays; none: the operator's budget or a sponsor's.")
    ] = None,
    offer: Annotated[str | None, typer.Option(help="The free offer that they are good for; none: any.")] = None,
) -> None:
    """Make a batch of vouchers, each for one free session."""
    from kswifi.catalogue.service import Catalogue
    from kswifi.cli.desk.opened import shell_operator
    from kswifi.desk.venues import make_vouchers
    from kswifi.settings import load_settings

    async def work() -> None:
        async with open_control_database() as database:
            one = None if offer is None else Catalogue.load(load_settings().offers_file).offer(offer)
            made = await database.write(
                lambda connection: make_vouchers(connection, shell_operator(), venue, count, days, budget, one)
            )
        print(
            f"batch {made.batch_id}: {made.count} vouchers of {made.venue}, "
            f"until {made.expires_at:%Y-%m-%d %H:%M} UTC"
        )
        print(f"print them: kswifi vouchers sheet {made.batch_id} vouchers-{made.batch_id}.pdf")

    run_async(work())


@vouchers_app.command("list")
def list_(as_json: AsJson = False) -> None:
    """List the batches, the newest first, with the number of redeemed vouchers."""
    from kswifi.vouchers.batches import batches

    async def work() -> None:
        async with open_control_database() as database:
            found, now = await database.read(lambda connection: (batches(connection), database.clock.now()))
        if as_json:
            shown = [asdict(it.batch) | {"redeemed": it.redeemed} for it in found]
            print(json.dumps(shown, default=lambda instant: instant.isoformat()))
            return
        for it in found:
            batch = it.batch
            state = "revoked" if batch.revoked_at else "expired" if batch.expires_at <= now else "open"
            print(
                f"  {batch.batch_id:5}  {batch.venue:30}  {it.redeemed:5} of {batch.count:5} redeemed  {state:7}  "
                f"until {batch.expires_at:%Y-%m-%d}  paid by {batch.budget_id or 'the other budgets'}"
            )
        if not found:
            print("  no vouchers were made yet")

    run_async(work())


@vouchers_app.command("sheet")
def sheet(
    batch_number: BatchNumber,
    file: Annotated[Path, typer.Argument(help="Where to write the PDF; must not exist yet.")],
) -> None:
    """Write a batch as a PDF to print and cut: each voucher with its code, in letters and as a QR code."""
    from kswifi.settings import load_settings
    from kswifi.vouchers.batches import find_batch
    from kswifi.vouchers.sheet import sheet_pdf

    async def work() -> None:
        async with open_control_database() as database:
            batch = await database.read(lambda connection: find_batch(connection, batch_number))
        if batch.revoked_at is not None:
            raise VOUCHERS_REFUSED(f"batch {batch_number} was revoked: nobody could use it")
        pdf = sheet_pdf(batch, _codes(), load_settings().zone)
        try:
            with file.open("xb") as out:
                out.write(pdf)
        except FileExistsError:
            raise VOUCHERS_REFUSED(f"{file} exists already") from None
        print(f"{file}: {batch.count} vouchers. Each is worth a session: keep it as you keep cash.")

    run_async(work())


@vouchers_app.command("revoke")
def revoke(batch_number: BatchNumber, reason: Why = "revoked at the server") -> None:
    """Revoke a batch: its vouchers can no longer be redeemed or used; ordered sessions stay."""
    from kswifi.cli.desk.opened import shell_operator
    from kswifi.desk.venues import revoke_vouchers

    async def work() -> None:
        async with open_control_database() as database:
            batch = await database.write(
                lambda connection: revoke_vouchers(connection, shell_operator(), batch_number, reason)
            )
        print(f"batch {batch.batch_id} of {batch.venue} is revoked")

    run_async(work())


def _codes() -> "VoucherCodes":
    from kswifi.bootstrap.parts.vouchers import voucher_codes
    from kswifi.data_directory.layout import installation_of
    from kswifi.esim.lines.vault import SubscriberVault
    from kswifi.settings import load_settings

    return voucher_codes(SubscriberVault(installation_of(load_settings()).subscriber_key.read_bytes()))
