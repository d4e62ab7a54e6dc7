"""The same random requests with and without the shorter way: the same answers, journal, state and counters."""

import asyncio
from collections import deque
from collections.abc import Callable
from dataclasses import astuple, dataclass
from datetime import UTC, datetime, timedelta
from random import Random
from typing import Any

import msgspec
import pytest

from kswifi.charging.policy import ChargingPolicy
from kswifi.charging.service import ChargingService
from kswifi.diameter.constants import CcRequestType, FinalUnitAction, ReportingReason, SubscriptionIdType
from kswifi.diameter.errors import DiameterError
from kswifi.diameter.header import decode_header
from kswifi.diameter.layout import Layout
from kswifi.diameter.messages.credit_control import CreditControlRequest
from kswifi.diameter.messages.units import PsInformation, ServiceCreditControl, ServiceUnit, SubscriptionId
from kswifi.ledger import commands as do
from kswifi.ledger.client import LedgerClient
from kswifi.servers.diameter.application import NodeIdentity, Sender
from kswifi.servers.diameter.gy import GyApplication
from tests.support.clocks import ManualClock
from tests.support.memory_journal import MemoryJournal

WALLETS = 30
ROUNDS = 40
HOSTS = ("smf1.lab", "smf2.lab")
POLICIES = (
    ChargingPolicy(),
    ChargingPolicy(threshold_percent=20, quota_holding_seconds=60, time_quota_seconds=500),
    ChargingPolicy(control_only_peers=frozenset({"smf2.lab"})),
    ChargingPolicy(final_unit_action=FinalUnitAction.REDIRECT, redirect_url="https://x.example.ng"),
    ChargingPolicy(max_grant_octets=2_000_000, refuse_in_group=True),
)
ODD = (1.0, 0.1, 0.02)
"""How many of the requests are odd: repeated, out of order, in several groups, for a session that ended."""


class Server:
    """Gy on a ledger in memory, with or without the shorter way for ordinary requests."""

    def __init__(self, clock: ManualClock, policy: ChargingPolicy, *, shorter: bool) -> None:
        self.journal = MemoryJournal()
        self.ledger = LedgerClient(self.journal, clock)
        self.changed: list[str] = []
        self.service = ChargingService(self.ledger, clock, policy, self.changed.append)
        self.gy = GyApplication(self.service, NodeIdentity("ocs.lab", "lab", 1))
        if not shorter:
            self.gy.ordinary.take = _decline  # type: ignore[method-assign, assignment]

    def send(self, messages: list[tuple[bytes, Sender]]) -> list[object]:
        """Send messages; the answers are filled in as they become durable."""
        answers: list[object] = [None] * len(messages)
        for place, (message, sender) in enumerate(messages):
            try:
                self.gy.handle(decode_header(message), message, _into(answers, place), sender)
            except DiameterError as error:
                answers[place] = (error.result_code, error.message, error.failed_avp)
        return answers

    def everything(self) -> dict[str, object]:
        """Return all that a request can change."""
        state, counters, sessions = self.ledger.state, self.service.counters, self.service._sessions
        stored = (state.wallets, state.accounts, state.reservations, state.answers)
        return {
            "state": tuple(map(msgspec.msgpack.encode, stored)),
            "heaps": (sorted(state.forgettable), sorted(state.supervised)),
            "sessions": {it: astuple(sessions._sessions[it]) for it in sessions.ids()},
            "silence": sorted(sessions._supervised),
            "lacking": self.service._sharing._lacking,
            "counters": (counters.requests, counters.results, sum(counters.latencies), counters.overrun_octets),
            "settled": (counters.orphans, counters.silent, counters.lost, counters.unbooked_octets),
            "waiting": self.service.waiting,
            "changed": self.changed,
        }


def _decline(_layout: Layout, *_rest: object) -> None:
    """Leave every request to the ordinary way."""


def _into(answers: list[object], place: int) -> Callable[[bytes], None]:
    def reply(answer: bytes) -> None:
        assert answers[place] is None, "answered twice"
        answers[place] = answer

    return reply


@dataclass
class Phone:
    """One ChargingSession of the generator."""

    session_id: str
    wallet: int
    host: str
    rating_group: int | None
    location: bytes
    rat_type: int
    charging_id: int
    unit: str
    has_place: bool
    is_direct: bool
    number: int = 0


