"""The adapter of eSIM Go, API v2.5: bundles on profiles that every eSIM phone accepts.

An order has no reference of ours and is not idempotent: it is sent once, and after a lost answer the list of orders
is searched. Bundles on one profile queue, each with its own counter in octets (1 GB = 10^9). Source: the OpenAPI
document of v2.5 and the guides at docs.esim-go.com; what they leave open is in ``UNCONFIRMED``.
"""

import base64
import hashlib
import hmac
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any, Final

from kswifi.kernel.clock import Clock
from kswifi.providers.data.provider_http import Answer, ProviderClient, json_body
from kswifi.providers.data.registry import ProviderOptions
from kswifi.providers.data.values import (
    country,
    dedupe_key,
    installation,
    instant,
    money,
    objects,
    path_part,
    rfc3339,
    text,
    values_of,
    whole,
    within,
    words,
)
from kswifi.providers.data.webhooks import require_sender, webhook_object
from kswifi.supply.errors import ProviderWebhookForgedError
from kswifi.supply.model import Money
from kswifi.supply.ports import (
    Ambiguous,
    Bundle,
    BundleState,
    BundleUsage,
    Capabilities,
    Delivery,
    Done,
    LineRef,
    Notice,
    NotThere,
    Ordered,
    OrderIntent,
    OrderStage,
    OrderStatus,
    Price,
    Refunded,
    RefusalKind,
    Refused,
    ServiceStatus,
    Stacking,
    StartsAt,
    Suspension,
    Unknown,
)

LIVE_URL: Final = "https://api.esim-go.com/v2.5"
SIGNATURE_HEADER: Final = "x-signature-sha256"
WEBHOOK_ANSWER: Final = "{}"
CENTS: Final = 100
OCTETS_PER_MB: Final = 10**6
COMPLETED: Final = "completed"
PENDING_STATUSES: Final = ("pending", "processing", "queued", "created")
ORDERS_BEFORE: Final = timedelta(seconds=60)
ORDERS_AFTER: Final = timedelta(hours=1)
"""An order of an intent was created at most so long before and after the intent, by eSIM Go's clock."""
ORDERS_PER_PAGE: Final = 100
ORDER_PAGES: Final = 20
CATALOGUE_PER_PAGE: Final = 500
CATALOGUE_PAGES: Final = 20
BUNDLES_PER_LINE: Final = 200
INSTALLED_STATUSES: Final = ("installed", "enabled", "disabled")
STATES: Final = {
    "processing": BundleState.PROCESSING,
    "queued": BundleState.QUEUED,
    "active": BundleState.ACTIVE,
    "depleted": BundleState.DEPLETED,
    "expired": BundleState.EXPIRED,
    "lapsed": BundleState.EXPIRED,
    "revoked": BundleState.REVOKED,
}
_RUNNING: Final = (BundleState.PROCESSING, BundleState.QUEUED, BundleState.ACTIVE)
_ORDER_STAGES: Final = {
    BundleState.DEPLETED: OrderStage.DEPLETED,
    BundleState.EXPIRED: OrderStage.EXPIRED,
    BundleState.REVOKED: OrderStage.CANCELLED,
}
REFUSED_WORDS: Final = (
    ("balance", RefusalKind.BALANCE_LOW),
    ("insufficient", RefusalKind.BALANCE_LOW),
    ("not compatible", RefusalKind.LINE_UNSUITABLE),
    ("deactivated", RefusalKind.LINE_UNKNOWN),
    ("iccid", RefusalKind.LINE_UNKNOWN),
    ("stock", RefusalKind.SOLD_OUT),
    ("bundle", RefusalKind.BUNDLE_UNKNOWN),
)
"""Words of a refusal (400) and its kind, the first that matches. eSIM Go has messages and no codes."""
OTHERS_LINE_WORDS: Final = ("iccid", "esim not found")
"""Words of a 403 about a profile that is not ours; every other 403 is about the key."""
POLICY_WORDS: Final = ("policy",)
SAME_STATE_WORDS: Final = ("already suspended", "not suspended")
REFUNDED_WORDS: Final = "refunded to balance"

