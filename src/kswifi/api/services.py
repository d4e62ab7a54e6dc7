"""The services that the bootstrap passes to the HTTP edge."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from ipaddress import IPv4Network, IPv6Network
from typing import Final, Literal
from urllib.parse import urlsplit

from kswifi.accounts.passkeys import PasskeyService
from kswifi.accounts.rates import Rate, RateLimiter
from kswifi.accounts.service import AccountService
from kswifi.api.edge.access import HttpCounts
from kswifi.api.edge.forwarded import NO_PROXIES, ProxyTrust
from kswifi.api.edge.security_refusals import SecurityRefusals
from kswifi.api.edge.streams import EventStreams
from kswifi.catalogue.service import Catalogue
from kswifi.database.engine import Database
from kswifi.desk.callers import CallerChecks
from kswifi.free_data.service import FreeData
from kswifi.identifier_proofs.service import IdentifierProofs
from kswifi.notifications.service import NotificationService
from kswifi.payments.service import PaymentService
from kswifi.people.gifts import GiftService
from kswifi.people.line_limits import LineLimitService
from kswifi.people.moves import MoveService
from kswifi.people.standing_orders import StandingOrderService
from kswifi.people.statements import Statements
from kswifi.people.use import MyUse
from kswifi.phone_verification.service import PhoneVerifications
from kswifi.sessions.card.packets import CardRecords
from kswifi.sessions.line import ESIMSessionManager
from kswifi.sessions.orders import SessionDownloadService
from kswifi.sessions.ports import NetworkAccess
from kswifi.sessions.signing import SessionSigningKey
from kswifi.sessions.ussd import UssdActivation
from kswifi.supply.lines import SuppliedLines
from kswifi.supply.webhooks import SupplyWebhooks
from kswifi.vouchers.service import VoucherService

Check = Callable[[], Awaitable[bool]]
"""Tells whether a part that the server needs is available now."""


WRITES_OF_ACCOUNT: Final = Rate(600, timedelta(minutes=1))


@dataclass(frozen=True, slots=True)
class SupportContact:
    """How people reach the operator for help: a WhatsApp number in digits, a telephone number, an email address."""

    whatsapp: str | None = None
    phone: str | None = None
    email: str | None = None


@dataclass(frozen=True, slots=True)
class Environment:
    """How this server is run.

    ``public_origin`` is the origin at which people reach it, scheme://host[:port]; with https its cookies are
    Secure. ``lab_origin`` is the origin of the lab phone's control in embedded mode, otherwise None. ``proxies``
    are the trusted reverse proxies. ``stored_session_starts`` is True if a session that is ordered after an
    exhausted one can be used as soon as its card holds it. ``support`` is the contact that the app shows.
    """

    mode: Literal["embedded", "own-core", "resold"]
    public_origin: str
    lab_origin: str | None = None
    allowed_hosts: frozenset[str] = frozenset({"127.0.0.1", "localhost", "::1"})
    proxies: ProxyTrust = NO_PROXIES
    stored_session_starts: bool = True
    support: SupportContact = SupportContact()

    @property
    def https(self) -> bool:
        """True if people reach the server by TLS."""
        return urlsplit(self.public_origin).scheme == "https"


@dataclass(frozen=True, slots=True)
class SessionServices:
    """The services of sessions: ordering, eSIMs, card records and what they need.

    ``lines`` is None where no data provider delivers sessions.
    """

    free_data: FreeData
    vouchers: VoucherService
    downloads: SessionDownloadService
    gifts: GiftService
    moves: MoveService
    standing_orders: StandingOrderService
    line_limits: LineLimitService
    use: MyUse
    statements: Statements
    manager: ESIMSessionManager
    card_records: CardRecords
    signing_key: SessionSigningKey
    network_access: NetworkAccess
    lines: SuppliedLines | None = None
    callers: CallerChecks | None = None


@dataclass(frozen=True, slots=True)
class Metrics:
    """The metrics for a Prometheus server, and the networks besides this machine that may read them."""

    text: Callable[[], Awaitable[bytes]]
    networks: tuple[IPv4Network | IPv6Network, ...] = ()


@dataclass(frozen=True, slots=True)
class Services:
    """The capabilities behind the API; the bootstrap creates and closes them.

    ``sessions`` is None for a server that only signs people in, ``payments`` for one without payments,
    ``phone_verifications`` for one that sends no text messages, ``identifier_proofs`` for one that sends no codes,
    ``provider_webhooks`` for one without data providers, ``ussd`` for one without a USSD code.
    """

    database: Database
    accounts: AccountService
    passkeys: PasskeyService
    notifications: NotificationService
    catalogue: Catalogue
    streams: EventStreams
    environment: Environment
    sessions: SessionServices | None = None
    payments: PaymentService | None = None
    phone_verifications: PhoneVerifications | None = None
    identifier_proofs: IdentifierProofs | None = None
    provider_webhooks: SupplyWebhooks | None = None
    ussd: UssdActivation | None = None
    refusals: SecurityRefusals = field(default_factory=SecurityRefusals)
    requests: HttpCounts = field(default_factory=HttpCounts)
    writes_access_lines: bool = False
    """True to log a line for each request."""
    readiness: Mapping[str, Check] = field(default_factory=dict)
    metrics: Metrics | None = None
    writes: RateLimiter = field(default_factory=lambda: RateLimiter(WRITES_OF_ACCOUNT))
    """Counts the requests of each account that change something."""
