"""The adapter of eSIM Access: packages on profiles; a top-up adds to the one counter of a profile.

Every call is a POST with JSON. An order carries our reference as ``transactionId``; the same id again is the same
order, so a lost answer is repeated. A profile is known by its ``esimTranNo``, because ICCIDs are used again.
Source: a copy of the official reference (Postman, 2 December 2025); what it leaves open is in ``UNCONFIRMED``.
"""

import hashlib
import hmac
import uuid
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any, Final

from kswifi.kernel.clock import Clock
from kswifi.providers.data.provider_http import Answer, ProviderClient, json_body, not_allowed
from kswifi.providers.data.registry import ProviderOptions
from kswifi.providers.data.values import (
    country,
    dedupe_key,
    installation_of,
    instant,
    money,
    objects,
    rfc3339,
    text,
    whole,
    within,
    words,
)
from kswifi.providers.data.webhooks import require_sender, webhook_object
from kswifi.supply.errors import ProviderWebhookUnreadableError
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

LIVE_URL: Final = "https://api.esimaccess.com/api/v1/open"
DOCUMENTED_SENDERS: Final = ("3.1.131.226", "54.254.74.88", "18.136.190.97", "18.136.60.197", "18.136.19.137")
WEBHOOK_ANSWER: Final = "{}"
CURRENCY: Final = "USD"
CENTS_PER_PRICE: Final = Decimal("0.01")
"""Prices and the balance are in 1/10,000 of a dollar."""
TOTAL_VOLUME: Final = 1
"""The ``dataType`` of a package with one volume; other packages have a volume for each day."""
START_OF_TYPE: Final = {1: StartsAt.INSTALL, 2: StartsAt.ATTACH}
PAGE_SIZE: Final = 500
PAGES: Final = 20
LINES_PER_USAGE_CALL: Final = 10
LAG: Final = timedelta(hours=3)
ORDERS_BEFORE: Final = timedelta(seconds=60)
ORDERS_AFTER: Final = timedelta(hours=24)

NOT_READY: Final = "200010"
WRONG_STATUS: Final = "200002"
ORDER_UNKNOWN: Final = ("310272", "200008", "200009")
REFUSED_CODES: Final = {
    **dict.fromkeys((f"00010{it}" for it in range(1, 8)), RefusalKind.OTHER),
    **dict.fromkeys(("101001", "101002", "101003"), RefusalKind.NOT_ALLOWED),
    WRONG_STATUS: RefusalKind.IN_USE,
    **dict.fromkeys(("200005", "200006"), RefusalKind.PRICE_CHANGED),
    "200007": RefusalKind.BALANCE_LOW,
    **dict.fromkeys(ORDER_UNKNOWN, RefusalKind.LINE_UNKNOWN),
    "200011": RefusalKind.SOLD_OUT,
    **dict.fromkeys(
        ("310201", "310211", "310221", "310231", "310241", "310243", "310251"), RefusalKind.BUNDLE_UNKNOWN
    ),
    "310403": RefusalKind.LINE_UNKNOWN,
}
"""The codes that refuse without an effect. Every other code is unknown: the same call again is harmless."""

NEW: Final = "GOT_RESOURCE"
RELEASED: Final = "RELEASED"
IN_USE: Final = "IN_USE"
SUSPENDED: Final = "SUSPENDED"
CANCELLED: Final = "CANCEL"
REVOKED: Final = "REVOKED"
USED_UP: Final = "USED_UP"
EXPIRED: Final = ("USED_EXPIRED", "UNUSED_EXPIRED")
INSTALLED_SMDP: Final = ("INSTALLATION", "ENABLED", "DISABLED", "DELETED")
NOT_INSTALLED_SMDP: Final = (RELEASED, "DOWNLOAD")

_ALLOCATING: Final = Unknown("eSIM Access allocates the profile")

