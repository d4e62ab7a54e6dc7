"""The API with the app, on its own listener and those of the local network, and the monitoring listener."""

import socket
from datetime import timedelta
from functools import partial

from kswifi.accounts.passkeys import PasskeyService
from kswifi.accounts.rates import Rate, RateLimiter
from kswifi.accounts.service import AccountService
from kswifi.api.app import create_app
from kswifi.api.edge.access import HttpCounts
from kswifi.api.edge.forwarded import ProxyTrust
from kswifi.api.edge.security_refusals import SecurityRefusals
from kswifi.api.edge.streams import EventStreams
from kswifi.api.server import ApiServer
from kswifi.api.services import Environment, Metrics, Services, SessionServices, SupportContact
from kswifi.bootstrap.context import Context
from kswifi.bootstrap.metrics.http import HttpMetrics
from kswifi.bootstrap.metrics.operations import OperationsMetrics
from kswifi.bootstrap.metrics.security import SecurityMetrics
from kswifi.bootstrap.part import Loop, Part
from kswifi.bootstrap.parts.web.lan import lan_ready, lan_servers
from kswifi.bootstrap.parts.web.monitoring import monitoring_listener, monitoring_server
from kswifi.catalogue.service import Catalogue
from kswifi.desk.callers import CallerChecks
from kswifi.free_data.service import FreeData
from kswifi.identifier_proofs.service import IdentifierProofs
from kswifi.kernel.listening import listening_socket
from kswifi.ledger.client import LedgerClient
from kswifi.listeners.http_server import HttpServer
from kswifi.notifications.service import NotificationService
from kswifi.payments.service import PaymentService
from kswifi.people.gifts import GiftService
from kswifi.people.line_limits import LineLimitService
from kswifi.people.moves import MoveService
from kswifi.people.standing_orders import StandingOrderService
from kswifi.people.statements import Statements
from kswifi.people.use import MyUse
from kswifi.phone_verification.model import CodeCounts
from kswifi.phone_verification.service import PhoneVerifications
from kswifi.providers.core.lab_network import LabNetworkAccess
from kswifi.pwa.router import pwa_routes
from kswifi.sessions.card.packets import CardRecords
from kswifi.sessions.line import ESIMSessionManager
from kswifi.sessions.network_access import CidrNetworkAccess
from kswifi.sessions.orders import SessionDownloadService
from kswifi.sessions.ports import NetworkAccess
from kswifi.sessions.ussd import UssdActivation
from kswifi.supply.lines import SuppliedLines
from kswifi.supply.webhooks import SupplyWebhooks
from kswifi.vouchers.service import VoucherService


async def open_api(context: Context) -> Part:
    """Open the HTTP listeners. Their sockets listen at once: a client that comes early waits until they serve.

    Raises:
        OSError: a port is taken.
    """
    settings = context.settings
    services = _services(context)
    app = create_app(services)
    app.router.routes.extend(route for part in context.parts for route in part.routes)
    app.router.routes.extend(pwa_routes(services.environment.lab_origin))
    api = listening_socket(settings.api_bind, settings.api_port)
    monitoring, monitored_at = monitoring_listener(settings)
    return Part(
        loops=(
            _loop("api", ApiServer(app, pool=context.pool), api),
            *(_loop(name, server, listener) for name, server, listener in lan_servers(context, app)),
            _loop("monitoring", monitoring_server(services, settings), monitoring),
        ),
        reached={"origin": settings.origin, "metrics": monitored_at, **lan_ready(settings, context.installation)},
    )


def _loop(name: str, server: HttpServer, listener: socket.socket) -> Loop:
    return Loop(name, lambda: server.serve(sockets=[listener]), partial(setattr, server, "should_exit", True))


def _services(context: Context) -> Services:
    settings, database = context.settings, context.database
    refusals = SecurityRefusals()
    security, requests = SecurityMetrics(refusals), HttpCounts()
    http = HttpMetrics(requests)
    codes = context.need(CodeCounts)
    operations = OperationsMetrics(database, context.need(LedgerClient), settings.data_dir, codes)

    async def metrics() -> bytes:
        texts = [await text() for part in context.parts for text in part.metrics]
        return b"".join([*texts, security.text(), http.text(), await operations.text()])

    return Services(
        database=database,
        accounts=context.need(AccountService),
        passkeys=context.need(PasskeyService),
        notifications=context.need(NotificationService),
        catalogue=context.need(Catalogue),
        streams=context.need(EventStreams),
        writes=RateLimiter(Rate(settings.writes_per_minute, timedelta(minutes=1))),
        environment=Environment(
            mode=settings.mode,
            public_origin=settings.origin,
            lab_origin=settings.lab_origin,
            allowed_hosts=settings.hosts,
            proxies=ProxyTrust(settings.trusted_proxies, settings.forwarded_header),
            stored_session_starts=settings.proof_ends_exhaustion,
            support=SupportContact(settings.support_whatsapp, settings.support_phone, settings.support_email),
        ),
        sessions=SessionServices(
            free_data=context.need(FreeData),
            vouchers=context.need(VoucherService),
            downloads=context.need(SessionDownloadService),
            gifts=context.need(GiftService),
            moves=context.need(MoveService),
            standing_orders=context.need(StandingOrderService),
            line_limits=context.need(LineLimitService),
            use=MyUse(database, settings.zone, settings.cdr_retention_days),
            statements=Statements(database, settings.zone, settings.cdr_retention_days, settings.operator_name),
            manager=context.need(ESIMSessionManager),
            card_records=context.need(CardRecords),
            signing_key=context.signing_key,
            network_access=_network_access(context),
            lines=context.find(SuppliedLines),
            callers=context.need(CallerChecks),
        ),
        payments=context.find(PaymentService),
        phone_verifications=context.find(PhoneVerifications),
        identifier_proofs=context.find(IdentifierProofs),
        provider_webhooks=context.find(SupplyWebhooks),
        ussd=context.find(UssdActivation),
        refusals=refusals,
        requests=requests,
        writes_access_lines=settings.access_log,
        readiness=context.merged(lambda part: part.checks.items()),
        metrics=Metrics(metrics, settings.metrics_networks),
    )


def _network_access(context: Context) -> NetworkAccess:
    lab = context.settings.lab_origin
    if lab is None:
        return CidrNetworkAccess(context.settings.wifi_networks, context.settings.trusted_proxies)
    access = LabNetworkAccess(lab)
    context.stack.push_async_callback(access.close)
    return access
