"""The adapter of VTpass: data bundles of Nigerian networks onto the line that a person has.

A purchase is sent once and never again. Its ``request_id`` is our reference; `requery` with it tells the outcome.
VTpass switches no line off, reports no usage and takes nothing back. Sources: vtpass.com documentation and the
package django-vtpass 1.0.0; what they leave open is in ``UNCONFIRMED``, which `kswifi providers check` shows.
"""

import re
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, Final
from zoneinfo import ZoneInfo

from kswifi.kernel.clock import Clock
from kswifi.providers.data.provider_http import Answer, ProviderClient, json_body, not_allowed
from kswifi.providers.data.registry import ProviderOptions
from kswifi.providers.data.values import dedupe_key, money, text, words
from kswifi.providers.data.webhooks import require_sender, webhook_object
from kswifi.supply.errors import ProviderWebhookUnreadableError
from kswifi.supply.model import Money
from kswifi.supply.ports import (
    Ambiguous,
    Bundle,
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

LIVE_URL: Final = "https://vtpass.com/api"
SANDBOX_URL: Final = "https://sandbox.vtpass.com/api"
WEBHOOK_ANSWER: Final = '{"response":"success"}'
"""VTpass sends a webhook five more times unless it is answered with this."""

LAGOS: Final = ZoneInfo("Africa/Lagos")
CURRENCY: Final = "NGN"
KOBO_PER_NAIRA: Final = 100
SERVICES: Final = {"mtn": "mtn-data", "airtel": "airtel-data", "glo": "glo-data", "9mobile": "etisalat-data"}
"""The service of each network."""
_NETWORKS: Final = {service: network for network, service in SERVICES.items()}
COUNTRY_PREFIX: Final = "+234"
VARIATION_LISTS: Final = ("variations", "varations")
"""VTpass spells the list's name in both ways."""

PROCESSED: Final = "000"
QUERIED: Final = "001"
FAILED: Final = "016"
NOT_THERE: Final = "015"
REVERSED: Final = "040"
NOT_CHARGED: Final = "091"
STAGES: Final = {
    "delivered": OrderStage.ALLOCATED,
    "initiated": OrderStage.PENDING,
    "pending": OrderStage.PENDING,
    "failed": OrderStage.FAILED,
    "reversed": OrderStage.REFUNDED,
}
"""The stage of an order for each status of its transaction."""
REFUSED_CODES: Final = {
    "010": RefusalKind.BUNDLE_UNKNOWN,
    "011": RefusalKind.OTHER,
    "012": RefusalKind.BUNDLE_UNKNOWN,
    "013": RefusalKind.PRICE_CHANGED,
    FAILED: RefusalKind.OTHER,
    "017": RefusalKind.PRICE_CHANGED,
    "018": RefusalKind.BALANCE_LOW,
    "020": RefusalKind.OTHER,
    "021": RefusalKind.NOT_ALLOWED,
    "022": RefusalKind.NOT_ALLOWED,
    "023": RefusalKind.NOT_ALLOWED,
    "024": RefusalKind.NOT_ALLOWED,
    "028": RefusalKind.NOT_ALLOWED,
    "030": RefusalKind.SOLD_OUT,
    "034": RefusalKind.SOLD_OUT,
    "035": RefusalKind.SOLD_OUT,
    "085": RefusalKind.REFERENCE_STALE,
    "087": RefusalKind.NOT_ALLOWED,
    NOT_CHARGED: RefusalKind.OTHER,
}
"""The codes that mean: not bought and not charged. Every other code is unknown, and `requery` tells the outcome."""

UNCONFIRMED: Final = (
    "016 and 091 answer a purchase that is not charged and will not be; 016 to requery means the same",
    "015 to requery means that the purchase never arrived: it counts after several answers over two minutes",
    "027 is 'address not allowed' on one page and 'processing' in an SDK: it is read as unknown",
    "the size and the days of a plan are read from its name; the mapping of an offer states the octets",
    "'amount' in a purchase is optional; it is sent, so that a plan at another price is refused",
    "401 and 403 come before anything is bought",
    "the balance is in 'contents' (a name from an SDK)",
    "webhooks come from no documented addresses",
)

CAPABILITIES: Final = Capabilities(
    delivers=Delivery.ONTO_LINE,
    tells_installation=False,
    starts_at=StartsAt.ORDER,
    roams=False,
    tethering=None,
    stacking=Stacking.SINGLE,
    suspension=Suspension.NONE,
    usage_lag_seconds=None,
    idempotent=False,
    cancels_unused=False,
    top_up=True,
    ends_bundle=False,
    spends_nearest_expiry_first=False,
    absence_looks=3,
    absence_seconds=120,
    requests_per_second=5.0,
    lines_per_usage_call=0,
)

_SIZE: Final = re.compile(r"(?<![\w.])([0-9]{1,4}(?:\.[0-9]{1,2})?)\s?(MB|GB|TB)\b", re.IGNORECASE)
_DAYS: Final = re.compile(r"(?<![\w.])([0-9]{1,3})\s?-?(hr|hour|day|week|month|year)s?\b", re.IGNORECASE)
_OCTETS: Final = {"MB": 10**6, "GB": 10**9, "TB": 10**12}
_HOURS: Final = {"hr": 1, "hour": 1, "day": 24, "week": 168, "month": 720, "year": 8760}
_NO_USAGE: Final = Refused(RefusalKind.UNSUPPORTED, "VTpass reports no usage: the network counts the bundle")
_NO_SWITCH: Final = Refused(RefusalKind.UNSUPPORTED, "VTpass cannot switch a person's own line")


class Vtpass:
    """VTpass with the three keys of an account.

    Args:
        options: the keys, and the address if it is not VTpass's own.
        clock: tells the day in Lagos.
    """

    name = "vtpass"
    capabilities = CAPABILITIES
    webhook_answer = WEBHOOK_ANSWER

    def __init__(self, options: ProviderOptions, clock: Clock) -> None:
        self.sandbox = options.sandbox
        self._senders = options.webhook_senders
        self._reading = {"api-key": options.api_key, "public-key": options.public_key}
        self._buying = {"api-key": options.api_key, "secret-key": options.secret_key}
        self._clock = clock
        url = options.url or (SANDBOX_URL if options.sandbox else LIVE_URL)
        self._http = ProviderClient("VTpass", url, {}, options.answer_seconds)

    def reference(self, asked_at: datetime, unique: str) -> str:
        """Return a request_id: the Lagos date and minute, then the unique part."""
        return asked_at.astimezone(LAGOS).strftime("%Y%m%d%H%M") + unique

    async def catalogue(self) -> tuple[Bundle, ...] | Refused | Unknown:
        """List the plans of the four networks: GET service-variations."""
        found: list[Bundle] = []
        for service in SERVICES.values():
            bundles = await self._plans(service)
            if not isinstance(bundles, tuple):
                return bundles
            found += bundles
        return tuple(found)

    async def balance(self) -> Money | Refused | Unknown:
        """Read the wallet: GET balance."""
        answer = await self._get("/balance")
        if not isinstance(answer, Answer):
            return answer
        contents = answer.fields.get("contents")
        value = contents.get("balance") if isinstance(contents, dict) else None
        return money(value, CURRENCY, KOBO_PER_NAIRA, up=False) or Unknown("VTpass's answer has no balance")

    async def check(self, bundle: Bundle, line: LineRef | None) -> Price | Refused | Unknown:
        """Return the price of a plan now."""
        wrong = _unsuitable(bundle.bundle_id, line, sandbox=self.sandbox)
        if wrong is not None:
            return wrong
        plans = await self._plans(bundle.bundle_id.partition("/")[0])
        if not isinstance(plans, tuple):
            return plans
        found = next((it for it in plans if it.bundle_id == bundle.bundle_id), None)
        if found is None:
            return Refused(RefusalKind.BUNDLE_UNKNOWN, "VTpass sells no such plan now")
        return Price(found.price)

    async def order(self, intent: OrderIntent) -> Ordered | Refused | Unknown:
        """Buy a plan: POST pay. Never call it twice for an intent."""
        wrong = _unsuitable(intent.bundle_id, intent.line, sandbox=self.sandbox)
        if wrong is not None:
            return wrong
        today = self._clock.now().astimezone(LAGOS).strftime("%Y%m%d")
        if not intent.reference.startswith(today):
            return Refused(RefusalKind.REFERENCE_STALE, "a request_id begins with today's date in Lagos")
        if intent.price.currency != CURRENCY:
            return Refused(RefusalKind.PRICE_CHANGED, f"VTpass takes {CURRENCY}, not {intent.price.currency}")
        service, _, variation = intent.bundle_id.partition("/")
        number = local_number(intent.line, sandbox=self.sandbox)
        naira, kobo = divmod(intent.price.amount_minor, KOBO_PER_NAIRA)
        body = {
            "request_id": intent.reference,
            "serviceID": service,
            "billersCode": number,
            "variation_code": variation,
            "amount": f"{naira}.{kobo:02d}" if kobo else naira,
            "phone": number,
        }
        answer = await self._post("/pay", body)
        return _bought(answer, intent, sandbox=self.sandbox) if isinstance(answer, Answer) else answer

    async def look(
        self, intent: OrderIntent, owned: frozenset[str] = frozenset()
    ) -> OrderStatus | NotThere | Ambiguous | Unknown:
        """Look up a purchase by its request_id: POST requery."""
        del owned  # VTpass knows our reference
        answer = await self._post("/requery", {"request_id": intent.reference})
        if not isinstance(answer, Answer):
            return answer if isinstance(answer, Unknown) else Unknown(answer.words)
        code = text(answer.fields.get("code"), 8)
        if code == NOT_THERE:
            return NotThere()
        if code == "099":
            return OrderStatus(intent.provider_ref or intent.reference, OrderStage.PENDING)
        if code in (PROCESSED, QUERIED, FAILED, REVERSED):
            return _queried(code, answer, intent, sandbox=self.sandbox)
        return Unknown(f"VTpass answers {code or 'without a code'}: {_description(answer)}")

    async def usage(self, lines: Sequence[LineRef]) -> tuple[BundleUsage, ...] | Refused | Unknown:
        """Refuse: the network counts, and VTpass does not know."""
        del lines
        return _NO_USAGE

    async def set_service(self, line: LineRef, on: bool) -> Done | Refused | Unknown:
        """Refuse: the line is the person's own."""
        del line, on
        return _NO_SWITCH

    async def service(self, line: LineRef) -> ServiceStatus | Refused | Unknown:
        """Refuse: VTpass does not know."""
        del line
        return _NO_SWITCH

    async def cancel(self, intent: OrderIntent) -> Refunded | Refused | Unknown:
        """Refuse: a plan that was loaded is not taken back."""
        del intent
        return Refused(RefusalKind.UNSUPPORTED, "VTpass takes no plan back")

    def read_webhook(self, headers: Mapping[str, str], body: bytes, sender: str) -> tuple[Notice, ...]:
        """Read a transaction-update or a variations-update. They are unsigned."""
        del headers
        require_sender(sender, self._senders)
        told = webhook_object(body)
        if not isinstance(told.get("type"), str):
            raise ProviderWebhookUnreadableError("this webhook has no type")
        if told["type"] == "variations-update":
            return (Notice(dedupe_key("vtpass", body), catalogue=True),)
        data = told.get("data")
        reference = text(data.get("requestId"), 64) if isinstance(data, dict) else None
        if told["type"] != "transaction-update":
            return ()
        if reference is None:
            raise ProviderWebhookUnreadableError("this webhook names no purchase")
        return (Notice(dedupe_key("vtpass", reference, _status_word(data)), reference=reference),)

    async def probe(self) -> str | None:
        """Read the wallet."""
        found = await self.balance()
        return None if isinstance(found, Money) else found.words

    async def close(self) -> None:
        """Close the connections."""
        await self._http.close()

    async def _plans(self, service: str) -> tuple[Bundle, ...] | Refused | Unknown:
        answer = await self._get("/service-variations", {"serviceID": service})
        if not isinstance(answer, Answer):
            return answer
        content = answer.fields.get("content")
        listed = next(
            (content[it] for it in VARIATION_LISTS if isinstance(content.get(it), list))
            if isinstance(content, dict)
            else iter(()),
            None,
        )
        if listed is None or not isinstance(content, dict):
            return Unknown(f"VTpass lists no plans of {service}")
        if content.get("serviceID") not in (None, service):
            return Unknown("VTpass lists the plans of another service")
        return tuple(it for it in (_bundle(service, one) for one in listed) if it is not None)

    async def _get(self, path: str, params: Mapping[str, str] | None = None) -> Answer | Refused | Unknown:
        return _allowed(await self._http.ask("GET", path, params=params, headers=self._reading))

    async def _post(self, path: str, body: Mapping[str, Any]) -> Answer | Refused | Unknown:
        return _allowed(await self._http.ask("POST", path, content=json_body(body), headers=self._buying))


def open_provider(options: ProviderOptions, clock: Clock) -> Vtpass:
    """Return the adapter with these settings."""
    return Vtpass(options, clock)


def local_number(line: LineRef | None, *, sandbox: bool) -> str | None:
    """Return a Nigerian number as VTpass writes it (0803...); None for other numbers.

    The sandbox has test numbers such as 201000000000 for a pending purchase: there, digits stay as they are.
    """
    number = line.msisdn if line is not None else None
    if number is None:
        return None
    digits = number.removeprefix(COUNTRY_PREFIX)
    if digits != number and len(digits) == 10 and digits.isascii() and digits.isdigit():
        return f"0{digits}"
    return number if sandbox and number.isascii() and number.isdigit() and len(number) <= 15 else None


def _unsuitable(bundle_id: str, line: LineRef | None, *, sandbox: bool) -> Refused | None:
    service, _, variation = bundle_id.partition("/")
    if service not in _NETWORKS or not variation:
        return Refused(RefusalKind.BUNDLE_UNKNOWN, "this is no plan of VTpass")
    if local_number(line, sandbox=sandbox) is None:
        return Refused(RefusalKind.LINE_UNSUITABLE, "a plan is for a Nigerian phone number")
    if line is not None and line.network not in (None, _NETWORKS[service]):
        return Refused(
            RefusalKind.LINE_UNSUITABLE, f"this plan is for {_NETWORKS[service]}, not for {line.network}"
        )
    return None


def _allowed(answer: Answer | Unknown) -> Answer | Refused | Unknown:
    if isinstance(answer, Unknown):
        return answer
    if answer.status in (401, 403):
        return not_allowed("VTpass", answer.status)
    if not isinstance(answer.body, dict):
        return Unknown("VTpass answers no JSON object")
    return answer


def _bought(answer: Answer, intent: OrderIntent, *, sandbox: bool) -> Ordered | Refused | Unknown:
    """Read the answer to a purchase. A code that refuses, with a transaction that did not fail, is unknown."""
    code = text(answer.fields.get("code"), 8)
    if code in REFUSED_CODES and _content(answer).get("status") in (None, "failed"):
        return Refused(REFUSED_CODES[code], _description(answer))
    if code != PROCESSED:
        return Unknown(f"VTpass answers {code or 'without a code'}: {_description(answer)}")
    status = _transaction(answer, intent, sandbox=sandbox)
    if isinstance(status, Unknown):
        return status
    if status.stage is OrderStage.FAILED:
        return Refused(RefusalKind.OTHER, _description(answer))
    if status.stage is OrderStage.REFUNDED:
        return Unknown("VTpass answers a purchase as reversed: requery tells")
    return Ordered(status)


def _queried(code: str, answer: Answer, intent: OrderIntent, *, sandbox: bool) -> OrderStatus | Unknown:
    status = _transaction(answer, intent, sandbox=sandbox)
    if isinstance(status, Unknown):
        # Samples of failures have no transaction, only the code.
        stage = {FAILED: OrderStage.FAILED, REVERSED: OrderStage.REFUNDED}.get(code)
        if (
            stage is not None
            and not _content(answer)
            and answer.fields.get("requestId") in (None, intent.reference)
        ):
            return OrderStatus(intent.provider_ref or intent.reference, stage, words=_description(answer))
        return status
    if code == FAILED and status.stage is not OrderStage.FAILED:
        return Unknown(f"VTpass answers failed, and the transaction is {status.stage}")
    if code == REVERSED and status.stage is not OrderStage.REFUNDED:
        return Unknown(f"VTpass answers reversed, and the transaction is {status.stage}")
    return status


def _content(answer: Answer) -> dict[str, Any]:
    content = answer.fields.get("content")
    found = content.get("transactions") if isinstance(content, dict) else None
    return found if isinstance(found, dict) else {}


def _transaction(answer: Answer, intent: OrderIntent, *, sandbox: bool) -> OrderStatus | Unknown:
    """Read the transaction of an answer; unknown if it is that of another purchase."""
    found = _content(answer)
    stage = STAGES.get(str(found.get("status")))
    if stage is None:
        return Unknown(f"VTpass's answer has no status that is known: {_description(answer)}")
    if answer.fields.get("requestId") not in (None, intent.reference):
        return Unknown("VTpass answers about another purchase")
    number, reported = local_number(intent.line, sandbox=sandbox), found.get("unique_element")
    if reported is not None and (not isinstance(reported, str) or number is None or reported[-10:] != number[-10:]):
        return Unknown("VTpass answers about another phone number")
    charged = None
    if found.get("total_amount") is not None:
        charged = money(found["total_amount"], CURRENCY, KOBO_PER_NAIRA, up=True)
        if charged is None:
            return Unknown("VTpass answers an amount that cannot be read")
    line = intent.line if stage is OrderStage.ALLOCATED else None
    return OrderStatus(
        provider_ref=text(found.get("transactionId"), 64) or intent.provider_ref or intent.reference,
        stage=stage,
        bundle_ref=intent.reference,
        line=line,
        charged=charged,
        words=words(answer.fields.get("response_description")),
    )


def _description(answer: Answer) -> str:
    return words(answer.fields.get("response_description")) or f"HTTP {answer.status}"


def _status_word(data: Any) -> str:
    content = data.get("content") if isinstance(data, dict) else None
    found = content.get("transactions") if isinstance(content, dict) else None
    return str(found.get("status") if isinstance(found, dict) else data.get("code"))


def _bundle(service: str, plan: Any) -> Bundle | None:
    """Read a plan; None for one without a fixed price or with fields that cannot be read."""
    if not isinstance(plan, dict) or str(plan.get("fixedPrice")).lower() != "yes":
        return None
    code, name = text(plan.get("variation_code"), 64), text(plan.get("name"))
    price = money(plan.get("variation_amount"), CURRENCY, KOBO_PER_NAIRA, up=True)
    if code is None or name is None or price is None or price.amount_minor == 0:
        return None
    return Bundle(
        bundle_id=f"{service}/{code}",
        name=name,
        countries=("NG",),
        network=_NETWORKS[service],
        octets=octets_of(name),
        unlimited=False,
        days=days_of(name),
        price=price,
    )


def octets_of(name: str) -> int | None:
    """Return the size in a plan's name, such as "N1000 1.5GB - 30 days"; None if it has none, or several."""
    sizes = _SIZE.findall(name)
    if len(sizes) != 1:
        return None
    number, unit = sizes[0]
    whole, _, part = number.partition(".")
    return int(whole + part.ljust(2, "0")) * _OCTETS[unit.upper()] // 100


def days_of(name: str) -> int | None:
    """Return the days in a plan's name, rounded down but at least 1; None if it has none, or several."""
    spans = _DAYS.findall(name)
    if len(spans) != 1:
        return None
    number, unit = spans[0]
    return max(1, int(number) * _HOURS[unit.lower()] // 24)