UNCONFIRMED: Final = (
    f"a suspended profile has the esimStatus {SUSPENDED}",
    "a package of activeType 2 starts when the profile attaches to a network, not at the first octet",
    "package/list with type TOPUP and without a profile lists all top-ups",
    "the endings of the codes 3102x1 for bundle, location, currency, carrier and vendor",
    "an order without 'amount' and 'price' is taken at the price of the day: check comes first",
    "the digits of volumes: one GB of a package is 2^30 octets; the mapping of an offer states the octets",
    "usage is at most 3 hours old",
    "a cancel returns the whole price to the balance",
    "webhooks are unsigned and come from the documented addresses; times end in Z or +0000",
)

CAPABILITIES: Final = Capabilities(
    delivers=Delivery.PROFILE,
    tells_installation=True,
    starts_at=StartsAt.ATTACH,
    roams=True,
    tethering=None,
    stacking=Stacking.MERGE,
    suspension=Suspension.REVERSIBLE,
    usage_lag_seconds=int(LAG.total_seconds()),
    idempotent=True,
    cancels_unused=True,
    top_up=True,
    ends_bundle=True,
    spends_nearest_expiry_first=False,
    absence_looks=3,
    absence_seconds=600,
    requests_per_second=8.0,
    lines_per_usage_call=LINES_PER_USAGE_CALL,
)


