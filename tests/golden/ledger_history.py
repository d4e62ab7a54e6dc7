"""A ledger's history for the golden journal, and the ways to read it again.

Classes are found by their names, since commands keep them for good and modules do not.
"""

import asyncio
import dataclasses
import shutil
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final, Union

import msgspec

from tests.golden.finding import find, modules

DATA: Final = Path(__file__).parent / "data" / "ledger"
FILES: Final = {"journal": "ledger.db", "head": "ledger.head"}
SNAPSHOT: Final = "snapshot.bin"

START: Final = 1_800_000_000
DAY: Final = 86_400
MB: Final = 1_000_000

Step = tuple[int, list[Any]]
"""Seconds after the step before, and a command as it goes over the wire: its class name and its fields."""


def history() -> list[Step]:
    """Return commands that between them use every command, and every effect that is still made."""
    later = START + 30 * DAY

    def ask(octets: int, whole: int = 0, after: int = 700) -> list[int]:
        return [octets, whole, START + after]

    return [
        (0, ["OpenWallet", "open-1", "wallet-1", "999990000000001"]),
        (0, ["OpenWallet", "open-2", "wallet-2", "999990000000002"]),
        (0, ["OpenWallet", "open-3", "nobody", "999990000000003"]),
        (1, ["Credit", "credit-a", "wallet-1", "a", 30 * MB, later]),
        (0, ["Credit", "credit-b", "wallet-1", "b", 10 * MB, later + DAY, 5 * MB]),
        (0, ["Credit", "credit-c", "wallet-1", "c", 8 * MB, later + 2 * DAY]),
        (0, ["Credit", "credit-u", "wallet-2", "u", None, later]),
        (0, ["Credit", "credit-d", "wallet-2", "d", 4 * MB, START + 100]),
        (1, ["ProveStorage", "prove-a", "a", "proof-a"]),
        (0, ["ProveStorage", "prove-b", "b", "proof-b"]),
        (0, ["ProveStorage", "prove-u", "u", "proof-u"]),
        (0, ["ProveStorage", "prove-c", "c", "proof-c"]),
        (0, ["OrderWallet", "order-1", "wallet-1", ["c", "a", "b"]]),
        (0, ["ContinueWithNext", "continue-1", "wallet-1", True]),
        (1, ["Reserve", "s1#0", "s1", "wallet-1", ask(5 * MB), '{"peer":"smf"}', False]),
        (1, ["Commit", "s1#1", "s1", 4 * MB, ask(5 * MB), False, "first usage"]),
        (1, ["Commit", "s1#2", "s1", 6 * MB, ask(10 * MB), False, "more than was granted"]),
        (1, ["Admit", "s2#0", "s2", "wallet-1", START + 900, "waits", False, ""]),
        (0, ["Reserve", "s3#0", "s3", "wallet-1", ask(MB), "", False]),
        (1, ["Release", "s3#1", "s3", "torn down"]),
        (1, ["Commit", "s1#3", "s1", 7 * MB, None, True, "closes"]),
        (1, ["HoldWallet", "hold-1", "wallet-1", "paused"]),
        (0, ["Reserve", "s4#0", "s4", "wallet-1", ask(MB), "", True]),
        (1, ["Commit", "s4#1", "s4", 0, ask(MB, after=2_000), False, ""]),
        (1, ["LiftHold", "lift-1", "wallet-1", "b"]),
        (1, ["Commit", "s4#2", "s4", 1 * MB, ask(5 * MB, 5 * MB), False, ""]),
        (1, ["Disburse", "disburse-b", "b", 12 * MB]),
        (1, ["Send", "gift:1:send", "a", 2 * MB, "gift:1", False]),
        (0, ["Receive", "gift:1:receive", "b", 2 * MB, "gift:1"]),
        (1, ["Refund", "refund-1", "wallet-1", MB, "goodwill"]),
        (1, ["Reserve", "s5#0", "s5", "wallet-2", ask(3 * MB), "", False]),
        (1, ["Commit", "s5#1", "s5", 2 * MB, ask(3 * MB), False, "uncapped"]),
        (1, ["Freeze", "freeze-2", "wallet-2", True]),
        (1, ["Commit", "s5#2", "s5", MB, ask(MB), False, "frozen"]),
        (1, ["Freeze", "freeze-3", "wallet-2", False]),
        (1, ["Admit", "late#0", "late", "nobody", START + 900, "", True, "unknown line"]),
        (1, ["Commit", "late#1", "late", 3 * MB, None, False, "late usage"]),
        (100, ["Expire", "expire-d", "d"]),
        (1, ["Revoke", "revoke-u", "u", "fraud"]),
        (1, ["Commit", "s5#3", "s5", MB, None, True, "after the revocation"]),
        (800, ["Credit", "credit-e", "wallet-2", "e", 2 * MB, START + 60 * DAY]),
        (0, ["ProveStorage", "prove-e", "e", "proof-e"]),
        (1, ["Reserve", "s6#0", "s6", "wallet-2", [2 * MB, 2 * MB, START + 3_000], "", False]),
        (1, ["Commit", "s6#1", "s6", 2 * MB, [MB, 0, START + 3_000], False, "the last octet"]),
        (1, ["Commit", "s6#2", "s6", 5_000, None, True, "overrun"]),
        # Refused: nothing of these is in the journal.
        (1, ["Credit", "credit-a", "wallet-1", "a", 31 * MB, later]),
        (0, ["Expire", "expire-c", "c"]),
        (0, ["Reserve", "s7#0", "s7", "no-such-wallet", ask(MB), "", False]),
        (40 * DAY, ["Close", "close-d", "d"]),
        (0, ["OpenWallet", "open-4", "wallet-4", "999990000000004"]),
        (1, ["Credit", "credit-f", "wallet-4", "f", 9 * MB, START + 90 * DAY, 3 * MB]),
        (0, ["ProveStorage", "prove-f", "f", "proof-f"]),
        (1, ["Reserve", "s8#0", "s8", "wallet-4", [2 * MB, 0, START + 50 * DAY], "open", False]),
        (1, ["Commit", "s8#1", "s8", MB, [2 * MB, 0, START + 50 * DAY], False, "open"]),
        (0, ["HoldWallet", "hold-4", "wallet-4", "paused"]),
        (0, ["Expire", "expire-a", "a"]),
        (0, ["Disburse", "disburse-f", "f", 7 * MB]),
        (0, ["OpenWallet", "open-5", "wallet-5", "line-5"]),
        (0, ["Credit", "credit-g", "wallet-5", "g", 5 * MB, START + 90 * DAY]),
        (0, ["ReportUsage", "usage-g:1", "g", MB, START + 40 * DAY]),
        (0, ["ProveStorage", "prove-g", "g", "first_use"]),
        (1, ["ReportUsage", "usage-g:1", "g", MB, START + 40 * DAY]),
        (1, ["ReportUsage", "usage-g:2", "g", 6 * MB, START + 40 * DAY]),
        (1, ["ReportUsage", "usage-g:3", "g", 2 * MB, START + 40 * DAY]),
        (0, ["OpenWallet", "open-6", "wallet-6", "999990000000006"]),
        (0, ["Credit", "credit-h", "wallet-6", "h", 5 * MB, START + 90 * DAY]),
        (0, ["ProveStorage", "prove-h", "h", "proof-h"]),
        (0, ["PauseUntil", "until-6", "wallet-6", START + 41 * DAY]),
        (0, ["LimitDay", "limit-6", "wallet-6", MB, START]),
        (DAY, ["EndHold", "end-6", "wallet-6", "paused", START + 41 * DAY]),
        (0, ["Reserve", "s9#0", "s9", "wallet-6", [2 * MB, 0, START + 50 * DAY], "limited", False]),
        (1, ["Commit", "s9#1", "s9", MB, [2 * MB, 0, START + 50 * DAY], False, "the last octet of the day"]),
        (1, ["LiftLimit", "lift-6", "wallet-6"]),
        (1, ["Commit", "s9#2", "s9", 0, [2 * MB, 0, START + 50 * DAY], False, ""]),
    ]


