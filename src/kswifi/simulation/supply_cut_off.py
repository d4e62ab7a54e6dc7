"""Seeded runs of the cut-off: how long after the last octet a provider confirms that the line is off.

A run is one bundle on one line without webhooks. A person uses it in pieces of minutes with pauses of minutes to
hours. The rules see the counter as late as the provider reports it. Other lines share the provider's request limit.
"""

from bisect import bisect_right
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from random import Random
from statistics import median, quantiles
from typing import Final

from kswifi.providers.data.registry import capabilities_of
from kswifi.supply.ports import BundleState, BundleUsage, ServiceStatus
from kswifi.supply.rules import Counter, Service

_PROVIDERS: Final = ("esim_go", "esim_access")
_LAGS_SECONDS: Final = (0, 60, 900, 3_600, 10_800)
_COUNTERS: Final = (1, 100, 1_000)
"""The counters that are looked at, at one provider."""
_BEGIN: Final = datetime(2026, 12, 1, 9, tzinfo=UTC)
_BUNDLE: Final = 10**9
_AGAIN_SECONDS: Final = 60.0
"""The time after a look without an answer, as in ``supply.counting``."""
_STEP_SECONDS: Final = 2.0
"""The time from a counter that ends to the first call about the service: the outbox, the ledger, the worker."""


@dataclass(frozen=True, slots=True)
class CutOff:
    """One run: the seconds from the last octet to the confirmed end, less the lag; and the looks that it took."""

    seconds: float
    looks: int


@dataclass(frozen=True, slots=True)
class CutOffFigures:
    """Several runs together: the time to the confirmed end beyond the provider's lag."""

    cut_off_runs: int
    cut_off_median_seconds_beyond_lag: float
    cut_off_p90_seconds_beyond_lag: float
    cut_off_median_looks: float


class CutOffRun:
    """One run of one seed."""

    def __init__(self, seed: int) -> None:
        self._random = random = Random(seed)  # noqa: S311 - chance that comes back with its seed
        lag = random.choice(_LAGS_SECONDS)
        self._capabilities = replace(capabilities_of(random.choice(_PROVIDERS)), usage_lag_seconds=lag)
        self._lag = float(lag)
        self._counters = random.choice(_COUNTERS)
        self._faults = random.choice((0.0, 0.0, 0.1))
        self._at, self._used = [0.0], [0]
        self._live()

    def run(self) -> CutOff:
        """Look at the counter until it ends, and then at the service until that is confirmed."""
        counter, at, looks = Counter(), max(1.0, self._lag), 0
        while True:
            looks += 1
            if self._lost():
                at += _AGAIN_SECONDS
                continue
            used = self._used_at(at - self._lag)
            state = BundleState.DEPLETED if used == _BUNDLE else BundleState.ACTIVE
            as_of = _instant(at - self._lag)
            report = BundleUsage("line", "bundle", state, _BUNDLE, _BUNDLE - used, as_of)
            counter = counter.after(report, _instant(at))
            following = counter.next_look(self._capabilities, _instant(at), _BEGIN, self._counters)
            if following is None:
                break
            at = (following - _BEGIN).total_seconds()
        confirmed_at = self._confirm(at + _STEP_SECONDS)
        return CutOff(confirmed_at - self._at[-1] - self._lag, looks)

    def _confirm(self, at: float) -> float:
        service = Service().wanted(on=False, used_up=True, at=_instant(at))
        while True:
            service = service.after_nothing() if self._lost() else service.after_look(ServiceStatus.DEPLETED)
            following = service.next_try(_instant(at))
            if following is None:
                return at
            at = (following - _BEGIN).total_seconds()

    def _live(self) -> None:
        """Use the bundle up: pieces of 1 to 60 minutes at 0.1 to 8 Mbit/s, pauses from a minute to ten hours."""
        at, used, random = self._random.uniform(60, 86_400), 0, self._random
        while used < _BUNDLE:
            rate = 10 ** random.uniform(4.1, 6.0)
            octets = min(int(rate * random.uniform(60, 3_600)), _BUNDLE - used)
            self._at += [at, at + octets / rate]
            self._used += [used, used + octets]
            used += octets
            at = self._at[-1] + 60 * 10 ** random.uniform(0, 2.78)

    def _used_at(self, at: float) -> int:
        place = bisect_right(self._at, at)
        if place == len(self._at):
            return self._used[-1]
        (begin, end), (low, high) = self._at[place - 1 : place + 1], self._used[place - 1 : place + 1]
        return low + int((high - low) * max(0.0, at - begin) / (end - begin)) if place else 0

    def _lost(self) -> bool:
        return self._random.random() < self._faults


def _instant(seconds: float) -> datetime:
    return _BEGIN + timedelta(seconds=seconds)


def run_cut_off_seeds(seeds: int, first: int = 0) -> CutOffFigures:
    """Run seeds from ``first`` on; return their figures together."""
    runs = [CutOffRun(seed).run() for seed in range(first, first + max(2, seeds))]
    seconds = [it.seconds for it in runs]
    return CutOffFigures(
        cut_off_runs=len(runs),
        cut_off_median_seconds_beyond_lag=round(median(seconds), 1),
        cut_off_p90_seconds_beyond_lag=round(quantiles(seconds, n=10)[-1], 1),
        cut_off_median_looks=median(it.looks for it in runs),
    )
