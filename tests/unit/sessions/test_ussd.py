"""A dial to the operator's USSD code: a portion for the caller's own line, once, and nothing else."""

from dataclasses import replace
from datetime import timedelta
from functools import partial
from pathlib import Path

import pytest

from kswifi.sessions.model import SessionState
from kswifi.sessions.ussd import FIRST_SCREEN, UssdActivation, UssdCall, UssdRules
from kswifi.supply import store
from kswifi.supply.errors import UNKNOWN_USSD, ProviderWebhookForgedError
from tests.support.refusals import refused
from tests.support.supply_roads import NUMBER, SupplyRoad, open_supply_road

RULES = UssdRules("*384*1#", "a-secret-path-0001", ("196.201.214.0/24",))
SENDER = "196.201.214.7"
CALL = UssdCall("ATUid_1", NUMBER, "62130", "*384*1#", "")
YES = replace(CALL, text="1")


def ussd(road: SupplyRoad, rules: UssdRules = RULES) -> UssdActivation:
    return UssdActivation(road.database, road.lines, partial(store.number_digest, road.supply.vault), rules)


async def say(road: SupplyRoad, call: UssdCall, rules: UssdRules = RULES) -> str:
    return await ussd(road, rules).answer(RULES.secret_path, call, SENDER)


async def test_one_confirmation_sends_one_portion_to_the_callers_own_line(tmp_path: Path) -> None:
    async with open_supply_road(tmp_path, "vtpass") as road:
        await road.keep_number()
        session = await road.transferred("free-3gb")
        assert await say(road, CALL) == FIRST_SCREEN
        assert await road.orders(session) == []
        assert await say(road, YES) == "END 1 GB is on its way to this line. Your network counts it."
        assert (await road.orders(session))[0].state == "intended"  # the answer waits for no provider
        # The aggregator calls again; then the person dials again before the portion is there.
        assert await say(road, YES) == "END A portion is on its way to this line."
        assert await say(road, replace(YES, session_id="ATUid_2")) == "END A portion is on its way to this line."
        await road.settle(60)
        assert road.bought == 1
        assert (await road.now(session)).state is SessionState.ACTIVE
        for number in (3, 4):
            await say(road, replace(YES, session_id=f"ATUid_{number}"))
            await road.settle(60)
        assert road.bought == 3
        assert (await road.now(session)).state is SessionState.EXHAUSTED
        assert "No more portions today" in await say(road, replace(YES, session_id="ATUid_5"))
        road.clock.advance(timedelta(days=1, seconds=1))
        assert "No session waits" in await say(road, replace(YES, session_id="ATUid_6"))


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (replace(YES, phone_number="+2348030000000"), "No session waits"),
        (replace(YES, phone_number="Restricted"), "Nothing was sent"),
        (replace(YES, network_code="62150"), "has changed its network"),
        (replace(CALL, text="2"), "Nothing was sent"),
        (replace(CALL, text="1*1"), "Nothing was sent"),
        (replace(YES, session_id=""), "Nothing was sent"),
    ],
)
async def test_another_number_network_or_answer_buys_nothing(tmp_path: Path, call: UssdCall, words: str) -> None:
    async with open_supply_road(tmp_path, "vtpass") as road:
        await road.keep_number()
        session = await road.transferred("free-3gb")
        answer = await say(road, call)
        assert answer.startswith("END ")
        assert words in answer
        assert await road.orders(session) == []


async def test_a_number_that_was_verified_long_ago_or_a_deleted_one_gets_nothing(tmp_path: Path) -> None:
    async with open_supply_road(tmp_path, "vtpass") as road:
        line = await road.keep_number()
        session = await road.transferred("free-3gb")
        road.clock.advance(timedelta(days=31))
        assert "Verify this number again" in await say(road, YES)
        await road.database.write(lambda c: store.change_line(c, line.esim_id, msisdn_digest=None))
        assert "No session waits" in await say(road, replace(YES, session_id="ATUid_2"))
        assert await road.orders(session) == []


async def test_a_wrong_path_code_or_sender_is_refused(tmp_path: Path) -> None:
    async with open_supply_road(tmp_path, "vtpass") as road:
        menu = ussd(road)
        with refused(UNKNOWN_USSD):
            await menu.answer("another-path-00001", YES, SENDER)
        with refused(UNKNOWN_USSD):
            await menu.answer(RULES.secret_path, replace(YES, service_code="*384*2#"), SENDER)
        for sender in ("10.0.0.1", "no address"):
            with pytest.raises(ProviderWebhookForgedError):
                await menu.answer(RULES.secret_path, YES, sender)
