"""Payments joined: which gateway takes them, and the parts around it."""

import secrets
from collections.abc import Mapping
from dataclasses import dataclass

from sqlalchemy import Connection

from kswifi.catalogue.service import Catalogue
from kswifi.data_directory.layout import Installation
from kswifi.database.engine import Database
from kswifi.esim.lines.service import EsimOrders
from kswifi.free_data.service import FreeData
from kswifi.jobs.housekeeping import Chore
from kswifi.outbox.results import Handler
from kswifi.payments.job_handlers import PaymentHandlers
from kswifi.payments.opening import Opening, PayerPage
from kswifi.payments.ports import PaymentGateway
from kswifi.payments.reconciliation import ask_daily
from kswifi.payments.rules import PassRules
from kswifi.payments.service import PaymentService
from kswifi.providers.payments.registry import GatewayOptions, open_gateway
from kswifi.settings import Settings

_SANDBOX_EMAIL = "payer@sandbox.invalid"


@dataclass(frozen=True, slots=True)
class Payments:
    """What takes payments, for whom the bootstrap hands it to."""

    gateway: PaymentGateway
    service: PaymentService
    handlers: Mapping[str, Handler]
    chores: Mapping[str, Chore]


def open_payments(
    settings: Settings, installation: Installation, database: Database, catalogue: Catalogue, rules: PassRules
) -> Payments | None:
    """Return the parts of payments; None where nothing takes them."""
    gateway = make_gateway(settings, installation)
    if gateway is None:
        return None
    page = PayerPage(settings.origin, settings.payments_email or _SANDBOX_EMAIL)
    opening = Opening(database, gateway, page, rules)
    service = PaymentService(
        *(database, catalogue, gateway, opening, rules), settings.operator_name, settings.payments_email
    )
    handlers = PaymentHandlers(database, gateway, opening, rules).handlers()
    chores = {"payment_reconciliations": lambda: ask_daily(database, gateway.name)}
    return Payments(gateway, service, handlers, chores)


def make_gateway(settings: Settings, installation: Installation) -> PaymentGateway | None:
    """Return the gateway that takes payments under these settings; None if none does."""
    name = settings.payment_gateway_name
    if name is None:
        return None
    if name == "sandbox":
        return open_gateway(name, GatewayOptions(read_sandbox_key(installation), settings.sandbox_origin))
    return open_gateway(name, settings.payment_options)


def pass_rules(settings: Settings, orders: EsimOrders, free_data: FreeData) -> PassRules:
    """Return the operator's rules of a pass; none is sold while there is no number for a new line."""

    def obstacle(connection: Connection) -> str | None:
        return None if orders.has_numbers(connection) else "there is no number left for a new line"

    return PassRules(
        obstacle=obstacle,
        require_buyer=free_data.require_identified,
        sold=settings.payment_gateway_name is not None,
        fair_use_octets=settings.pass_fair_use_octets,
        sessions_at_once=settings.pass_sessions_at_once,
        zone=settings.zone,
    )


def read_sandbox_key(installation: Installation) -> str:
    """Return the key that server and sandbox gateway share; whoever is first makes it."""
    make = lambda: secrets.token_hex(32).encode()  # noqa: E731 - said once
    return installation.read_or_make(installation.sandbox_key, make).decode()
