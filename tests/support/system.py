"""A whole KSWiFi for a test: server process, lab process, and a phone in the test's own process.

The processes are what `kswifi serve` and `kswifi lab` run, forked from one that has loaded their modules already,
so that starting one takes a moment and twenty kills take seconds. They are killed by a real SIGKILL and carry on
with what is on disk, as ever. ``alter`` names a function of this module that changes a process before it begins:
another clock, a journal that dies in the middle of a write, an internet that is on this machine.
"""

import asyncio
import errno
import multiprocessing
import os
import signal
import socket
import sqlite3
import ssl
import sys
import uuid
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from multiprocessing.connection import Connection
from multiprocessing.context import ForkServerProcess
from pathlib import Path
from typing import Any, Final

import stamina

from kswifi.cli.demo import PORTS, phone_of
from kswifi.cli.up import System
from kswifi.kernel.errors import KswifiError
from kswifi.lab.children import Child, ChildFailedError
from kswifi.lab.demo.road import Road, Teller
from kswifi.lab.demo.telling import SilentTeller
from kswifi.lab.ports import free_ports
from kswifi.ledger import inspect as ledger
from kswifi.ledger.state import Balances
from kswifi.providers.public_tls import public_tls
from tests.support import postgresql

OFFERS: Final = {"day-1mb": 1_000_000, "free-3mb": 3_000_000, "free-20mb": 20_000_000, "free-200mb": 200_000_000}
PASSWORD: Final = "correct horse battery staple 7"
_START_SECONDS: Final = 60
_STOP_SECONDS: Final = 20

_context = multiprocessing.get_context("forkserver")
_context.set_forkserver_preload(["kswifi.bootstrap.server", "kswifi.bootstrap.lab", "alembic.command", __name__])
stamina.instrumentation.set_on_retry_hooks(())


# -- what runs in the forked process -----------------------------------------------------------------------------


def _run(
    name: str,
    environment: Mapping[str, str],
    log: str,
    alter: tuple[str, Any] | None,
    said: Connection,
    parent: Connection,
) -> None:
    """Be the server or the lab, as ``python -m kswifi serve --as-child`` is it."""
    os.umask(0o077)
    with Path(log).open("ab") as file:
        os.dup2(file.fileno(), 1)
        os.dup2(file.fileno(), 2)
    for variable in [it for it in os.environ if it.startswith("KSWIFI_")]:
        del os.environ[variable]
    os.environ.update({"KSWIFI_BALLAST_OCTETS": "0", **environment})  # tests leave many directories behind
    if alter is not None:
        globals()[alter[0]](alter[1])
    from kswifi.bootstrap.lab import run_lab
    from kswifi.bootstrap.server import run_server
    from kswifi.settings import load_settings

    run = {"server": run_server, "lab": run_lab}[name]
    try:
        asyncio.run(run(load_settings(), said.send, parent.fileno()))
    except (KswifiError, OSError) as error:
        sys.stderr.write(f"kswifi: {error}\n")
        sys.exit(1)


def later_clock(days: float) -> None:
    """Let the server live so many days later."""
    from kswifi.bootstrap import server
    from kswifi.kernel.clock import AheadClock

    vars(server)["server_clock"] = lambda *_: AheadClock(timedelta(days=days))


def without_family(name: str) -> None:
    """Let the process live on a machine without this address family: "AF_INET" or "AF_INET6"."""
    missing = getattr(socket, name)

    class OtherFamilies(socket.socket):
        def __init__(  # the names are those of the standard library
            self,
            family: int = -1,
            type: int = -1,  # noqa: A002
            proto: int = -1,
            fileno: int | None = None,
        ) -> None:
            asked = socket.AF_INET if family == -1 else family
            if fileno is None and asked == missing:
                raise OSError(errno.EAFNOSUPPORT, os.strerror(errno.EAFNOSUPPORT))
            super().__init__(family, type, proto, fileno)

    vars(socket)["socket"] = OtherFamilies


def resolve_here(name: str) -> None:
    """Let the process find this machine under a name that no DNS knows."""
    honest = socket.getaddrinfo
    here = (name, name.encode())
    socket.getaddrinfo = lambda host, *rest, **more: honest("127.0.0.1" if host in here else host, *rest, **more)


def journal_that_dies(when: tuple[str, int]) -> None:
    """Let the process die at the n-th record: "before" its INSERT, "inside" the transaction, or "after" it.

    After it means: before the head file is updated, and before any caller gets an answer.
    """
    from kswifi.bootstrap.parts import ledger
    from kswifi.ledger.storage.journal import Record
    from kswifi.ledger.storage.sqlite_journal import SqliteJournal

    moment, countdown = when

    class DyingJournal(SqliteJournal):
        left = countdown

        def append(self, record: Record) -> None:
            DyingJournal.left -= 1
            if DyingJournal.left:
                super().append(record)
                return
            if moment != "before":
                assert self._writer is not None
                self._writer.execute("BEGIN")
                self._writer.execute(
                    "INSERT INTO record (sequence, payload, digest) VALUES (?, ?, ?)",
                    (record.sequence, record.payload, record.digest),
                )
            if moment == "after":
                assert self._writer is not None
                self._writer.execute("COMMIT")
            os.kill(os.getpid(), signal.SIGKILL)

    vars(ledger)["SqliteJournal"] = DyingJournal