UNCONFIRMED: Final = (
    "an order for one bundle has one assignment, whose reference is the order's reference and '-0'",
    f"profiles are installed in these states: {', '.join(INSTALLED_STATUSES)}",
    "a bundle starts when the profile attaches to a network, not at the first octet",
    "the catalogue's prices are in the currency of the organisation",
    "GET /orders filters by createdAt=gte:...; what it lists is filtered here again",
    "the words of refusals: there are no codes",
    f"an order is completed, or one of {', '.join(PENDING_STATUSES)}; any other status is left to a person",
    "usage is at most 15 minutes old",
    "a suspension by eSIM Go's own rules is known only from the words of a refused unsuspend",
    "a revoke with refundToBalance answers 'refunded to balance', once the account manager enabled it",
    "V3 callbacks are signed in base64 (reference) or hexadecimal (guide): both are accepted",
)

CAPABILITIES: Final = Capabilities(
    delivers=Delivery.PROFILE,
    tells_installation=True,
    starts_at=StartsAt.ATTACH,
    roams=True,
    tethering=None,
    stacking=Stacking.QUEUE,
    suspension=Suspension.REVERSIBLE,
    usage_lag_seconds=900,
    idempotent=False,
    cancels_unused=False,
    top_up=True,
    ends_bundle=True,
    spends_nearest_expiry_first=True,
    absence_looks=3,
    absence_seconds=600,
    requests_per_second=10.0,
    lines_per_usage_call=1,
)
"""``cancels_unused`` becomes True with the setting ``esim_go_refunds``."""


