"""What Prometheus reads of HTTP: requests by route and status, their duration, and sign-ups."""

from collections.abc import Iterator
from typing import Final

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import CounterMetricFamily, HistogramMetricFamily, Metric
from prometheus_client.registry import Collector

from kswifi.api.edge.access import SECONDS_BOUNDS, HttpCounts

_CREATED: Final = 201
_SIGN_UPS: Final = {"password": "/api/v1/accounts", "passkey": "/api/v1/accounts/passkey"}
"""How an account is made, and the route that does it."""


class HttpMetrics(Collector):
    """Metrics of the requests of the API and the app."""

    def __init__(self, counts: HttpCounts) -> None:
        self._counts = counts
        self._registry = CollectorRegistry(auto_describe=False)
        self._registry.register(self)

    def text(self) -> bytes:
        """Return all of them in Prometheus' text format."""
        return generate_latest(self._registry)

    def collect(self) -> Iterator[Metric]:
        """Yield the metrics."""
        requests = CounterMetricFamily(
            "kswifi_http_requests",
            "Requests of the API and the app; 499 stands for a client that went away.",
            labels=["method", "route", "status"],
        )
        for (method, route, status), count in self._counts.requests.items():
            requests.add_metric([method, route, str(status)], count)
        yield requests
        seconds = HistogramMetricFamily(
            "kswifi_http_request_seconds", "From a request's head to the end of its answer; event streams left out."
        )
        total, buckets = 0, []
        for bound, count in zip((*map(str, SECONDS_BOUNDS), "+Inf"), self._counts.buckets, strict=True):
            total += count
            buckets.append((bound, float(total)))
        seconds.add_metric([], buckets, self._counts.seconds)
        yield seconds
        sign_ups = CounterMetricFamily("kswifi_sign_ups", "Accounts that were made, by the way.", labels=["way"])
        for way, route in _SIGN_UPS.items():
            sign_ups.add_metric([way], self._counts.requests[("POST", route, _CREATED)])
        yield sign_ups
