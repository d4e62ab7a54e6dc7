"""`kswifi copy` and `kswifi restore-drill`: the continuous copy of the data directory, and its proof."""

import json
import os
from pathlib import Path
from typing import Annotated

import typer

from kswifi.cli.running import run_async


def copy(
    directory: Annotated[
        Path, typer.Argument(help="Where the copy is: another disk, or another machine's folder.")
    ],
    every_seconds: Annotated[float, typer.Option(min=0.05, max=60, help="Between two rounds.")] = 0.5,
    once: Annotated[bool, typer.Option("--once", help="End after one round.")] = False,
) -> None:
    """Copy all data continuously into another directory while KSWiFi runs, until stopped."""
    import signal
    import threading

    from kswifi.bootstrap.process import configure_logging
    from kswifi.bootstrap.service_manager import service_manager
    from kswifi.data_directory.copying.follower import CopyFollower
    from kswifi.data_directory.copying.layout import COPY_REFUSED
    from kswifi.data_directory.copying.running import CopyRunner
    from kswifi.data_directory.layout import installation_of
    from kswifi.kernel.clock import SystemClock
    from kswifi.settings import load_settings

    settings = load_settings()
    configure_logging(settings)
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda _number, _frame: stop.set())
    if once:
        stop.set()
    if settings.database_url is not None:
        raise COPY_REFUSED(
            "KSWIFI_DATABASE_URL keeps accounts, sessions and books in PostgreSQL: replicate it by its own means; "
            "a copy of the data directory alone could not be restored"
        )
    follower = CopyFollower(installation_of(settings), directory, SystemClock())
    follower.open()
    service_manager(os.environ).ready()
    CopyRunner(follower, directory, settings.data_dir, every_seconds).run(stop)


def restore_drill(
    source: Annotated[Path, typer.Argument(help="A file of `kswifi backup`, or a directory of `kswifi copy`.")],
    scratch: Annotated[Path, typer.Option("--in", help="Where there is room to restore it for a moment.")],
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object on one line.")] = False,
) -> None:
    """Restore into a scratch folder, check ledger and books, delete it; exit status 1 if anything is wrong."""
    from kswifi.doctor.drill import drill
    from kswifi.kernel.clock import SystemClock

    clock = SystemClock()
    found = run_async(drill(source, scratch, clock))
    age = None if found.at is None else round((clock.now() - found.at).total_seconds(), 3)
    if as_json:
        at = None if found.at is None else found.at.isoformat()
        facts = {"source": found.source, "at": at, "age_seconds": age, "seconds": round(found.seconds, 3)}
        print(json.dumps({**facts, "sequence": found.sequence, "wrong": list(found.wrong)}))
    else:
        reach = "" if age is None else f", {age:.1f} s behind now"
        print(f"restored in {found.seconds:.1f} s: journal up to record {found.sequence}{reach}")
        for words in found.wrong:
            print(f"WRONG: {words}")
        print("something is wrong" if found.wrong else "ledger and books are sound")
    if found.wrong:
        raise SystemExit(1)
