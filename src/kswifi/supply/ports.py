"""The port of a data provider: buy a bundle, look up the order, read usage, switch the service, read webhooks.

A provider delivers in one of two ways: onto the mobile line that a person has (VTpass), or as an eSIM profile of
its own (eSIM Go, eSIM Access). Every call answers *done*, *refused* or **unknown**. Unknown means that the call may
or may not have had an effect: look it up, never repeat it blindly. Adapters are one file each in `providers/data/`;
all pass one contract suite (`tests/contract/data_providers/`).

Amounts are integers in minor units with their currency, volumes are integers in octets, instants have a time zone.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Protocol

from kswifi.supply.model import Money


class Delivery(StrEnum):
    """The way in which a provider delivers a bundle."""

    ONTO_LINE = "onto_line"
    """Onto the mobile line that the person has, by its phone number."""
    PROFILE = "profile"
    """On an eSIM profile that the provider issues."""


class StartsAt(StrEnum):
    """The event that starts the days of a bundle."""

    ORDER = "order"
    INSTALL = "install"
    ATTACH = "attach"
    """The first attachment to a network."""
    FIRST_DATA = "first_data"
    """The first octet."""


class Stacking(StrEnum):
    """What a second bundle on the same line does."""

    QUEUE = "queue"
    """Each bundle keeps its own counter; the next one starts by itself."""
    MERGE = "merge"
    """The volumes are added into one counter."""
    SINGLE = "single"
    """The provider keeps no relation between bundles, or allows one only."""


class Suspension(StrEnum):
    """Whether the provider can switch a line's service off."""

    REVERSIBLE = "reversible"
    TERMINAL = "terminal"
    """The line can be switched off once and never on again."""
    NONE = "none"


@dataclass(frozen=True, slots=True)
class Capabilities:
    """What a provider can do. The core asks these and never a provider's name.

    Attributes:
        delivers: onto a person's line, or as a profile.
        tells_installation: ``look`` reports that a profile was installed.
        starts_at: the event that starts a bundle's days, unless the bundle says otherwise.
        roams: the service is roaming, so the phone needs "Data Roaming" on.
        tethering: the phone may share the connection; None if the provider does not say.
        stacking: what a second bundle on the same line does.
        suspension: whether the service can be switched off.
        usage_lag_seconds: the greatest documented age of a usage figure; None if no usage is reported.
        idempotent: a repeated ``order`` with the same reference buys nothing more. If False, ``order`` is called at
            most once for an intent.
        cancels_unused: an unused bundle can be returned for its price.
        top_up: a bundle can be bought for a line that the provider issued before.
        ends_bundle: the provider itself stops the data when the bundle is used up.
        spends_nearest_expiry_first: of several bundles on a line, the one that expires first is used first.
        absence_looks: that many ``NotThere`` answers in a row...
        absence_seconds: ...over at least that many seconds mean that the order was not placed.
        requests_per_second: the provider's limit for the whole account.
        lines_per_usage_call: the most lines in one call of ``usage``; 0 if there is no usage.
    """

    delivers: Delivery
    tells_installation: bool
    starts_at: StartsAt
    roams: bool
    tethering: bool | None
    stacking: Stacking
    suspension: Suspension
    usage_lag_seconds: int | None
    idempotent: bool
    cancels_unused: bool
    top_up: bool
    ends_bundle: bool
    spends_nearest_expiry_first: bool
    absence_looks: int
    absence_seconds: int
    requests_per_second: float
    lines_per_usage_call: int


@dataclass(frozen=True, slots=True)
class Bundle:
    """A product of a provider.

    Attributes:
        bundle_id: the provider's id; it is handed back unchanged in an order.
        name: the provider's text for people.
        countries: ISO 3166-1 alpha-2 codes, sorted; the network's country for a bundle onto a line.
        network: the mobile network of a bundle onto a line ("mtn"); None for a profile.
        octets: the volume; None if the provider does not state it or the bundle is without limit.
        unlimited: the provider states no limit.
        days: the days of use from the start; None if not stated.
        price: what the provider takes from the balance.
        starts_at: the start of the days, if it differs from the capabilities.
        install_days: the profile must be installed within that many days of the order; None if not stated.
        top_up_only: it can be bought for an existing line only.
    """

    bundle_id: str
    name: str
    countries: tuple[str, ...]
    network: str | None
    octets: int | None
    unlimited: bool
    days: int | None
    price: Money
    starts_at: StartsAt | None = None
    install_days: int | None = None
    top_up_only: bool = False


@dataclass(frozen=True, slots=True)
class LineRef:
    """A line at a provider.

    Attributes:
        provider_ref: the key under which the adapter finds the line: ICCID (eSIM Go), esimTranNo (eSIM Access), or
            the phone number in E.164 (a line that the person has).
        iccid: of a profile. Providers reuse ICCIDs: never a key by itself.
        msisdn: the phone number in E.164, of a line that the person has. Never logged.
        network: of a line that the person has ("mtn").
    """

    provider_ref: str
    iccid: str | None = None
    msisdn: str | None = field(default=None, repr=False)
    network: str | None = None