OLD_JOURNAL: Final = "transfer"
"""The whole journal of the same history as it was with the command Transfer, which Send and Receive replaced.

Nothing writes it anew: it shows that journals with the effect ``Transferred`` are still read.
"""

EARLY: Final = 40
"""After so many steps the ledger is closed, which makes a snapshot, and its journal is kept as the early one.

Then every answer is still remembered; at the end, 40 days later, few are.
"""


class Clock:
    """A clock that stands where it is set."""

    def __init__(self, seconds: int) -> None:
        self.seconds = seconds

    def now(self) -> datetime:
        return datetime.fromtimestamp(self.seconds, UTC)


def commands() -> tuple[type[msgspec.Struct], ...]:
    """Return the classes of all commands: structs that are tagged with their own name."""
    found = {
        value
        for module in modules()
        if module.__name__.startswith("kswifi.ledger")
        for value in vars(module).values()
        if isinstance(value, type)
        and issubclass(value, msgspec.Struct)
        and value.__struct_config__.tag == value.__name__
        and not value.__name__.startswith("_")
    }
    return tuple(sorted(found, key=lambda it: it.__name__))


def command_of(wire: Sequence[Any]) -> Any:
    """Return the command that a list on the wire stands for."""
    return msgspec.convert(list(wire), Union[commands()])  # noqa: UP007 - of a tuple made here


