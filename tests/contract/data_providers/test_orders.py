"""The contract of every data provider: what is for sale, orders, lost answers, and money."""

from dataclasses import replace
from datetime import timedelta

import pytest

from kswifi.lab.rehearsal.providers.engine import Rules
from kswifi.lab.rehearsal.providers.faults import Call, Wrong
from kswifi.lab.rehearsal.providers.model import LabOrder, OrderState
from kswifi.supply.model import Money
from kswifi.supply.ports import (
    Ambiguous,
    Delivery,
    LineRef,
    NotThere,
    Ordered,
    OrderStage,
    OrderStatus,
    Price,
    Refunded,
    RefusalKind,
    Refused,
    Unknown,
)
from tests.support.data_providers import (
    BUNDLES,
    FACE_NAMES,
    FOREIGN,
    OFTEN,
    TOP_UPS,
    Rehearsed,
    rehearsed,
)

pytestmark = pytest.mark.parametrize("name", FACE_NAMES)


def refusal(found: object) -> RefusalKind:
    assert isinstance(found, Refused), found
    return found.kind


async def test_the_catalogue_has_prices_sizes_and_days(name: str) -> None:
    async with rehearsed(name) as there:
        found = await there.provider.catalogue()
        assert isinstance(found, tuple)
        book = there.running.engine.book
        assert {it.bundle_id for it in found} == set(book.bundles)
        for it in found:
            own = book.bundles[it.bundle_id]
            assert it.price == Money(own.price_minor, book.currency)
            assert it.octets == (None if own.unlimited else own.octets)
            assert (it.days, it.unlimited, it.network) == (own.days, own.unlimited, own.network)
            assert list(it.countries) == own.countries
            assert it.top_up_only is own.top_up


async def test_the_balance_is_in_minor_units(name: str) -> None:
    async with rehearsed(name) as there:
        there.running.engine.book.balance_minor = 123_457
        assert await there.provider.balance() == Money(123_457, there.running.engine.book.currency)
        assert await there.provider.probe() is None


async def test_wrong_keys_are_refused_and_buy_nothing(name: str) -> None:
    async with rehearsed(name, key="another-key-0001") as there:
        before = there.balance
        for call in ("balance", "catalogue", "order"):
            assert refusal(await there.calls()[call]()) is RefusalKind.NOT_ALLOWED
        assert await there.provider.probe()
        assert there.balance == before
        assert there.running.engine.book.orders == {}


async def test_check_returns_the_price_of_the_day(name: str) -> None:
    async with rehearsed(name) as there:
        bundle = await there.bundle()
        there.running.engine.change_bundle(bundle.bundle_id, price_minor=77_700)
        currency = there.running.engine.book.currency
        there.running.engine.book.balance_minor = 10**6
        assert await there.provider.check(bundle, there.person) == Price(Money(77_700, currency))
        gone = replace(bundle, bundle_id="mtn-data/gone" if there.onto_line else "gone")
        assert refusal(await there.provider.check(gone, there.person)) is RefusalKind.BUNDLE_UNKNOWN
        assert there.running.engine.book.orders == {}


async def test_check_refuses_a_bundle_that_the_line_cannot_take(name: str) -> None:
    async with rehearsed(name) as there:
        line = await there.line(await there.bought())
        foreign = await there.bundle(FOREIGN[name])
        assert refusal(await there.provider.check(foreign, line)) is RefusalKind.LINE_UNSUITABLE


async def test_an_order_takes_its_price_once_and_is_allocated(name: str) -> None:
    async with rehearsed(name) as there:
        before = there.balance
        intent = await there.bought()
        own = there.running.engine.book.bundles[intent.bundle_id]
        assert before - there.balance == own.price_minor
        found = await there.looked(intent)
        assert found.stage is OrderStage.ALLOCATED
        assert found.provider_ref == intent.provider_ref
        assert found.line is not None
        assert found.bundle_ref
        if found.charged is not None:
            assert 0 < found.charged.amount_minor <= own.price_minor
            assert found.charged.currency == there.running.engine.book.currency
        assert (found.installation is None) is (there.provider.capabilities.delivers is Delivery.ONTO_LINE)
        if found.installation is not None:
            profile = there.lab_line(found.line).profile
            assert profile is not None
            assert found.installation.activation_code == profile.activation_code
            assert found.installation.smdp_address == "rsp.rehearsal.test"
            assert found.line.iccid == profile.iccid


