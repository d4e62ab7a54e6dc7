"""A run of one seed: a core, its subscribers, actions of users and of the control plane, and faults."""

import errno
from collections import Counter
from dataclasses import dataclass
from functools import partial
from typing import Final

from kswifi.charging.policy import ChargingPolicy
from kswifi.diameter.constants import RequestedAction
from kswifi.ledger import commands as do
from kswifi.ledger.limits import DAY_SECONDS
from kswifi.ledger.verify import verify
from kswifi.simulation.cores import Bearer, Core
from kswifi.simulation.errors import PowerLostError, SimulationFailedError
from kswifi.simulation.network import Weather
from kswifi.simulation.profiles import PROFILES, Profile
from kswifi.simulation.reference import Reference
from kswifi.simulation.server import REALM, SimulatedServer
from kswifi.simulation.transfers import Transfers
from kswifi.simulation.world import World

_STORM_SECONDS: Final = 40.0
_CALM_SECONDS: Final = 240.0
"""Long enough for silent sessions to be settled, even if the clock jumped back twice."""
_LINES: Final = 2
_COUNTED: Final = _LINES
"""The line that no core meters: a data provider counts its usage."""
_YEAR_SECONDS: Final = 31_536_000
_MEGABYTE: Final = 1_000_000
_FINE: Final = Weather()
_UNCAPPED: Final = 0.15
_SECOND_APN: Final = 0.3
_DAMAGED: Final = 0.1
_CLOSING_ROUNDS: Final = 20
_RESTARTS: Final = 0.4
_STORED_LATER: Final = 0.3
"""The probability that a session is ordered now and stored later, without a command that lifts a hold."""
_POLICY: Final = ChargingPolicy(
    max_grant_octets=4_000_000,
    min_grant_octets=200_000,
    validity_seconds=20,
    shared_validity_seconds=5,
    control_only_validity_seconds=3,
    grace_seconds=10,
    threshold_percent=10,
    control_only_peers=frozenset({f"{it.name}.{REALM}" for it in PROFILES if it.restricts}),
)


@dataclass(frozen=True, slots=True)
class Figures:
    """The figures of one run, as evidence that something happened."""

    seed: int
    profile: str
    requests: int
    octets: int
    crashes: int
    events: int
    snapshots: int
    pruned_records: int