class EsimAccess:
    """eSIM Access with an access code; requests are signed if there is a secret key too.

    Args:
        options: the access code (``api_key``), the key of signatures, and the address if it is not the provider's.
        clock: the source of the instants of signatures.
    """

    name = "esim_access"
    capabilities = CAPABILITIES
    webhook_answer = WEBHOOK_ANSWER

    def __init__(self, options: ProviderOptions, clock: Clock) -> None:
        self.sandbox = options.sandbox
        self._code = options.api_key
        self._secret = options.secret_key
        self._senders = options.webhook_senders or DOCUMENTED_SENDERS
        self._clock = clock
        self._http = ProviderClient("eSIM Access", options.url or LIVE_URL, {}, options.answer_seconds)

    def reference(self, asked_at: datetime, unique: str) -> str:
        """Return the unique part: at most 50 characters are allowed."""
        del asked_at
        return unique

    async def catalogue(self) -> tuple[Bundle, ...] | Refused | Unknown:
        """List the packages with one volume, and the top-ups: package/list."""
        found = await self._packages({"type": "BASE"}, top_up=False)
        if not isinstance(found, tuple):
            return found
        top_ups = await self._packages({"type": "TOPUP"}, top_up=True)
        if isinstance(top_ups, Unknown):
            return top_ups
        return found if isinstance(top_ups, Refused) else found + top_ups

    async def balance(self) -> Money | Refused | Unknown:
        """Read the balance: balance/query."""
        answer = await self._object("balance/query", {})
        if not isinstance(answer, dict):
            return answer
        found = money(answer.get("balance"), CURRENCY, CENTS_PER_PRICE, up=False)
        return found or Unknown("eSIM Access's answer has no balance")

    async def check(self, bundle: Bundle, line: LineRef | None) -> Price | Refused | Unknown:
        """Return the price of a package, or of a top-up for this profile."""
        asked = {"packageCode": bundle.bundle_id, "type": "BASE" if line is None else "TOPUP"}
        if line is not None:
            if line.iccid is None:
                return Refused(RefusalKind.LINE_UNKNOWN, "the ICCID of this profile is not known")
            asked["iccid"] = line.iccid
        found = await self._packages(asked, top_up=line is not None)
        if not isinstance(found, tuple):
            return found
        same = next((it for it in found if it.bundle_id == bundle.bundle_id), None)
        if same is not None:
            return Price(same.price)
        kind = RefusalKind.BUNDLE_UNKNOWN if line is None else RefusalKind.LINE_UNSUITABLE
        return Refused(kind, "eSIM Access sells no such package now")

    async def order(self, intent: OrderIntent) -> Ordered | Refused | Unknown:
        """Order a profile with a package (esim/order), or a top-up. The same reference again buys nothing more."""
        if intent.price.currency != CURRENCY:
            return Refused(RefusalKind.PRICE_CHANGED, f"eSIM Access takes {CURRENCY}, not {intent.price.currency}")
        if intent.line is not None:
            return await self._top_up(intent, intent.line)
        package = {"packageCode": intent.bundle_id, "count": 1}
        body = {"transactionId": intent.reference, "packageInfoList": [package]}
        answer = await self._object("esim/order", body)
        if not isinstance(answer, dict):
            return answer
        number = text(answer.get("orderNo"), 64)
        if number is None:
            return Unknown("eSIM Access's order has no number")
        return Ordered(OrderStatus(number, OrderStage.PENDING))

    async def look(
        self, intent: OrderIntent, owned: frozenset[str] = frozenset()
    ) -> OrderStatus | NotThere | Ambiguous | Unknown:
        """Look up an order by its number or, if that is unknown, by our reference among the orders of the day."""
        del owned  # eSIM Access knows our reference
        if intent.line is not None:
            return await self._look_for_top_up(intent, intent.line)
        if intent.provider_ref is None:
            asked = {
                "startTime": rfc3339(intent.asked_at - ORDERS_BEFORE),
                "endTime": rfc3339(intent.asked_at + ORDERS_AFTER),
            }
        else:
            asked = {"orderNo": intent.provider_ref}
        profiles = await self._profiles(asked)
        if isinstance(profiles, Refused):
            return NotThere() if profiles.kind is RefusalKind.LINE_UNKNOWN else Unknown(profiles.words)
        if isinstance(profiles, OrderStage):
            waiting = intent.provider_ref
            return Unknown("eSIM Access allocates") if waiting is None else OrderStatus(waiting, profiles)
        if isinstance(profiles, Unknown):
            return profiles
        mine = [it for it in profiles if _is_mine(it, intent.reference)]
        if len(mine) != 1:
            refs = tuple(str(it.get("esimTranNo")) for it in mine)
            return Ambiguous(refs) if mine else _none(intent, profiles)
        return _status(mine[0], intent)

    async def usage(self, lines: Sequence[LineRef]) -> tuple[BundleUsage, ...] | Refused | Unknown:
        """Read the counters of at most ten profiles: esim/usage/query."""
        if len(lines) > LINES_PER_USAGE_CALL:
            raise ValueError("more lines than lines_per_usage_call")
        if not lines:
            return ()
        wanted = [it.provider_ref for it in lines]
        answer = await self._ask("esim/usage/query", {"esimTranNoList": wanted})
        if isinstance(answer, (Refused, Unknown)):
            return answer
        # One client expects the list itself, another an object around it.
        lists = [answer] if isinstance(answer, list) else [it for it in answer.values() if isinstance(it, list)]
        if len(lists) != 1:
            return Unknown("eSIM Access's usage cannot be read")
        found: dict[str, BundleUsage] = {}
        for one in lists[0]:
            usage = _usage(one, self._clock.now())
            if usage is None:
                return Unknown("a counter of eSIM Access cannot be read")
            if usage.line_ref in wanted:
                found[usage.line_ref] = usage
        return tuple(found.values())

    async def set_service(self, line: LineRef, on: bool) -> Done | Refused | Unknown:
        """Suspend or unsuspend a profile."""
        answer = await self._ask("esim/unsuspend" if on else "esim/suspend", {"esimTranNo": line.provider_ref})
        if isinstance(answer, Refused) and answer.kind is RefusalKind.IN_USE:
            # The code says "not in this status": it is so already, or the package is over.
            now = await self.service(line)
            if (on and now is ServiceStatus.ON) or (not on and now in (ServiceStatus.OFF, ServiceStatus.DEPLETED)):
                return Done()
        return answer if isinstance(answer, (Refused, Unknown)) else Done()

    async def service(self, line: LineRef) -> ServiceStatus | Refused | Unknown:
        """Read the state of a profile: esim/query."""
        profile = await self._profile(line)
        if not isinstance(profile, dict):
            return profile
        match profile.get("esimStatus"):
            case "SUSPENDED" | "CANCEL" | "REVOKED":
                return ServiceStatus.OFF
            case "USED_UP" | "USED_EXPIRED" | "UNUSED_EXPIRED":
                return ServiceStatus.DEPLETED
            case "IN_USE" | "GOT_RESOURCE":
                return ServiceStatus.ON
            case _:
                return Unknown("eSIM Access's answer has no state that is known")

    async def cancel(self, intent: OrderIntent) -> Refunded | Refused | Unknown:
        """Cancel a profile that was not installed: esim/cancel. The price returns to the balance."""
        if intent.line is not None:
            return Refused(RefusalKind.UNSUPPORTED, "a top-up cannot be cancelled")
        found = await self.look(intent)
        if not isinstance(found, OrderStatus):
            return Unknown("the order of this package is not found")
        if found.stage is OrderStage.REFUNDED:
            return Refunded()
        if found.line is None:
            return Unknown("the profile of this order is not allocated")
        answer = await self._ask("esim/cancel", {"esimTranNo": found.line.provider_ref})
        return answer if isinstance(answer, (Refused, Unknown)) else Refunded()

    def read_webhook(self, headers: Mapping[str, str], body: bytes, sender: str) -> tuple[Notice, ...]:
        """Read a webhook. They are unsigned: the address of the sender is checked."""
        del headers
        require_sender(sender, self._senders)
        told = webhook_object(body)
        kind, content = told.get("notifyType"), told.get("content")
        if kind == "CHECK_HEALTH":
            return ()
        if not isinstance(kind, str) or not isinstance(content, dict):
            raise ProviderWebhookUnreadableError("this webhook has no type or content")
        order, line = text(content.get("orderNo"), 64), text(content.get("esimTranNo"), 64)
        reference = text(content.get("transactionId"), 64)
        if order is None and line is None and reference is None:
            raise ProviderWebhookUnreadableError("this webhook names no order and no profile")
        status = [content.get(it) for it in ("orderStatus", "esimStatus", "smdpStatus", "remain")]
        key = dedupe_key("esim_access", told.get("notifyId") or (kind, order, line, status))
        return (Notice(key, reference=reference, provider_ref=order, line_ref=line),)

    async def probe(self) -> str | None:
        """Read the balance."""
        found = await self.balance()
        return None if isinstance(found, Money) else found.words

    async def close(self) -> None:
        """Close the connections."""
        await self._http.close()

    async def _packages(self, asked: Mapping[str, str], *, top_up: bool) -> tuple[Bundle, ...] | Refused | Unknown:
        answer = await self._object("package/list", asked)
        if not isinstance(answer, dict):
            return answer
        listed = answer.get("packageList")
        if not isinstance(listed, list):
            return Unknown("eSIM Access's packages cannot be read")
        read = (_bundle(one, top_up=top_up) for one in listed)
        return tuple(it for it in read if it is not None)

    async def _top_up(self, intent: OrderIntent, line: LineRef) -> Ordered | Refused | Unknown:
        body = {
            "esimTranNo": line.provider_ref,
            "packageCode": intent.bundle_id,
            "transactionId": intent.reference,
        }
        answer = await self._object("esim/topup", body)
        if not isinstance(answer, dict):
            return answer
        if answer.get("transactionId") != intent.reference or whole(answer.get("totalVolume")) is None:
            return Unknown("eSIM Access's top-up cannot be read")
        return Ordered(_topped_up(intent, line))

    async def _look_for_top_up(
        self, intent: OrderIntent, line: LineRef
    ) -> OrderStatus | NotThere | Ambiguous | Unknown:
        """Search the packages of a profile. They carry no reference: two of one code and time are ambiguous."""
        profile = await self._profile(line)
        if not isinstance(profile, dict):
            return Unknown(profile.words)
        found = []
        for package in objects(profile.get("packageList")):
            created = instant(package.get("createTime"))
            if package.get("packageCode") != intent.bundle_id:
                continue
            if created is None:
                return Unknown("eSIM Access lists a package without an instant")
            if within(created, intent.asked_at, ORDERS_BEFORE, ORDERS_AFTER):
                found.append(rfc3339(created))
        if len(found) > 1:
            return Ambiguous(tuple(found))
        return _topped_up(intent, line) if found else NotThere()

    async def _profile(self, line: LineRef) -> dict[str, Any] | Refused | Unknown:
        found = await self._profiles({"esimTranNo": line.provider_ref})
        if isinstance(found, OrderStage):
            return Unknown("eSIM Access allocates this profile")
        if isinstance(found, (Refused, Unknown)):
            return found
        same = [it for it in found if it.get("esimTranNo") == line.provider_ref]
        return same[0] if len(same) == 1 else Unknown("eSIM Access answers about another profile")

    async def _profiles(self, asked: Mapping[str, str]) -> list[dict[str, Any]] | OrderStage | Refused | Unknown:
        """Return the profiles of a query, all pages; PENDING while they are allocated."""
        found: list[dict[str, Any]] = []
        for page in range(1, PAGES + 1):
            answer = await self._object("esim/query", {**asked, "pager": {"pageNum": page, "pageSize": PAGE_SIZE}})
            if answer is _ALLOCATING:
                return OrderStage.PENDING
            if not isinstance(answer, dict):
                return answer
            listed = answer.get("esimList")
            if not isinstance(listed, list) or not all(isinstance(it, dict) for it in listed):
                return Unknown("eSIM Access's profiles cannot be read")
            found += listed
            if len(listed) < PAGE_SIZE:
                return found
        return Unknown(f"eSIM Access lists more than {PAGES} pages of profiles")

    async def _object(self, path: str, body: Mapping[str, Any]) -> dict[str, Any] | Refused | Unknown:
        answer = await self._ask(path, body)
        return Unknown("eSIM Access answers a list") if isinstance(answer, list) else answer

    async def _ask(self, path: str, body: Mapping[str, Any]) -> dict[str, Any] | list[Any] | Refused | Unknown:
        """Return the ``obj`` of an answer."""
        content = json_body(body)
        answer = await self._http.ask("POST", f"/{path}", content=content, headers=self._headers(content))
        if isinstance(answer, Unknown):
            return answer
        if answer.status in (401, 403):
            return not_allowed("eSIM Access", answer.status)
        return _opened(answer)

    def _headers(self, content: bytes) -> dict[str, str]:
        if not self._secret:
            return {"RT-AccessCode": self._code}
        at = str(int(self._clock.now().timestamp() * 1000))
        number = uuid.uuid4().hex
        signed = signature(self._secret, at, number, self._code, content)
        return {"RT-AccessCode": self._code, "RT-RequestID": number, "RT-Timestamp": at, "RT-Signature": signed}


