"""Seeded runs of supply: the pure rules against a simulated provider with lags, lost answers and falling counters.

A run has a few sessions on one line. The simulated provider keeps its own truth; the rules see only its answers.
After each run four figures must be 0: bundles bought twice, lines left on after a confirmed cut-off, counters that
fell, and kobo that are missing from the books.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from random import Random
from typing import Final

from kswifi.kernel.errors import KswifiError
from kswifi.providers.data.registry import capabilities_of
from kswifi.supply.orders import CHARGED_STATES, OrderEvent, OrderState, events_to, next_order_state
from kswifi.supply.ports import BundleState, BundleUsage, Capabilities, OrderStage, ServiceStatus
from kswifi.supply.rules import ASK_AGAIN_AT, Absence, Counter, Service, back_off

PROVIDERS: Final = ("esim_go", "esim_access", "vtpass")
_BEGIN: Final = datetime(2026, 12, 1, 9, tzinfo=UTC)
_BUNDLE: Final = 10**9
_PRICE: Final = 35_000
_SECONDS: Final = 5
_CALM_ROUNDS: Final = 4_000
_EXPIRES: Final = 0.01


class SupplySimulationError(KswifiError):
    """A run violated an invariant; the message names its seed."""

    code = "supply_simulation_failed"


@dataclass(frozen=True, slots=True)
class SupplyFigures:
    """What happened in one run, or in several together; the four sums must be 0."""

    seed: int
    orders: int = 0
    lost_answers: int = 0
    refused: int = 0
    octets: int = 0
    cut_off_seconds: int = 0
    """The longest time from the end of the data to its confirmation."""
    double_purchases: int = 0
    lines_left_on: int = 0
    falling_usage: int = 0
    kobo_missing: int = 0

    @property
    def is_sound(self) -> bool:
        """Whether every figure that must be 0 is 0."""
        return not (self.double_purchases or self.lines_left_on or self.falling_usage or self.kobo_missing)


@dataclass(slots=True)
class _AtProvider:
    """One order as the provider has it."""

    reference: str
    pending_until: datetime
    reverses: bool
    used: int = 0
    readings: list[tuple[datetime, int]] = field(default_factory=list)
    is_reversed: bool = False


@dataclass(slots=True)
class _Order:
    """One order as the rules keep it."""

    reference: str
    state: OrderState = OrderState.INTENDED
    asks: int = 0
    looks: int = 0
    absence: Absence = field(default_factory=Absence)
    next_at: datetime = _BEGIN
    booked: int = 0
    counter: Counter = field(default_factory=Counter)
    counted_at: datetime | None = None


class SupplyRun:
    """One run of one seed."""

    def __init__(self, seed: int) -> None:
        self.seed = seed
        self._random = Random(seed)  # noqa: S311 - chance that comes back with its seed
        self._capabilities = self._chosen()
        self._now = _BEGIN
        self._lag = timedelta(seconds=self._random.choice((0, 60, 1_200, 10_800)))
        self._faults = self._random.choice((0.0, 0.1, 0.4))
        self._at_provider: list[_AtProvider] = []
        self._on = True
        self._under_way: list[tuple[datetime, str]] = []
        self._orders: list[_Order] = []
        self._service = Service()
        self._service_at = _BEGIN
        self._ended_at: datetime | None = None
        self._figures = SupplyFigures(seed)

    def run(self) -> SupplyFigures:
        """Run to the confirmed end; return the figures.

        Raises:
            SupplySimulationError: the run did not come to its end.
        """
        for number in range(self._random.randint(1, 3)):
            self._session(number)
        self._cut_off()
        paid = _PRICE * sum(not it.is_reversed for it in self._at_provider)
        booked = sum(order.booked for order in self._orders)
        left_on = int(self._service.is_confirmed and self._on and self._has_data())
        return replace(
            self._figures,
            orders=len(self._orders),
            double_purchases=len(self._at_provider) - len({it.reference for it in self._at_provider}),
            lines_left_on=left_on,
            kobo_missing=abs(paid - booked),
        )

    def _chosen(self) -> Capabilities:
        capabilities = capabilities_of(self._random.choice(PROVIDERS))
        return replace(capabilities, usage_lag_seconds=capabilities.usage_lag_seconds and 1_200)

    def _rounds(self) -> Iterator[int]:
        for number in range(_CALM_ROUNDS):
            yield number
            self._now += timedelta(seconds=self._random.choice((_SECONDS, 60, 900)))
            if number > _CALM_ROUNDS // 4:
                self._faults = 0.0
        raise SupplySimulationError(f"seed {self.seed}: the run did not come to its end", seed=self.seed)

    def _session(self, number: int) -> None:
        """Buy a bundle, use it up, and count it."""
        order = _Order(f"s{self.seed}-{number}", next_at=self._now)
        self._orders.append(order)
        for _ in self._rounds():
            if self._now >= order.next_at:
                self._work(order)
            if order.state in (OrderState.REFUSED, OrderState.REFUNDED):
                self._figures = replace(self._figures, refused=self._figures.refused + 1)
                return
            if order.state in (OrderState.ALLOCATED, OrderState.IN_USE):
                if self._random.random() < _EXPIRES:
                    return  # its validity is over, with data left
                self._use(order)
                self._count(order)
            if order.state is OrderState.DEPLETED or (
                self._capabilities.usage_lag_seconds is None and order.state is OrderState.ALLOCATED
            ):
                return

    def _work(self, order: _Order) -> None:
        """Make the next call of an order, as ``supply.buying`` does."""
        if order.state is OrderState.INTENDED:
            order.state = next_order_state(order.state, OrderEvent.ASKED)
            order.next_at = self._now + back_off(1)
            order.asks += 1
            self._answered(order, self._buy(order))
            return
        order.looks += 1
        order.next_at = self._now + back_off(order.looks + 1)
        found = self._find(order)
        if self._lost():
            return
        if found is None:
            if self._capabilities.idempotent and order.looks in ASK_AGAIN_AT and order.state is OrderState.UNKNOWN:
                order.absence = Absence()
                answer = self._buy(order)
                # A refusal of the repeated call does not tell what became of the first one.
                self._answered(order, None if answer is OrderStage.FAILED else answer)
                return
            order.absence = order.absence.seen(self._now)
            if order.state is OrderState.UNKNOWN and order.absence.is_proof(self._capabilities, self._now):
                self._follow(order, OrderStage.FAILED)
            return
        order.absence = Absence()
        self._follow(order, self._stage(found))

    def _buy(self, order: _Order) -> OrderStage | None:
        """Carry the paid call out or not; return its answer, None if it is lost."""
        arrives = not self._lost()
        known = self._find(order)
        if not arrives and self._random.random() < self._faults:
            # A proxy on the way holds the request, and hands it over after our side has given up.
            self._under_way.append((self._now + timedelta(seconds=self._random.choice((20, 120))), order.reference))
        if arrives and known is None and self._random.random() < self._faults / 4:
            return None if self._lost() else OrderStage.FAILED
        if arrives and not (known is not None and self._capabilities.idempotent):
            pending = timedelta(seconds=self._random.choice((0, 0, 30, 1_800)))
            known = _AtProvider(order.reference, self._now + pending, self._random.random() < self._faults / 4)
            self._at_provider.append(known)
        if known is None or not arrives or self._lost():
            self._figures = replace(self._figures, lost_answers=self._figures.lost_answers + 1)
            return None
        return self._stage(known)

    def _answered(self, order: _Order, stage: OrderStage | None) -> None:
        if stage is not None:
            self._follow(order, stage)

    def _follow(self, order: _Order, stage: OrderStage) -> None:
        for event in events_to(order.state, stage):
            was_charged = order.state in CHARGED_STATES
            order.state = next_order_state(order.state, event)
            if not was_charged and order.state in CHARGED_STATES:
                order.booked = _PRICE
            if order.state in (OrderState.REFUSED, OrderState.REFUNDED):
                order.booked = 0

    def _find(self, order: _Order) -> _AtProvider | None:
        for at, reference in [it for it in self._under_way if it[0] <= self._now]:
            self._under_way.remove((at, reference))
            if not (self._capabilities.idempotent and any(it.reference == reference for it in self._at_provider)):
                self._at_provider.append(_AtProvider(reference, at, reverses=False))
        return next((it for it in self._at_provider if it.reference == order.reference), None)

    def _stage(self, found: _AtProvider) -> OrderStage:
        if self._now < found.pending_until:
            return OrderStage.PENDING
        if found.reverses:
            found.is_reversed = True
            return OrderStage.REFUNDED
        return OrderStage.ALLOCATED

    def _use(self, order: _Order) -> None:
        """Use data at the provider's network: never beyond the bundle."""
        found = self._find(order)
        if found is None or not self._on:
            return
        octets = min(self._random.choice((0, 10**6, 2 * 10**8)), _BUNDLE - found.used)
        found.used += octets
        found.readings.append((self._now, found.used))
        if found.used == _BUNDLE and self._ended_at is None:
            self._ended_at = self._now

    def _count(self, order: _Order) -> None:
        """Look at the counter, which is late and may fall, as ``supply.counting`` does."""
        found = self._find(order)
        if found is None or self._capabilities.usage_lag_seconds is None or self._lost():
            return
        until = self._now - self._lag
        seen = next((used for at, used in reversed(found.readings) if at <= until), 0)
        if self._random.random() < self._faults:
            seen = max(0, seen - 10**7)
        state = BundleState.DEPLETED if seen == _BUNDLE else BundleState.ACTIVE
        before = order.counter.used_octets
        report = BundleUsage("line", order.reference, state, _BUNDLE, _BUNDLE - seen, self._now - self._lag)
        order.counter = order.counter.after(report, self._now)
        grown = order.counter.used_octets - before
        self._figures = replace(
            self._figures,
            octets=self._figures.octets + max(0, grown),
            falling_usage=self._figures.falling_usage + (grown < 0 or order.counter.used_octets > found.used),
        )
        if order.counter.used_octets and order.state is OrderState.ALLOCATED:
            order.state = next_order_state(order.state, OrderEvent.USED)
        if order.counter.state is BundleState.DEPLETED:
            order.state = next_order_state(order.state, OrderEvent.DEPLETED)

    def _cut_off(self) -> None:
        """Switch the line off, until the provider confirms it, as ``supply.switching`` does."""
        if self._capabilities.usage_lag_seconds is None or not self._at_provider:
            return
        used_up = all(order.state is not OrderState.ALLOCATED for order in self._orders) and not self._has_data()
        self._service = self._service.wanted(on=False, used_up=used_up, at=self._now)
        self._service_at = self._now
        began = self._ended_at or self._now
        for _ in self._rounds():
            if self._service.is_confirmed:
                seconds = int((self._now - began).total_seconds())
                self._figures = replace(self._figures, cut_off_seconds=max(0, seconds))
                return
            if self._now < self._service_at:
                continue
            if self._service.needs_switch(self._capabilities) and not self._lost():
                self._on = False
            if self._lost():
                self._service = self._service.after_nothing()
            else:
                self._service = self._service.after_look(self._status())
            self._service_at = self._service.next_try(self._now) or self._now

    def _status(self) -> ServiceStatus:
        if not self._has_data():
            return ServiceStatus.DEPLETED
        return ServiceStatus.ON if self._on else ServiceStatus.OFF

    def _has_data(self) -> bool:
        return any(it.used < _BUNDLE and not it.is_reversed for it in self._at_provider)

    def _lost(self) -> bool:
        return self._random.random() < self._faults


def run_supply_seeds(seeds: int, first: int = 0) -> SupplyFigures:
    """Run seeds from ``first`` on; return their figures together.

    Raises:
        SupplySimulationError: a run violated an invariant, or did not come to its end.
    """
    total = SupplyFigures(first)
    for seed in range(first, first + seeds):
        found = SupplyRun(seed).run()
        if not found.is_sound:
            raise SupplySimulationError(f"seed {seed}: {found}", seed=seed)
        total = replace(
            total,
            orders=total.orders + found.orders,
            lost_answers=total.lost_answers + found.lost_answers,
            refused=total.refused + found.refused,
            octets=total.octets + found.octets,
            cut_off_seconds=max(total.cut_off_seconds, found.cut_off_seconds),
        )
    return total
