"""The server process as an operator runs it for a core, with subscribers, and its ledger from outside."""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

from kswifi.bench.gy_load.messages import PEER, REALM, SERVER, imsi_of
from kswifi.data_directory.layout import Installation
from kswifi.kernel.clock import SystemClock, unix_seconds
from kswifi.lab.ports import free_ports
from kswifi.ledger import commands as do
from kswifi.ledger.state import LedgerState
from kswifi.ledger.storage.recovery import recover
from kswifi.ledger.storage.snapshot import SnapshotStore
from kswifi.ledger.storage.sqlite_journal import SqliteJournalReader
from tests.support.ledgers import open_ledger
from tests.support.system import ForkedChild

SUBSCRIBERS: Final = 100
CREDIT: Final = 10**13
PORT_SETTINGS: Final = ("API_PORT", "METRICS_PORT", "DIAMETER_PORT", "RSP_PORT", "CONSOLE_PORT")


class OwnCoreServer:
    """Killed, and started again on what is there."""

    def __init__(
        self,
        folder: Path,
        data_dir: Path | None = None,
        alter: tuple[str, Any] | None = None,
        **settings: object,
    ) -> None:
        self.data_dir = data_dir or folder / "var"
        self._alter = alter
        ports = free_ports(PORT_SETTINGS)
        self.port = ports["DIAMETER_PORT"]
        self._log = folder / "server.log"
        self._environment = {
            "KSWIFI_DATA_DIR": str(self.data_dir),
            "KSWIFI_MODE": "own-core",
            "KSWIFI_IDENTIFIER_PROOF": "false",
            "KSWIFI_DIAMETER_IDENTITY": SERVER,
            "KSWIFI_DIAMETER_REALM": REALM,
            "KSWIFI_DIAMETER_PEERS": PEER,
            **{f"KSWIFI_{name}": str(port) for name, port in ports.items()},
            **{f"KSWIFI_{name.upper()}": str(value) for name, value in settings.items()},
        }
        self.api = f"http://127.0.0.1:{ports['API_PORT']}"
        self.monitoring = f"http://127.0.0.1:{ports['METRICS_PORT']}"
        self.process: ForkedChild | None = None

    def start(self) -> ForkedChild:
        self.process = ForkedChild("server", self._environment, self._log, self._alter)
        return self.process

    def kill(self) -> None:
        if self.process is not None:
            self.process.kill()
            self.process = None

    def stop(self) -> None:
        if self.process is not None:
            self.process.stop()
            self.process = None

    @property
    def ledger_dir(self) -> Path:
        return Installation(self.data_dir).ledger_dir

    def credit(self, subscribers: int) -> None:
        """Give so many subscribers an allowance; nobody else may use the ledger meanwhile."""

        async def story() -> None:
            clock = SystemClock()
            ledger = open_ledger(self.ledger_dir, clock)
            await ledger.start()
            expires_at = unix_seconds(clock.now()) + 86_400
            for number in range(subscribers):
                await ledger.execute(do.OpenWallet(f"o{number}", f"w{number}", imsi_of(number).decode()))
                await ledger.execute(do.Credit(f"c{number}", f"w{number}", f"a{number}", CREDIT, expires_at))
                await ledger.execute(do.ProveStorage(f"p{number}", f"a{number}", "install_result"))
            await ledger.close()

        asyncio.run(story())

    def state(self) -> LedgerState:
        """Return what the journal tells while no server runs; its records and invariants are checked."""
        journal = SqliteJournalReader(self.ledger_dir)
        try:
            return recover(journal, journal.open(), SnapshotStore(self.ledger_dir)).state
        finally:
            journal.close()

    @property
    def log(self) -> str:
        """What the server has logged."""
        return self._log.read_text(errors="replace")


@contextmanager
def serving(folder: Path, server: OwnCoreServer | None = None) -> Iterator[OwnCoreServer]:
    server = server or OwnCoreServer(folder)
    server.start()
    server.stop()
    server.credit(SUBSCRIBERS)
    try:
        yield server
    finally:
        server.kill()