@dataclass(frozen=True, slots=True)
class OrderIntent:
    """One order that we decided on. It is committed to the database before ``order`` is called.

    Attributes:
        reference: ours, made by ``DataProvider.reference``. It identifies the order for good.
        bundle_id: the provider's bundle.
        price: the price that we accept; a provider that can check it refuses another.
        asked_at: the instant of the intent; a look searches from 60 seconds before it.
        line: the line to load; None orders a new profile.
        provider_ref: the provider's id of the order, once ``order`` or ``look`` told it.
    """

    reference: str
    bundle_id: str
    price: Money
    asked_at: datetime
    line: LineRef | None = None
    provider_ref: str | None = None


@dataclass(frozen=True, slots=True)
class Installation:
    """What a phone needs to install a profile and to connect with it. All texts are secret except the address.

    ``activation_code`` is the text of the QR code: ``LPA:1$<SM-DP+ address>$<matching id>`` (SGP.22, 4.1).
    ``confirmation_code`` is asked by the phone if present. ``roaming`` is None if the provider does not say.
    """

    smdp_address: str
    activation_code: str = field(repr=False)
    confirmation_code: str | None = field(default=None, repr=False)
    apn: str | None = None
    user_name: str | None = None
    password: str | None = field(default=None, repr=False)
    roaming: bool | None = None


class OrderStage(StrEnum):
    """How far an order is at the provider."""

    PENDING = "pending"
    """Accepted; the bundle is not delivered yet, and may still fail."""
    ALLOCATED = "allocated"
    """Delivered: loaded onto the line, or assigned to a profile that can be installed."""
    INSTALLED = "installed"
    IN_USE = "in_use"
    DEPLETED = "depleted"
    EXPIRED = "expired"
    FAILED = "failed"
    """Not delivered, and nothing was charged."""
    CANCELLED = "cancelled"
    """Withdrawn after delivery. The money is not known to be back."""
    REFUNDED = "refunded"
    """The provider returned the whole price to the balance."""


@dataclass(frozen=True, slots=True)
class OrderStatus:
    """An order as the provider reports it.

    Attributes:
        provider_ref: the provider's id of the order.
        stage: how far it is.
        bundle_ref: the provider's id of this bundle on the line, under which ``usage`` reports it.
        line: the line that has the bundle; None while it is not allocated.
        installation: of a profile; None if unknown yet or for a line that the person has.
        charged: what was taken from the balance; None if the provider does not say.
        bundle_id: the bundle that the provider reports; None if it does not say.
        words: the provider's text, shortened.
    """

    provider_ref: str
    stage: OrderStage
    bundle_ref: str | None = None
    line: LineRef | None = None
    installation: Installation | None = None
    charged: Money | None = None
    bundle_id: str | None = None
    words: str | None = None


@dataclass(frozen=True, slots=True)
class Ordered:
    """The provider accepted the order. Its stage is PENDING, ALLOCATED or later; never FAILED."""

    status: OrderStatus


class RefusalKind(StrEnum):
    """The reasons of a provider's refusal that need different handling."""

    BALANCE_LOW = "balance_low"
    SOLD_OUT = "sold_out"
    PRICE_CHANGED = "price_changed"
    BUNDLE_UNKNOWN = "bundle_unknown"
    LINE_UNKNOWN = "line_unknown"
    LINE_UNSUITABLE = "line_unsuitable"
    """The bundle cannot be loaded onto this line."""
    IN_USE = "in_use"
    """It cannot be cancelled any more."""
    POLICY = "policy"
    """Suspended by the provider: only a person can lift it."""
    NOT_ALLOWED = "not_allowed"
    """Our credentials, address or account are not accepted: a person must correct them."""
    REFERENCE_STALE = "reference_stale"
    """The reference cannot be used any more and nothing was sent: make a new intent."""
    UNSUPPORTED = "unsupported"
    """This provider has no such call."""
    OTHER = "other"


@dataclass(frozen=True, slots=True)
class Refused:
    """The provider refused the call; it had no effect and cost nothing."""

    kind: RefusalKind
    words: str


@dataclass(frozen=True, slots=True)
class Unknown:
    """The result is unknown: no answer, an unreadable answer, an error or a limit of the provider."""

    words: str
    retry_after_seconds: int | None = None


@dataclass(frozen=True, slots=True)
class NotThere:
    """The provider has no order of this intent now.

    One such answer proves nothing: see ``absence_looks`` and ``absence_seconds`` of the capabilities.
    """


@dataclass(frozen=True, slots=True)
class Ambiguous:
    """Several orders at the provider can be this intent's: stop, and let a person decide."""

    provider_refs: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Done:
    """The provider accepted the switch. It takes effect when ``service`` reports it."""


@dataclass(frozen=True, slots=True)
class Price:
    """The price of a bundle now, for a line on which it can be used."""

    amount: Money


@dataclass(frozen=True, slots=True)
class Refunded:
    """The bundle was returned; ``amount`` came back to the balance, None if the provider does not say."""

    amount: Money | None = None