@dataclasses.dataclass
class Ledger:
    """A ledger in a folder, driven step by step."""

    folder: Path
    clock: Clock

    async def open(self, *, snapshots: bool) -> None:
        """Recover the ledger from what lies in the folder."""
        store = find("SnapshotStore", "kswifi.ledger")(self.folder) if snapshots else None
        journal = find("SqliteJournal", "kswifi.ledger")(self.folder)
        self.client = find("LedgerClient", "kswifi.ledger")(journal, self.clock, snapshots=store)
        await self.client.start()

    async def execute(self, wire: Sequence[Any]) -> list[Any]:
        """Execute a command; return its outcome as it goes over the wire."""
        outcome: list[Any] = msgspec.to_builtins(await self.client.execute(command_of(wire)))
        return outcome

    def state(self) -> dict[str, Any]:
        """Return all that the ledger knows."""
        state = self.client.state
        return {
            "wallets": {key: _plain(it) for key, it in sorted(state.wallets.items())},
            "accounts": {key: _plain(it) for key, it in sorted(state.accounts.items())},
            "reservations": {key: _plain(it) for key, it in sorted(state.reservations.items())},
            "answers": {key: it.hex() for key, it in sorted(state.answers.items())},
        }


def _plain(struct: Any) -> dict[str, Any]:
    fields: dict[str, Any] = msgspec.to_builtins(msgspec.structs.asdict(struct))
    return {
        name: {key: bytes(it).hex() for key, it in sorted(getattr(struct, name).items())}
        if isinstance(value, dict)
        else value
        for name, value in fields.items()
    }


def steps_of(which: str) -> list[Step]:
    """Return the steps that the journal "early" or "whole" was made of."""
    return history()[:EARLY] if which == "early" else history()


def end_of(which: str) -> int:
    """Return the instant of a journal's last step."""
    return START + sum(after for after, _ in steps_of(which))