def open_provider(options: ProviderOptions, clock: Clock) -> EsimAccess:
    """Return the adapter with these settings."""
    return EsimAccess(options, clock)


def signature(secret: str, timestamp: str, request_id: str, access_code: str, body: bytes) -> str:
    """Return the signature of a request: HMAC-SHA256 over timestamp, request id, access code and raw body."""
    message = f"{timestamp}{request_id}{access_code}".encode() + body
    return hmac.new(secret.encode(), message, hashlib.sha256).hexdigest()


def _opened(answer: Answer) -> dict[str, Any] | list[Any] | Refused | Unknown:
    """Open the envelope. Success is true or the text "true", without an error code."""
    fields = answer.fields
    code = fields.get("errorCode")
    succeeded = fields.get("success") in (True, "true")
    if succeeded and code in (None, "", "0", 0) and 200 <= answer.status < 300:
        found = fields.get("obj", {})
        if found is None:
            return {}
        return found if isinstance(found, (dict, list)) else Unknown("eSIM Access's answer has no content")
    told = words(fields.get("errorMessage")) or words(fields.get("errorMsg")) or f"HTTP {answer.status}"
    if succeeded or not isinstance(code, str):
        return Unknown(f"eSIM Access answers neither success nor a code: {told}")
    if code == NOT_READY:
        return _ALLOCATING
    kind = REFUSED_CODES.get(code)
    return Unknown(f"{code}: {told}"[:200]) if kind is None else Refused(kind, f"{told} ({code})")


