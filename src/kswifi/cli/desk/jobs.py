"""`kswifi jobs ...`: stuck jobs, and another try of one."""

from typing import Annotated

import typer

from kswifi.cli.desk.opened import AsJson, Reason, print_json, read, shell_operator, write

jobs_app = typer.Typer(help="Background jobs: those that are stuck, and another try.", no_args_is_help=True)


@jobs_app.command("list")
def list_(as_json: AsJson = False) -> None:
    """List the jobs that are stuck because every attempt failed."""
    from kswifi.desk.stuck_jobs import jobs

    found = read(jobs)
    if as_json:
        print_json(found)
        return
    print("  " + ", ".join(f"{count} {state}" for state, count in sorted(found.counts.items())))
    for it in found.stuck:
        print(f"  STUCK {it.key}  since {it.created_at:%Y-%m-%d %H:%M}: {it.last_error}")


@jobs_app.command("retry")
def retry(
    key: Annotated[str, typer.Argument(help="The job's key, as `kswifi jobs list` shows it.")],
    reason: Reason = "tried again by hand",
) -> None:
    """Let a stuck job be tried again."""
    from kswifi.desk.stuck_jobs import retry as retry_job

    write(lambda connection: retry_job(connection, shell_operator(), key, reason))
    print(f"{key}: waits for its next try")