class BundleState(StrEnum):
    """The state of a bundle on a line."""

    PROCESSING = "processing"
    QUEUED = "queued"
    ACTIVE = "active"
    DEPLETED = "depleted"
    EXPIRED = "expired"
    """Its days are over, used or not."""
    REVOKED = "revoked"


@dataclass(frozen=True, slots=True)
class BundleUsage:
    """The counter of one bundle at ``as_of``, in octets.

    A provider's counter is late and may fall or repeat: the ledger takes the greatest value. ``total_octets`` and
    ``remaining_octets`` are None for a bundle without limit that is not counted. A provider that merges bundles
    reports one usage under one ``bundle_ref`` for the whole line.
    """

    line_ref: str
    bundle_ref: str
    state: BundleState
    total_octets: int | None
    remaining_octets: int | None
    as_of: datetime
    bundle_id: str | None = None
    starts_at: datetime | None = None
    ends_at: datetime | None = None


class ServiceStatus(StrEnum):
    """Whether a line carries data at the provider."""

    ON = "on"
    OFF = "off"
    POLICY_OFF = "policy_off"
    """Suspended by the provider's own rules; our calls cannot lift it."""
    DEPLETED = "depleted"
    """No bundle has data left: as good as off."""


@dataclass(frozen=True, slots=True)
class Notice:
    """The subject of a webhook. It changes nothing by itself: it brings a look at the provider forward.

    Attributes:
        dedupe_key: equal for repeated deliveries of one event, at most 128 characters.
        reference: our reference of the order, if the webhook names it.
        provider_ref: the provider's id of the order, if the webhook names it.
        line_ref: the line's ``provider_ref``, if the webhook names it.
        catalogue: the provider changed its bundles or prices.
    """

    dedupe_key: str
    reference: str | None = None
    provider_ref: str | None = None
    line_ref: str | None = None
    catalogue: bool = False


class DataProvider(Protocol):
    """One data provider. ``sandbox`` is True if no real money moves and no real data is delivered.

    ``webhook_answer`` is the JSON text with which a webhook that was read is answered.
    """

    name: str
    sandbox: bool
    capabilities: Capabilities
    webhook_answer: str

    def reference(self, asked_at: datetime, unique: str) -> str:
        """Return the reference of a new order in the form that the provider accepts.

        ``unique`` is 20 to 32 letters and digits that no other order has. For VTpass, the result begins with the
        Lagos date and minute of ``asked_at``; the order must be sent on the same Lagos day.
        """
        ...

    async def catalogue(self) -> tuple[Bundle, ...] | Refused | Unknown:
        """Return all bundles. A bundle that cannot be read is left out; a list that cannot be read is unknown."""
        ...

    async def balance(self) -> Money | Refused | Unknown:
        """Return the prepaid balance, rounded down to the minor unit."""
        ...

    async def check(self, bundle: Bundle, line: LineRef | None) -> Price | Refused | Unknown:
        """Return the price of a bundle now, if it can be bought for this line (None: a new profile). No effect."""
        ...

    async def order(self, intent: OrderIntent) -> Ordered | Refused | Unknown:
        """Buy one bundle. The intent must be committed first.

        Call it once for an intent, unless the capabilities say ``idempotent``.
        """
        ...

    async def look(
        self, intent: OrderIntent, owned: frozenset[str] = frozenset()
    ) -> OrderStatus | NotThere | Ambiguous | Unknown:
        """Look up the order of an intent. No effect.

        ``owned`` are the provider's ids of orders since ``asked_at`` less 60 seconds that belong to other intents.
        A provider that does not know our reference is searched by time: what another intent owns is left out.
        """
        ...

    async def usage(self, lines: Sequence[LineRef]) -> tuple[BundleUsage, ...] | Refused | Unknown:
        """Return the counters of the bundles on these lines, at most ``lines_per_usage_call`` lines. No effect.

        A provider without usage refuses as UNSUPPORTED. A line that the provider does not know has no entry.
        """
        ...

    async def set_service(self, line: LineRef, on: bool) -> Done | Refused | Unknown:
        """Switch a line's service on or off. Repeating it is harmless."""
        ...

    async def service(self, line: LineRef) -> ServiceStatus | Refused | Unknown:
        """Return whether the line carries data. No effect."""
        ...

    async def cancel(self, intent: OrderIntent) -> Refunded | Refused | Unknown:
        """Return an unused bundle for its price. ``provider_ref`` of the intent must be known."""
        ...

    def read_webhook(self, headers: Mapping[str, str], body: bytes, sender: str) -> tuple[Notice, ...]:
        """Return the subjects of a webhook; none if it is about nothing of ours, such as a health check.

        The names in ``headers`` are in lower case, ``body`` is the raw body, ``sender`` the address of the client.

        Raises:
            ProviderWebhookForgedError: the signature or the sender is wrong.
            ProviderWebhookUnreadableError: it is from the provider, but cannot be read.
        """
        ...

    async def probe(self) -> str | None:
        """Make a call without effects; return what is wrong, None if the provider accepts our credentials."""
        ...

    async def close(self) -> None:
        """Close the connections."""
        ...
