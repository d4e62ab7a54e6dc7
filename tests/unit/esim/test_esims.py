"""Numbers, keys at rest, activation codes and profile states."""

import asyncio
import re
from itertools import product
from pathlib import Path

import pytest
from sqlalchemy import Connection

from kswifi.esim.errors import (
    IllegalProfileTransitionError,
    NumbersUsedUpError,
    SubscriberKeysDamagedError,
    UnknownEsimError,
)
from kswifi.esim.lines.activation import qr_code_svg
from kswifi.esim.lines.service import EsimOrders, esims_of, find_esim
from kswifi.esim.lines.vault import SubscriberVault, new_subscriber_keys
from kswifi.esim.model import (
    PROFILE_TRANSITIONS,
    NumberRange,
    ProfileEvent,
    ProfileState,
    activation_code,
    new_matching_id,
    next_profile_state,
)
from kswifi.kernel.numbers import Imsi
from tests.support.session_roads import ADA, BOLA, open_road

IMSI = Imsi("001010000000001")


def test_numbers_come_from_the_operators_range() -> None:
    numbers = NumberRange(iccid_prefix="8923401", plmn="62130")
    assert numbers.iccid(1) == "8923401000000000018"
    assert numbers.imsi(1) == "621300000000001"
    assert NumberRange().imsi(10**10 - 1) == "001019999999999"
    with pytest.raises(NumbersUsedUpError):
        NumberRange().imsi(10**10)
    with pytest.raises(NumbersUsedUpError):
        NumberRange().iccid(10**11)


async def test_every_order_has_numbers_and_keys_of_its_own(tmp_path: Path) -> None:
    async with open_road(tmp_path) as road:

        async def order(user_id: str) -> tuple[str, ...]:
            ordered = await road.database.write(lambda connection: road.orders.allocate(connection, user_id))
            keys = await road.keys(ordered.numbers.imsi)
            assert ordered.profile_state is ProfileState.ALLOCATED
            return (
                ordered.numbers.iccid,
                ordered.numbers.imsi,
                ordered.numbers.matching_id,
                keys.k.hex(),
                keys.opc.hex(),
            )

        made = await asyncio.gather(*(order(ADA if number % 2 else BOLA) for number in range(20)))
        for column in zip(*made, strict=True):
            assert len(set(column)) == 20

        def look(connection: Connection) -> None:
            mine = esims_of(connection, ADA)
            assert len(mine) == 10
            for identifier in (mine[0].esim_id.replace("0", "f"), "", "x" * 500):
                with pytest.raises(UnknownEsimError):
                    find_esim(connection, identifier)
            with pytest.raises(UnknownEsimError):
                find_esim(connection, mine[0].esim_id, BOLA)
            assert find_esim(connection, mine[0].esim_id.upper(), ADA) == mine[0]

        await road.database.read(look)


async def test_a_range_that_is_used_up_orders_nothing(tmp_path: Path) -> None:
    async with open_road(tmp_path) as road:
        orders = EsimOrders(SubscriberVault(bytes(32)), NumberRange(plmn="00101000000000"))
        for _ in range(9):
            await road.database.write(lambda connection: orders.allocate(connection, ADA))
        with pytest.raises(NumbersUsedUpError):
            await road.database.write(lambda connection: orders.allocate(connection, ADA))
        assert await road.database.read(lambda connection: len(esims_of(connection, ADA))) == 9


def test_sealed_keys_open_for_their_line_alone() -> None:
    vault, keys = SubscriberVault(bytes(range(32))), new_subscriber_keys()
    sealed = vault.seal(IMSI, keys)
    assert vault.open(IMSI, sealed) == keys
    assert vault.seal(IMSI, keys) != sealed
    for imsi, wrong in (
        (Imsi("001010000000002"), sealed),
        (IMSI, sealed[:-1] + bytes([sealed[-1] ^ 1])),
        (IMSI, bytes([sealed[0] ^ 1]) + sealed[1:]),
        (IMSI, sealed[:20]),
        (IMSI, b""),
    ):
        with pytest.raises(SubscriberKeysDamagedError):
            vault.open(imsi, wrong)
    for length in (0, 16, 31, 33):
        with pytest.raises(SubscriberKeysDamagedError):
            SubscriberVault(bytes(length))


def test_the_codes_of_a_card_are_digits() -> None:
    keys = new_subscriber_keys()
    assert (len(keys.k), len(keys.opc), len(keys.adm_key)) == (16, 16, 8)
    for puk in (keys.puk_1, keys.puk_2):
        assert re.fullmatch(rb"\d{8}", puk)


def test_activation_codes() -> None:
    matching_id = new_matching_id(lambda count: bytes(range(count)))
    assert matching_id == "ABCD-EFGH-JKLM-NPQR"
    assert activation_code("smdp.example", matching_id) == "LPA:1$smdp.example$ABCD-EFGH-JKLM-NPQR"
    svg = qr_code_svg("LPA:1$smdp.example$ABCD-EFGH-JKLM-NPQR")
    assert svg.startswith('<svg xmlns="http://www.w3.org/2000/svg" viewBox=')
    assert "script" not in svg
    assert svg == qr_code_svg("LPA:1$smdp.example$ABCD-EFGH-JKLM-NPQR")


def test_every_profile_event_that_is_not_listed_is_refused() -> None:
    for state, event in product(ProfileState, ProfileEvent):
        if (state, event) in PROFILE_TRANSITIONS:
            assert next_profile_state(state, event) is PROFILE_TRANSITIONS[state, event]
        else:
            with pytest.raises(IllegalProfileTransitionError):
                next_profile_state(state, event)
