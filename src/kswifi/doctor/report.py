"""Run every check, and print the findings on one screen or as JSON."""

import json
from collections.abc import Sequence

from kswifi.data_directory.layout import Installation, installation_of
from kswifi.doctor.data import check_backup, check_certificates, check_database, check_parts
from kswifi.doctor.machine import check_disk, check_fsync, check_versions
from kswifi.doctor.model import Finding, Verdict, exit_status
from kswifi.doctor.running import check_peers, check_providers, check_server, check_supply, look_at_server
from kswifi.kernel.clock import Clock
from kswifi.settings import Settings

_MARKS = {Verdict.OK: "ok", Verdict.WARNING: "WARN", Verdict.FAILED: "FAIL"}


async def examine(settings: Settings, clock: Clock) -> list[Finding]:
    """Run every check; nothing is changed, and the server may run.

    Where the data directory does not exist, only the checks that need none are run.
    """
    installation, now = installation_of(settings), clock.now()
    server = look_at_server(settings)
    found = [check_versions(), check_server(server, settings), check_parts_or_absence(installation)]
    if settings.data_dir.is_dir():
        found += [check_disk(settings.data_dir), check_fsync(settings.data_dir)]
        found.append(check_backup(settings.data_dir, now))
        found += await check_database(settings, installation, clock)
    found += [
        check_certificates(settings, installation, now),
        check_peers(server, settings),
        check_providers(settings, now),
        check_supply(server, settings),
    ]
    return found


def check_parts_or_absence(installation: Installation) -> Finding:
    """Check the parts of the data directory; warn if it does not exist."""
    if not installation.data_dir.is_dir():
        return Finding("data", Verdict.WARNING, f"there is no {installation.data_dir}: the first start makes it")
    return check_parts(installation)


def as_lines(findings: Sequence[Finding]) -> str:
    """Return the findings for people, a line each, and the number of those that need attention."""
    width = max(len(it.subject) for it in findings)
    lines = [f"{_MARKS[it.verdict]:4}  {it.subject:{width}}  {it.words}" for it in findings]
    failed, warned = (
        sum(it.verdict is verdict for it in findings) for verdict in (Verdict.FAILED, Verdict.WARNING)
    )
    return "\n".join([*lines, f"{failed} failed, {warned} warnings"]) + "\n"


def as_json(findings: Sequence[Finding]) -> str:
    """Return the findings as one JSON object on one line."""
    rows = [{"subject": it.subject, "verdict": it.verdict.name.lower(), "words": it.words} for it in findings]
    return json.dumps({"status": exit_status(findings), "findings": rows})
