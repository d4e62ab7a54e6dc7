"""Output of the demo: on a terminal with live progress bars, or none."""

from collections.abc import Mapping
from typing import Any, Final

from rich.console import Console
from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeElapsedColumn, TransferSpeedColumn
from rich.table import Table

from kswifi.kernel.quantities import format_naira, format_octets
from kswifi.lab.demo.road import Walked

TITLES: Final = {
    "register": "Register an account",
    "offers": "List the offers",
    "buy": "Pay for the pass at the SANDBOX gateway's checkout (no money moves)",
    "order": "Order the session: the server signs its package",
    "download": "Download over WiFi (interrupted once, and resumed)",
    "store": "Transfer to the eSIM: by ES9+ with its profile, or by a secured packet; the card proves it",
    "give": "Give half of the session away: the ledger sends the octets, the app shows a code",
    "lose": "The phone is lost: freeze its line, confirm by the recovery code, its session moves",
    "old_line": "Attach with the old phone: the network refuses it",
    "moved": "The old session has ended; the new one has its octets",
    "claim": "The other account claims the gift by its code: a session is ordered for it",
    "arrange": "Change their order of use: the ledger confirms it, the card gets it by secured packets",
    "leave_wifi": "Leave the WiFi",
    "line_on": "Switch the line on: the network authenticates the SIM",
    "browse": "Browse through the access gateway, 16 flows at once, until the network cuts it off",
    "browse_much": "Browse 2 GB through the access gateway, 16 flows at once, without a limit",
    "line_off": "Switch the line off: its last usage is reported",
    "days_pass": "Let the days of the pass go by: the server's clock is set eight days ahead",
    "check_content": "Compare the hash of every stream with that of the octets sent",
    "buy_bundle": "Transfer the session: its bundle is bought at the data provider, whose profile can be installed",
    "install": "Install the provider's profile from the provider's SM-DP+; the provider reports it",
    "pause": "Pause the line and continue: by the provider's API, each confirmed by its report",
    "cut_off": "The cut-off: asked until the provider confirms it",
    "verify_number": "Verify the phone number of the line that the person has, and its network",
    "to_line": "Bring the session to that line: nothing is bought yet",
    "portions": "Send portion after portion to the line; one purchase stays pending for a while",
    "used_up": "All portions are used up in the ledger: each was booked when it was bought",
    "refused": "Ask the network for more: the pass is over, and so are its sessions",
    "back_to_wifi": "Back to WiFi: what the ledger says",
}
_BARS: Final = ("download", "browse", "browse_much", "portions")


class SilentTeller:
    """Shows nothing."""

    def begin(self, stage: str) -> None:
        """Show nothing."""

    def progress(self, done: int, total: int) -> None:
        """Show nothing."""

    def note(self, words: str) -> None:
        """Show nothing."""

    def end(self, stage: str, seconds: float) -> None:
        """Show nothing."""


class TerminalTeller:
    """Shows each stage on a terminal."""

    def __init__(self, console: Console) -> None:
        self.console = console
        self._bar: Progress | None = None
        self._notes: list[str] = []
        self._number = 0

    def begin(self, stage: str) -> None:
        """Print the title of a stage, with a progress bar if the stage moves octets."""
        self._number += 1
        self.console.print(f"[bold cyan]{self._number:2}[/] [bold]{TITLES[stage]}[/]")
        if stage in _BARS:
            self._bar = Progress(
                TextColumn("   "),
                BarColumn(40, complete_style="cyan", finished_style="cyan"),
                DownloadColumn(),
                TransferSpeedColumn(),
                TimeElapsedColumn(),
                console=self.console,
            )
            self._bar.add_task("", total=None)
            self._bar.start()

    def progress(self, done: int, total: int) -> None:
        """Update the progress bar."""
        if self._bar is not None:
            self._bar.update(self._bar.task_ids[0], completed=done, total=total)

    def note(self, words: str) -> None:
        """Keep a line to print at the end of the stage, below its bar."""
        self._notes.append(words)

    def end(self, stage: str, seconds: float) -> None:  # noqa: ARG002 - the port's shape
        """Print the notes of the stage and its duration."""
        if self._bar is not None:
            self._bar.stop()
            self._bar = None
        for words in self._notes:
            self.console.print(f"     {words}", style="dim", soft_wrap=True)
        self._notes.clear()
        self.console.print(f"     [green]done[/] in {seconds:.2f} s")


def closing_table(walked: Walked, facts: Mapping[str, Any]) -> Table:
    """Return the table of results of one session."""
    table = Table(title="One internet session, from WiFi download to cut-off", title_style="bold cyan")
    table.add_column("what")
    table.add_column("octets", justify="right")
    table.add_column("", style="dim")
    ledger = facts["ledger"]
    for name, octets, remark in (
        ("allowance", facts["allowance_octets"], str(walked.offer["title"])),
        ("delivered", facts["delivered_octets"], "sent and received on the phone's own sockets"),
        ("  of these content", facts["body_octets"], "the rest is HTTP"),
        ("used", ledger["used"], "charged by the ledger"),
        ("reserved", ledger["reserved"], ""),
        ("available", ledger["available"], ""),
        ("overrun", facts["overrun_octets"], "relayed beyond every grant"),
    ):
        table.add_row(name, "without limit" if octets is None else f"{octets:,}", remark)
    table.add_section()
    if walked.payment:
        paid = format_naira(int(walked.payment["amount_kobo"]))
        table.add_row("paid", paid, "SANDBOX: no money moved")
    table.add_row("the line", walked.network_said, f"the session is {facts['state']}: back to WiFi for another")
    table.add_row(
        "throughput", f"{facts['throughput_mbit_s']:,.0f} Mbit/s", format_octets(facts["delivered_octets"])
    )
    return table


def table_of_several(facts: Mapping[str, Any]) -> Table:
    """Return the table of results of several sessions on one card, in the order in which they were used."""
    table = Table(title="Several internet sessions on one eSIM", title_style="bold cyan")
    for name, justify in (("session", "left"), ("used", "right"), ("proof", "left"), ("state", "left")):
        table.add_column(name, justify="right" if justify == "right" else "left")
    by_id = {one["session_id"]: one for one in facts["sessions"]}
    for session_id in facts["order"]:
        one = by_id[session_id]
        table.add_row(session_id, f"{one['used_octets']:,}", one["storage_proof"], one["state"])
    table.add_section()
    for number, octets in enumerate(facts["delivered_octets"], start=1):
        table.add_row(f"online the {number}. time", f"{octets:,}", "", "cut off by the network")
    table.add_row("packets proved", str(facts["packets_proved"]), "", "by the card's own checksum")
    return table