class EsimGo:
    """eSIM Go with the API key of an organisation.

    Args:
        options: the key, and the address if it is not eSIM Go's own.
        clock: the source of the instant of a usage figure, which eSIM Go does not tell.
    """

    name = "esim_go"
    webhook_answer = WEBHOOK_ANSWER

    def __init__(self, options: ProviderOptions, clock: Clock) -> None:
        self.sandbox = options.sandbox
        self.capabilities = replace(CAPABILITIES, cancels_unused=options.refunds)
        self._senders = options.webhook_senders
        self._key = options.api_key.encode()
        self._clock = clock
        self._http = ProviderClient(
            "eSIM Go", options.url or LIVE_URL, {"X-API-Key": options.api_key}, options.answer_seconds
        )

    def reference(self, asked_at: datetime, unique: str) -> str:
        """Return the unique part: eSIM Go does not see our reference."""
        del asked_at
        return unique

    async def catalogue(self) -> tuple[Bundle, ...] | Refused | Unknown:
        """List the bundles: GET /catalogue."""
        organisation = await self._organisation()
        if not isinstance(organisation, Money):
            return organisation
        found: dict[str, Bundle] = {}
        for page in range(1, CATALOGUE_PAGES + 1):
            answer = await self._ask(
                "GET", "/catalogue", params={"page": str(page), "perPage": str(CATALOGUE_PER_PAGE)}
            )
            if not isinstance(answer, Answer):
                return answer
            listed = answer.fields.get("bundles") if isinstance(answer.body, dict) else answer.body
            if not isinstance(listed, list):
                return Unknown("eSIM Go's catalogue cannot be read")
            read = {it.bundle_id: it for it in (_bundle(one, organisation.currency) for one in listed) if it}
            if len(listed) < CATALOGUE_PER_PAGE or not read.keys() - found.keys():
                return tuple((found | read).values())
            found |= read
        return Unknown(f"eSIM Go's catalogue has more than {CATALOGUE_PAGES} pages")

    async def balance(self) -> Money | Refused | Unknown:
        """Read the balance: GET /organisation."""
        return await self._organisation()

    async def check(self, bundle: Bundle, line: LineRef | None) -> Price | Refused | Unknown:
        """Validate an order, and for an existing profile its compatibility. Nothing is bought."""
        if line is not None:
            path = f"/esims/{path_part(line.provider_ref)}/compatible/{path_part(bundle.bundle_id)}"
            answer = await self._ask("GET", path)
            if not isinstance(answer, Answer):
                return answer
            if answer.fields.get("compatible") is not True:
                return Refused(RefusalKind.LINE_UNSUITABLE, "this profile cannot take this bundle")
        answer = await self._ask("POST", "/orders", _order_body("validate", bundle.bundle_id, line))
        if not isinstance(answer, Answer):
            return answer
        amount = money(answer.fields.get("total"), answer.fields.get("currency"), CENTS, up=True)
        if amount is None or answer.fields.get("valid") is not True:
            return Unknown("eSIM Go's validation cannot be read")
        return Price(amount)

    async def order(self, intent: OrderIntent) -> Ordered | Refused | Unknown:
        """Buy a bundle: POST /orders. Never call it twice for an intent."""
        answer = await self._ask("POST", "/orders", _order_body("transaction", intent.bundle_id, intent.line))
        if not isinstance(answer, Answer):
            return answer
        status = _order(answer.body, intent)
        return Ordered(status) if isinstance(status, OrderStatus) else status

    async def look(
        self, intent: OrderIntent, owned: frozenset[str] = frozenset()
    ) -> OrderStatus | NotThere | Ambiguous | Unknown:
        """Look up an order by eSIM Go's reference or, if that is unknown, among the orders since the intent."""
        if intent.provider_ref is None:
            found = await self._search(intent, owned)
        else:
            answer = await self._ask("GET", f"/orders/{path_part(intent.provider_ref)}")
            if not isinstance(answer, Answer):
                return Unknown(answer.words)
            found = _order(answer.body, intent)
            if isinstance(found, OrderStatus) and found.provider_ref != intent.provider_ref:
                return Unknown("eSIM Go answers about another order")
        if not isinstance(found, OrderStatus) or found.stage is OrderStage.PENDING:
            return found
        return await self._detailed(found, intent)

    async def usage(self, lines: Sequence[LineRef]) -> tuple[BundleUsage, ...] | Refused | Unknown:
        """Read the counters of a profile's bundles: GET /esims/{iccid}/bundles."""
        if len(lines) > self.capabilities.lines_per_usage_call:
            raise ValueError("more lines than lines_per_usage_call")
        found: list[BundleUsage] = []
        for line in lines:
            usages = await self._bundles(line, used=True)
            if isinstance(usages, Refused) and usages.kind is RefusalKind.LINE_UNKNOWN:
                continue
            if not isinstance(usages, tuple):
                return usages
            found += [it.usage for it in usages]
        return tuple(found)

    async def set_service(self, line: LineRef, on: bool) -> Done | Refused | Unknown:
        """Suspend or unsuspend a profile: POST /esims/{iccid}/suspend."""
        path = f"/esims/{path_part(line.provider_ref)}/suspend"
        answer = await self._ask("POST", path, {"suspend": not on})
        if isinstance(answer, Answer):
            return Done()
        if isinstance(answer, Refused) and on and any(it in answer.words.lower() for it in POLICY_WORDS):
            return Refused(RefusalKind.POLICY, answer.words)
        if isinstance(answer, Refused) and any(it in answer.words.lower() for it in SAME_STATE_WORDS):
            return Done()  # it is so already
        return answer

    async def service(self, line: LineRef) -> ServiceStatus | Refused | Unknown:
        """Read the state of a profile, and whether a bundle is left: GET /esims/{iccid} and its bundles."""
        answer = await self._ask("GET", f"/esims/{path_part(line.provider_ref)}")
        if not isinstance(answer, Answer):
            return answer
        if answer.fields.get("iccid") != line.provider_ref:
            return Unknown("eSIM Go answers about another profile")
        match str(answer.fields.get("state")).lower():
            case "suspended" | "deactivated":
                return ServiceStatus.OFF
            case "active":
                usages = await self._bundles(line, used=False)
                if not isinstance(usages, tuple):
                    return usages
                running = any(it.usage.state in _RUNNING for it in usages)
                return ServiceStatus.ON if running else ServiceStatus.DEPLETED
            case _:
                return Unknown("eSIM Go's answer has no state that is known")

    async def cancel(self, intent: OrderIntent) -> Refunded | Refused | Unknown:
        """Revoke an unused bundle and take its price back, if refunds are enabled for the account."""
        if not self.capabilities.cancels_unused:
            return Refused(RefusalKind.UNSUPPORTED, "a revoked bundle is lost: eSIM Go must enable refunds first")
        found = await self.look(intent)
        if not isinstance(found, OrderStatus):
            return Unknown("the order of this bundle is not found")
        if found.stage not in (OrderStage.ALLOCATED, OrderStage.INSTALLED):
            return Refused(RefusalKind.IN_USE, f"the bundle is {found.stage}")
        if found.line is None or found.bundle_ref is None:
            return Unknown("the assignment of this bundle is not found")
        path = f"/esims/{path_part(found.line.provider_ref)}/bundles/{path_part(intent.bundle_id)}"
        answer = await self._ask(
            "DELETE",
            f"{path}/assignments/{path_part(found.bundle_ref)}",
            params={"type": "transaction", "refundToBalance": "true"},
        )
        if not isinstance(answer, Answer):
            return answer
        told = words(answer.fields.get("status")) or ""
        if REFUNDED_WORDS in told.lower():
            return Refunded()
        return Unknown(f"the bundle is revoked, and a refund is not confirmed: {told}")

    def read_webhook(self, headers: Mapping[str, str], body: bytes, sender: str) -> tuple[Notice, ...]:
        """Check the signature over the raw body, and return the profile of the callback. Unsigned V2 is refused."""
        require_sender(sender, self._senders)
        digest = hmac.new(self._key, body, hashlib.sha256).digest()
        given = headers.get(SIGNATURE_HEADER, "").strip().encode()
        accepted = (base64.b64encode(digest), digest.hex().encode())
        if not any([hmac.compare_digest(given, it) for it in accepted]):  # noqa: C419 - both, in constant time
            raise ProviderWebhookForgedError(f"{SIGNATURE_HEADER} is missing or wrong: switch on callbacks V3")
        told = webhook_object(body)
        iccid, bundle = text(told.get("iccid"), 24), told.get("bundle")
        if iccid is None:
            return ()  # about the account: balance alerts
        inside = bundle if isinstance(bundle, dict) else {}
        key = dedupe_key(
            "esim_go", iccid, told.get("alertType"), inside.get("id"), str(inside.get("remainingQuantity"))
        )
        return (Notice(key, line_ref=iccid),)

    async def probe(self) -> str | None:
        """Read the organisation."""
        found = await self._organisation()
        return None if isinstance(found, Money) else found.words

    async def close(self) -> None:
        """Close the connections."""
        await self._http.close()

    async def _organisation(self) -> Money | Refused | Unknown:
        answer = await self._ask("GET", "/organisation")
        if not isinstance(answer, Answer):
            return answer
        # A document lists the organisations of the account; samples have one object.
        listed = answer.fields.get("organisations")
        one = listed[0] if isinstance(listed, list) and listed and isinstance(listed[0], dict) else answer.fields
        return money(one.get("balance"), one.get("currency"), CENTS, up=False) or Unknown(
            "eSIM Go's answer has no balance that can be read"
        )

    async def _search(
        self, intent: OrderIntent, owned: frozenset[str]
    ) -> OrderStatus | NotThere | Ambiguous | Unknown:
        """Search the orders around the intent for one of its bundle and line that no other intent owns."""
        since = rfc3339(intent.asked_at - ORDERS_BEFORE)
        found: dict[str, OrderStatus] = {}
        for page in range(1, ORDER_PAGES + 1):
            params = {
                "includeIccids": "true",
                "page": str(page),
                "limit": str(ORDERS_PER_PAGE),
                "createdAt": f"gte:{since}",
            }
            answer = await self._ask("GET", "/orders", params=params)
            if not isinstance(answer, Answer):
                return Unknown(answer.words)
            listed = answer.fields.get("orders") if isinstance(answer.body, dict) else answer.body
            if not isinstance(listed, list):
                return Unknown("eSIM Go's list of orders cannot be read")
            for one in listed:
                status = _candidate(one, intent, owned)
                if isinstance(status, Unknown):
                    return status
                if status is not None:
                    found[status.provider_ref] = status
            if len(listed) < ORDERS_PER_PAGE:
                if len(found) > 1:
                    return Ambiguous(tuple(sorted(found)))
                return next(iter(found.values()), NotThere())
        return Unknown(f"eSIM Go lists more than {ORDER_PAGES} pages of orders")

    async def _detailed(self, found: OrderStatus, intent: OrderIntent) -> OrderStatus | Unknown:
        """Add the installation, its state, and the assignment of the bundle."""
        assert found.line is not None  # noqa: S101 - the caller checked
        answer = await self._ask("GET", "/esims/assignments", params={"reference": found.provider_ref})
        if not isinstance(answer, Answer):
            return Unknown(answer.words)
        listed = answer.body if isinstance(answer.body, list) else [answer.body]
        profile = next(
            (it for it in listed if isinstance(it, dict) and it.get("iccid") == found.line.provider_ref), None
        )
        usages = await self._bundles(found.line, used=True)
        if not isinstance(usages, tuple):
            return Unknown(usages.words)
        own = [it for it in usages if it.usage.bundle_id == intent.bundle_id]
        mine = [it for it in own if it.reference.startswith(found.provider_ref)] or (own if len(own) == 1 else [])
        usage = mine[0].usage if len(mine) == 1 else None
        inside = found.installation
        if profile is not None:
            inside = installation(profile.get("smdpAddress"), profile.get("matchingId")) or inside
        installed = profile is not None and str(profile.get("profileStatus")).lower() in INSTALLED_STATUSES
        return OrderStatus(
            provider_ref=found.provider_ref,
            stage=_stage(usage, installed=installed),
            bundle_ref=None if usage is None else usage.bundle_ref,
            line=found.line,
            installation=inside,
            charged=found.charged,
            bundle_id=found.bundle_id,
            words=found.words,
        )

    async def _bundles(self, line: LineRef, *, used: bool) -> "tuple[_Assignment, ...] | Refused | Unknown":
        params = {"includeUsed": "true" if used else "false", "limit": str(BUNDLES_PER_LINE)}
        answer = await self._ask("GET", f"/esims/{path_part(line.provider_ref)}/bundles", params=params)
        if not isinstance(answer, Answer):
            return answer
        listed, found = answer.fields.get("bundles"), []
        if not isinstance(listed, list):
            return Unknown("eSIM Go's bundles of a profile cannot be read")
        for bundle in listed:
            assignments = bundle.get("assignments") if isinstance(bundle, dict) else None
            if not isinstance(assignments, list):
                return Unknown("eSIM Go's bundles of a profile cannot be read")
            for one in assignments:
                assignment = _assignment(line, bundle, one, self._clock.now())
                if assignment is None:
                    return Unknown("a counter of eSIM Go cannot be read")
                found.append(assignment)
        return tuple(found)

    async def _ask(
        self,
        method: str,
        path: str,
        body: Mapping[str, Any] | None = None,
        params: Mapping[str, str] | None = None,
    ) -> Answer | Refused | Unknown:
        """Return a 2xx answer; a 4xx is a refusal only if its body has eSIM Go's ``message``."""
        content = None if body is None else json_body(body)
        answer = await self._http.ask(method, path, content=content, params=params)
        if isinstance(answer, Unknown) or 200 <= answer.status < 300:
            return answer
        told = words(answer.fields.get("message"))
        if told is None:
            return Unknown(f"eSIM Go answers {answer.status} without its message")
        return Refused(_kind(answer.status, told), told)