class Network:
    """Makes requests as networks send them, and odd ones."""

    def __init__(self, chance: Random, odd: float, clock: ManualClock) -> None:
        self._chance = chance
        self._odd_share = odd
        self._clock = clock
        self._phones: list[Phone] = []
        self._sent: deque[tuple[bytes, Sender]] = deque(maxlen=200)
        self._serial = 0

    def odd(self, share: float) -> bool:
        """Return whether something odd happens that does in this share of the wildest histories."""
        return self._chance.random() < share * self._odd_share

    def message(self) -> tuple[bytes, Sender]:
        """Return the next request, and the peer that sends it: its gateway, another one, or an agent."""
        chance = self._chance
        if self._sent and self.odd(0.06):
            return chance.choice(self._sent)
        if not self._phones or chance.random() < 0.12:
            phone, kind = self._new_phone(), CcRequestType.INITIAL
        else:
            phone = chance.choice(self._phones)
            phone.number += 1
            kind = CcRequestType.UPDATE
            if chance.random() < 0.15:
                kind = CcRequestType.TERMINATION
                if chance.random() < 0.9:
                    self._phones.remove(phone)
            self._move(phone)
        message = self._request(phone, kind).encode()
        if self.odd(0.02):
            message = message.replace(b"00101", b"00\xff01")
        sender = Sender("agent.lab", is_agent=True)
        if chance.random() < 0.5:
            sender = Sender(chance.choice(HOSTS) if self.odd(0.05) else phone.host)
        self._sent.append((message, sender))
        return message, sender

    def _new_phone(self) -> Phone:
        chance = self._chance
        self._serial += 1
        host = chance.choice(HOSTS)
        phone = Phone(
            session_id=f"{host};18000;{self._serial:08d};gy",
            wallet=chance.randrange(WALLETS + 3),
            host=host,
            rating_group=chance.choice((None, None, None, 7)),
            location=_cell(chance),
            rat_type=6,
            charging_id=self._serial,
            unit=chance.choice(("total", "both", "all")),
            has_place=not self.odd(0.1),
            is_direct=self.odd(0.02),
        )
        self._phones.append(phone)
        return phone

    def _move(self, phone: Phone) -> None:
        if self.odd(0.2):
            phone.location = _cell(self._chance)
        if self.odd(0.05):
            phone.rat_type = self._chance.choice((2, 6))
        if self.odd(0.03):
            phone.number = max(0, phone.number + self._chance.choice((-1, 1, 5_000)))

    def _request(self, phone: Phone, kind: CcRequestType) -> CreditControlRequest:
        chance = self._chance
        used: tuple[ServiceUnit, ...] = ()
        if kind is not CcRequestType.INITIAL or self.odd(0.02):
            used = (self._used(phone),)
            if self.odd(0.05):
                used = chance.choice(((), (*used, *used)))
        requested = None if kind is CcRequestType.TERMINATION or self.odd(0.04) else ServiceUnit()
        if requested is not None and self.odd(0.03):
            requested = ServiceUnit(cc_time=chance.choice((30, 60)))
        reason = None if kind is CcRequestType.INITIAL else ReportingReason.QUOTA_EXHAUSTED
        group = ServiceCreditControl(phone.rating_group, (), requested, used, reporting_reason=reason)
        groups: tuple[ServiceCreditControl, ...] = () if phone.is_direct else (group,)
        if groups and self.odd(0.08):
            groups = (group, ServiceCreditControl(chance.choice((9, 10)), (), requested, used))
        place = PsInformation(
            charging_id=phone.charging_id,
            pdp_addresses=(f"10.0.{phone.wallet}.{phone.charging_id % 200 + 1}",),
            called_station_id="internet",
            user_location_info=None if self.odd(0.01) else phone.location,
            rat_type=phone.rat_type,
        )
        return CreditControlRequest(
            session_id=phone.session_id,
            origin_host=chance.choice(HOSTS) if self.odd(0.01) else phone.host,
            origin_realm="lab",
            destination_realm="els" if self.odd(0.01) else "lab",
            cc_request_type=kind,
            cc_request_number=phone.number,
            event_timestamp=int(self._clock.now().timestamp()),
            subscription_ids=(SubscriptionId(SubscriptionIdType.IMSI, f"00101{phone.wallet:010d}"),),
            termination_cause=chance.choice((1, 4)) if kind is CcRequestType.TERMINATION else None,
            services=groups,
            direct=group if phone.is_direct else None,
            multiple_services_indicator=1,
            ps_information=place if phone.has_place else None,
            hop_by_hop=chance.getrandbits(32),
            end_to_end=chance.getrandbits(32),
        )

    def _used(self, phone: Phone) -> ServiceUnit:
        amount = self._chance.choice((0, 1_000, 600_000, 3_000_000, 10_000_000, self._chance.randrange(12_000_000)))
        match phone.unit:
            case "total":
                return ServiceUnit(cc_total_octets=amount, cc_time=self._chance.randrange(100))
            case "both":
                return ServiceUnit(cc_input_octets=amount // 3, cc_output_octets=amount - amount // 3)
        return ServiceUnit(amount, amount // 4, amount - amount // 4, cc_time=5)


def _cell(chance: Random) -> bytes:
    return bytes.fromhex("8200f110000100f110000000") + bytes([chance.randrange(3)])


def _credits(odd: float, at: int) -> list[do.Command]:
    """Wallets of all kinds: soon used up, soon expired, uncapped, and with a second account."""
    sizes = (2_500_000, 10_000_000, 60_000_000, 10**9, None) if odd == 1 else (60_000_000, *([10**12] * 4))
    commands: list[do.Command] = []
    for n in range(WALLETS):
        until = at + (300 if n % 7 == 3 else 10**6)
        commands += [
            do.OpenWallet(f"open{n}", f"w{n}", f"00101{n:010d}"),
            do.Credit(f"credit{n}", f"w{n}", f"a{n}", sizes[n % 5], until),
            do.ProveStorage(f"prove{n}", f"a{n}", "por"),
        ]
        if n % 3 == 0:
            commands += [
                do.Credit(f"second{n}", f"w{n}", f"b{n}", 20_000_000, until + 10**6),
                do.ProveStorage(f"proof{n}", f"b{n}", "por"),
                do.ContinueWithNext(f"next{n}", f"w{n}", n % 2 == 0),
            ]
    return commands


def _control(chance: Random, number: int, at: int) -> do.Command:
    wallet = f"w{chance.randrange(WALLETS)}"
    return chance.choice(
        (
            do.HoldWallet(f"hold{number}", wallet, "paused"),
            do.LiftHold(f"lift{number}", wallet),
            do.Freeze(f"freeze{number}", wallet, chance.random() < 0.3),
            do.Credit(f"more{number}", wallet, f"n{number}", chance.choice((3_000_000, None)), at + 10**5),
            do.ProveStorage(f"proven{number}", f"n{max(0, number - 1)}", "por"),
        )
    )


async def _both_ways(seed: int, rounds: int) -> tuple[int, int]:
    """Run one history both ways; return how many requests there were, and how many took the shorter way."""
    chance, odd = Random(seed), ODD[seed // len(POLICIES) % len(ODD)]
    clock = ManualClock(datetime(2026, 11, 23, tzinfo=UTC))
    policy = POLICIES[seed % len(POLICIES)]
    servers = (Server(clock, policy, shorter=False), Server(clock, policy, shorter=True))
    for server in servers:
        await server.ledger.start()
        for command in _credits(odd, int(clock.now().timestamp())):
            server.ledger.submit(command, lambda _outcome: None)
        await server.ledger.execute(do.LiftHold("opened", "w0"))
    network = Network(chance, odd, clock)
    for number in range(rounds):
        is_late = network.odd(0.05)
        clock.advance(timedelta(seconds=chance.choice((0, 0.01, 0.3, 1, 7)) + (725 if is_late else 0)))
        control = _control(chance, number, int(clock.now().timestamp())) if network.odd(0.3) else None
        messages = [network.message() for _ in range(chance.choice((1, 3, 12, 24)))]
        sweeps = is_late or network.odd(0.1)
        found: list[Any] = []
        for server in servers:
            swept = server.service.sweep() if sweeps and not is_late else 0
            answers = server.send(messages)
            settled = server.service.sweep() if sweeps else 0  # while the answers wait for the journal
            while None in answers or server.ledger.figures.waiting_commands:  # noqa: ASYNC110 - the journal has a thread
                await asyncio.sleep(0)
            last = await server.ledger.execute(control or do.LiftHold(f"flush{number}", "w0"))
            found.append((swept, settled, answers, last, server.everything()))
        ruled, short = found
        assert ruled == short, f"seed {seed}, round {number}"
    ruled_journal, short_journal = ([it.payload for it in server.journal.read(0, 10**6)] for server in servers)
    assert ruled_journal == short_journal, f"seed {seed}"
    for server in servers:
        await server.ledger.close()
    return servers[0].service.counters.requests.total(), servers[1].gy.ordinary.taken


def _compare(seeds: range, rounds: int) -> None:
    requests = taken = 0
    for seed in seeds:
        of_seed, short = asyncio.run(_both_ways(seed, rounds))
        requests, taken = requests + of_seed, taken + short
    assert taken > requests / 6, f"only {taken} of {requests} requests took the shorter way"


def test_that_ordinary_requests_are_charged_the_same_both_ways() -> None:
    _compare(range(15), ROUNDS)


@pytest.mark.soak
def test_that_many_requests_are_charged_the_same_both_ways() -> None:
    _compare(range(1_000, 1_300), 150)
