"""Redeeming: once, by one person, while it is good, and not by guessing."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import Connection, func, select
from sqlalchemy.exc import IntegrityError

from kswifi.accounts.errors import TooManyAttemptsError
from kswifi.free_data.errors import BudgetGoneError, PhoneOrVoucherNeededError, VoucherNeededError
from kswifi.free_data.model import BudgetKind
from kswifi.free_data.rules import FreeDataRules, Requirement, WhenBudgetGone
from kswifi.vouchers.batches import batches, make_batch, revoke_batch
from kswifi.vouchers.codes import SERIALS, VoucherCodes
from kswifi.vouchers.errors import (
    UNKNOWN_VOUCHER,
    UNKNOWN_VOUCHER_BATCH,
    VOUCHER_BATCH_INVALID,
    VOUCHER_EXPIRED,
    VOUCHER_REVOKED,
    VOUCHER_USED,
)
from kswifi.vouchers.model import Batch
from kswifi.vouchers.service import VoucherService
from kswifi.vouchers.sql import voucher, voucher_batch
from tests.support.databases import START
from tests.support.free_data import GB, Given, free_offer, open_free_data, user
from tests.support.refusals import refused

ADA, BOLA = user(0), user(1)
CODES = VoucherCodes(bytes(range(32)))
WEEK = timedelta(days=7)
NEEDED = FreeDataRules(required=Requirement.VOUCHER, cost_kobo_per_gb=20_000)


async def _make(given: Given, count: int = 3, budget_id: str | None = None, life: timedelta = WEEK) -> Batch:
    return await given.database.write(
        lambda connection: make_batch(connection, "Mama  Put", count, given.clock.now() + life, budget_id)
    )


@asynccontextmanager
async def _redeeming(
    folder: Path, rules: FreeDataRules | None = None, users: int = 3
) -> AsyncIterator[tuple[Given, VoucherService]]:
    async with open_free_data(folder, rules, users) as given:
        yield given, VoucherService(given.database, CODES)


async def test_of_a_hundred_who_redeem_one_voucher_at_once_one_has_it(tmp_path: Path) -> None:
    async with _redeeming(tmp_path, users=100) as (given, service):
        await _make(given)
        tries = [service.redeem(user(number), CODES.code(1), f"10.0.0.{number}") for number in range(100)]
        results = await asyncio.gather(*tries, return_exceptions=True)
        assert [getattr(it, "refusal", None) for it in results].count(VOUCHER_USED) == 99

        def look(connection: Connection) -> None:
            assert connection.scalar(select(func.count()).select_from(voucher)) == 1
            assert batches(connection)[0].redeemed == 1

        await given.database.read(look)


async def test_a_batch_for_one_offer_pays_for_no_other(tmp_path: Path) -> None:
    async with _redeeming(tmp_path, NEEDED) as (given, service):
        offer = free_offer(GB)

        def make(connection: Connection) -> None:
            make_batch(connection, "Mama Put", 3, given.clock.now() + WEEK, offer_id=offer.id)

        await given.database.write(make)
        assert (await service.redeem(ADA, CODES.code(0), "a")).offer_id == offer.id
        with pytest.raises(VoucherNeededError, match="another session"):
            await given.order(ADA, 2 * GB)
        await given.order(ADA, GB)
        with pytest.raises(VoucherNeededError, match="get a voucher"):
            await given.order(ADA, GB)


async def test_a_voucher_is_one_order_even_if_all_orders_come_at_once(tmp_path: Path) -> None:
    async with _redeeming(tmp_path, NEEDED) as (given, service):
        await _make(given)
        await service.redeem(ADA, CODES.code(0), "a")
        again = await service.redeem(ADA, CODES.code(0), "a")  # no error, and no second one
        assert (again.venue, again.session_id) == ("Mama Put", None)
        results = await asyncio.gather(*(given.order(ADA) for _ in range(20)), return_exceptions=True)
        assert sum(isinstance(it, VoucherNeededError) for it in results) == 19
        assert sum(isinstance(it, str) for it in results) == 1


async def test_a_refusal_for_want_of_a_voucher_names_the_remedy(tmp_path: Path) -> None:
    async with _redeeming(tmp_path, NEEDED) as (given, service):
        with pytest.raises(VoucherNeededError) as caught:
            await given.order(ADA)
        assert caught.value.facts["do"] == "redeem_voucher"
        given.free_data.rules = replace(NEEDED, required=Requirement.PHONE_OR_VOUCHER)
        with pytest.raises(PhoneOrVoucherNeededError):
            await given.order(ADA)
        await _make(given)
        await service.redeem(ADA, CODES.code(0), "a")
        await given.order(ADA)


async def test_a_session_that_ended_untouched_gives_its_voucher_back(tmp_path: Path) -> None:
    async with _redeeming(tmp_path, NEEDED) as (given, service):
        await _make(given)
        await service.redeem(ADA, CODES.code(0), "a")
        first = await given.order(ADA)
        await given.use(first, 0, ended=True)
        second = await given.order(ADA)
        await given.use(second, 1, ended=True)
        with pytest.raises(VoucherNeededError):
            await given.order(ADA)


async def test_the_venue_pays_for_its_guests_alone_and_no_more_than_it_has(tmp_path: Path) -> None:
    async with _redeeming(tmp_path, replace(NEEDED, when_budget_gone=WhenBudgetGone.WAITING_LIST)) as (
        given,
        service,
    ):
        await given.set_budget(10**6)
        await given.set_budget(20_000, "cafe", BudgetKind.VENUE)
        await _make(given, budget_id="cafe")
        for serial in (0, 1):
            await service.redeem(ADA, CODES.code(serial), "a")
        assert (await given.grant(await given.order(ADA))).budget_id == "cafe"
        with pytest.raises(BudgetGoneError) as caught:  # and the operator's money is not taken for it
            await given.order(ADA)
        assert caught.value.facts["do"] == "wait"
        # One whom the other budgets serve anyway keeps the voucher.
        given.free_data.rules = replace(given.free_data.rules, required=Requirement.NOTHING)
        assert (await given.grant(await given.order(ADA))).budget_id == "operator"
        given.free_data.rules = replace(given.free_data.rules, required=Requirement.VOUCHER)
        await given.set_budget(40_000, "cafe", BudgetKind.VENUE)
        assert (await given.grant(await given.order(ADA))).budget_id == "cafe"


async def test_the_next_venue_pays_where_the_first_cannot(tmp_path: Path) -> None:
    async with _redeeming(tmp_path, NEEDED) as (given, service):
        await given.set_budget(0, "poor", BudgetKind.VENUE)
        await given.set_budget(10**6, "rich", BudgetKind.VENUE)
        await _make(given, 1, "poor", timedelta(days=1))
        await _make(given, 1, "rich")
        await service.redeem(ADA, CODES.code(0), "a")
        await service.redeem(ADA, CODES.code(1), "a")
        assert (await given.grant(await given.order(ADA))).budget_id == "rich"


async def test_a_voucher_without_a_budget_is_kept_where_none_is_needed(tmp_path: Path) -> None:
    async with _redeeming(tmp_path) as (given, service):
        await _make(given)
        voucher = await service.redeem(ADA, CODES.code(0), "a")
        await given.order(ADA)
        again = await service.redeem(ADA, CODES.code(0), "a")
        assert (voucher.session_id, again.session_id) == (None, None)


async def test_expired_and_revoked_vouchers_are_worth_nothing_redeemed_or_not(tmp_path: Path) -> None:
    async with _redeeming(tmp_path, NEEDED) as (given, service):
        await _make(given, 3)
        await _make(given, 3, life=2 * WEEK)
        for serial in (0, 3):
            await service.redeem(ADA, CODES.code(serial), "a")
        given.clock.advance(WEEK)
        with refused(VOUCHER_EXPIRED):
            await service.redeem(BOLA, CODES.code(1), "b")
        first = await given.database.write(lambda connection: revoke_batch(connection, 2))
        given.clock.advance(timedelta(hours=1))

        def change(connection: Connection) -> None:
            assert revoke_batch(connection, 2) == first
            with refused(UNKNOWN_VOUCHER_BATCH):
                revoke_batch(connection, 9)

        await given.database.write(change)
        with refused(VOUCHER_REVOKED):
            await service.redeem(BOLA, CODES.code(4), "b")
        with pytest.raises(VoucherNeededError):
            await given.order(ADA)


async def test_guessing_is_counted_for_account_and_address_and_right_codes_count_too(tmp_path: Path) -> None:
    async with _redeeming(tmp_path) as (given, service):
        await _make(given)
        await service.redeem(ADA, CODES.code(0), "a")
        for _ in range(9):
            with refused(UNKNOWN_VOUCHER):
                await service.redeem(ADA, "0000-0000-0000", "a")
        with pytest.raises(TooManyAttemptsError):
            await service.redeem(ADA, CODES.code(0), "elsewhere")
        for number in range(50):
            with refused(UNKNOWN_VOUCHER):
                await service.redeem(user(100 + number), "0000-0000-0000", "a")
        with pytest.raises(TooManyAttemptsError):
            await service.redeem(BOLA, CODES.code(1), "a")
        given.clock.advance(timedelta(minutes=2))
        await service.redeem(BOLA, CODES.code(1), "a")


async def test_a_batch_is_what_can_be_printed_or_it_is_refused(tmp_path: Path) -> None:
    async with _redeeming(tmp_path) as (given, service):
        with refused(UNKNOWN_VOUCHER):
            await service.redeem(ADA, CODES.code(0), "a")  # signed, but of no batch

        def change(connection: Connection) -> None:
            for venue, count, life in (("", 1, WEEK), ("a\x00", 1, WEEK), ("a", 10_001, WEEK), ("a", 1, -WEEK)):
                with refused(VOUCHER_BATCH_INVALID):
                    make_batch(connection, venue, count, START + life)

        await given.database.write(change)
        with pytest.raises(IntegrityError):
            await _make(given, budget_id="nobody")
        await _make(given)

        def change_again(connection: Connection) -> None:
            connection.execute(voucher_batch.update().values(first_serial=SERIALS - 4))
            made = make_batch(connection, "a", 1, START + WEEK)
            assert list(made.serials) == [SERIALS - 1]
            with refused(VOUCHER_BATCH_INVALID):
                make_batch(connection, "a", 1, START + WEEK)

        await given.database.write(change_again)
