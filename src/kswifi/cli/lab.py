"""`kswifi lab`: run the lab process; `kswifi lab business`: fill a new installation with simulated business."""

import json
from typing import Annotated, Any

import typer

from kswifi.cli.output import AsChild, end_of_input, ready
from kswifi.cli.running import run_async

lab_app = typer.Typer(help="The lab: access gateway, content server, lab phone; simulated business.")


@lab_app.callback(invoke_without_command=True)
def lab(context: typer.Context, as_child: AsChild = False) -> None:
    """Run the lab process only: access gateway, content server, lab phone."""
    if context.invoked_subcommand is not None:
        return
    from kswifi.bootstrap.lab import run_lab
    from kswifi.settings import load_settings

    run_async(run_lab(load_settings(), ready(as_child, "lab"), end_of_input(as_child)))


@lab_app.command("business")
def business(
    customers: Annotated[int, typer.Option(min=1, max=5_000, help="How many people sign up.")] = 100,
    seed: Annotated[int, typer.Option(min=0, help="The same seed gives the same people.")] = 1,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object on one line.")] = False,
) -> None:
    """Fill a new installation in embedded mode with thirty days of simulated business, for the console to show.

    Sign-ups, vouchers, free and paid sessions, usage, gifts, disputes, lost phones, and one person with many
    accounts: all of it goes through the product's services. Then start it with `kswifi up`.
    """
    print(json.dumps(simulate(customers, seed, silent=as_json)) if as_json else _told(simulate(customers, seed)))


def simulate(customers: int, seed: int, *, silent: bool = False) -> dict[str, Any]:
    """Simulate business in the configured data directory; return how often each thing was done.

    Raises:
        NOT_A_NEW_INSTALLATION: the directory holds an installation, or the mode is not embedded.
    """
    from datetime import timedelta

    from kswifi.bootstrap.process import configure_logging
    from kswifi.cli.business.plan import DAYS
    from kswifi.cli.business.story import Story
    from kswifi.cli.business.town import open_town
    from kswifi.kernel.clock import SystemClock
    from kswifi.settings import load_settings

    settings = load_settings(log_level="error")
    configure_logging(settings)

    def say(words: str) -> None:
        if not silent:
            print(f"  {words}", flush=True)

    async def work() -> dict[str, Any]:
        async with open_town(settings, SystemClock().now() - timedelta(days=DAYS)) as town:
            story = Story(town, customers, seed, say)
            await story.run()
            return {"customers": customers, "days": DAYS, "seed": seed, **dict(sorted(story.did.items()))}

    return run_async(work())


def _told(did: dict[str, Any]) -> str:
    lines = [f"  {name.replace('_', ' '):32} {value:,}" for name, value in did.items()]
    return "\n".join([*lines, "Look at it: kswifi up, then the address of the desk."])