def _is_mine(profile: Mapping[str, Any], reference: str) -> bool:
    """Tell whether a profile is of our order; a batch appends a suffix to the reference ("x-1-1")."""
    number = profile.get("transactionId")
    return isinstance(number, str) and (number == reference or number.startswith(f"{reference}-"))


def _none(intent: OrderIntent, profiles: Sequence[Mapping[str, Any]]) -> NotThere | Unknown:
    if intent.provider_ref is not None and profiles:
        return Unknown("eSIM Access answers about another order")
    return NotThere()


def _topped_up(intent: OrderIntent, line: LineRef) -> OrderStatus:
    return OrderStatus(
        provider_ref=intent.reference,
        stage=OrderStage.ALLOCATED,
        bundle_ref=line.provider_ref,
        line=line,
        bundle_id=intent.bundle_id,
    )


def _status(profile: Mapping[str, Any], intent: OrderIntent) -> OrderStatus | Unknown:
    order, number, stage = text(profile.get("orderNo"), 64), text(profile.get("esimTranNo"), 64), _stage(profile)
    if order is None or number is None or stage is None:
        return Unknown("eSIM Access's profile cannot be read")
    inside = installation_of(profile.get("ac"), apn=text(profile.get("apn"), 100), roaming=True)
    if inside is None:
        return Unknown("eSIM Access's activation code cannot be read")
    codes = [it.get("packageCode") for it in objects(profile.get("packageList"))]
    if codes and intent.bundle_id not in codes:
        return Unknown("eSIM Access answers with a profile of another package")
    return OrderStatus(
        provider_ref=order,
        stage=stage,
        bundle_ref=number,
        line=LineRef(number, iccid=text(profile.get("iccid"), 24)),
        installation=inside,
        bundle_id=intent.bundle_id,
        words=words(profile.get("esimStatus")),
    )


