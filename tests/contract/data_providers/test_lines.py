"""The contract of every data provider: usage, switching a line off and on, expiry, and webhooks."""

from datetime import timedelta

import pytest

from kswifi.lab.rehearsal.providers.engine import Rules
from kswifi.lab.rehearsal.providers.faults import Call, Wrong
from kswifi.supply.errors import (
    ProviderWebhookError,
    ProviderWebhookForgedError,
    ProviderWebhookUnreadableError,
)
from kswifi.supply.ports import (
    BundleState,
    BundleUsage,
    Done,
    LineRef,
    Notice,
    RefusalKind,
    Refused,
    ServiceStatus,
    Stacking,
    Suspension,
    Unknown,
)
from tests.support.data_providers import FACE_NAMES, OFTEN, TOP_UPS, Rehearsed, rehearsed

pytestmark = pytest.mark.parametrize("name", FACE_NAMES)

SENDER = "127.0.0.1"


async def usages(there: Rehearsed, *lines: LineRef) -> tuple[BundleUsage, ...]:
    found = await there.provider.usage(lines)
    assert isinstance(found, tuple), found
    return found


async def measured(there: Rehearsed) -> LineRef | None:
    """Return an installed line; None, after its refusals were checked, if the provider reports no usage."""
    line = await there.line(await there.bought())
    if there.provider.capabilities.usage_lag_seconds is None:
        found = await there.provider.usage([line])
        assert isinstance(found, Refused)
        assert found.kind is RefusalKind.UNSUPPORTED
        assert there.provider.capabilities.lines_per_usage_call == 0
        return None
    there.running.engine.install(there.lab_line(line))
    return line


async def switched(there: Rehearsed) -> LineRef | None:
    """Return an installed line; None, after its refusals were checked, if the provider switches no line."""
    line = await there.line(await there.bought())
    if there.provider.capabilities.suspension is Suspension.NONE:
        for found in (await there.provider.set_service(line, False), await there.provider.service(line)):
            assert isinstance(found, Refused)
            assert found.kind is RefusalKind.UNSUPPORTED
        return None
    there.running.engine.install(there.lab_line(line))
    return line


async def test_usage_is_in_octets_and_as_old_as_it_says(name: str) -> None:
    async with rehearsed(name, Rules(lag=timedelta(hours=1))) as there:
        if (line := await measured(there)) is None:
            return
        before = (await usages(there, line))[0]
        assert before.remaining_octets == before.total_octets
        used_at = there.clock.now()
        there.running.engine.use(there.lab_line(line), 123_456_789)
        there.clock.advance(timedelta(minutes=30))
        assert (await usages(there, line))[0].remaining_octets == before.total_octets
        there.clock.advance(timedelta(minutes=31))
        after = (await usages(there, line))[0]
        assert after.total_octets is not None
        assert after.remaining_octets == after.total_octets - 123_456_789
        assert used_at <= after.as_of <= there.clock.now()
        if name == "esim_access":  # it tells the instant of a counter; eSIM Go does not
            assert after.as_of == used_at
        assert (after.line_ref, after.state) == (line.provider_ref, BundleState.ACTIVE)
        assert (after.bundle_ref, after.total_octets) == (before.bundle_ref, before.total_octets)


async def test_a_counter_that_falls_is_passed_on_as_it_is(name: str) -> None:
    async with rehearsed(name) as there:
        if (line := await measured(there)) is None:
            return
        there.running.engine.use(there.lab_line(line), 100_000_000)
        high = (await usages(there, line))[0]
        there.running.engine.rules.counter_back_octets = 40_000_000
        low = (await usages(there, line))[0]
        assert high.remaining_octets is not None
        assert low.remaining_octets == high.remaining_octets + 40_000_000


async def test_a_bundle_that_is_used_up_is_depleted(name: str) -> None:
    async with rehearsed(name) as there:
        if (line := await measured(there)) is None:
            return
        total = (await usages(there, line))[0].total_octets
        assert there.running.engine.use(there.lab_line(line), 10**10) == total
        usage = (await usages(there, line))[0]
        assert (usage.state, usage.remaining_octets) == (BundleState.DEPLETED, 0)
        assert await there.provider.service(line) is ServiceStatus.DEPLETED


async def test_a_bundle_whose_days_are_over_carries_nothing(name: str) -> None:
    async with rehearsed(name) as there:
        if (line := await measured(there)) is None:
            return
        there.running.engine.use(there.lab_line(line), 1000)
        there.clock.advance(timedelta(days=8))
        assert there.running.engine.use(there.lab_line(line), 1000) == 0
        assert await there.provider.service(line) is ServiceStatus.DEPLETED


async def test_a_second_bundle_queues_or_merges_as_the_capabilities_say(name: str) -> None:
    async with rehearsed(name, OFTEN) as there:
        line = await there.line(await there.bought())
        there.clock.advance(timedelta(minutes=2))
        await there.bought(TOP_UPS[name], line)
        if there.provider.capabilities.usage_lag_seconds is None:
            assert there.provider.capabilities.stacking is Stacking.SINGLE
            return
        found = await usages(there, line)
        book = there.running.engine.book
        sizes = sorted(book.bundles[it.bundle_id].octets for it in book.orders.values())
        totals = sorted(it.total_octets or 0 for it in found)
        merges = there.provider.capabilities.stacking is Stacking.MERGE
        assert totals == ([sum(sizes)] if merges else sizes)
        assert len({it.bundle_ref for it in found}) == len(found)