@dataclass(frozen=True, slots=True)
class _Assignment:
    """One bundle on a profile: the reference of its order, and its counter."""

    reference: str
    usage: BundleUsage


def open_provider(options: ProviderOptions, clock: Clock) -> EsimGo:
    """Return the adapter with these settings."""
    return EsimGo(options, clock)


def _order_body(kind: str, bundle_id: str, line: LineRef | None) -> dict[str, Any]:
    item: dict[str, Any] = {"type": "bundle", "quantity": 1, "item": bundle_id}
    if line is not None:
        # Without allowReassign, a bundle that does not fit this profile is refused and not put onto a new one.
        item |= {"iccids": [line.provider_ref], "allowReassign": False}
    return {"type": kind, "assign": True, "order": [item]}


def _kind(status: int, told: str) -> RefusalKind:
    found = told.lower()
    if status == 410 or (status == 403 and any(it in found for it in OTHERS_LINE_WORDS)):
        return RefusalKind.LINE_UNKNOWN
    if status in (401, 403):
        return RefusalKind.NOT_ALLOWED
    return next((kind for it, kind in REFUSED_WORDS if it in found), RefusalKind.OTHER)


def _item(order: Any) -> dict[str, Any] | None:
    """Return the only item of an order; None for orders of another form, which are none of ours."""
    items = order.get("order") if isinstance(order, dict) else None
    if not isinstance(items, list) or len(items) != 1 or not isinstance(items[0], dict):
        return None
    return items[0]


