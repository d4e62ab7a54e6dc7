"""`kswifi demo --gift` and `--move`: two phones on one system; octets go from one to the other."""

import json
import secrets
import shutil
import sys
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import stamina
from rich.console import Console
from rich.table import Table

from kswifi.cli.demo import fresh_system, phone_of
from kswifi.cli.up import Interrupted, System, interrupt_on_signals
from kswifi.kernel.errors import KswifiError
from kswifi.lab.demo.gift import (
    GiftBetweenPhones,
    Identity,
    facts_of_gift,
    failings_of_gift,
    table_of_gift,
)
from kswifi.lab.demo.move import MoveToNewPhone, facts_of_move, failings_of_move, table_of_move
from kswifi.lab.demo.road import Teller
from kswifi.lab.demo.telling import SilentTeller, TerminalTeller


@dataclass(frozen=True, slots=True)
class Result:
    """The result of a demo: facts for programs, a table for people, and the failed checks in words."""

    facts: dict[str, Any]
    table: Table
    failings: list[str]


def run_gift_demo(offer_id: str, *, as_json: bool, console: Console | None = None) -> int:
    """Run the demo of a gift; return the exit status: 0 only if every step succeeded."""

    def walk(system: System, folder: Path, teller: Teller) -> Result:
        with (
            phone_of(system, folder / "giver", teller) as giver,
            phone_of(system, folder / "receiver", teller) as receiver,
        ):
            for phone in (giver, receiver):
                phone.network.forbid_other_connects()
            gift = GiftBetweenPhones(giver, receiver, offer_id)
            gift.walk(new_identity(), new_identity())
            facts = facts_of_gift(gift)
            return Result(facts, table_of_gift(facts), failings_of_gift(facts))

    return run_people_demo("half of a session for another phone", walk, as_json=as_json, console=console)


def run_move_demo(offer_id: str, *, as_json: bool, console: Console | None = None) -> int:
    """Run the demo of a lost phone; return the exit status: 0 only if every step succeeded."""

    def walk(system: System, folder: Path, teller: Teller) -> Result:
        with (
            phone_of(system, folder / "old", teller) as old,
            phone_of(system, folder / "new", teller) as new,
        ):
            move = MoveToNewPhone(old, new, offer_id)
            move.walk(new_identity())
            facts = facts_of_move(move)
            return Result(facts, table_of_move(facts), failings_of_move(facts))

    return run_people_demo("a session moves to a new phone in mid-use", walk, as_json=as_json, console=console)


def new_identity() -> Identity:
    """Return the identity of a new account."""
    return Identity(f"demo-{secrets.token_hex(4)}@example.ng", secrets.token_urlsafe(16))


def run_people_demo(
    what: str,
    walk: Callable[[System, Path, Teller], Result],
    *,
    as_json: bool,
    console: Console | None = None,
) -> int:
    """Run a demo on a fresh system, and print its result; return the exit status."""
    console = console or Console(quiet=as_json, highlight=False)
    teller: Teller = SilentTeller() if as_json else TerminalTeller(console)
    folder = Path(tempfile.mkdtemp(prefix="kswifi-demo-"))
    interrupt_on_signals()
    stamina.instrumentation.set_on_retry_hooks(())  # the teller reports retries
    try:
        with fresh_system(folder) as system:
            console.print(f"[bold cyan]KSWiFi[/]: {what}, every link real (data in {folder})\n", soft_wrap=True)
            result = walk(system, folder, teller)
    except KswifiError as error:
        print(f"kswifi demo: {error.message}", file=sys.stderr)
        return 1
    except Interrupted:
        print("kswifi demo: interrupted", file=sys.stderr)
        return 130
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    if as_json:
        print(json.dumps(result.facts))
    else:
        console.print()
        console.print(result.table)
    for words in result.failings:
        print(f"kswifi demo: {words}", file=sys.stderr)
    return 1 if result.failings else 0