async def test_a_line_that_is_not_there_has_no_usage(name: str) -> None:
    async with rehearsed(name) as there:
        if await measured(there) is None:
            return
        unknown = LineRef("8943108169999999990")
        assert await usages(there, unknown) == ()


async def test_more_lines_than_one_call_takes_are_a_mistake_of_the_caller(name: str) -> None:
    async with rehearsed(name) as there:
        if (line := await measured(there)) is None:
            return
        most = there.provider.capabilities.lines_per_usage_call
        with pytest.raises(ValueError, match="lines_per_usage_call"):
            await there.provider.usage([line] * (most + 1))


async def test_a_line_is_switched_off_and_on_and_repeats_are_harmless(name: str) -> None:
    async with rehearsed(name) as there:
        if (line := await switched(there)) is None:
            return
        assert await there.provider.service(line) is ServiceStatus.ON
        for on, status in ((False, ServiceStatus.OFF), (True, ServiceStatus.ON)):
            for _ in range(2):
                assert await there.provider.set_service(line, on) == Done()
            assert await there.provider.service(line) is status
            assert there.lab_line(line).suspended is not on
        assert there.running.engine.use(there.lab_line(line), 1000) == 1000


async def test_a_line_that_is_off_carries_nothing(name: str) -> None:
    async with rehearsed(name) as there:
        if (line := await switched(there)) is None:
            return
        await there.provider.set_service(line, False)
        assert there.running.engine.use(there.lab_line(line), 1000) == 0


async def test_a_lost_answer_to_a_switch_is_unknown_and_seen_by_a_look(name: str) -> None:
    async with rehearsed(name, answer_seconds=0.5) as there:
        if (line := await switched(there)) is None:
            return
        there.fault(Wrong.NO_ANSWER, Call.SWITCH)
        assert isinstance(await there.provider.set_service(line, False), Unknown)
        assert await there.provider.service(line) is ServiceStatus.OFF


async def test_a_suspension_by_the_provider_is_not_lifted(name: str) -> None:
    async with rehearsed(name) as there:
        if (line := await switched(there)) is None:
            return
        there.running.engine.suspend(there.lab_line(line), on=False, by_policy=True)
        found = await there.provider.set_service(line, True)
        assert isinstance(found, Refused)
        assert found.kind in (RefusalKind.POLICY, RefusalKind.IN_USE)
        assert await there.provider.service(line) in (ServiceStatus.OFF, ServiceStatus.POLICY_OFF)


async def test_webhooks_name_their_subject_and_repeats_have_one_key(name: str) -> None:
    async with rehearsed(name, Rules(settles_after=timedelta(minutes=5))) as there:
        there.running.webhooks.times = 2
        intent = await there.bought()
        there.clock.advance(timedelta(minutes=6))
        found = await there.looked(intent)
        assert found.line is not None
        if not there.onto_line:
            there.running.engine.install(there.lab_line(found.line))
            there.running.engine.use(there.lab_line(found.line), 600_000_000)
        await there.told(2)
        notices: list[Notice] = []
        for headers, body in list(there.heard):
            notices += there.provider.read_webhook(headers, body, SENDER)
        assert notices
        keys = [it.dedupe_key for it in notices]
        assert len(set(keys)) == len(keys) / 2
        subjects = {it.reference for it in notices} | {it.provider_ref for it in notices}
        subjects |= {it.line_ref for it in notices}
        assert subjects & {intent.reference, found.provider_ref, found.line.provider_ref}
        assert all(len(it) <= 128 for it in keys)


async def test_a_webhook_of_another_sender_is_refused(name: str) -> None:
    async with rehearsed(name) as there:
        for sender in ("203.0.113.9", "::ffff:203.0.113.9", "", "not an address"):
            with pytest.raises(ProviderWebhookForgedError):
                there.provider.read_webhook({}, b'{"type":"variations-update"}', sender)


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"null",
        b"[]",
        b"{}",
        b"{",
        b'{"type":1}',
        b'{"type":"transaction-update","data":7}',
        b"\xff\xfe",
        b"[" * 5000,
    ],
)
async def test_a_webhook_that_cannot_be_read_is_a_typed_error_or_about_nothing(name: str, body: bytes) -> None:
    async with rehearsed(name) as there:
        try:
            found = there.provider.read_webhook({}, body, SENDER)
        except ProviderWebhookError as error:
            assert isinstance(error, (ProviderWebhookForgedError, ProviderWebhookUnreadableError))  # noqa: PT017
        else:
            assert found == ()


async def test_the_answer_to_a_webhook_is_json(name: str) -> None:
    async with rehearsed(name) as there:
        expected = {"vtpass": '{"response":"success"}'}.get(name, "{}")
        assert there.provider.webhook_answer == expected