async def test_an_installed_profile_and_its_use_are_reported(name: str) -> None:
    async with rehearsed(name) as there:
        intent = await there.bought()
        line = await there.line(intent)
        if not there.provider.capabilities.tells_installation:
            assert (await there.looked(intent)).stage is OrderStage.ALLOCATED
            return
        there.running.engine.install(there.lab_line(line))
        assert (await there.looked(intent)).stage is OrderStage.INSTALLED
        there.running.engine.use(there.lab_line(line), 5_000_000)
        assert (await there.looked(intent)).stage is OrderStage.IN_USE
        there.running.engine.use(there.lab_line(line), 10**10)
        assert (await there.looked(intent)).stage is OrderStage.DEPLETED


async def test_too_little_money_is_a_refusal_without_an_effect(name: str) -> None:
    async with rehearsed(name) as there:
        there.running.engine.book.balance_minor = 5
        assert refusal(await there.provider.order(there.intent())) is RefusalKind.BALANCE_LOW
        assert there.balance == 5
        assert there.running.engine.book.orders == {}


async def test_a_bundle_that_is_sold_out_is_refused(name: str) -> None:
    async with rehearsed(name) as there:
        there.running.engine.change_bundle(BUNDLES[name], stock=0)
        assert refusal(await there.provider.order(there.intent())) is RefusalKind.SOLD_OUT
        unknown = "mtn-data/gone" if there.onto_line else "gone"
        assert refusal(await there.provider.order(there.intent(unknown))) is RefusalKind.BUNDLE_UNKNOWN


@pytest.mark.parametrize("wrong", [Wrong.NO_ANSWER, Wrong.BROKEN_AFTER, Wrong.UNREADABLE, Wrong.CUT, Wrong.HUGE])
async def test_a_lost_answer_is_unknown_and_the_order_is_found(name: str, wrong: Wrong) -> None:
    async with rehearsed(name, answer_seconds=1.5) as there:
        intent = there.intent()
        there.fault(wrong, Call.ORDER)
        assert isinstance(await there.provider.order(intent), Unknown)
        found = await there.looked(intent)
        assert found.stage is OrderStage.ALLOCATED
        assert len(there.running.engine.book.orders) == 1


@pytest.mark.parametrize("wrong", [Wrong.NEVER_ARRIVED, Wrong.BROKEN, Wrong.RATE_LIMITED])
async def test_an_order_that_did_not_arrive_is_unknown_and_not_there(name: str, wrong: Wrong) -> None:
    async with rehearsed(name, answer_seconds=0.3) as there:
        intent, before = there.intent(), there.balance
        there.fault(wrong, Call.ORDER)
        assert isinstance(await there.provider.order(intent), Unknown)
        assert isinstance(await there.provider.look(intent), NotThere)
        assert there.balance == before
        assert there.provider.capabilities.absence_looks >= 2


async def test_a_repeated_order_buys_nothing_more_where_the_provider_is_idempotent(name: str) -> None:
    async with rehearsed(name) as there:
        intent = there.intent()
        first = await there.provider.order(intent)
        again = await there.provider.order(intent)
        bought = len(there.running.engine.book.orders)
        if there.provider.capabilities.idempotent:
            assert first == again
            assert bought == 1
        elif there.onto_line:  # VTpass knows the id: "already exists" is no outcome
            assert isinstance(again, Unknown)
            assert bought == 1
        else:  # the reason why the core orders once only
            assert bought == 2
            assert isinstance(await there.provider.look(intent), Ambiguous)