def _order(order: Any, intent: OrderIntent) -> OrderStatus | Unknown:
    """Read an order; unknown if it is not that of the intent."""
    item = _item(order)
    reference = text(order.get("orderReference"), 64) if isinstance(order, dict) else None
    if item is None or reference is None:
        return Unknown("eSIM Go's order cannot be read")
    if item.get("item") != intent.bundle_id or whole(item.get("quantity")) != 1:
        return Unknown("eSIM Go answers with an order of another bundle")
    charged = money(order.get("total"), order.get("currency"), CENTS, up=True)
    if charged is None or charged.currency != intent.price.currency:
        return Unknown("eSIM Go answers with an amount that cannot be read, or in another currency")
    profiles = objects(item.get("esims"))
    iccid = text(profiles[0].get("iccid"), 24) if len(profiles) == 1 else None
    if iccid is None:
        iccids = values_of(item.get("iccids"))
        iccid = text(iccids[0], 24) if len(iccids) == 1 else None
    if intent.line is not None and iccid not in (None, intent.line.provider_ref):
        return Unknown("eSIM Go answers that the bundle is on another profile")
    status = str(order.get("status")).lower()
    if status != COMPLETED and status not in PENDING_STATUSES:
        return Unknown(
            f"eSIM Go answers an order that is {words(order.get('status'))}: a person has to read it there"
        )
    inside = installation(profiles[0].get("smdpAddress"), profiles[0].get("matchingId")) if profiles else None
    return OrderStatus(
        provider_ref=reference,
        stage=OrderStage.ALLOCATED if status == COMPLETED and iccid is not None else OrderStage.PENDING,
        line=None if iccid is None else LineRef(iccid, iccid=iccid),
        installation=inside if iccid is not None else None,
        charged=charged,
        bundle_id=intent.bundle_id,
        words=words(order.get("statusMessage")),
    )


