"""What is peculiar to one vendor: ids and codes of VTpass, signatures of eSIM Go and eSIM Access, senders."""

import base64
import hashlib
import hmac
import json
from dataclasses import replace
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from kswifi.lab.rehearsal.providers.faults import Call, Wrong
from kswifi.providers.data.esim_access import DOCUMENTED_SENDERS, EsimAccess, signature
from kswifi.providers.data.esim_go import EsimGo
from kswifi.providers.data.provider_http import read_json
from kswifi.providers.data.registry import (
    PROVIDERS,
    ProviderOptions,
    capabilities_of,
    missing_option,
    open_provider,
    unconfirmed_details,
)
from kswifi.providers.data.values import installation, instant, minor_units, text, whole
from kswifi.providers.data.vtpass import days_of, octets_of
from kswifi.supply.errors import ProviderWebhookForgedError
from kswifi.supply.ports import (
    Bundle,
    LineRef,
    Ordered,
    OrderStage,
    OrderStatus,
    RefusalKind,
    Refused,
    StartsAt,
    Unknown,
)
from tests.support.clocks import ManualClock
from tests.support.data_providers import KEY, START, Rehearsed, options, rehearsed, serving


@pytest.mark.parametrize(
    ("name", "octets", "days"),
    [
        ("N100 100MB - 24 hrs", 100_000_000, 1),
        ("N1000 1.5GB - 30 days", 1_500_000_000, 30),
        ("N350 1GB - 1 day", 1_000_000_000, 1),
        ("Airtel Data Bundle - 50 Naira - 25MB - 1Day", 25_000_000, 1),
        ("9mobile 11GB (7GB+ 4GB Night) - 2,500 Naira - 30 days", None, 30),
        ("MTN N50,000 165GB SME Mobile Data (2-Months)", 165_000_000_000, 60),
        ("MTN N200 Xtradata", None, None),
        ("N500 0.75GB - 36 hrs", 750_000_000, 1),
        ("12 hrs plan 40MB", 40_000_000, 1),
        ("1000000000GB - 9999999 days", None, None),
    ],
)
def test_vtpass_plan_names(name: str, octets: int | None, days: int | None) -> None:
    assert (octets_of(name), days_of(name)) == (octets, days)


async def test_vtpass_references_begin_with_the_day_in_lagos() -> None:
    async with rehearsed("vtpass") as there:
        late = datetime.fromisoformat("2026-11-30T23:30:00+00:00")  # 0:30 on the next day in Lagos
        assert there.provider.reference(late, "A" * 20) == "202612010030" + "A" * 20
        intent = there.intent()
        there.clock.advance(timedelta(hours=20))
        there.fault(Wrong.BROKEN, Call.ORDER)  # if it were sent, it would be unknown
        found = await there.provider.order(intent)
        assert isinstance(found, Refused)
        assert found.kind is RefusalKind.REFERENCE_STALE
        assert there.running.engine.book.orders == {}


async def test_vtpass_answers_019_to_a_second_order_within_30_seconds_and_that_is_unknown() -> None:
    async with rehearsed("vtpass") as there:
        await there.bought()
        second = there.intent()
        assert isinstance(await there.provider.order(second), Unknown)
        assert len(there.running.engine.book.orders) == 1
        there.clock.advance(timedelta(seconds=31))
        assert isinstance(await there.provider.order(there.intent()), Ordered)


@pytest.mark.parametrize("number", ["201000000000", "500000000000", "400000000000", "300000000000"])
async def test_vtpass_sandbox_numbers(number: str) -> None:
    async with rehearsed("vtpass", answer_seconds=0.5) as there:
        intent = there.intent(line=LineRef(number, msisdn=number))
        found = await there.provider.order(intent)
        assert isinstance(found, Unknown)
        if number == "201000000000":  # 099: requery tells that it is pending
            assert (await there.looked(intent)).stage is OrderStage.PENDING


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        ({"code": "000", "content": {"transactions": {"status": "failed"}}}, Refused),
        ({"code": "000", "content": {"transactions": {"status": "reversed"}}}, Unknown),
        ({"code": "000", "content": {"transactions": {"status": "on its way"}}}, Unknown),
        ({"code": "016", "content": {"transactions": {"status": "failed"}}}, Refused),
        ({"code": "016", "content": {"transactions": {"status": "delivered"}}}, Unknown),
        ({"code": "018", "response_description": "LOW WALLET BALANCE"}, Refused),
        ({"code": "014"}, Unknown),
        ({"code": "015"}, Unknown),
        ({"code": "027"}, Unknown),
        ({"code": "083"}, Unknown),
        ({"code": "089"}, Unknown),
        ({"code": "099"}, Unknown),
        ({"code": "888"}, Unknown),
        ({"code": 0}, Unknown),
        ({"code": "000", "requestId": "x", "content": {"transactions": {"status": "delivered"}}}, Unknown),
        (
            {"code": "000", "content": {"transactions": {"status": "delivered", "unique_element": "08099999999"}}},
            Unknown,
        ),
        (
            {"code": "000", "content": {"transactions": {"status": "delivered", "total_amount": "much"}}},
            Unknown,
        ),
    ],
)
async def test_vtpass_codes_of_a_purchase(answer: dict[str, Any], expected: type) -> None:
    async def pay(request: Request) -> Response:
        await request.body()
        return JSONResponse(answer)

    async with serving({"/pay": pay}) as origin:
        clock = ManualClock(START)
        provider = open_provider("vtpass", options("vtpass", origin), clock)
        async with rehearsed("vtpass") as there:
            assert isinstance(await provider.order(there.intent()), expected)
        await provider.close()


