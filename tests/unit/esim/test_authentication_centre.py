"""The authentication centre: vectors that a card takes, each number once, and resynchronisation by Annex C."""

import asyncio
from pathlib import Path

import pytest
from sqlalchemy import Connection, select, update

from kswifi.aka import milenage
from kswifi.esim.errors import (
    ResynchronizationRefusedError,
    SequenceNumbersUsedUpError,
    SubscriberKeysDamagedError,
    UnknownSubscriberError,
)
from kswifi.esim.lines.authentication_centre import DELTA, INDICES, SEQ_MAX, AuthenticationCentre
from kswifi.esim.lines.vault import SubscriberKeys, SubscriberVault
from kswifi.esim.model import ESim
from kswifi.esim.sql import esim as esim_table
from tests.support.session_roads import ADA, Road, open_road

PLMN = bytes.fromhex("00f110")
RAND = bytes(range(16))


async def subscriber(road: Road) -> tuple[ESim, SubscriberKeys]:
    ordered = await road.database.write(lambda connection: road.orders.allocate(connection, ADA))
    return ordered, await road.keys(ordered.numbers.imsi)


async def counters(road: Road, imsi: str) -> tuple[int, int]:
    def look(connection: Connection) -> tuple[int, int]:
        query = select(esim_table.c.seq, esim_table.c.ind).where(esim_table.c.imsi == imsi)
        row = connection.execute(query).one()
        return row.seq, row.ind

    return await road.database.read(look)


async def set_seq(road: Road, imsi: str, seq: int) -> None:
    await road.database.write(
        lambda connection: connection.execute(update(esim_table).where(esim_table.c.imsi == imsi).values(seq=seq))
    )


async def test_a_vector_is_what_the_card_expects(tmp_path: Path) -> None:
    async with open_road(tmp_path) as road:
        line, keys = await subscriber(road)
        vector = await road.authentication_centre.eutran_vector(line.numbers.imsi, PLMN)
        checked = milenage.verify_autn(keys.k, keys.opc, vector.rand, vector.autn)
        assert checked.amf == b"\x80\x00", "the separation bit of EPS (TS 33.401, 6.1.2)"
        assert checked.sqn == 1 << 5 | 1
        assert checked.res == vector.xres
        assert vector.kasme == milenage.kasme(checked.ck, checked.ik, PLMN, vector.autn[:6])
        other = await road.authentication_centre.eutran_vector(line.numbers.imsi, bytes.fromhex("62f210"))
        assert other.rand != vector.rand


async def test_no_number_is_given_twice_and_ind_goes_round(tmp_path: Path) -> None:
    async with open_road(tmp_path) as road:
        line, keys = await subscriber(road)
        asked = [road.authentication_centre.eutran_vector(line.numbers.imsi, PLMN) for _ in range(INDICES + 5)]
        vectors = await asyncio.gather(*asked)
        numbers = [milenage.verify_autn(keys.k, keys.opc, it.rand, it.autn).sqn for it in vectors]
        assert sorted(number >> 5 for number in numbers) == list(range(1, INDICES + 6))
        assert all(number & 31 == (number >> 5) % INDICES for number in numbers)


async def test_the_number_is_taken_before_the_vector_leaves(tmp_path: Path) -> None:
    async with open_road(tmp_path) as road:
        line, _ = await subscriber(road)

        def dies(_count: int) -> bytes:
            raise RuntimeError("killed while the vector is made")

        centre = AuthenticationCentre(road.database, SubscriberVault(bytes(32)), dies)
        with pytest.raises(RuntimeError, match="killed"):
            await centre.eutran_vector(line.numbers.imsi, PLMN)
        assert await counters(road, line.numbers.imsi) == (1, 1)


async def test_a_card_that_is_ahead_is_followed(tmp_path: Path) -> None:
    async with open_road(tmp_path) as road:
        line, keys = await subscriber(road)
        seq_ms = 5000
        auts = milenage.build_auts(keys.k, keys.opc, RAND, seq_ms << 5 | 7)
        vector = await road.authentication_centre.eutran_vector(line.numbers.imsi, PLMN, RAND + auts)
        sqn = milenage.verify_autn(keys.k, keys.opc, vector.rand, vector.autn).sqn
        assert sqn >> 5 == seq_ms + 1