async def test_a_pending_order_is_allocated_later(name: str) -> None:
    async with rehearsed(name, Rules(settles_after=timedelta(minutes=5))) as there:
        ordered = await there.provider.order(there.intent())
        assert isinstance(ordered, Ordered)
        assert ordered.status.stage is OrderStage.PENDING
    async with rehearsed(name, Rules(settles_after=timedelta(minutes=5))) as there:
        intent = await there.bought()
        assert (await there.looked(intent)).stage is OrderStage.PENDING
        there.clock.advance(timedelta(minutes=6))
        assert (await there.looked(intent)).stage is OrderStage.ALLOCATED


async def test_a_pending_order_that_fails_or_is_reversed_gives_its_money_back(name: str) -> None:
    async with rehearsed(name, Rules(settles_after=timedelta(minutes=5), same_line_seconds=0)) as there:
        if not there.onto_line:
            return  # eSIM providers document neither; the next test holds their look against it
        before = there.balance
        failing, reversed_ = await there.bought(), await there.bought()
        there.running.engine.settle(order_of(there, failing.reference), fails=True)
        there.running.engine.reverse(order_of(there, reversed_.reference))
        assert (await there.looked(failing)).stage is OrderStage.FAILED
        assert (await there.looked(reversed_)).stage is OrderStage.REFUNDED
        assert there.balance == before


async def test_a_failed_order_is_never_read_as_delivered(name: str) -> None:
    async with rehearsed(name, Rules(settles_after=timedelta(minutes=5), fails_next=True)) as there:
        intent = await there.bought()
        there.clock.advance(timedelta(minutes=6))
        found = await there.provider.look(intent)
        delivered = (OrderStage.ALLOCATED, OrderStage.INSTALLED, OrderStage.IN_USE)
        assert not isinstance(found, OrderStatus) or found.stage not in delivered, found


async def test_unknown_members_of_an_answer_change_nothing(name: str) -> None:
    async with rehearsed(name) as there:
        there.fault(Wrong.CHANGED_FIELDS, times=8)
        intent = await there.bought()
        assert (await there.looked(intent)).stage is OrderStage.ALLOCATED
        assert isinstance(await there.provider.balance(), Money)


async def test_another_currency_is_never_a_success(name: str) -> None:
    async with rehearsed(name) as there:
        euro = Money(100, "EUR")
        assert not isinstance(await there.provider.order(replace(there.intent(), price=euro)), Ordered)
        there.fault(Wrong.OTHER_CURRENCY, times=10)
        currency = there.running.engine.book.currency
        bundles = await there.provider.catalogue()
        assert isinstance(bundles, tuple)
        shown = {it.price.currency for it in bundles}
        assert shown == {currency} if there.onto_line else shown == {"EUR"}
        found = await there.provider.look(there.intent())
        if isinstance(found, OrderStatus) and found.charged is not None:
            assert found.charged.currency == currency


async def test_orders_of_other_intents_are_not_taken(name: str) -> None:
    async with rehearsed(name, OFTEN, answer_seconds=0.5) as there:
        first = await there.bought()
        owned = frozenset({first.provider_ref or ""})
        there.clock.advance(timedelta(seconds=20))
        lost = there.intent()
        assert isinstance(await there.provider.look(lost, owned), NotThere)
        there.fault(Wrong.NO_ANSWER, Call.ORDER)
        assert isinstance(await there.provider.order(lost), Unknown)
        found = await there.looked(lost, owned)
        assert found.provider_ref != first.provider_ref
        assert (await there.looked(replace(lost, provider_ref=found.provider_ref))).line == found.line


async def test_an_order_long_before_or_after_is_not_taken(name: str) -> None:
    async with rehearsed(name, OFTEN) as there:
        await there.bought()
        there.clock.advance(timedelta(minutes=10))
        intent = there.intent()
        there.clock.advance(timedelta(days=2))
        later = there.intent()
        assert isinstance(await there.provider.order(later), Ordered)
        assert isinstance(await there.provider.look(intent), NotThere)


