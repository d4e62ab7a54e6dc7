"""Supply: the data providers that deliver sessions in resold mode, and the worker that calls them."""

from dataclasses import replace
from datetime import timedelta
from functools import partial
from typing import Final

import structlog

from kswifi.bootstrap.context import Context
from kswifi.bootstrap.metrics.supply import SupplyMetrics
from kswifi.bootstrap.part import Loop, Part
from kswifi.bootstrap.rehearsal_key import read_rehearsal_key
from kswifi.catalogue.service import Catalogue
from kswifi.data_directory.layout import Installation
from kswifi.database.engine import Database
from kswifi.esim.lines.vault import SubscriberVault
from kswifi.kernel.clock import Clock
from kswifi.lab.rehearsal.providers.server import FACES
from kswifi.providers.data.registry import ProviderOptions, open_provider
from kswifi.sessions.ussd import UssdActivation, UssdRules
from kswifi.settings import Settings
from kswifi.supply import store
from kswifi.supply.context import Supply
from kswifi.supply.exchange import RATE_SCALE, ExchangeRates
from kswifi.supply.lines import SuppliedLines
from kswifi.supply.ports import DataProvider
from kswifi.supply.upkeep import Upkeep
from kswifi.supply.webhooks import SupplyWebhooks, secret_path
from kswifi.supply.worker import SupplyWorker

_log = structlog.get_logger(__name__)

NOTICE_LIFE: Final = timedelta(days=35)
REHEARSED_RATES: Final = {"USD": 1600 * RATE_SCALE}
"""In the rehearsal alone, where no money moves."""


async def open_supply(context: Context) -> Part:
    """Open the data providers of resold mode; other modes have none."""
    settings = context.settings
    if settings.mode != "resold":
        return Part()
    providers = open_providers(settings, context.installation, context.clock)
    for provider in providers.values():
        context.stack.push_async_callback(provider.close)
        if provider.sandbox:
            _log.warning("provider_sandbox", provider=provider.name, words="no real data is delivered")
    supply = Supply(context.database, context.vault, providers, rates_of(settings, context.clock))
    catalogue = context.need(Catalogue)
    upkeep, worker = (
        Upkeep(supply, catalogue.offers, fair_use_octets=settings.pass_fair_use_octets),
        SupplyWorker(supply),
    )
    lines = SuppliedLines(supply, settings.line_bundles_per_day)
    rules = ussd_rules(settings, context.vault)
    if rules is not None:
        digest = partial(store.number_digest, context.vault)
        context.offer(UssdActivation(context.database, lines, digest, rules))
    context.offer(
        supply,
        upkeep,
        lines,
        SupplyWebhooks(supply, upkeep.catalogue_changed, _webhook_paths(settings)),
    )
    return Part(
        chores={"supply_notices": lambda: _prune(context.database)},
        loops=(
            Loop("supply-worker", worker.run, worker.stop),
            Loop("supply-upkeep", upkeep.run, upkeep.stop),
        ),
        metrics=(SupplyMetrics(supply, upkeep).text,),
    )


def open_providers(settings: Settings, installation: Installation, clock: Clock) -> dict[str, DataProvider]:
    """Return the configured providers by their names; without any, the rehearsal's.

    Raises:
        ValueError: a provider lacks a key.
    """
    if settings.rehearses_supply:
        name = settings.rehearsal_provider
        provider = open_provider(name, rehearsal_options(settings, installation), clock)
        if provider.capabilities.usage_lag_seconds is not None:
            lag = settings.rehearsal_provider_lag_seconds
            provider.capabilities = replace(provider.capabilities, usage_lag_seconds=lag)
        return {name: provider}
    return {name: open_provider(name, settings.provider_options(name), clock) for name in settings.data_providers}


def rehearsal_options(settings: Settings, installation: Installation) -> ProviderOptions:
    """Return the keys and the address of the rehearsal's provider on this machine."""
    key, entry = read_rehearsal_key(installation), FACES[settings.rehearsal_provider]
    return ProviderOptions(
        api_key=key,
        public_key=f"{key}-public-key",
        secret_key=key * 2 if settings.rehearsal_provider == "esim_access" else f"{key}-secret-key",
        sandbox=True,
        webhook_senders=("127.0.0.0/8",),
        url=f"http://127.0.0.1:{settings.rehearsal_provider_port}{entry.path}",
    )


def rates_of(settings: Settings, clock: Clock) -> ExchangeRates:
    """Return the operator's exchange rates; in the rehearsal, an invented one for currencies without a rate."""
    rates = settings.exchange_rates()
    if not settings.rehearses_supply:
        return rates
    return replace(rates, rates={**REHEARSED_RATES, **rates.rates}, dated=rates.dated or clock.now().date())


def ussd_rules(settings: Settings, vault: SubscriberVault) -> UssdRules | None:
    """Return the operator's USSD code; None without one."""
    if settings.ussd_service_code is None:
        return None
    path = settings.ussd_webhook_path
    return UssdRules(
        settings.ussd_service_code,
        secret_path(vault, "ussd") if path is None else path.get_secret_value(),
        settings.ussd_networks,
        settings.ussd_portions_per_day,
        settings.ussd_paid_by_operator,
    )


def _webhook_paths(settings: Settings) -> dict[str, str]:
    secrets = {name: getattr(settings, f"{name}_webhook_path", None) for name in settings.data_providers}
    return {name: secret.get_secret_value() for name, secret in secrets.items() if secret is not None}


async def _prune(database: Database) -> int:
    before = database.clock.now() - NOTICE_LIFE
    return await database.write(lambda connection: store.prune_notices(connection, before), alone=True)