def go(refunds: bool = False) -> EsimGo:
    return EsimGo(ProviderOptions(api_key=KEY, refunds=refunds), ManualClock(START))


async def test_esim_go_signatures_are_base64_or_hexadecimal_over_the_raw_body() -> None:
    provider = go()
    bundle = {"id": "7", "remainingQuantity": 19_000_000_000}
    body = json.dumps({"iccid": "8944538532008160222", "alertType": "Utilisation", "bundle": bundle}).encode()
    digest = hmac.new(KEY.encode(), body, hashlib.sha256).digest()
    for given in (base64.b64encode(digest).decode(), digest.hex()):
        (notice,) = provider.read_webhook({"x-signature-sha256": given}, body, "203.0.113.9")
        assert notice.line_ref == "8944538532008160222"
    for headers in ({}, {"x-signature-sha256": ""}, {"x-signature-sha256": digest.hex()[:-1]}):
        with pytest.raises(ProviderWebhookForgedError):
            provider.read_webhook(headers, body, "203.0.113.9")
    with pytest.raises(ProviderWebhookForgedError):
        provider.read_webhook({"x-signature-sha256": digest.hex()}, body + b" ", "203.0.113.9")
    await provider.close()


async def test_esim_go_revokes_nothing_unless_refunds_are_enabled() -> None:
    async with rehearsed("esim_go") as there:
        intent = await there.bought()
        bare = EsimGo(replace(options("esim_go", there.running.url), refunds=False), there.clock)
        found = await bare.cancel(intent)
        assert isinstance(found, Refused)
        assert found.kind is RefusalKind.UNSUPPORTED
        assert not bare.capabilities.cancels_unused
        await bare.close()
        assert (await there.looked(intent)).stage is OrderStage.ALLOCATED


@pytest.mark.parametrize("status", ["failed", "cancelled", "", None])
async def test_an_esim_go_order_of_another_status_is_left_to_a_person(status: str | None) -> None:
    async def order(request: Request) -> Response:
        await request.body()
        esim = {"iccid": "8900000000000000001", "matchingId": "M", "smdpAddress": "http://smdp.example.com"}
        item = {"type": "bundle", "item": "esim_1GB_7D_NG_V2", "quantity": 1, "esims": [esim]}
        return JSONResponse(
            {"order": [item], "total": 9.99, "currency": "USD", "status": status, "orderReference": "a"}
        )

    async with serving({"/orders": order}) as origin, rehearsed("esim_go") as there:
        provider = open_provider("esim_go", options("esim_go", origin), there.clock)
        assert isinstance(await provider.order(there.intent()), Unknown)
        await provider.close()


async def test_two_esim_go_orders_that_can_be_the_intents_are_ambiguous() -> None:
    async with rehearsed("esim_go") as there:
        there.running.engine.rules.duplicates_next = True
        intent = await there.bought()
        found = await there.provider.look(replace(intent, provider_ref=None))
        refs = set(getattr(found, "provider_refs", ()))
        assert refs == set(there.running.engine.book.orders)
        one = await there.provider.look(replace(intent, provider_ref=None), frozenset({min(refs)}))
        assert isinstance(one, OrderStatus)
        assert one.provider_ref == max(refs)


def test_the_documented_vector_of_esim_access_signatures() -> None:
    found = signature("1111", "1628670421", "4ce9d9cdac9e4e17b3a2c66c358c1ce2", "11111", b'{"imsi":"326543826"}')
    assert found == "7eb765e27df5373dea2dbc8c41a7d9557743e46c8054750f3d851b3fd01d0835"


