"""`kswifi backup` and `kswifi restore`."""

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from kswifi.data_directory.restore import BackupContents
    from kswifi.settings import Settings


def backup(
    file: Annotated[Path, typer.Argument(help="Where to write it; must not exist yet.")],
    damaged: Annotated[
        bool, typer.Option("--damaged", help="Make it although the ledger or control.db is damaged.")
    ] = False,
) -> None:
    """Save all data that must not be lost (keys, ledger, cards) into one file, also while KSWiFi runs."""
    from kswifi.data_directory.backup import backup as make_backup
    from kswifi.data_directory.backup_reader import BACKUP_REFUSED
    from kswifi.settings import load_settings

    settings = load_settings()
    if settings.database_url is not None:
        raise BACKUP_REFUSED(
            "KSWIFI_DATABASE_URL keeps accounts, sessions and books in PostgreSQL: back it up by pg_dump, "
            "then copy the data directory while the server is stopped"
        )
    made = make_backup(settings.data_dir, file, damaged=damaged)
    for name in made.left_out:
        print(f"left out: {name} is damaged; the journal holds the same")
    for words in made.damage:
        print(f"DAMAGED: {words}")
    print(
        f"saved to {file} ({made.octets} octets), and read back. It holds every key: keep it where nobody else "
        "reads it."
    )


def restore(
    file: Annotated[Path, typer.Argument(help="A file made by `kswifi backup`; with --latest a copy's directory.")],
    latest: Annotated[bool, typer.Option("--latest", help="Restore the newest state of a `kswifi copy`.")] = False,
    yes: Annotated[
        bool, typer.Option("--yes", help="Restore it; without this, only show what would be lost.")
    ] = False,
    damaged: Annotated[
        bool, typer.Option("--damaged", help="Restore it although the ledger or control.db in it is damaged.")
    ] = False,
) -> None:
    """Restore a backup or a continuous copy into an empty data directory, after it has shown what is lost."""
    from kswifi.data_directory.restore import restore as put_back
    from kswifi.settings import load_settings

    settings = load_settings()
    if latest:
        _restore_copy(file, settings, yes=yes)
        return

    def confirmed(contents: "BackupContents") -> bool:
        print(losses(file, contents, datetime.now(UTC)), flush=True)
        return yes

    contents = put_back(file, settings.data_dir, confirmed, damaged=damaged)
    print(f"\nrestored into {settings.data_dir}. Next:\n{next_steps(settings, contents)}")


def _restore_copy(directory: Path, settings: "Settings", *, yes: bool) -> None:
    from kswifi.data_directory.copying.layout import COPY_REFUSED, read_manifest
    from kswifi.data_directory.copying.restoring import restore_copy
    from kswifi.data_directory.restore import RESTORE_NOT_CONFIRMED

    manifest = read_manifest(directory)
    if manifest is None:
        raise COPY_REFUSED(f"{directory} holds no copy made by `kswifi copy`")
    print(
        f"{directory}: everything that was durable at {manifest.at:%Y-%m-%d %H:%M:%S.%f} UTC, the journal up to "
        f"record {manifest.sequence}.\nWhat happened since then is lost, as after the restore of a backup."
    )
    if not yes:
        raise RESTORE_NOT_CONFIRMED("nothing was restored: add --yes to restore it")
    restore_copy(directory, settings.data_dir)
    print(f"restored into {settings.data_dir}. Start it, and run `kswifi payments reconcile`.")


def losses(file: Path, contents: "BackupContents", now: datetime) -> str:
    """Return what a restore of a backup loses, in words and with the figures that are known."""
    lines = [f"{file}:"]
    if contents.made_at is None:
        lines.append("  made             unknown: an older version of KSWiFi made it, without digests of its files")
    else:
        lines.append(
            f"  made             {_at(contents.made_at)}, {_age(now - contents.made_at)} ago; every file is intact"
        )
    lines.append(f"  ledger           {contents.ledger_sequence} records, the last of {_at(contents.ledger_at)}")
    lines += [f"  DAMAGED          {words}" for words in contents.damage]
    since = "the backup" if contents.made_at is None else _at(contents.made_at)
    lines += [
        f"What happened since {since} is lost:",
        "  - usage since then is not booked: these octets are in the balances again and are given away again",
        "  - payments since then are unknown: the payers have no pass until `kswifi payments reconcile` finds them",
        "  - accounts, sessions and lines since then vanish; what phones have of them is refused",
        "  - free data since then may be taken again; changed passwords and signed-out devices are as they were",
    ]
    return "\n".join(lines)


def next_steps(settings: "Settings", contents: "BackupContents") -> str:
    """Return the commands that follow a restore in this mode."""
    start = (
        "start it: `kswifi up`"
        if settings.mode == "embedded"
        else "start the service (`systemctl start kswifi`, or `kswifi serve`)"
    )
    steps = [start, f"see that it is ready: curl http://{settings.metrics_host}:{settings.metrics_port}/readyz"]
    if settings.payment_gateway_name is not None:
        since = "" if contents.made_at is None else f" --from {contents.made_at:%Y-%m-%d}"
        steps.append(f"book the payments since then: `kswifi payments reconcile{since}`")
    steps.append("compare the books: `kswifi books verify`, `kswifi ledger verify`")
    if settings.mode != "embedded":
        steps.append("tell the core's operator: sessions opened since then are refused with 5002 and open anew")
    return "\n".join(f"  {number}. {step}" for number, step in enumerate(steps, 1))


def _at(instant: datetime | None) -> str:
    return "an unknown time" if instant is None else f"{instant:%Y-%m-%d %H:%M} UTC"


def _age(age: timedelta) -> str:
    hours = age / timedelta(hours=1)
    if hours < 0:
        return "in the future by this machine's clock, so not"
    return f"{hours / 24:.1f} days" if hours >= 48 else f"{hours:.1f} hours"
