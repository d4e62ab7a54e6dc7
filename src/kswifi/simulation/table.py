"""Measure overrun, stranded octets and revocation latency of each profile without faults, next to their bounds."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import partial
from typing import Final

from kswifi.charging.policy import ChargingPolicy
from kswifi.ledger import commands as do
from kswifi.simulation.cores import Core
from kswifi.simulation.network import Weather
from kswifi.simulation.profiles import PROFILES, Profile
from kswifi.simulation.reference import Reference
from kswifi.simulation.server import REALM, SimulatedServer
from kswifi.simulation.world import World

_MEGABYTE: Final = 1_000_000
_RATE: Final = 3_750_000
"""Octets per second at 30 Mbit/s."""
_SYNC_SECONDS: Final = 0.001
_CREDITS: Final = tuple(25 * _MEGABYTE + step * 999_983 for step in range(12))
"""Credits whose last grants have many sizes; the worst result counts."""
_HELD_AT: Final = (30.0, 30.7, 31.9, 33.1)
"""Instants of a pause, within grants of different ages; the worst result counts."""
_UNTIL: Final = 120.0


@dataclass(frozen=True, slots=True)
class Conditions:
    """The rate of the users, the time of an answer, and the grant cap."""

    octets_per_second: int
    answer_seconds: float
    cap_octets: int


CONDITIONS: Final = (
    Conditions(_RATE, 0.01, 10 * _MEGABYTE),
    Conditions(_RATE, 0.01, _MEGABYTE),
    Conditions(_RATE, 0.5, 10 * _MEGABYTE),
)


@dataclass(frozen=True, slots=True)
class Row:
    """The measured values, with their bounds."""

    profile: str
    conditions: Conditions
    overrun_octets: int
    overrun_bound_octets: int
    stranded_octets: int
    revoke_seconds: float
    revoke_bound_seconds: float


def measure() -> Iterator[Row]:
    """Measure every profile under every condition; yield the rows."""
    for conditions in CONDITIONS:
        for profile in PROFILES:
            yield _row(profile, conditions)


def render(rows: Iterable[Row]) -> str:
    """Format the table in Markdown: measured values, bounds in brackets."""
    lines = [
        "| core | rate | answer after | grant cap | overrun (bound) | stranded | a pause counts after (bound) |",
        "|---|---|---|---|---|---|---|",
    ]
    for row in rows:
        it = row.conditions
        lines.append(
            f"| {row.profile} | {it.octets_per_second * 8 // _MEGABYTE} Mbit/s | {it.answer_seconds * 1000:.0f} ms "
            f"| {it.cap_octets // _MEGABYTE} MB | {row.overrun_octets:,} ({row.overrun_bound_octets:,}) "
            f"| {row.stranded_octets} | {row.revoke_seconds:.2f} s ({row.revoke_bound_seconds:.2f} s) |"
        )
    return "\n".join(lines)


def _row(profile: Profile, it: Conditions) -> Row:
    ends = [_use_up(profile, it, credit) for credit in _CREDITS]
    late = 0 if profile.blocking else round(it.octets_per_second * it.answer_seconds) + profile.cut_octets
    # A Re-Auth arrives after half an answer's time. Then the answer to the report cuts the bearer, or sending the
    # report already does.
    told = 1.5 * it.answer_seconds
    grant = it.cap_octets / it.octets_per_second + it.answer_seconds
    return Row(
        profile=profile.name,
        conditions=it,
        overrun_octets=max(overrun for overrun, _ in ends),
        overrun_bound_octets=late,
        stranded_octets=max(stranded for _, stranded in ends),
        revoke_seconds=max(_pause(profile, it, moment) for moment in _HELD_AT),
        revoke_bound_seconds=told if profile.serves_re_auth else grant,
    )


class _Bench:
    """One subscriber on a network without faults, who uses all that is granted."""

    def __init__(self, profile: Profile, it: Conditions, credit: int) -> None:
        peers = frozenset({f"{profile.name}.{REALM}"} if profile.restricts else ())
        policy = ChargingPolicy(
            max_grant_octets=it.cap_octets,
            min_grant_octets=min(_MEGABYTE, it.cap_octets),
            control_only_peers=peers,
        )
        self.world = World(0)
        self.server = SimulatedServer(self.world, policy, _SYNC_SECONDS)
        self.core = Core(self.world, self.server, profile, Reference())
        self.core.link.weather = Weather(latency_seconds=(it.answer_seconds - _SYNC_SECONDS) / 2)
        until = int(self.world.now().timestamp()) + 86_400
        self.world.after(0, self.server.start)
        self.world.after(0, self.core.link.dial)
        for command in (
            do.OpenWallet("1", "wallet", "001010000000001"),
            do.Credit("2", "wallet", "account", credit, until),
            do.ProveStorage("3", "account", "simulated"),
        ):
            self.world.after(0, partial(self.server.execute, command, lambda _: None))
        self.world.after(1, partial(self._attach, it.octets_per_second))

    def _attach(self, octets_per_second: int) -> None:
        self.core.attach("001010000000001", octets_per_second)

    def run(self, until: float) -> None:
        """Run until an instant of simulated time."""
        self.world.run(until, self.server.look_after)

    def end(self) -> None:
        """Stop the server."""
        self.world.loop.inside(partial(self.server.crash, 0.0))


def _use_up(profile: Profile, it: Conditions, credit: int) -> tuple[int, int]:
    """Use up a credit; return the octets used beyond it, and those of it that could not be used."""
    bench = _Bench(profile, it, credit)
    bench.run(_UNTIL)
    account = bench.server.ledger.state.accounts["account"]
    bench.end()
    return account.overrun, account.available + account.reserved


def _pause(profile: Profile, it: Conditions, moment: float) -> float:
    """Hold a wallet while it is used; return for how many seconds octets still pass after the hold is durable."""
    bench = _Bench(profile, it, 1_000 * _MEGABYTE)
    durable: list[float] = []
    pause = do.HoldWallet("4", "wallet", "paused")
    bench.world.after(
        moment, partial(bench.server.execute, pause, lambda _outcome: durable.append(bench.world.time))
    )
    bench.run(_UNTIL)
    seconds = bench.core.bearers[0].passed_at - durable[0]
    bench.end()
    return max(0.0, seconds)