def purchase_that_dies(moment: str) -> None:
    """Let the process die at its first paid call to a data provider.

    "before" the call is sent, when it was "answered" and nothing of the answer is committed, or when the answer is
    "settled" and its outbox entries still wait.
    """
    from kswifi.supply import buying, worker

    class DyingBuying(buying.Buying):
        is_paying = False

        async def _call(self, provider: Any, read: Any) -> Any:
            cancels = read.order.wants_cancel and read.order.state in buying._UNUSED
            self.is_paying = cancels or (read.order.state == "unknown" and not read.order.looks)
            self._die_at("before")
            answer = await super()._call(provider, read)
            self._die_at("answered")
            return answer

        async def work(self, reference: str) -> None:
            await super().work(reference)
            self._die_at("settled")

        def _die_at(self, here: str) -> None:
            if self.is_paying and moment == here:
                os.kill(os.getpid(), signal.SIGKILL)

    vars(worker)["Buying"] = DyingBuying


def clock_that_jumps(path: str) -> None:
    """Let the server's wall clock be ahead by the seconds that a file holds."""
    from kswifi.bootstrap import clock
    from tests.support.clocks import jumping_reader

    vars(clock)["machine_reader"] = jumping_reader(Path(path))


def pages_limited_by(flag: str) -> None:
    """Let the server's databases grow only while there is no such file."""
    from tests.support.small_disk import limit_pages

    limit_pages(flag)


def push_service_at(where: tuple[int, str]) -> None:
    """Let every public name lead to this port of this machine, whose certificate is trusted.

    The sender is not touched: it looks a name up, checks that the address is public, connects to that address, and
    checks the certificate against the name.
    """
    port, certificate = where
    address, loop = "192.88.99.1", asyncio.BaseEventLoop  # public, and assigned to no host any more (RFC 7526)
    look_up, connect, trusted = loop.getaddrinfo, loop.create_connection, ssl.get_default_verify_paths()

    async def found(self: Any, host: Any, at: Any, **more: Any) -> Any:
        if host == "localhost" or host[-1:].isdigit():
            return await look_up(self, host, at, **more)
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (address, at))]

    async def connected(self: Any, protocol: Any, host: Any = None, at: Any = None, **more: Any) -> Any:
        there = ("127.0.0.1", port) if (host, at) == (address, 443) else (host, at)
        return await connect(self, protocol, *there, **more)

    vars_of: Any = loop
    vars_of.getaddrinfo, vars_of.create_connection = found, connected
    public_tls.cache_clear()  # the test's process may have read them before this process was forked
    vars(ssl)["get_default_verify_paths"] = lambda: trusted._replace(openssl_cafile=certificate)


# -- what runs in the test ---------------------------------------------------------------------------------------


class ForkedChild(Child):
    """A process of `kswifi`, forked; it ends when the test's process does."""

    def __init__(
        self, name: str, environment: Mapping[str, str], log: Path, alter: tuple[str, Any] | None = None
    ) -> None:
        log.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        began = log.stat().st_size if log.exists() else 0
        heard, said = _context.Pipe(duplex=False)
        theirs, self._ours = _context.Pipe(duplex=False)
        arguments = (name, dict(environment), str(log), alter, said, theirs)
        self._forked: ForkServerProcess = _context.Process(target=_run, args=arguments, name=name)
        self._forked.start()
        said.close()
        theirs.close()
        self.name = name
        try:
            self.ready: Mapping[str, Any] = heard.recv() if heard.poll(_START_SECONDS) else {}
        except EOFError:
            self.ready = {}
        heard.close()
        if not self.ready:
            self.kill()
            words = log.read_bytes()[began:].decode(errors="replace").strip().splitlines()
            raise ChildFailedError(f"the {name} process did not start: {words[-1] if words else 'it said nothing'}")

    @property
    def pid(self) -> int:
        assert self._forked.pid is not None
        return self._forked.pid

    def ended(self) -> int | None:
        return self._forked.exitcode

    def join(self, seconds: float) -> None:
        self._forked.join(seconds)

    def kill(self) -> None:
        self._forked.kill()
        self._forked.join()
        self._ours.close()

    def stop(self) -> None:
        self._forked.terminate()
        self._forked.join(_STOP_SECONDS)
        if self._forked.exitcode is None:
            self.kill()
            raise AssertionError(f"the {self.name} process did not stop")
        self._ours.close()