async def test_esim_access_webhooks_come_from_the_documented_addresses() -> None:
    provider = EsimAccess(ProviderOptions(api_key=KEY), ManualClock(START))
    body = b'{"notifyType":"ORDER_STATUS","content":{"orderNo":"B1","orderStatus":"GOT_RESOURCE"}}'
    for sender in DOCUMENTED_SENDERS:
        (notice,) = provider.read_webhook({}, body, sender)
        assert notice.provider_ref == "B1"
    with pytest.raises(ProviderWebhookForgedError):
        provider.read_webhook({}, body, "3.1.131.227")
    assert provider.read_webhook({}, b'{"notifyType":"CHECK_HEALTH","content":{}}', DOCUMENTED_SENDERS[0]) == ()
    await provider.close()


async def test_an_esim_access_package_that_starts_at_its_installation_says_so() -> None:
    async with rehearsed("esim_access") as there:
        found = {it.bundle_id: it for it in await bundles(there)}
        assert found["PNG17I"].starts_at is StartsAt.INSTALL
        assert found["PNG17"].starts_at is StartsAt.ATTACH
        assert found["PNG17"].octets == 2**30
        assert found["PNG17"].install_days == 180


async def bundles(there: Rehearsed) -> tuple[Bundle, ...]:
    found = await there.provider.catalogue()
    assert isinstance(found, tuple)
    return found


def test_the_registry_names_what_is_missing_and_what_is_unconfirmed() -> None:
    for name, entry in PROVIDERS.items():
        assert missing_option(name, ProviderOptions()) == entry.required[0]
        assert unconfirmed_details(name)
        assert capabilities_of(name).requests_per_second > 0
        with pytest.raises(ValueError, match=entry.required[0]):
            open_provider(name, ProviderOptions(), ManualClock(START))
    with pytest.raises(KeyError):
        open_provider("os", ProviderOptions(), ManualClock(START))
    sandboxed = ProviderOptions(api_key="k", sandbox=True)
    assert missing_option("esim_go", sandboxed) == "url"


@pytest.mark.parametrize(
    ("value", "per_unit", "up", "expected"),
    [
        (Decimal("2.28"), 100, True, 228),
        ("100.00", 100, True, 10_000),
        (1081, 100, False, 108_100),
        (Decimal("0.001"), 100, True, 1),
        (Decimal("0.009"), 100, False, 0),
        (18_050, Decimal("0.01"), True, 181),
        (18_050, Decimal("0.01"), False, 180),
        (-1, 100, True, None),
        (True, 100, True, None),
        ("1_000", 100, True, None),
        ("\u0661\u0660", 100, True, None),
        ("NaN", 100, True, None),
        (Decimal("1e30"), 100, True, None),
        (Decimal("NaN"), 100, True, None),
        (None, 100, True, None),
    ],
)
def test_amounts(value: Any, per_unit: Any, up: bool, expected: int | None) -> None:
    assert minor_units(value, per_unit, up=up) == expected


def test_installations_have_the_form_of_an_activation_code() -> None:
    found = installation("http://smdp.example.com/", "MATCH-001")
    assert found is not None
    assert (found.smdp_address, found.activation_code) == ("smdp.example.com", "LPA:1$smdp.example.com$MATCH-001")
    for address, token in (("", "M"), ("a$b", "M"), ("a", "M$x"), ("a", ""), (None, "M"), ("a/b", "M"), (7, "M")):
        assert installation(address, token) is None


@pytest.mark.parametrize(
    "body", [b'{"a":NaN}', b"[Infinity]", b"-Infinity", b'"\\ud800"', b'"\\u0000"', b"[" * 10**5]
)
def test_what_python_reads_and_json_does_not_allow_is_no_json(body: bytes) -> None:
    assert read_json(body) is None


def test_single_values() -> None:
    assert (whole("12"), whole(12), whole(Decimal("12.0")), whole(Decimal("1.5")), whole(-1)) == (
        12,
        12,
        12,
        None,
        None,
    )
    assert (text(" a "), text(""), text("a" * 300), text("a\x07"), text(7)) == ("a", None, None, None, None)
    assert instant("2023-04-07T00:50:31.618780311Z") is not None
    assert instant("2025-12-02T10:00:00+0000") is not None
    assert (instant("2025-12-02T10:00:00"), instant("yesterday"), instant(7)) == (None, None, None)