@pytest.mark.parametrize("seq_he", [100, 100 + DELTA - 1])
async def test_an_old_auts_sets_nothing_back(tmp_path: Path, seq_he: int) -> None:
    """TS 33.102, 6.3.5, step 2: where the card would take our next number, ours stays."""
    async with open_road(tmp_path) as road:
        line, keys = await subscriber(road)
        await set_seq(road, line.numbers.imsi, seq_he)
        auts = milenage.build_auts(keys.k, keys.opc, RAND, 100 << 5)
        await road.authentication_centre.eutran_vector(line.numbers.imsi, PLMN, RAND + auts)
        assert (await counters(road, line.numbers.imsi))[0] == seq_he + 1


async def test_a_number_too_far_ahead_for_the_card_is_set_back(tmp_path: Path) -> None:
    """TS 33.102, C.2.1: a card refuses a jump of more than delta; only going back helps."""
    async with open_road(tmp_path) as road:
        line, keys = await subscriber(road)
        await set_seq(road, line.numbers.imsi, 100 + DELTA)
        auts = milenage.build_auts(keys.k, keys.opc, RAND, 100 << 5)
        await road.authentication_centre.eutran_vector(line.numbers.imsi, PLMN, RAND + auts)
        assert (await counters(road, line.numbers.imsi))[0] == 100 + 1


async def test_an_auts_that_is_not_the_cards_changes_nothing(tmp_path: Path) -> None:
    async with open_road(tmp_path) as road:
        line, keys = await subscriber(road)
        auts = milenage.build_auts(keys.k, keys.opc, RAND, 5000 << 5)
        foreign = milenage.build_auts(bytes(16), keys.opc, RAND, 5000 << 5)
        wrong = [RAND + foreign, bytes(16) + auts, RAND + auts[:-1], RAND, b""]
        wrong += [RAND + auts[:at] + bytes([auts[at] ^ 1]) + auts[at + 1 :] for at in range(14)]
        for info in wrong:
            with pytest.raises(ResynchronizationRefusedError):
                await road.authentication_centre.eutran_vector(line.numbers.imsi, PLMN, info)
        assert await counters(road, line.numbers.imsi) == (0, 0)


async def test_what_it_refuses(tmp_path: Path) -> None:
    async with open_road(tmp_path) as road:
        line, _ = await subscriber(road)
        for imsi in ("001019999999999", "", "' OR 1=1"):
            with pytest.raises(UnknownSubscriberError) as refused:
                await road.authentication_centre.eutran_vector(imsi, PLMN)
            assert refused.value.code == "unknown_subscriber"
        with pytest.raises(milenage.MilenageError):
            await road.authentication_centre.eutran_vector(line.numbers.imsi, b"\x00")
        await set_seq(road, line.numbers.imsi, SEQ_MAX)
        with pytest.raises(SequenceNumbersUsedUpError):
            await road.authentication_centre.eutran_vector(line.numbers.imsi, PLMN)


async def test_another_key_file_opens_nothing(tmp_path: Path) -> None:
    async with open_road(tmp_path) as road:
        line, _ = await subscriber(road)
        centre = AuthenticationCentre(road.database, SubscriberVault(bytes(31) + b"\x01"))
        with pytest.raises(SubscriberKeysDamagedError):
            await centre.eutran_vector(line.numbers.imsi, PLMN)
        assert await counters(road, line.numbers.imsi) == (0, 0)


def _octets_of_all_files(folder: Path) -> bytes:
    return b"".join(path.read_bytes() for path in folder.iterdir())


async def test_the_database_holds_no_key_in_the_clear(tmp_path: Path) -> None:
    async with open_road(tmp_path) as road:
        _line, keys = await subscriber(road)
    files = _octets_of_all_files(tmp_path)
    for secret in (keys.k, keys.opc, keys.adm_key, keys.puk_1, keys.puk_2):
        assert secret not in files
        assert secret.hex() not in repr(keys)
