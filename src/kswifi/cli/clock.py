"""`kswifi clock`: the believed time, and the confirmation of a jump."""

from typing import TYPE_CHECKING

import typer

if TYPE_CHECKING:
    from kswifi.data_directory.layout import Installation
    from kswifi.settings import Settings

clock_app = typer.Typer(help="The time that the server believes.", no_args_is_help=True)


@clock_app.command("show")
def show_clock() -> None:
    """Compare the machine's clock with the believed time; exit status 1 if it has jumped and is not confirmed."""
    from kswifi.bootstrap.clock import server_clock
    from kswifi.kernel.clock import SystemClock
    from kswifi.kernel.clock_guard import GuardedClock

    settings, installation = _installation()
    print(f"machine   {SystemClock().now():%Y-%m-%d %H:%M:%S} UTC")
    clock = server_clock(settings, installation, confirms=False)
    if not isinstance(clock, GuardedClock):
        print("believed  the same: KSWIFI_CLOCK_JUMP_SECONDS is 0")
        return
    print(f"believed  {clock.now():%Y-%m-%d %H:%M:%S} UTC")
    if clock.is_doubted:
        print(
            f"The machine's clock has jumped by {clock.jump:+.0f} seconds. Set it right. If it is right now: "
            "`kswifi clock confirm`; what is due by then ends at once."
        )
        raise SystemExit(1)


@clock_app.command("confirm")
def confirm_clock() -> None:
    """Confirm that the machine's clock is right now. A running server believes it within seconds."""
    from kswifi.data_directory.clock_file import write_reading
    from kswifi.kernel.clock import SystemClock
    from kswifi.kernel.clock_guard import machine_reader

    _, installation = _installation()
    write_reading(installation.clock_confirmation, machine_reader()())
    print(f"confirmed: it is {SystemClock().now():%Y-%m-%d %H:%M:%S} UTC")


def _installation() -> "tuple[Settings, Installation]":
    from kswifi.data_directory.layout import Installation
    from kswifi.settings import load_settings

    settings = load_settings()
    return settings, Installation(settings.data_dir)