def _candidate(order: Any, intent: OrderIntent, owned: frozenset[str]) -> OrderStatus | Unknown | None:
    """Return an order of a list if it can be the intent's; unknown if it cannot be compared."""
    if not isinstance(order, dict):
        return Unknown("eSIM Go's list of orders cannot be read")
    item = _item(order)
    if item is None or item.get("item") != intent.bundle_id or text(order.get("orderReference"), 64) in owned:
        return None
    iccids = [
        *values_of(item.get("iccids")),
        *(it.get("iccid") for it in objects(item.get("esims"))),
    ]
    if intent.line is not None and iccids and intent.line.provider_ref not in iccids:
        return None
    created = instant(order.get("createdDate") or order.get("createDate"))
    if created is None:
        return Unknown("eSIM Go's list has an order without an instant")
    if not within(created, intent.asked_at, ORDERS_BEFORE, ORDERS_AFTER):
        return None
    return _order(order, intent)


def _assignment(line: LineRef, bundle: Mapping[str, Any], one: Any, now: datetime) -> _Assignment | None:
    if not isinstance(one, dict):
        return None
    state = STATES.get(str(one.get("bundleState")).lower())
    total, remaining = whole(one.get("initialQuantity")), whole(one.get("remainingQuantity"))
    number = one.get("id")
    bundle_ref = str(number) if type(number) is int else text(number, 64)
    if state is None or total is None or remaining is None or remaining > total or bundle_ref is None:
        return None
    unlimited = one.get("unlimited") is True
    usage = BundleUsage(
        line_ref=line.provider_ref,
        bundle_ref=bundle_ref,
        state=state,
        total_octets=None if unlimited else total,
        remaining_octets=None if unlimited else remaining,
        as_of=now,
        bundle_id=text(bundle.get("name")),
        starts_at=instant(one.get("startTime")),
        ends_at=instant(one.get("endTime")),
    )
    return _Assignment(text(one.get("assignmentReference"), 128) or "", usage)


def _stage(usage: BundleUsage | None, *, installed: bool) -> OrderStage:
    if usage is not None and usage.state in _ORDER_STAGES:
        return _ORDER_STAGES[usage.state]
    if usage is not None and usage.state is BundleState.ACTIVE and usage.remaining_octets != usage.total_octets:
        return OrderStage.IN_USE
    return OrderStage.INSTALLED if installed else OrderStage.ALLOCATED


def _bundle(one: Any, currency: str) -> Bundle | None:
    if not isinstance(one, dict):
        return None
    name, price = text(one.get("name")), money(one.get("price"), currency, CENTS, up=True)
    megabytes, days = whole(one.get("dataAmount")), whole(one.get("duration"))
    if name is None or price is None or not days:
        return None
    unlimited = one.get("unlimited") is True
    if not unlimited and not megabytes:
        return None
    countries = {
        country(it.get("iso")) if isinstance(it, dict) else country(it) for it in values_of(one.get("countries"))
    }
    return Bundle(
        bundle_id=name,
        name=text(one.get("description")) or name,
        countries=tuple(sorted(it for it in countries if it is not None)),
        network=None,
        octets=None if unlimited or megabytes is None else megabytes * OCTETS_PER_MB,
        unlimited=unlimited,
        days=days,
        price=price,
    )
