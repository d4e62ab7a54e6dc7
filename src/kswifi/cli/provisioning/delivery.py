"""`kswifi delivery ...`: the external SM-DP+ that delivers our profiles: make stock for it, check the connection.

Keys leave an installation by `kswifi subscribers` and by this command only, here encrypted for that SM-DP+.
"""

import json
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, TypeVar

import typer

from kswifi.cli.provisioning.operating_user import operating_user
from kswifi.cli.running import run_async
from kswifi.kernel.errors import Refusal

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from kswifi.data_directory.layout import Installation

delivery_app = typer.Typer(
    help="The external SM-DP+ that delivers our profiles (docs/rsp.md).", no_args_is_help=True
)

T = TypeVar("T")
DELIVERY_COMMAND_REFUSED = Refusal(
    "delivery_command_refused",
    "There is no database to work on, the folder is there already, or no other SM-DP+ is set.",
)


@delivery_app.command("make")
def make(
    count: Annotated[int, typer.Option(help="How many lines.", min=1, max=10_000)],
    recipient: Annotated[Path, typer.Option(help="The SM-DP+'s RSA certificate (PEM or DER) to encrypt for.")],
    output: Annotated[Path, typer.Option(help="A folder for the files; must not exist yet.")],
    profile_type: Annotated[str, typer.Option("--type", help="What the SM-DP+ calls these profiles.")] = "kswifi",
    iccid_prefix: Annotated[
        str | None, typer.Option(help="First digits of the ICCIDs, where not KSWIFI_ICCID_PREFIX.")
    ] = None,
    plmn: Annotated[str | None, typer.Option(help="MCC and MNC of the IMSIs, where not KSWIFI_PLMN.")] = None,
) -> None:
    """Make lines with keys of their own, and write their profiles for the SM-DP+, encrypted.

    No user gets one of these lines before `kswifi delivery ready BATCH`. Run that once the SM-DP+ has loaded the
    files.
    """
    from kswifi.esim.external_smdp.line_stock import make_lines, packages_of_batch
    from kswifi.esim.external_smdp.profile_files import checked_type, manifest, recipient_of, sealed_for
    from kswifi.esim.lines.own_core import audit_line
    from kswifi.esim.lines.vault import SubscriberVault
    from kswifi.esim.model import NumberRange
    from kswifi.kernel.clock import SystemClock
    from kswifi.kernel.files import OWNER_ONLY_DIRECTORY, write_owner_only
    from kswifi.settings import load_settings

    settings, named = load_settings(), checked_type(profile_type)
    numbers = NumberRange(iccid_prefix or settings.iccid_prefix, plmn or settings.plmn).checked()
    certificate = recipient_of(recipient.read_bytes(), SystemClock().now())
    if output.exists():
        raise DELIVERY_COMMAND_REFUSED(f"{output} exists already: nothing is overwritten")
    installation, apps = _installation(), settings.carrier_apps
    vault = SubscriberVault(installation.subscriber_key.read_bytes())
    batch = _together(installation, lambda connection: make_lines(connection, vault, numbers, count))
    made = _together(
        installation,
        lambda connection: list(
            packages_of_batch(connection, vault, batch, mnc_digits=len(numbers.plmn) - 3, carrier_apps=apps)
        ),
    )
    # Log the export before the files are written, so that an export that fails half-way is logged too.
    where = f"{output} for {certificate.subject.rfc4514_string()}"
    installation.note_keys_leaving(
        audit_line(SystemClock().now(), f"delivery-make {batch}", where, count, operating_user())
    )
    output.mkdir(mode=OWNER_ONLY_DIRECTORY)
    for iccid, package in made:
        write_owner_only(output / f"{iccid}.der.p7m", sealed_for(certificate, package))
    write_owner_only(output / "profiles.csv", manifest(named, made).encode())
    print(f"{count} profiles written to {output}, encrypted for {certificate.subject.rfc4514_string()}.")
    print(f"Once the SM-DP+ has loaded them: kswifi delivery ready {batch}")


@delivery_app.command("ready")
def ready(batch: Annotated[str, typer.Argument(help="The batch that `make` named.")]) -> None:
    """Allow orders of the lines of a batch, after the SM-DP+ has loaded their profiles."""
    from kswifi.esim.external_smdp.line_stock import set_ready

    lines = _together(_installation(), lambda connection: set_ready(connection, batch))
    print(f"{lines} lines can be ordered.")


@delivery_app.command("list")
def list_all(
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object a line.")] = False,
) -> None:
    """List the batches with lines that are not ordered yet."""
    from kswifi.esim.external_smdp.line_stock import list_batches

    for each in _together(_installation(), list_batches):
        if as_json:
            print(json.dumps({"batch": each.batch, "lines": each.lines, "ready": each.ready}))
        else:
            print(f"{each.batch}  {each.lines:6}  {'ready' if each.ready else 'not with the SM-DP+ yet'}")


@delivery_app.command("check")
def check() -> None:
    """Ask the SM-DP+ whether it knows us, by a call that changes nothing. Ends with 1 if it does not."""
    from kswifi.bootstrap.parts.provisioning.external_smdp import make_peer
    from kswifi.providers.smdp.es2plus_check import check_peer
    from kswifi.settings import load_settings

    settings = load_settings()
    if settings.es2_peer_url is None:
        raise DELIVERY_COMMAND_REFUSED("our own SM-DP+ delivers: KSWIFI_ES2_PEER_URL names no other")

    async def work() -> tuple[bool, str]:
        peer = make_peer(settings)
        try:
            return await check_peer(peer)
        finally:
            await peer.close()

    well, words = run_async(work())
    print(f"{settings.es2_peer_url}: {words}")
    if not well:
        raise typer.Exit(1)


def _installation() -> "Installation":
    from kswifi.data_directory.layout import installation_of
    from kswifi.settings import load_settings

    installation = installation_of(load_settings())
    if not installation.has_database:
        raise DELIVERY_COMMAND_REFUSED(f"there is no {installation.control_database}: start the server once")
    return installation


def _together(installation: "Installation", work: "Callable[[Connection], T]") -> T:
    from kswifi.database.engine import Database

    async def run() -> T:
        database = Database(installation.database_url)
        try:
            return await database.write(work)
        finally:
            await database.close()

    return run_async(run())
