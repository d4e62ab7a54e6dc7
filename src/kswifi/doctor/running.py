"""Check the running server through its monitoring port, and the providers that the settings name."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Final

import httpx2
from prometheus_client.parser import text_string_to_metric_families

from kswifi.doctor.model import Finding, Verdict
from kswifi.kernel.listening import authority
from kswifi.settings import Settings
from kswifi.settings.listen import reachable

ANSWER_SECONDS: Final = 5.0
_CUT_OFF_SECONDS: Final = 4 * 3600
"""The longest lag of a provider that is supported, three hours, and an hour."""
_PENDING_SECONDS: Final = 3600
_FEW_PURCHASES: Final = 10


@dataclass(frozen=True, slots=True)
class RunningServer:
    """What the monitoring port answered: whether the server is ready, and the sum of each metric's samples."""

    is_ready: bool
    missing: str
    metrics: dict[str, float]


def look_at_server(settings: Settings) -> RunningServer | None:
    """Read `/readyz` and `/metrics` of the server on this machine; None if nothing answers."""
    base = f"http://{authority(reachable(settings.metrics_host), settings.metrics_port)}"
    try:
        with httpx2.Client(base_url=base, timeout=ANSWER_SECONDS, trust_env=False) as client:
            ready = client.get("/readyz")
            metrics = client.get("/metrics")
    except httpx2.HTTPError:
        return None
    is_ready = ready.status_code == httpx2.codes.OK
    missing = "" if is_ready else str(ready.json().get("detail", ready.status_code))
    return RunningServer(is_ready, missing, sums(metrics.text) if metrics.is_success else {})


def sums(text: str) -> dict[str, float]:
    """Return the sum of the samples of each name in a text in Prometheus' format."""
    found: dict[str, float] = {}
    for family in text_string_to_metric_families(text):
        for sample in family.samples:
            found[sample.name] = found.get(sample.name, 0.0) + sample.value
    return found


def check_server(server: RunningServer | None, settings: Settings) -> Finding:
    """Judge whether the server runs and is ready."""
    if server is None:
        where = authority(reachable(settings.metrics_host), settings.metrics_port)
        return Finding("server", Verdict.FAILED, f"nothing answers at {where}: it does not run, or starts just now")
    if not server.is_ready:
        return Finding("server", Verdict.FAILED, server.missing)
    return Finding("server", Verdict.OK, "runs and is ready")


def check_peers(server: RunningServer | None, settings: Settings) -> Finding:
    """Judge whether a Diameter peer is connected; without one no session can be charged."""
    if settings.mode == "resold":
        return Finding("peers", Verdict.OK, "data providers charge: no Diameter peer is needed")
    if server is None:
        return Finding("peers", Verdict.WARNING, "unknown while the server does not answer")
    peers = int(server.metrics.get("kswifi_diameter_peers", 0))
    verdict = Verdict.OK if peers else Verdict.WARNING
    refused = int(server.metrics.get("kswifi_diameter_peers_refused_total", 0))
    return Finding("peers", verdict, f"{peers} Diameter peers ({settings.mode}); {refused} connections refused")


def check_providers(settings: Settings, now: datetime) -> Finding:
    """Name the providers of payments, codes and data as they are set; no provider is called.

    Exchange rates that are more than a day old at ``now`` are a warning.
    """
    is_old = settings.exchange_rates().is_old(now.astimezone(settings.zone).date())
    payments = settings.payment_gateway_name or "none"
    is_rehearsal = settings.payments_rehearsal and payments != "none"
    words = (
        f"payments: {payments}{' (rehearsal: no money moves)' if is_rehearsal else ''}, "
        f"text messages: {settings.sms_provider}, e-mail: {settings.email_provider}; "
        f"data: {', '.join(settings.data_providers) or 'none'}; "
        "`kswifi payments check` calls the gateway, `kswifi providers check` the data providers"
    )
    if is_old:
        words += f"; KSWIFI_FX_RATES are of {settings.fx_rates_on}: set today's"
        return Finding("providers", Verdict.WARNING, words)
    is_whole = settings.mode == "embedded" or (payments != "none" and not is_rehearsal)
    return Finding("providers", Verdict.OK if is_whole else Verdict.WARNING, words)


def check_supply(server: RunningServer | None, settings: Settings) -> Finding:
    """Judge what data providers deliver: cut-offs, purchases, stock and the prepaid balance."""
    if settings.mode != "resold":
        return Finding("supply", Verdict.OK, f"no data provider delivers here ({settings.mode})")
    if server is None:
        return Finding("supply", Verdict.WARNING, "unknown while the server does not answer")
    wrong = [
        words for name, is_wrong, words in _SUPPLY if name in server.metrics and is_wrong(server.metrics[name])
    ]
    if wrong:
        return Finding("supply", Verdict.WARNING, "; ".join(wrong))
    return Finding("supply", Verdict.OK, "cut-offs, purchases, stock and balance are in order")


_SUPPLY: Final[tuple[tuple[str, Callable[[float], bool], str], ...]] = (
    (
        "kswifi_supply_unconfirmed_cut_off_seconds",
        lambda seconds: seconds > _CUT_OFF_SECONDS,
        "a cut-off is not confirmed for over four hours: the line may carry data",
    ),
    (
        "kswifi_supply_pending_purchase_seconds",
        lambda seconds: seconds > _PENDING_SECONDS,
        "a purchase is open for over an hour: `kswifi providers orders`",
    ),
    ("kswifi_supply_need_a_person", bool, "orders or lines need a person: `kswifi providers orders`"),
    ("kswifi_supply_offers_sold_out", bool, "offers are sold out: `kswifi providers map`"),
    (
        "kswifi_supply_purchases_left",
        lambda purchases: purchases < _FEW_PURCHASES,
        "the prepaid balance pays for less than ten bundles: `kswifi providers balance`",
    ),
)
"""A metric, when its value is wrong, and what to do."""
