"""`kswifi bench http`: the CPU time that one HTTP request costs the server.

A server process runs with its data in a temporary folder and listens on free loopback ports. This process sends it
real requests, one at a time, and reads the server's CPU time from outside. So the figures do not contain the cost
of the client, and other load on the machine changes them little.

The server is reached through its command line and its HTTP API alone. ``python`` names the interpreter that runs
it, so one version of the benchmark measures any other checkout of KSWiFi, before and after a change.
"""

import hashlib
import os
import statistics
import subprocess
import sys
import tempfile
import time
import uuid
from collections.abc import Callable, Iterable
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import httpx2

from kswifi.bench.cpu import tree_cpu_seconds
from kswifi.kernel.errors import KswifiError
from kswifi.lab.children import Child
from kswifi.lab.ports import free_ports

OFFER: Final = "free-1gb"
PASSWORD: Final = "correct horse battery staple 7"  # noqa: S105 - of accounts that exist for a minute
SESSIONS: Final = 20
"""InternetSessions of the account whose list is read."""

STREAMS_OF_ACCOUNT: Final = 6
"""The API's limit for one user."""

_PORTS: Final = ("api", "diameter", "rsp", "lab", "content", "proxy", "attach", "sandbox")
_SETTINGS: Final = {
    "KSWIFI_MODE": "embedded",
    "KSWIFI_FREE_ALLOWANCE_OCTETS": str(10**15),
    "KSWIFI_FREE_UNSPENT_OCTETS": str(10**15),
    "KSWIFI_REGISTRATIONS_PER_HOUR": "100000",
    "KSWIFI_LOGINS_PER_QUARTER_HOUR": "100000",
}
_SETTLE_SECONDS: Final = 60.0
_QUIET_SECONDS: Final = 0.4
_QUIET_CPU_SECONDS: Final = 0.004


class HttpBenchFailedError(KswifiError):
    """The server refused a request, or did not finish its work in time."""

    code = "http_bench_failed"


@dataclass(frozen=True, slots=True)
class HttpBench:
    """How much is measured.

    Attributes:
        python: the interpreter that runs the server.
        rounds: rounds of each row; the row's figure is the median of its rounds.
        requests: requests in one round of a cheap row; expensive rows send fewer.
        orders: orders in one round of that row.
        streams: event streams open at the same time.
        idle_seconds: how long the server is watched while the streams are idle; a third of it without streams.
    """

    python: Path = Path(sys.executable)
    rounds: int = 5
    requests: int = 40
    orders: int = 10
    streams: int = 200
    idle_seconds: float = 15.0


@dataclass(slots=True)
class Figures:
    """What was measured: rows by name, each a CPU time in milliseconds unless the name says otherwise."""

    rows: dict[str, float | int | str] = field(default_factory=dict)

    def add_rounds(self, name: str, cpu_ms: Iterable[float]) -> None:
        """Add a row with the median of its rounds, the smallest, and the largest."""
        rounds = sorted(cpu_ms)
        self.rows[f"{name}_cpu_ms"] = round(statistics.median(rounds), 2)
        self.rows[f"{name}_cpu_ms_min"] = round(rounds[0], 2)
        self.rows[f"{name}_cpu_ms_max"] = round(rounds[-1], 2)


def run_bench(bench: HttpBench) -> dict[str, float | int | str]:
    """Start a server, measure it, stop it, and return the figures.

    Raises:
        ChildFailedError: the server did not start.
        HttpBenchFailedError: a request was refused, or jobs were not finished in time.
    """
    with tempfile.TemporaryDirectory(prefix="kswifi-bench-") as name:
        root = Path(name)
        # Another checkout may be of a release that lacks these ports, and would refuse the settings.
        names = (*_PORTS, "metrics", "console") if bench.python == Path(sys.executable) else _PORTS
        environment = {f"KSWIFI_{port.upper()}_PORT": str(number) for port, number in free_ports(names).items()}
        environment |= {**_SETTINGS, "KSWIFI_DATA_DIR": str(root / "data")}
        began = os.getloadavg()[0]
        server = Child.start(
            "server", ["serve", "--as-child"], environment, root / "server.log", python=bench.python
        )
        try:
            figures = _Measuring(bench, server.pid, str(server.ready["origin"])).all_rows()
        finally:
            server.stop()
    return {
        "package": _package_of(bench.python),
        "cores": os.cpu_count() or 1,
        "load_average_before": round(began, 2),
        "load_average_after": round(os.getloadavg()[0], 2),
        **figures.rows,
    }


