"""`kswifi subscribers ...`: export subscribers to a core of the operator's own.

Keys leave an installation by this command and by `kswifi delivery make` only; the latter encrypts them for an
external SM-DP+.
"""

import json
from collections.abc import Callable
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from kswifi.cli.provisioning.operating_user import operating_user
from kswifi.cli.running import run_async
from kswifi.kernel.errors import Refusal
from kswifi.kernel.pasted import clean_digits

if TYPE_CHECKING:
    from kswifi.esim.lines.own_core import ExportedSubscriber

subscribers_app = typer.Typer(help="Subscribers for a core of your own (docs/own-core.md).", no_args_is_help=True)


class Core(StrEnum):
    """The supported cores."""

    OPEN5GS = "open5gs"


SUBSCRIBERS_COMMAND_REFUSED = Refusal(
    "subscribers_command_refused",
    "There is no database to read, the file to write is there already, or a library is missing.",
)


WhichCore = Annotated[Core, typer.Option(help="Whose format.")]
OneImsi = Annotated[
    str | None,
    typer.Option(help="Only this subscriber; all of them otherwise.", parser=clean_digits, metavar="TEXT"),
]
Apn = Annotated[str | None, typer.Option(help="The APN of their data, where not KSWIFI_APN.")]
Downlink = Annotated[int, typer.Option(help="AMBR downlink, kbit/s.")]
Uplink = Annotated[int, typer.Option(help="AMBR uplink, kbit/s.")]


@subscribers_app.command("export")
def export(
    output: Annotated[Path, typer.Option(help="Where to; must not exist yet. It holds keys: mode 0600.")],
    core: WhichCore = Core.OPEN5GS,
    imsi: OneImsi = None,
    apn: Apn = None,
    downlink_kbps: Downlink = 100_000,
    uplink_kbps: Uplink = 100_000,
) -> None:
    """Write subscribers with K and OPc to a file for `mongoimport --jsonArray`, for an empty core only."""
    from kswifi.esim.lines.own_core import Subscription, extended_json
    from kswifi.kernel.files import write_owner_only
    from kswifi.settings import load_settings

    if output.exists():
        raise SUBSCRIBERS_COMMAND_REFUSED(f"{output} exists already: an export overwrites nothing")

    def hand_over(found: "list[ExportedSubscriber]") -> None:
        documents = [extended_json(each.document) for each in found]
        write_owner_only(output, json.dumps(documents, indent=1).encode() + b"\n")

    subscription = Subscription(apn or load_settings().apn, downlink_kbps, uplink_kbps)
    count = _hand_over(subscription, imsi, f"export {core}", str(output), hand_over)
    print(f"{count} subscribers written to {output}. It holds their keys: delete it once the core has it.")


@subscribers_app.command("sync")
def sync(
    uri: Annotated[
        str,
        typer.Option(envvar="OPEN5GS_URI", help="mongodb://host/open5gs; by the environment if it has a password."),
    ],
    core: WhichCore = Core.OPEN5GS,
    imsi: OneImsi = None,
    apn: Apn = None,
    downlink_kbps: Downlink = 100_000,
    uplink_kbps: Uplink = 100_000,
) -> None:
    """Write subscribers into the core's database; known subscribers keep the core's sequence number (SQN)."""
    from kswifi.esim.lines.own_core import Subscription
    from kswifi.settings import load_settings

    try:
        from kswifi.providers.core.open5gs import sync_subscribers
    except ModuleNotFoundError as missing:
        raise SUBSCRIBERS_COMMAND_REFUSED(
            f"sync needs {missing.name}: `uv pip install --require-hashes -r requirements/open5gs.txt` here"
        ) from None
    told: list[tuple[int, int]] = []
    where = uri.rpartition("@")[2].partition("?")[0].removeprefix("mongodb://")
    _hand_over(
        Subscription(apn or load_settings().apn, downlink_kbps, uplink_kbps),
        imsi,
        action=f"sync {core}",
        where=where,
        hand=lambda found: told.append(sync_subscribers(uri, found)),
    )
    new, known = told[0]
    print(f"{new} new subscribers, {known} brought up to date.")


def _hand_over(
    subscription: object,
    imsi: str | None,
    action: str,
    where: str,
    hand: "Callable[[list[ExportedSubscriber]], None]",
) -> int:
    """Read subscribers, log the export, and hand them over; return how many."""
    from kswifi.data_directory.layout import installation_of
    from kswifi.database.engine import Database
    from kswifi.esim.lines.own_core import Subscription, audit_line, exported_subscribers
    from kswifi.esim.lines.vault import SubscriberVault
    from kswifi.kernel.clock import SystemClock
    from kswifi.kernel.numbers import Imsi
    from kswifi.settings import load_settings

    assert isinstance(subscription, Subscription)  # noqa: S101 - typed lazily, so that --help stays quick
    installation = installation_of(load_settings())
    if not installation.has_database:
        raise SUBSCRIBERS_COMMAND_REFUSED(
            f"there is no {installation.control_database}: name it by KSWIFI_DATA_DIR"
        )
    vault = SubscriberVault(installation.subscriber_key.read_bytes())
    wanted = None if imsi is None else Imsi(imsi)

    async def work() -> "list[ExportedSubscriber]":
        database = Database(installation.database_url)
        try:
            return await database.read(
                lambda connection: list(exported_subscribers(connection, vault, subscription, wanted))
            )
        finally:
            await database.close()

    found = run_async(work())
    # Log the export before the keys leave, so that an export that fails half-way is logged too.
    installation.note_keys_leaving(audit_line(SystemClock().now(), action, where, len(found), operating_user()))
    hand(found)
    return len(found)
