"""What the routers are given: the one hand-over from the bootstrap to the HTTP edge."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from ipaddress import IPv4Network, IPv6Network
from typing import Literal
from urllib.parse import urlsplit

from kswifi.accounts.passkeys import PasskeyService
from kswifi.accounts.service import AccountService
from kswifi.api.edge.forwarded import NO_PROXIES, ProxyTrust
from kswifi.api.edge.streams import EventStreams
from kswifi.catalogue.service import Catalogue
from kswifi.database.engine import Database
from kswifi.free_data.service import FreeData
from kswifi.notifications.service import NotificationService
from kswifi.payments.service import PaymentService
from kswifi.phone_verification.service import PhoneVerifications
from kswifi.sessions.card.packets import CardRecords
from kswifi.sessions.line import ESIMSessionManager
from kswifi.sessions.orders import SessionDownloadService
from kswifi.sessions.ports import NetworkAccess
from kswifi.sessions.signing import SessionSigningKey
from kswifi.vouchers.service import VoucherService

Check = Callable[[], Awaitable[bool]]
"""Whether a part that the server needs is there at this moment."""


@dataclass(frozen=True, slots=True)
class SupportContact:
    """How people reach the operator for help: a WhatsApp number in digits, a telephone number, an email address."""

    whatsapp: str | None = None
    phone: str | None = None
    email: str | None = None


@dataclass(frozen=True, slots=True)
class Environment:
    """How this server is run.

    ``public_origin`` is where people reach it, scheme://host[:port]; https makes its cookies Secure.
    ``lab_origin`` is the lab phone's control in embedded mode, else None. ``proxies`` are the reverse proxies that
    say whose requests they pass on. ``support`` is the contact that the app shows.
    """

    mode: Literal["embedded", "own-core", "resold"]
    public_origin: str
    lab_origin: str | None = None
    allowed_hosts: frozenset[str] = frozenset({"127.0.0.1", "localhost", "::1"})
    proxies: ProxyTrust = NO_PROXIES
    support: SupportContact = SupportContact()

    @property
    def https(self) -> bool:
        """Whether people reach it by TLS."""
        return urlsplit(self.public_origin).scheme == "https"


@dataclass(frozen=True, slots=True)
class SessionServices:
    """The road of a session, as the API walks it."""

    free_data: FreeData
    vouchers: VoucherService
    downloads: SessionDownloadService
    manager: ESIMSessionManager
    card_records: CardRecords
    signing_key: SessionSigningKey
    network_access: NetworkAccess


@dataclass(frozen=True, slots=True)
class Metrics:
    """What a Prometheus server reads, and from which networks it may come beside this machine."""

    text: Callable[[], Awaitable[bytes]]
    networks: tuple[IPv4Network | IPv6Network, ...] = ()


@dataclass(frozen=True, slots=True)
class Services:
    """The capabilities behind the API, made and closed by the bootstrap.

    ``sessions`` is None for a server that only signs people in, ``payments`` for one that takes none,
    ``phone_verifications`` for one that sends no text messages.
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
    readiness: Mapping[str, Check] = field(default_factory=dict)
    metrics: Metrics | None = None