class _Account:
    """A signed-in client with one open connection."""

    def __init__(self, origin: str) -> None:
        self.identifier = f"{uuid.uuid4().hex[:12]}@example.ng"
        limits = httpx2.Limits(max_connections=None)
        self.client = httpx2.Client(base_url=origin, timeout=60.0, trust_env=False, limits=limits)
        self._csrf_token = ""
        self.sign_in("/api/v1/accounts")

    def sign_in(self, path: str = "/api/v1/logins") -> None:
        """Begin a login session."""
        credentials = {"identifier": self.identifier, "password": PASSWORD}
        answer = _accepted(self.client.post(path, json=credentials))
        self._csrf_token = str(answer.json()["csrf_token"])

    def get(self, path: str) -> httpx2.Response:
        return _accepted(self.client.get(path))

    def send(self, method: str, path: str, body: object) -> httpx2.Response:
        """Send a request that changes something, with a new Idempotency-Key."""
        headers = {"X-CSRF-Token": self._csrf_token, "Idempotency-Key": str(uuid.uuid4())}
        return _accepted(self.client.request(method, path, json=body, headers=headers))

    def session_states(self) -> set[str]:
        return {str(it["state"]) for it in self.get("/api/v1/sessions").json()["sessions"]}


class _Measuring:
    """One run against one server."""

    def __init__(self, bench: HttpBench, pid: int, origin: str) -> None:
        self._bench = bench
        self._pid = pid
        self._origin = origin
        self._figures = Figures()
        self._idle_cpu = 0.0
        """CPU seconds per second of the idle server."""

    def all_rows(self) -> Figures:
        """Measure every row."""
        needed = max(self._bench.rounds, -(-self._bench.streams // STREAMS_OF_ACCOUNT))
        accounts = [_Account(self._origin) for _ in range(needed)]
        try:
            self._settle(lambda: True)
            self._idle_cpu = self._watch_idle("idle", self._bench.idle_seconds / 3)
            self._orders(accounts)
            self._reads(accounts[0])
            self._writes(accounts[0])
            self._streams(accounts)
        finally:
            for account in accounts:
                account.client.close()
        return self._figures

    def _reads(self, account: _Account) -> None:
        self._order(account, max(0, SESSIONS - self._bench.orders))
        session_id = account.get("/api/v1/sessions").json()["sessions"][0]["session_id"]
        with httpx2.Client(base_url=self._origin, timeout=60.0, trust_env=False) as anonymous:
            self._row("offers_anonymous", lambda: _accepted(anonymous.get("/api/v1/offers")))
        self._row("account", lambda: account.get("/api/v1/account"))
        self._row(f"list_of_{SESSIONS}_sessions", lambda: account.get("/api/v1/sessions"), share=2)
        self._row("package", lambda: account.get(f"/api/v1/sessions/{session_id}/package"))

    def _writes(self, account: _Account) -> None:
        wishes = {"usage": True, "expiry": True}
        self._row("idempotent_write", lambda: account.send("PUT", "/api/v1/notifications", wishes))
        self._row("sign_in", account.sign_in, share=20)

    def _row(self, name: str, request: Callable[[], object], *, share: int = 1) -> None:
        """Measure one kind of request, ``requests / share`` of them in each round, after a round to warm up."""
        count = max(1, self._bench.requests // share)
        rounds = []
        for number in range(self._bench.rounds + 1):
            before = self._cpu()
            for _ in range(count):
                request()
            if number:
                rounds.append((self._cpu() - before) / count * 1e3)
        self._figures.add_rounds(name, rounds)

    def _orders(self, accounts: list[_Account]) -> None:
        """Measure orders and transfers with the jobs they leave; a round is the first orders of one account."""
        orders, transfers = [], []
        for account in accounts[: self._bench.rounds]:
            orders.append(self._order(account, self._bench.orders) / self._bench.orders)
            transfers.append(self._transfer(account))
        self._figures.add_rounds("order_until_packaged", (it * 1e3 for it in orders))
        self._figures.add_rounds("transfer_until_released", (it * 1e3 for it in transfers))

    def _order(self, account: _Account, count: int) -> float:
        """Order InternetSessions for the account's first eSIM until each has its package."""

        def work() -> None:
            for _ in range(count):
                account.send("POST", "/api/v1/sessions", {"offer_id": OFFER})

        return self._with_all_that_follows(work, lambda: "ordered" not in account.session_states())

    def _transfer(self, account: _Account) -> float:
        """Download one package, confirm it, and measure its transfer until the profile is released."""
        session = account.get("/api/v1/sessions").json()["sessions"][0]
        path = f"/api/v1/sessions/{session['session_id']}"
        digest = hashlib.sha256(account.get(f"{path}/package").content).hexdigest()
        account.send("POST", f"{path}/downloaded", {"sha256": digest})
        self._settle(lambda: True)
        esim = f"/api/v1/esims/{session['esim_id']}"
        return self._with_all_that_follows(
            lambda: account.send("POST", f"{path}/transfer", {}),
            lambda: account.get(esim).json()["profile_state"] == "released",
        )

    def _with_all_that_follows(self, work: Callable[[], object], done: Callable[[], bool]) -> float:
        """Return the CPU seconds of some work and of the jobs that it leaves to the server."""
        before, began = self._cpu(), time.monotonic()
        work()
        apart = self._settle(done)
        return self._cpu() - before - apart - self._idle_cpu * (time.monotonic() - began)

    def _settle(self, done: Callable[[], bool]) -> float:
        """Wait until the server is quiet and ``done`` holds; return the CPU seconds that asking ``done`` cost.

        Quiet is read from outside, since each question would cost CPU time of its own.
        """
        until, asking = time.monotonic() + _SETTLE_SECONDS, 0.0
        while time.monotonic() < until:
            before = self._cpu()
            time.sleep(_QUIET_SECONDS)
            if self._cpu() - before > _QUIET_CPU_SECONDS + self._idle_cpu * _QUIET_SECONDS:
                continue
            before = self._cpu()
            finished = done()
            asking += self._cpu() - before
            if finished:
                return asking
        raise HttpBenchFailedError(f"the server did not finish its jobs in {_SETTLE_SECONDS:g} seconds")

    def _streams(self, accounts: list[_Account]) -> None:
        """Measure opening the event streams, and what they cost while nothing happens."""
        with ExitStack() as held:
            before, began = self._cpu(), time.monotonic()
            for number in range(self._bench.streams):
                client = accounts[number // STREAMS_OF_ACCOUNT].client
                answer = _accepted(held.enter_context(client.stream("GET", "/api/v1/events")))
                next(answer.iter_raw())  # the first event, "hello": the stream is open
            cpu, seconds = self._cpu() - before, time.monotonic() - began
            self._figures.rows["streams"] = self._bench.streams
            self._figures.rows["streams_open_cpu_ms_total"] = round(cpu * 1e3, 1)
            self._figures.rows["streams_open_cpu_ms_each"] = round(cpu * 1e3 / self._bench.streams, 2)
            self._figures.rows["streams_open_seconds"] = round(seconds, 2)
            self._watch_idle("streams_idle", self._bench.idle_seconds)

    def _watch_idle(self, name: str, seconds: float) -> float:
        """Return the CPU seconds per second of a server without requests."""
        before, began = self._cpu(), time.monotonic()
        time.sleep(seconds)
        rate = (self._cpu() - before) / (time.monotonic() - began)
        self._figures.rows[f"{name}_cpu_ms_per_second"] = round(rate * 1e3, 2)
        return rate

    def _cpu(self) -> float:
        return tree_cpu_seconds(self._pid)


def _accepted(answer: httpx2.Response) -> httpx2.Response:
    if answer.status_code not in (200, 201, 204):
        answer.read()
        request = f"{answer.request.method} {answer.request.url.path}"
        raise HttpBenchFailedError(
            f"{request} was answered {answer.status_code}: {answer.text[:200]}",
            status=answer.status_code,
        )
    return answer


def _package_of(python: Path) -> str:
    """Return the folder of the package that the interpreter runs."""
    asked: Any = subprocess.run(  # noqa: S603 - the interpreter that the caller named
        [python, "-c", "import kswifi; print(*kswifi.__path__)"], check=True, capture_output=True, text=True
    )
    return str(asked.stdout).strip()
