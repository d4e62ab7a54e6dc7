"""Passes and payments, with the gateway that the settings name."""

import re
import secrets
from functools import partial

import structlog

from kswifi.bootstrap.context import Context
from kswifi.bootstrap.metrics.payments import PaymentMetrics
from kswifi.bootstrap.part import MetricsText, Part
from kswifi.catalogue.service import Catalogue
from kswifi.data_directory.layout import Installation
from kswifi.esim.lines.service import EsimOrders
from kswifi.esim.ports import LineOrders
from kswifi.free_data.service import FreeData
from kswifi.jobs.housekeeping import Chore
from kswifi.payments.going_live import close_rehearsal
from kswifi.payments.job_handlers import PaymentHandlers, pass_handlers, prune_payments
from kswifi.payments.opening import Opening, PayerPage
from kswifi.payments.ports import PaymentGateway
from kswifi.payments.reconciliation import ask_daily
from kswifi.payments.rules import Obstacle, PassRules
from kswifi.payments.service import PaymentService
from kswifi.providers.payments.registry import GatewayOptions, open_gateway
from kswifi.settings import Settings
from kswifi.supply.context import Supply
from kswifi.supply.lines import SuppliedLines
from kswifi.supply.passes import pass_obstacle
from kswifi.supply.store import mappings

_log = structlog.get_logger(__name__)
_SANDBOX_EMAIL = "payer@sandbox.invalid"


async def open_payments(context: Context) -> Part:
    """Open passes, and payments where a gateway takes them; a rehearsal's payments end when a real gateway does."""
    settings, database = context.settings, context.database
    lines: LineOrders | None = context.find(EsimOrders) or context.find(SuppliedLines)
    if lines is None:
        raise LookupError("no part offers lines")
    rules = pass_rules(settings, _obstacle(context, lines), context.need(FreeData))
    context.offer(rules)
    jobs = dict(pass_handlers(database, rules))
    chores: dict[str, Chore] = {"unpaid_payments": partial(prune_payments, database)}
    metrics: list[MetricsText] = []
    gateway = make_gateway(settings, context.installation)
    if gateway is not None:
        context.stack.push_async_callback(gateway.close)
        if not gateway.sandbox and (closed := await close_rehearsal(database)):
            _log.warning("rehearsal_closed", payments=closed)
        page = PayerPage(settings.origin, settings.payments_email or _SANDBOX_EMAIL)
        opening = Opening(database, gateway, page, rules)
        service = PaymentService(
            database=database,
            catalogue=context.need(Catalogue),
            gateway=gateway,
            opening=opening,
            rules=rules,
            seller=settings.operator_name,
            contact=settings.payments_email,
        )
        context.offer(service)
        jobs |= PaymentHandlers(database, gateway, opening, rules).handlers()
        chores["payment_reconciliations"] = partial(ask_daily, database, gateway.name)
        metrics.append(PaymentMetrics(database, service).text)
    return Part(jobs=jobs, chores=chores, metrics=metrics)


def make_gateway(settings: Settings, installation: Installation) -> PaymentGateway | None:
    """Return the gateway that takes payments under these settings; None if none does."""
    name = settings.payment_gateway_name
    if name is None:
        return None
    if name == "sandbox":
        return open_gateway(name, GatewayOptions(read_sandbox_key(installation), settings.sandbox_origin))
    return open_gateway(name, settings.payment_options)


def _obstacle(context: Context, orders: LineOrders) -> Obstacle:
    """Return the check before a sale: a number for a new line is left, or bundles cost less than the pass."""
    supply, offers = context.find(Supply), context.need(Catalogue).offers
    if supply is None:
        return lambda connection: (
            None if orders.has_numbers(connection) else "there is no number left for a new line"
        )
    economics = context.settings.pass_economics
    if economics.sells_at_a_loss:
        _log.warning("passes_are_sold_at_a_loss", setting="KSWIFI_PASS_AT_A_LOSS")
    return lambda connection: pass_obstacle(offers(), mappings(connection), supply.rates, economics)


def pass_rules(settings: Settings, obstacle: Obstacle, free_data: FreeData) -> PassRules:
    """Return the operator's rules of a pass; none is sold while ``obstacle`` names a reason."""
    return PassRules(
        obstacle=obstacle,
        require_buyer=free_data.require_identified,
        sold=settings.payment_gateway_name is not None,
        fair_use_octets=settings.pass_fair_use_octets,
        sessions_at_once=settings.pass_sessions_at_once,
        zone=settings.zone,
    )


def read_sandbox_key(installation: Installation) -> str:
    """Return the key that server and sandbox gateway share; the first process that needs it makes it."""
    return installation.read_or_make_text(
        installation.sandbox_key,
        lambda: secrets.token_hex(32),
        lambda text: re.fullmatch("[0-9a-f]{64}", text) is not None,
    )
