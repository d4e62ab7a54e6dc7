"""Every rule of free data refuses what it should, with its code and what helps, and nothing else."""

from datetime import timedelta
from functools import partial
from pathlib import Path

import pytest
from sqlalchemy import Connection, update

from kswifi.accounts.kyc import set_kyc_level
from kswifi.accounts.sql import user_account
from kswifi.free_data import budgets
from kswifi.free_data.errors import (
    AllowanceExceededError,
    CardAllowanceExceededError,
    CoolingDownError,
    DeviceAllowanceExceededError,
    FreeDataStoppedError,
    FreeOfferNotGivenError,
    KycLevelTooLowError,
    TooMuchUnspentError,
)
from kswifi.free_data.rules import FreeDataRules
from kswifi.kernel.numbers import Eid
from tests.support.free_data import GB, free_offer, open_free_data, user

ADA, BOLA = user(0), user(1)
CARD = Eid("89049032123451234512345678901235")
OPEN = FreeDataRules(allowance_octets=100 * GB, unspent_octets=100 * GB)


def _rules(**changed: object) -> FreeDataRules:
    return FreeDataRules(**{"allowance_octets": 100 * GB, "unspent_octets": 100 * GB, **changed})  # type: ignore[arg-type]


async def test_a_device_has_one_allowance_for_all_who_sign_in_on_it(tmp_path: Path) -> None:
    async with open_free_data(tmp_path, _rules(device_allowance_octets=3 * GB)) as given:
        await given.order(ADA, 2 * GB, device_id="tablet")
        with pytest.raises(DeviceAllowanceExceededError) as refused:
            await given.order(BOLA, 2 * GB, device_id="tablet")
        assert refused.value.facts["left_octets"] == GB
        await given.order(BOLA, 2 * GB, device_id="phone")
        given.clock.advance(timedelta(days=30))
        await given.order(BOLA, 2 * GB, device_id="tablet")


async def test_a_card_has_its_allowance_however_many_accounts_it_serves(tmp_path: Path) -> None:
    async with open_free_data(tmp_path, _rules(card_allowance_octets=3 * GB)) as given:
        await given.order(ADA, 2 * GB, eid=CARD)
        with pytest.raises(CardAllowanceExceededError):
            await given.order(BOLA, 2 * GB, eid=CARD)
        # A new profile's card is known when it has installed it, and then it counts at once.
        session_id = await given.order(BOLA, 2 * GB)
        refused = await given.database.write(
            lambda connection: given.free_data.take_card(connection, session_id, 2 * GB, CARD)
        )
        assert refused is not None
        assert refused.code == "card_allowance_used_up"
        small = await given.order(BOLA, GB)
        assert (
            await given.database.write(lambda connection: given.free_data.take_card(connection, small, GB, CARD))
            is None
        )
        with pytest.raises(CardAllowanceExceededError):
            await given.order(BOLA, 1, eid=CARD)


async def test_orders_keep_their_distance(tmp_path: Path) -> None:
    async with open_free_data(tmp_path, _rules(cool_down=timedelta(hours=1))) as given:
        first = await given.order(ADA)
        given.clock.advance(timedelta(minutes=59))
        with pytest.raises(CoolingDownError) as refused:
            await given.order(ADA)
        assert refused.value.facts == {
            "do": "wait",
            "wait_until": (given.clock.now() + timedelta(minutes=1)).isoformat(),
        }
        await given.order(BOLA)
        # What was given back is not waited for.
        await given.use(first, 0, ended=True)
        await given.order(ADA)


async def test_large_and_long_offers_are_not_given(tmp_path: Path) -> None:
    async with open_free_data(tmp_path, _rules(largest_octets=GB, longest_days=7)) as given:
        with pytest.raises(FreeOfferNotGivenError) as refused:
            await given.order(ADA, GB + 1)
        assert refused.value.facts == {"do": "choose_another", "largest_octets": GB}
        with pytest.raises(FreeOfferNotGivenError):
            await given.order(ADA, GB, days=8)
        await given.order(ADA, GB, days=7)


async def test_an_order_needs_the_kyc_level_that_the_operator_asks(tmp_path: Path) -> None:
    async with open_free_data(tmp_path, _rules(kyc_level=2)) as given:
        await given.database.write(lambda connection: set_kyc_level(connection, ADA, 1))
        with pytest.raises(KycLevelTooLowError) as refused:
            await given.order(ADA)
        assert refused.value.facts == {"do": "identify", "kyc_level": 1, "needed_level": 2}
        await given.database.write(lambda connection: set_kyc_level(connection, ADA, 2))
        await given.order(ADA)
        with pytest.raises(KycLevelTooLowError):
            await given.order(BOLA)


async def test_the_kill_switch_stops_every_order_and_lets_go_again(tmp_path: Path) -> None:
    async with open_free_data(tmp_path, OPEN) as given:
        await given.database.write(lambda connection: budgets.stop(connection, "closed for today"))
        with pytest.raises(FreeDataStoppedError, match="closed for today"):
            await given.order(ADA)
        await given.database.write(budgets.resume)
        await given.order(ADA)


async def test_an_account_made_anew_under_the_same_name_has_no_fresh_allowance(tmp_path: Path) -> None:
    async with open_free_data(tmp_path) as given:
        await given.use(await given.order(ADA, 4 * GB), 4 * GB, ended=True)

        def change(connection: Connection) -> None:
            t = user_account.c
            for who, email in ((ADA, "gone@deleted.invalid"), (BOLA, "user0@example.ng")):
                connection.execute(update(user_account).where(t.user_id == who).values(email=email))

        await given.database.write(change)
        assert await given.database.read(partial(given.free_data.left_octets, user_id=BOLA)) == GB
        with pytest.raises(AllowanceExceededError):
            await given.order(BOLA, 2 * GB)
        given.clock.advance(timedelta(days=30))
        await given.order(BOLA, 5 * GB)


async def test_unspent_is_what_lives_and_is_not_used(tmp_path: Path) -> None:
    async with open_free_data(tmp_path, _rules(unspent_octets=5 * GB)) as given:
        first = await given.order(ADA, 3 * GB)
        with pytest.raises(TooMuchUnspentError):
            await given.order(ADA, 3 * GB)
        await given.use(first, GB)
        await given.order(ADA, 3 * GB)


async def test_the_standing_says_beforehand_how_an_order_would_be_answered(tmp_path: Path) -> None:
    async with open_free_data(tmp_path) as given:
        await given.order(ADA, 3 * GB)
        offers = (free_offer(GB), free_offer(3 * GB))
        standing = await given.free_data.standing(ADA, offers)
        assert (standing.left_octets, standing.unspent_room_octets) == (2 * GB, 2 * GB)
        may, must_not = standing.offers
        assert may.refusal is None
        assert isinstance(must_not.refusal, AllowanceExceededError)
        with pytest.raises(AllowanceExceededError) as refused:
            await given.order(ADA, 3 * GB)
        assert (refused.value.message, refused.value.facts) == (must_not.refusal.message, must_not.refusal.facts)