@dataclass(slots=True)
class WholeSystem(System):
    """Both processes, on free ports that stay the same when one is started again."""

    folder: Path = field(default_factory=Path)
    alter: dict[str, tuple[str, Any]] = field(default_factory=dict)

    def start_one(self, name: str) -> Mapping[str, Any]:
        child = ForkedChild(name, self.environment, self.log_dir / f"{name}.log", self.alter.get(name))
        self.children[name] = child
        return child.ready

    def pass_days(self, days: int) -> None:
        """Have the server live so many days later."""
        self.days_ahead += days
        self.alter["server"] = ("later_clock", float(self.days_ahead))
        self.children.pop("server").stop()
        self.start_one("server")

    def kill(self, name: str) -> None:
        """End one of them as a crash would, and leave it dead."""
        self.children[name].kill()

    def restart(self) -> None:
        """Stop both cleanly and start them on what is there."""
        self.stop()
        self.start()

    def ended_by(self, name: str, seconds: float) -> int | None:
        """Wait until one of them has ended by itself; return its exit status, negative for a signal."""
        child = self.children[name]
        assert isinstance(child, ForkedChild)
        child.join(seconds)
        return child.ended()

    @property
    def data_dir(self) -> Path:
        return Path(self.environment["KSWIFI_DATA_DIR"])

    @property
    def origin(self) -> str:
        return str(self.children["server"].ready["origin"])

    @contextmanager
    def road(self, teller: Teller | None = None, name: str = "phone") -> Iterator[Road]:
        """Give a phone at the start of its road; the same name is the same phone."""
        folder = self.folder / name
        folder.mkdir(exist_ok=True)
        with phone_of(self, folder, teller or SilentTeller()) as road:
            yield road

    @contextmanager
    def stored(self, offer_id: str = "free-3mb", name: str | None = None) -> Iterator[Road]:
        """Give a phone of a new account with a session stored on its eSIM, still on WiFi."""
        with self.road(name=name or f"phone-{uuid.uuid4().hex[:8]}") as road:
            road.register(new_identifier(), PASSWORD)
            road.choose(offer_id)
            road.order()
            road.download(break_off=False)
            road.store()
            yield road

    def account(self, session_id: str) -> Balances:
        """Return the sums of a session's account from the journal on disk; nothing in it may be wrong."""
        verified = ledger.verify(self.data_dir / "ledger")
        assert verified.damage == ()
        shown = ledger.show(self.data_dir / "ledger", account_id=session_id)
        assert shown is not None, f"the ledger does not know {session_id}"
        (account,) = [it for it in shown.accounts if it.account_id == session_id]
        octets = account.balances
        came = octets.credited + octets.transferred_in
        went = octets.expired + octets.revoked + octets.transferred_out
        assert came == octets.used + octets.reserved + octets.available + went
        return octets


def whole_system(
    folder: Path,
    data_dir: Path | None = None,
    alter: Mapping[str, tuple[str, Any]] | None = None,
    **settings: Any,
) -> WholeSystem:
    """Return a system that is not started yet; ``settings`` go before these."""
    folder.mkdir(parents=True, exist_ok=True)
    environment = {f"KSWIFI_{name.upper()}_PORT": str(port) for name, port in free_ports(PORTS).items()}
    environment |= {
        "KSWIFI_DATA_DIR": str(data_dir or folder / "var"),
        "KSWIFI_OFFERS_FILE": str(write_offers(folder / "offers.toml")),
        "KSWIFI_REGISTRATIONS_PER_HOUR": "10000",
        "KSWIFI_LOGINS_PER_QUARTER_HOUR": "10000",
    }
    if postgresql.WANTED:
        environment["KSWIFI_DATABASE_URL"] = postgresql.fresh_url(Path(environment["KSWIFI_DATA_DIR"]))
    environment |= {f"KSWIFI_{name.upper()}": str(value) for name, value in settings.items()}
    return WholeSystem(environment=environment, log_dir=folder / "log", folder=folder, alter=dict(alter or {}))


def started(folder: Path, tries: int = 3, **settings: Any) -> WholeSystem:
    """Return a system that runs; on other ports where another process took one of ours before we did."""
    while True:
        system = whole_system(folder, **settings)
        tries -= 1
        try:
            system.start()
        except ChildFailedError as error:
            system.stop()
            if not tries or "in use" not in error.message:
                raise
        else:
            return system


@contextmanager
def running_system(folder: Path, **settings: Any) -> Iterator[WholeSystem]:
    """Give a running system; stop what of it runs at the end."""
    system = started(folder, **settings)
    try:
        yield system
    finally:
        system.stop()


def write_offers(path: Path) -> Path:
    """Write an operator's offers file with allowances that are used up in a moment."""
    path.write_text(
        "".join(
            f'[[offer]]\nid = "{offer_id}"\ntitle = "{offer_id}"\nallowance_octets = {octets}\nprice_kobo = 0\n'
            f"valid_days = {1 if offer_id.startswith('day') else 30}\n"
            for offer_id, octets in OFFERS.items()
        )
        + '[[offer]]\nid = "unlimited"\ntitle = "Unlimited"\nprice_kobo = 80000\nvalid_days = 7\n'
    )
    return path


def new_identifier() -> str:
    """Return an e-mail address that nobody has registered."""
    return f"{uuid.uuid4().hex[:12]}@example.ng"


def control_rows(data_dir: Path, query: str) -> list[tuple[Any, ...]]:
    """Ask the control database, read only."""
    connection = sqlite3.connect(f"{(data_dir / 'control.db').as_uri()}?mode=ro", uri=True)
    try:
        return connection.execute(query).fetchall()
    finally:
        connection.close()
