"""`kswifi demo`: start server and lab in a fresh directory, and act as the phone."""

import json
import secrets
import shutil
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

import stamina
from rich.console import Console

from kswifi.cli.up import Interrupted, System, interrupt_on_signals
from kswifi.data_directory.layout import Installation
from kswifi.kernel.errors import KswifiError
from kswifi.lab.demo.app import PhoneApp
from kswifi.lab.demo.facts import facts_of, failings
from kswifi.lab.demo.road import Road, Teller
from kswifi.lab.demo.several import SeveralSessions, facts_of_several, failings_of_several
from kswifi.lab.demo.telling import SilentTeller, TerminalTeller, closing_table, table_of_several
from kswifi.lab.phone.modem import Modem
from kswifi.lab.phone.network import Network
from kswifi.lab.phone.servers import ProfileServers
from kswifi.lab.ports import free_ports
from kswifi.lab.settings import HostPort

_HOSTS: Final = ("HOST", "API_HOST", "RSP_HOST", "ES2_HOST", "DIAMETER_HOST", "METRICS_HOST")
_LOOPBACK: Final = {"KSWIFI_MODE": "embedded", **{f"KSWIFI_{name}": "127.0.0.1" for name in _HOSTS}}
"""Overrides the operator's environment: the demo is a separate system with a lab, on loopback only."""

PORTS: Final = ("api", "metrics", "diameter", "rsp", "lab", "content", "proxy", "attach", "sandbox", "console")


def run_demo(offer_id: str, *, sessions: int = 1, as_json: bool, console: Console | None = None) -> int:
    """Run all steps of the demo with one session, or with several sessions on one eSIM.

    Return the exit status: 0 only if every step succeeded.
    """
    console = console or Console(quiet=as_json, highlight=False)
    teller: Teller = SilentTeller() if as_json else TerminalTeller(console)
    folder = Path(tempfile.mkdtemp(prefix="kswifi-demo-"))
    interrupt_on_signals()
    stamina.instrumentation.set_on_retry_hooks(())  # the teller reports retries
    identity = f"demo-{secrets.token_hex(4)}@example.ng", secrets.token_urlsafe(16)
    try:
        with fresh_system(folder) as system, phone_of(system, folder / "phone", teller) as road:
            what = "one internet session" if sessions == 1 else f"{sessions} internet sessions on one eSIM"
            console.print(f"[bold cyan]KSWiFi[/]: {what}, every link real (data in {folder})\n", soft_wrap=True)
            road.network.forbid_other_connects()
            if sessions == 1:
                walked = road.walk(offer_id, *identity, system.pass_days)
                facts = facts_of(walked)
                missing, table = failings(facts), closing_table(walked, facts)
            else:
                several = SeveralSessions(road, offer_id, sessions)
                several.walk(*identity)
                facts = facts_of_several(several)
                missing, table = failings_of_several(facts), table_of_several(facts)
    except KswifiError as error:
        print(f"kswifi demo: {error.message}", file=sys.stderr)
        return 1
    except Interrupted:
        print("kswifi demo: interrupted", file=sys.stderr)
        return 130
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    if as_json:
        print(json.dumps(facts))
    else:
        console.print()
        console.print(table)
    for words in missing:
        print(f"kswifi demo: {words}", file=sys.stderr)
    return 1 if missing else 0


@contextmanager
def fresh_system(folder: Path) -> Iterator[System]:
    """Yield a running server and lab on free ports with their data in the folder; stop them afterwards."""
    ports = {f"KSWIFI_{name.upper()}_PORT": str(port) for name, port in free_ports(PORTS).items()}
    environment = {"KSWIFI_DATA_DIR": str(folder / "var"), **_LOOPBACK, **ports}
    system = System(environment=environment, log_dir=folder / "var" / "log")
    system.start()
    try:
        yield system
    finally:
        system.stop()


@contextmanager
def phone_of(system: System, folder: Path, teller: Teller) -> Iterator[Road]:
    """Yield a phone with an empty eSIM, before the first step of the demo."""
    lab = system.children["lab"].ready
    attach, proxy = address_of(lab["attach"]), address_of(lab["proxy"])
    network = Network(folder, (attach, proxy))
    server = system.children["server"].ready
    app = PhoneApp(str(server["origin"]))
    pki_dir = Installation(Path(system.environment["KSWIFI_DATA_DIR"])).pki_dir
    servers = ProfileServers(pki_dir, address_of(str(server["rsp"])))
    modem = Modem(network, attach)
    content = address_of(urlsplit(lab["content"]).netloc)
    try:
        with servers.take_card(folder / "card") as card:
            yield Road(app, card, network, modem, servers, content, folder, teller)
    finally:
        modem.detach()
        app.close()


def address_of(text: str) -> HostPort:
    """Return host and port of an address in a child's report."""
    host, _, port = text.rpartition(":")
    return host.strip("[]"), int(port)