async def test_a_second_bundle_is_bought_for_the_same_line(name: str) -> None:
    async with rehearsed(name, OFTEN) as there:
        line = await there.line(await there.bought())
        bundle = await there.bundle(TOP_UPS[name])
        assert isinstance(await there.provider.check(bundle, line), Price)
        there.clock.advance(timedelta(minutes=2))
        intent = await there.bought(TOP_UPS[name], line)
        found = await there.looked(intent)
        assert found.line == line
        assert found.bundle_ref
        assert len(there.running.engine.book.lines) == 1
        assert len(there.running.engine.book.orders) == 2


async def test_a_lost_answer_to_a_second_bundle_is_found(name: str) -> None:
    async with rehearsed(name, OFTEN, answer_seconds=1.0) as there:
        first = await there.bought()
        line = await there.line(first)
        there.clock.advance(timedelta(minutes=2))
        intent = there.intent(TOP_UPS[name], line)
        there.fault(Wrong.NO_ANSWER, Call.ORDER)
        assert isinstance(await there.provider.order(intent), Unknown)
        assert (await there.looked(intent)).line == line


async def test_an_unused_bundle_is_returned_for_its_price(name: str) -> None:
    async with rehearsed(name) as there:
        before = there.balance
        intent = await there.bought()
        charged = there.balance
        found = await there.provider.cancel(intent)
        if not there.provider.capabilities.cancels_unused:
            assert refusal(found) is RefusalKind.UNSUPPORTED
            assert there.balance == charged
            return
        assert isinstance(found, Refunded)
        assert there.balance == before
        stage = (await there.looked(intent)).stage
        assert stage in (OrderStage.CANCELLED, OrderStage.REFUNDED)


async def test_a_used_bundle_is_not_returned(name: str) -> None:
    async with rehearsed(name) as there:
        intent = await there.bought()
        there.running.engine.install(there.lab_line(await there.line(intent)))
        there.running.engine.use(there.lab_line(await there.line(intent)), 1000)
        charged = there.balance
        found = await there.provider.cancel(intent)
        assert refusal(found) in (RefusalKind.IN_USE, RefusalKind.UNSUPPORTED)
        assert there.balance == charged


async def test_a_recycled_iccid_is_another_line(name: str) -> None:
    async with rehearsed(name, OFTEN) as there:
        old = await there.line(await there.bought())
        if there.onto_line:
            assert old.provider_ref == old.msisdn
            return
        there.running.engine.delete(there.lab_line(old))
        there.running.engine.rules.recycles_iccid = True
        there.clock.advance(timedelta(minutes=2))
        new = await there.line(await there.bought())
        assert new.iccid == old.iccid
        keeps_apart = new.provider_ref != old.provider_ref
        assert keeps_apart is (there.name == "esim_access")


async def test_references_have_the_form_that_the_provider_accepts(name: str) -> None:
    async with rehearsed(name) as there:
        made = {there.provider.reference(there.clock.now(), f"{it:020d}") for it in range(50)}
        assert len(made) == 50
        assert all(len(it) <= 50 and it.isalnum() for it in made)


async def test_a_line_of_another_form_is_refused_before_anything_is_sent(name: str) -> None:
    async with rehearsed(name) as there:
        if there.onto_line:
            for number in ("+4479460000001", "08031234567x", ""):
                intent = there.intent(line=LineRef(number, msisdn=number))
                assert refusal(await there.provider.order(intent)) is RefusalKind.LINE_UNSUITABLE
            intent = there.intent(line=LineRef("+2348021234567", msisdn="+2348021234567", network="airtel"))
            assert refusal(await there.provider.order(intent)) is RefusalKind.LINE_UNSUITABLE
        else:
            found = await there.provider.order(there.intent(line=LineRef("8943108160000000001")))
            assert refusal(found) is RefusalKind.LINE_UNKNOWN
        assert there.running.engine.book.orders == {}


def order_of(there: Rehearsed, reference: str) -> LabOrder:
    found = there.running.engine.by_reference(reference)
    assert found is not None
    assert found.state is OrderState.PENDING
    return found