class Scenario:
    """A run of one seed; ``run`` raises SimulationFailedError if an invariant is violated."""

    def __init__(self, seed: int, profile: Profile | None = None) -> None:
        self.seed = seed
        self.world = world = World(seed)
        self.profile = profile or PROFILES[seed % len(PROFILES)]
        self.reference = Reference()
        self.server = SimulatedServer(
            world, _POLICY, world.random.uniform(0.0005, 0.02), world.random.choice((0.0, 0.1))
        )
        self.core = Core(world, self.server, self.profile, self.reference)
        self.core.ended = self._ended
        self.reference.closed = self.server.closed
        self.server.recovered = self._check
        self._stormy = True
        self._fault_odds = world.random.choice((0.0, 0.003, 0.02))
        self._jumps = world.random.choice((0, 0, 1, 2))
        self._transfers = Transfers(world, self.server.execute)
        self._commands: Counter[str] = Counter()
        self._accounts: dict[int, list[str]] = {line: [] for line in range(_LINES + 1)}
        self._credits: list[do.Credit] = []
        self._kept_seconds = world.random.choice((0, 5, 1_000))

    def run(self) -> Figures:
        """Run the phase with faults and the calm phase, then check the accounts; return the figures."""
        try:
            self._run()
        except Exception as error:  # every failure must name its seed
            self.world.loop.abandon()
            raise SimulationFailedError(
                f"seed {self.seed} ({self.profile.name}), at {self.world.time:.3f} s: {error}", seed=self.seed
            ) from error
        finally:
            figures = self._figures()
            self.world.loop.inside(partial(self.server.crash, 0.0))
        return figures

    def _figures(self) -> Figures:
        return Figures(
            self.seed,
            self.profile.name,
            len(self.reference.reported),
            sum(self.reference.reported.values()),
            self.server.crashes,
            len(self.reference.events),
            self.server.snapshots_made,
            self.server.records_pruned,
        )

    def _run(self) -> None:
        world = self.world
        world.after(0, self.server.start)
        world.after(0, self.core.link.dial)
        world.after(0, self._begin)
        world.run(_STORM_SECONDS, self.server.look_after)
        self._stormy = False
        self.core.link.weather = _FINE
        self.server.fault = lambda: None
        world.after(0, self._say_goodbye)
        world.run(_STORM_SECONDS + _CALM_SECONDS, self.server.look_after)
        if not self.server.is_up:
            raise SimulationFailedError("the server did not come back")
        if not self.core.is_idle:
            raise SimulationFailedError("some request was never answered")
        state = self.server.ledger.state
        self.reference.check_end(state)
        closed_sent = self.server.closed_sent.items()
        self._transfers.check_end(state, sum(it for key, it in closed_sent if key not in state.accounts))
        self._check_blocking()
        self._forget()

    def _forget(self) -> None:
        """Let years pass: every ended account is forgotten, and a late copy of its credit does not restore it."""
        ledger = self.server.ledger
        for years in (0, 1, 2):
            self.world.jumped_seconds += years * _YEAR_SECONDS
            for number in range(_CLOSING_ROUNDS):
                # Any command makes the ledger forget what is due.
                self._command(do.ContinueWithNext, "wallet0", number % 2 == 0)
                self.server.close_accounts()
                self.world.run(self.world.time + 1, self.server.look_after)
            open_before = set(ledger.state.accounts)
            for credit in self._credits:
                if credit.account_id not in open_before:
                    self.server.execute(credit, lambda _outcome: None)
            self.world.run(self.world.time + 1, self.server.look_after)
            if set(ledger.state.accounts) != open_before:
                raise SimulationFailedError("an account that was closed was credited again")
        left = [it.account_id for it in ledger.state.accounts.values() if it.status != "open"]
        if left or verify(ledger.state):
            raise SimulationFailedError(f"accounts that ended long ago are still there: {left}")

    def _check(self) -> None:
        self.reference.check_books(self.server.ledger.state)

    def _check_blocking(self) -> None:
        """Check a user plane that blocks: the octets that passed equal the booked ones, and all were paid for."""
        if not self.profile.blocking:
            return
        state = self.server.ledger.state
        delivered = sum(bearer.delivered for bearer in self.core.bearers) + self.reference.moved
        delivered += sum(self.reference.counters_answered.values())
        least, most = self.reference.bounds(delivered)
        if not least <= self.reference.booked(state) <= most:
            raise SimulationFailedError(f"{delivered} octets passed, {self.reference.booked(state)} are booked")
        metered = (it for it in state.accounts.values() if it.wallet_id != f"wallet{_COUNTED}")
        overrun = sum(account.overrun for account in metered)
        if overrun and not self._jumps and self.profile.orderly:
            raise SimulationFailedError(f"{overrun} octets passed that nobody paid for")

    # The phase with faults

    def _begin(self) -> None:
        chance = self.world.random
        self.core.link.weather = Weather(
            latency_seconds=chance.choice((0.001, 0.01, 0.2)),
            dropped=chance.choice((0.0, 0.05, 0.2)),
            doubled=chance.choice((0.0, 0.05, 0.2)),
            delayed=chance.choice((0.0, 0.1, 0.3)),
        )
        self.world.after(0.4, self._let_it_fail)
        self._command(do.OpenWallet, f"wallet{_COUNTED}", _imsi(_COUNTED))
        self._top_up(_COUNTED)
        for line in range(_LINES):
            self._command(do.OpenWallet, f"wallet{line}", _imsi(line))
            self._top_up(line)
            self.world.after(chance.uniform(0.5, 3), partial(self._attach, line))
            self.world.after(chance.uniform(2, 8), partial(self._live, line))
        self.world.after(chance.uniform(3, 10), self._control)
        self.world.after(chance.uniform(3, 10), self._event)
        self.world.after(chance.uniform(2, 6), self._snapshot)
        self.world.after(chance.uniform(5, 30), self._power_cut)
        self.world.after(chance.uniform(3, 10), self._close_accounts)
        if chance.random() < _RESTARTS:
            self.world.after(chance.uniform(8, 35), self.core.restart)
        for _ in range(self._jumps):
            self.world.after(chance.uniform(5, 35), self._jump)

    def _let_it_fail(self) -> None:
        """Start the faults once the subscribers are known; unknown subscribers are not tested here."""
        self.server.fault = self._fault

    def _fault(self) -> tuple[float, Exception] | None:
        chance = self.world.random
        if chance.random() >= self._fault_odds:
            return None
        kind = chance.choice(("lost", "torn", "unanswered", "failed"))
        if kind == "failed":
            return chance.uniform(0, 0.9), OSError(errno.EIO, "input/output error of the simulated disk")
        return {"lost": 0.0, "torn": chance.uniform(0, 1), "unanswered": 1.0}[kind], PowerLostError()

    def _snapshot(self) -> None:
        """Make a snapshot and prune the journal; sometimes damage the snapshot."""
        if self._stormy:
            self.server.take_snapshot(self._kept_seconds)
            if self.world.random.random() < _DAMAGED:
                self.server.snapshots.damage_newest(self.world.random)
            self.world.after(self.world.random.uniform(1, 8), self._snapshot)

    def _close_accounts(self) -> None:
        if self._stormy:
            self.server.close_accounts()
            self.world.after(self.world.random.uniform(2, 8), self._close_accounts)

    def _event(self) -> None:
        if self._stormy:
            chance = self.world.random
            action = chance.choice(tuple(RequestedAction))
            octets = chance.choice((1_000, 400_000, 9_000_000))
            self.core.request_event(_imsi(chance.randrange(_LINES)), action, octets)
            self.world.after(chance.uniform(0.5, 4), self._event)

    def _power_cut(self) -> None:
        if self._stormy:
            self.server.crash(self.world.random.choice((0.0, self.world.random.random(), 1.0)))
            self.world.after(self.world.random.uniform(5, 30), self._power_cut)

    def _jump(self) -> None:
        """Make the wall clock jump: far enough to settle silent sessions, not far enough to forget tombstones."""
        self.world.jumped_seconds += self.world.random.choice((-90, -3, 45, 250))

    def _attach(self, line: int, apn: str = "internet") -> None:
        if not self._stormy:
            return
        mine = [it for it in self.core.bearers if it.imsi == _imsi(line) and it.apn == apn]
        if self.profile.orderly and any(it.pending for it in mine):
            self.world.after(0.5, partial(self._attach, line, apn))
        elif all(it.is_over for it in mine):
            self.core.attach(_imsi(line), self._pace(), apn)

    def _live(self, line: int) -> None:
        """Let the user act: change the rate, open a bearer or end one."""
        chance = self.world.random
        if not self._stormy:
            return
        self.world.after(chance.uniform(0.5, 5), partial(self._live, line))
        if chance.random() < _SECOND_APN:
            self._attach(line, "ims")
        for bearer in [it for it in self.core.bearers if it.imsi == _imsi(line) and not it.is_over]:
            luck = chance.random()
            if luck < 0.6:
                self.core.change_rate(bearer, self._pace())
            elif luck < 0.8 and self.profile.forgets_termination and not bearer.pending:
                self.core.abandon(bearer, chance.choice((None, 0.5, 5.0)))
                self._attach(line, bearer.apn)
            else:
                self.core.terminate(bearer)

    def _ended(self, bearer: Bearer) -> None:
        if bearer.apn == "internet":
            again = partial(self._attach, int(bearer.imsi[-1]))
            self.world.after(self.world.random.uniform(0.5, 3), again)

    def _pace(self) -> int:
        return self.world.random.choice((0, 20_000, 300_000, 1_500_000, 4_000_000))

    def _say_goodbye(self) -> None:
        for bearer in self.core.bearers:
            self.core.terminate(bearer)

    # Control plane

    def _control(self) -> None:
        chance = self.world.random
        if not self._stormy:
            return
        self.world.after(chance.uniform(1, 8), self._control)
        line = chance.randrange(_LINES + 1)
        wallet, accounts = f"wallet{line}", self._accounts[line]
        match chance.choice(
            ("top-up", "top-up", "pause", "limit", "freeze", "revoke", "transfer", "next", "report", "report")
        ):
            case "top-up":
                self._top_up(line)
            case "pause":
                self._command(do.HoldWallet, wallet, chance.choice(("paused", "paused", "exhausted")))
                self.world.after(chance.uniform(1, 6), partial(self._command, do.LiftHold, wallet))
            case "limit":
                self._limit(wallet)
            case "freeze":
                self._command(do.Freeze, wallet, True)
                self.world.after(chance.uniform(1, 6), partial(self._command, do.Freeze, wallet, False))
            case "revoke":
                self._command(do.Revoke, chance.choice(accounts), "simulated")
            case "report":
                self._report_usage(chance.choice(self._accounts[_COUNTED]))
            case "transfer":
                others = [it for mine in self._accounts.values() for it in mine]
                giver, receiver = chance.choice(accounts), chance.choice(others)
                self._transfers.begin(giver, receiver, chance.randint(1, _MEGABYTE))
            case _:
                self._command(do.ContinueWithNext, wallet, chance.random() < 0.5)

    def _limit(self, wallet: str) -> None:
        """Pause a line for some seconds, or limit its day, of which a new one may begin soon."""
        chance, now = self.world.random, int(self.world.now().timestamp())
        if chance.random() < 0.5:
            ends_at = now + chance.randint(1, 6)
            self._command(do.PauseUntil, wallet, ends_at)
            self.world.after(ends_at - now + 1, partial(self._command, do.EndHold, wallet, "paused", ends_at))
            return
        day_at = now - DAY_SECONDS + chance.choice((3, DAY_SECONDS))
        self._command(do.LimitDay, wallet, chance.randint(1, 5 * _MEGABYTE), day_at)
        ends = (
            partial(self._command, do.LiftLimit, wallet),
            partial(self._command, do.LimitDay, wallet, None, day_at),
        )
        self.world.after(chance.uniform(1, 8), chance.choice(ends))

    def _report_usage(self, account: str) -> None:
        """Report a provider's counter, which may repeat itself or go back."""
        total = max(0, self.reference.counters.get(account, 0) + self.world.random.randint(-400_000, _MEGABYTE))
        self._commands["all"] += 1
        command = do.ReportUsage(
            f"control{self._commands['all']}", account, total, int(self.world.now().timestamp())
        )
        self.reference.counted(account, total)
        self.server.execute(command, partial(self.reference.counted_answer, account, total))

    def _top_up(self, line: int) -> None:
        account = f"account{line}.{len(self._accounts[line])}"
        self._accounts[line].append(account)
        chance = self.world.random
        seconds = chance.choice((8, 25, _YEAR_SECONDS, _YEAR_SECONDS))
        until = int(self.world.now().timestamp()) + seconds
        octets = None if chance.random() < _UNCAPPED else chance.randint(1, 20 * _MEGABYTE)
        self._command(do.Credit, f"wallet{line}", account, octets, until)
        self._credits.append(do.Credit(f"control{self._commands['all']}", f"wallet{line}", account, octets, until))
        now = int(self.world.now().timestamp())
        if self._accounts[line][1:] and chance.random() < _STORED_LATER:
            proof = partial(self._command, do.ProveStorage, account, "simulated", now)
            self.world.after(chance.uniform(0, 5), proof)
        else:
            self._command(do.ProveStorage, account, "simulated")
            self._command(do.LiftHold, f"wallet{line}")
        if seconds < _YEAR_SECONDS:
            self.world.after(seconds + 1, partial(self._command, do.Expire, account))

    def _command(self, kind: type, *facts: object) -> None:
        """Execute a command with a new id.

        It may be refused because it came too early, as in the real control plane.
        """
        self._commands["all"] += 1
        command: do.Command = kind(f"control{self._commands['all']}", *facts)
        self.server.execute(command, lambda _outcome: None)


def _imsi(line: int) -> str:
    return f"00101000000000{line}"