async def write(folder: Path, keep: Callable[[str], None]) -> list[list[Any]]:
    """Write the history into a folder; return each command's outcome. ``keep`` is called at both ends."""
    ledger = Ledger(folder, Clock(START))
    await ledger.open(snapshots=True)
    outcomes = []
    for number, (after, wire) in enumerate(history(), 1):
        ledger.clock.seconds += after
        outcomes.append(await ledger.execute(wire))
        if number == EARLY:
            await ledger.client.close()
            keep("early")
            ledger = Ledger(folder, ledger.clock)
            await ledger.open(snapshots=True)
    await ledger.client.close()
    keep("whole")
    return outcomes


async def ask_again(folder: Path, which: str) -> dict[str, Any]:
    """Execute every command of a journal once more; return the outcomes, the state, and the records there are."""
    ledger = Ledger(folder, Clock(end_of(which)))
    await ledger.open(snapshots=False)
    before = ledger.state()
    outcomes = [await ledger.execute(wire) for _, wire in steps_of(which)]
    found = {
        "state_before": before,
        "outcomes": outcomes,
        "state_after": ledger.state(),
        "records": ledger.client.durable_sequence,
    }
    await ledger.client.close()
    return found


def lay_out(folder: Path, which: str, snapshot_sequence: int | None = None) -> Path:
    """Copy a golden journal into a new folder under the names that the ledger gives its files."""
    folder.mkdir()
    for stored, name in FILES.items():
        shutil.copy(DATA / f"{which}-{stored}.bin", folder / name)
    if snapshot_sequence is not None:
        shutil.copy(DATA / SNAPSHOT, folder / f"ledger.snapshot.{snapshot_sequence:020d}")
    return folder


def effects_in(folder: Path) -> Iterator[dict[str, Any]]:
    """Yield each effect of a journal: its number, its class and its fields."""
    journal = find("SqliteJournalReader", "kswifi.ledger")(folder)
    try:
        for record in journal.read(0, 10_000):
            for effect in find("effects_of", "kswifi.ledger")(record):
                yield {
                    "number": effect.__struct_config__.tag,
                    "class": type(effect).__name__,
                    **msgspec.to_builtins(msgspec.structs.asdict(effect)),
                }
    finally:
        journal.close()


async def recovered(folder: Path, which: str) -> dict[str, Any]:
    """Return the state that a folder's files tell, and how much of the journal was read for it."""
    ledger = Ledger(folder, Clock(end_of(which)))
    await ledger.open(snapshots=True)
    report = ledger.client.report
    found = {
        "state": ledger.state(),
        "sequence": report.sequence,
        "from_snapshot": report.snapshot_sequence,
        "records": report.records,
    }
    await ledger.client.close()
    return found


def make(folder: Path) -> dict[str, Any]:
    """Write journals, heads and the snapshot into DATA; return what they are expected to tell."""
    ledger = folder / "made"
    ledger.mkdir()

    def keep(which: str) -> None:
        for stored, name in FILES.items():
            shutil.copy(ledger / name, DATA / f"{which}-{stored}.bin")
        if which == "early":
            (snapshot,) = ledger.glob("ledger.snapshot.*")
            shutil.copy(snapshot, DATA / SNAPSHOT)
            sequences.append(int(snapshot.name.rpartition(".")[2]))

    sequences: list[int] = []
    outcomes = asyncio.run(write(ledger, keep))
    return {"snapshot_sequence": sequences[0], "outcomes": outcomes, **read_again(folder)}


def read_again(folder: Path) -> dict[str, Any]:
    """Return what today's code reads in the golden journals, and how it answers their commands a second time."""
    old = asyncio.run(recovered(lay_out(folder / "old", OLD_JOURNAL), "whole"))
    return {
        "effects": list(effects_in(lay_out(folder / "effects", "whole"))),
        "effects_of_old_journal": list(effects_in(lay_out(folder / "old_effects", OLD_JOURNAL))),
        "state_of_old_journal": old["state"],
        "asked_again": {
            which: asyncio.run(ask_again(lay_out(folder / which, which), which)) for which in ("early", "whole")
        },
    }