def _stage(profile: Mapping[str, Any]) -> OrderStage | None:
    status, smdp = text(profile.get("esimStatus"), 32), text(profile.get("smdpStatus"), 32)
    ended = {CANCELLED: OrderStage.REFUNDED, REVOKED: OrderStage.CANCELLED, USED_UP: OrderStage.DEPLETED}
    if status in ended:
        return ended[status]
    if status in EXPIRED:
        return OrderStage.EXPIRED
    if status in (IN_USE, SUSPENDED) and whole(profile.get("orderUsage")):
        return OrderStage.IN_USE
    if status in (NEW, IN_USE, SUSPENDED) and smdp in INSTALLED_SMDP:
        return OrderStage.INSTALLED
    return OrderStage.ALLOCATED if status in (NEW, SUSPENDED) and smdp in NOT_INSTALLED_SMDP else None


def _usage(one: Any, now: datetime) -> BundleUsage | None:
    if not isinstance(one, dict):
        return None
    number, used, total = text(one.get("esimTranNo"), 64), whole(one.get("dataUsage")), whole(one.get("totalData"))
    if number is None or used is None or total is None:
        return None
    as_of = instant(one.get("lastUpdateTime"))
    if as_of is None:
        if used:
            return None
        as_of = now - LAG  # a profile that was never used has no instant
    return BundleUsage(
        line_ref=number,
        bundle_ref=number,
        state=BundleState.DEPLETED if used >= total else BundleState.ACTIVE,
        total_octets=total,
        remaining_octets=max(0, total - used),
        as_of=as_of,
    )


def _bundle(one: Any, *, top_up: bool) -> Bundle | None:
    """Read a package; None for one with a volume for each day, or with fields that cannot be read."""
    if not isinstance(one, dict) or one.get("dataType") != TOTAL_VOLUME:
        return None
    code, volume = text(one.get("packageCode"), 64), whole(one.get("volume"))
    price = money(one.get("price"), one.get("currencyCode"), CENTS_PER_PRICE, up=True)
    days, start = whole(one.get("duration")), START_OF_TYPE.get(_number(one.get("activeType")))
    if code is None or not volume or price is None or not days or one.get("durationUnit") != "DAY" or start is None:
        return None
    places = one.get("location")
    codes = {country(it.strip()) for it in places.split(",")} if isinstance(places, str) else set()
    return Bundle(
        bundle_id=code,
        name=text(one.get("name")) or code,
        countries=tuple(sorted(it for it in codes if it is not None)),
        network=None,
        octets=volume,
        unlimited=False,
        days=days,
        price=price,
        starts_at=start,
        install_days=whole(one.get("unusedValidTime")),
        top_up_only=top_up,
    )


def _number(value: Any) -> int:
    found = whole(value)
    return -1 if found is None else found
