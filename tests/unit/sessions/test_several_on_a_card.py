"""Several sessions on one card: by packets that a real software card takes, in an order that can be changed."""

from collections.abc import Callable
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePublicKey
from cryptography.hazmat.primitives.serialization import load_pem_private_key
from msgspec.structs import replace

from kswifi.esim.lines.packets import Proof, ProofResult
from kswifi.esim.ports import StorageProof
from kswifi.euicc.state import Profile, decode_state, encode_state, file_at
from kswifi.payments.rules import PassRules
from kswifi.rsp.session_record import RecordStatus, state_of, verify
from kswifi.scp80.packets import COUNTER_MAX
from kswifi.sessions.errors import (
    CARD_FULL,
    NO_SESSION_ON_ESIM,
    PACKET_SUPERSEDED,
    PROFILE_NOT_INSTALLED,
    SESSIONS_NOT_ON_ESIM,
)
from kswifi.sessions.model import InternetSession, SessionState
from kswifi.sessions.orders import NEW_ESIM
from tests.support.cards import send
from tests.support.refusals import refused
from tests.support.session_roads import ADA, BOLA, GB, SIGNING_PEM, Road, open_road

MB = 1_000_000
PROVED = Proof(ProofResult.PROVED, "por_ok")


def records_on(road: Road, esim_id: str) -> list[bytes]:
    card = road.cards[esim_id]
    send(card, "00A4040C10A0000000871002FFFFFFFF8907090000")
    assert send(card, "00A4080C067FFF5F104F01")[1] == "9000"
    return [send(card, f"00B2{number:02X}0400")[0] for number in range(1, 9)]


async def two(road: Road) -> tuple[InternetSession, InternetSession]:
    first = await road.stored()
    return first, await road.stored()


async def test_a_second_session_comes_onto_the_same_card_by_a_packet(tmp_path: Path) -> None:
    async with open_road(tmp_path, passes=PassRules()) as road:
        first = await road.stored()
        second = await road.transferring()
        assert second.esim_id == first.esim_id
        assert second.state is SessionState.TRANSFERRING  # nothing proves it yet
        contents = await road.card_records.contents(ADA, first.esim_id)
        assert [(it.number, it.session_id, it.settled) for it in contents.records] == [
            (1, first.session_id, True),
            (2, second.session_id, False),
        ]
        assert await road.carry(second) == [PROVED]
        await road.settle()
        second = await road.now(second)
        assert (second.state, second.storage_proof) == (SessionState.STORED, StorageProof.POR)
        held = records_on(road, first.esim_id)[1]
        state = state_of(held)
        assert state is not None
        assert (state.status, state.place) == (RecordStatus.STORED, 2)
        assert await road.card_records.next_packet(ADA, first.esim_id) is None


async def test_a_lost_proof_goes_again_with_the_next_counter_and_the_old_one_is_worth_nothing(
    tmp_path: Path,
) -> None:
    async with open_road(tmp_path, passes=PassRules()) as road:
        await road.stored()
        second = await road.transferring()
        lost = await road.card_records.next_packet(ADA, second.esim_id)
        assert lost is not None
        answer = road.hand_over(second.esim_id, lost)  # the card has it; the phone lost its answer
        again = await road.card_records.next_packet(ADA, second.esim_id)
        assert again is not None
        assert (lost.packet_id, again.packet_id) == ("2-1", "2-2")
        with refused(PACKET_SUPERSEDED):
            await road.card_records.take_answer(ADA, second.esim_id, lost.packet_id, answer)
        forged = await road.card_records.take_answer(ADA, second.esim_id, again.packet_id, answer)
        assert forged == Proof(ProofResult.NOT_UNDERSTOOD, "another_packets_proof")
        assert (await road.now(second)).state is SessionState.TRANSFERRING
        taken = await road.card_records.take_answer(
            ADA, second.esim_id, again.packet_id, road.hand_over(second.esim_id, again)
        )
        assert taken == PROVED


async def test_any_flipped_bit_of_a_proof_is_no_proof(tmp_path: Path) -> None:
    async with open_road(tmp_path, passes=PassRules()) as road:
        await road.stored()
        second = await road.transferring()
        packet = await road.card_records.next_packet(ADA, second.esim_id)
        assert packet is not None
        answer = road.hand_over(second.esim_id, packet)
        iccid = (await road.card_records.contents(ADA, second.esim_id)).esim.numbers.iccid
        content = (await road.card_records.contents(ADA, second.esim_id)).records[1].wanted
        reader = road.card_records._packets
        assert reader.read(iccid, 1, content, answer) == PROVED
        for place in range((len(answer) - 2) * 8):
            flipped = bytearray(answer)
            flipped[place // 8] ^= 1 << place % 8
            assert reader.read(iccid, 1, content, bytes(flipped)).result is not ProofResult.PROVED, place
        assert reader.read(iccid, 1, content[:-1] + b"\x00", answer).status == "another_content"
        for status_word in ("9000", "9110", "9FC9", "9EC9", "6200", "6300"):  # as cards and modems end an answer
            assert reader.read(iccid, 1, content, answer[:-2] + bytes.fromhex(status_word)) == PROVED
            nothing = reader.read(iccid, 1, content, bytes.fromhex(status_word))
            expected = ProofResult.NOT_UNDERSTOOD if status_word[:2] in ("90", "91") else ProofResult.REFUSED
            assert nothing.result is expected, status_word


async def test_a_counter_that_the_card_has_seen_is_leapt_over(tmp_path: Path) -> None:
    async with open_road(tmp_path, passes=PassRules()) as road:
        await road.stored()
        second = await road.transferring()
        iccid = (await road.card_records.contents(ADA, second.esim_id)).esim.numbers.iccid
        for envelope in road.card_records._packets.write(iccid, 900, 3, b"another server's"):
            send(road.cards[second.esim_id], envelope.hex())
        low, proved = await road.carry(second)
        assert (low.result, proved) == (ProofResult.COUNTER_LOW, PROVED)


async def test_a_card_that_never_takes_it_fails_the_transfer_and_it_can_be_asked_again(tmp_path: Path) -> None:
    async with open_road(tmp_path, passes=PassRules()) as road:
        first = await road.stored()
        second = await road.transferring()
        for _ in range(5):
            packet = await road.card_records.next_packet(ADA, second.esim_id)
            assert packet is not None
            refused = await road.card_records.take_answer(
                ADA, second.esim_id, packet.packet_id, bytes.fromhex("6985")
            )
            assert refused == Proof(ProofResult.REFUSED, "status_word_6985")
        failed = await road.now(second)
        assert (failed.state, failed.state_reason) == (
            SessionState.DOWNLOADED,
            "the card refused it: status_word_6985",
        )
        assert len((await road.card_records.contents(ADA, first.esim_id)).records) == 1
        await road.downloads.transfer_to_esim(second.session_id, second.esim_id)
        await road.settle()
        assert await road.carry(second) == [PROVED]


def other_checksum_key(profile: Profile) -> None:
    profile.keys = [replace(key, value=bytes(16)) if key.identifier == 2 else key for key in profile.keys]


def other_ciphering_key(profile: Profile) -> None:
    profile.keys = [replace(key, value=bytes(16)) if key.identifier == 1 else key for key in profile.keys]


def no_key_set(profile: Profile) -> None:
    profile.keys = []


def another_address(profile: Profile) -> None:
    profile.remote_management[0].tars = [b"\xb0\x00\x12"]


def more_security(profile: Profile) -> None:
    profile.remote_management[0].minimum_security_level = 0x1E  # the counter exactly one higher


def a_full_file(profile: Profile) -> None:
    file = file_at(profile.mf, bytes.fromhex("7FD05F104F01"))
    assert file is not None
    file.content = file.record(1)


def a_counter_at_its_end(profile: Profile) -> None:
    profile.packet_counters = {1: COUNTER_MAX}


@pytest.mark.parametrize(
    ("wrong", "statuses"),
    [
        (other_checksum_key, {"checksum_failed"}),
        (other_ciphering_key, {"checksum_failed", "ciphering_error"}),
        (no_key_set, {"unidentified_security_error"}),
        (another_address, {"tar_unknown"}),
        (more_security, {"insufficient_security_level"}),
        (a_full_file, {"script_2_6a83"}),
        (a_counter_at_its_end, {"counter_blocked"}),
    ],
)
async def test_what_a_card_refuses_is_reported_and_put_right(
    tmp_path: Path, wrong: Callable[[Profile], None], statuses: set[str]
) -> None:
    async with open_road(tmp_path, passes=PassRules()) as road:
        await road.stored()
        second = await road.transferring()
        card = road.cards[second.esim_id]
        whole = encode_state(card._session.state)
        wrong(card._session.state.profiles[0])
        packet = await road.card_records.next_packet(ADA, second.esim_id)
        assert packet is not None
        said = await road.card_records.take_answer(
            ADA, second.esim_id, packet.packet_id, road.hand_over(second.esim_id, packet)
        )
        assert said.result is ProofResult.REFUSED
        assert said.status in statuses
        record = (await road.card_records.contents(ADA, second.esim_id)).records[1]
        assert (record.failure, record.settled) == (said.status, False)
        assert (await road.now(second)).state is SessionState.TRANSFERRING
        card._session.state = decode_state(whole)
        card.reset()
        assert await road.carry(second) == [PROVED]
        record = (await road.card_records.contents(ADA, second.esim_id)).records[1]
        assert (record.failure, record.settled) == (None, True)


async def test_the_order_of_use_is_the_owners_and_stands_on_the_card(tmp_path: Path) -> None:
    async with open_road(tmp_path, passes=PassRules()) as road:
        first, second = await two(road)
        with refused(SESSIONS_NOT_ON_ESIM):
            await road.card_records.arrange(ADA, first.esim_id, (second.session_id,) * 2, None)
        await road.card_records.arrange(ADA, first.esim_id, (second.session_id, first.session_id), True)
        await road.settle()
        contents = await road.card_records.contents(ADA, first.esim_id)
        assert contents.order == (second.session_id, first.session_id)
        assert contents.line.continues
        assert await road.carry(first) == [PROVED, PROVED]
        states = [state_of(it) for it in records_on(road, first.esim_id)[:2]]
        assert [(it.place, it.continue_with_next) for it in states if it is not None] == [(2, True), (1, True)]
        await road.use(second, 5 * MB)
        assert (await road.now(second)).state is SessionState.ACTIVE
        assert (await road.now(first)).state is SessionState.STORED


async def test_the_one_that_is_activated_is_asked_for_first(tmp_path: Path) -> None:
    async with open_road(tmp_path, passes=PassRules()) as road:
        first, second = await two(road)
        order = (second.session_id, first.session_id)
        await road.card_records.arrange(ADA, first.esim_id, order, None)
        await road.settle()
        await road.downloads.activate_session_on_esim(first.esim_id, first.session_id)
        await road.settle()
        contents = await road.card_records.contents(ADA, first.esim_id)
        assert contents.order == contents.line.wanted_order == order[::-1]


async def test_between_two_sessions_the_line_is_cut_until_the_owner_chooses(tmp_path: Path) -> None:
    async with open_road(tmp_path, passes=PassRules()) as road:
        first, second = await two(road)
        third = await road.stored()
        await road.use(first, GB)
        line = (await road.card_records.contents(ADA, first.esim_id)).esim
        assert (str(line.hold), (await road.now(first)).state) == ("exhausted", SessionState.EXHAUSTED)
        await road.downloads.activate_session_on_esim(first.esim_id, third.session_id)
        await road.settle()
        assert (await road.card_records.contents(ADA, first.esim_id)).esim.hold is None
        await road.use(third, MB, number=1)
        assert (await road.now(third)).state is SessionState.ACTIVE
        assert (await road.now(second)).state is SessionState.STORED
        with refused(NO_SESSION_ON_ESIM):
            await road.downloads.activate_session_on_esim(first.esim_id, first.session_id)
        await road.carry(third)
        ended = state_of(records_on(road, first.esim_id)[0])
        assert ended is not None
        assert ended.status is RecordStatus.ENDED


async def test_records_of_ended_sessions_are_used_again_and_a_full_card_says_so(tmp_path: Path) -> None:
    async with open_road(tmp_path, passes=PassRules()) as road:
        await road.pay()
        first = await road.stored()
        sessions = [await road.stored() for _ in range(7)]
        assert len((await road.card_records.contents(ADA, first.esim_id)).records) == 8
        with refused(CARD_FULL):
            await road.downloads.download_session(ADA, GB)
        await road.downloads.cancel(ADA, sessions[2].session_id)
        await road.settle()
        later = await road.stored()
        records = (await road.card_records.contents(ADA, first.esim_id)).records
        assert next(it.number for it in records if it.session_id == later.session_id) == 4


async def test_a_lost_phone_gets_a_new_esim_and_strangers_get_nothing(tmp_path: Path) -> None:
    async with open_road(tmp_path, passes=PassRules()) as road:
        first = await road.stored()
        other = await road.downloads.download_session(ADA, GB, esim_id=NEW_ESIM)
        assert other.esim_id != first.esim_id
        with refused(PROFILE_NOT_INSTALLED):
            await road.card_records.next_packet(ADA, other.esim_id)
        for ask in (road.card_records.contents, road.card_records.next_packet):
            with pytest.raises(Exception, match="no such eSIM"):
                await ask(BOLA, first.esim_id)


async def test_what_the_card_holds_is_the_signed_right(tmp_path: Path) -> None:
    async with open_road(tmp_path, passes=PassRules()) as road:
        _, second = await two(road)
        held = records_on(road, second.esim_id)[1]
        public_key = load_pem_private_key(SIGNING_PEM, None).public_key()
        assert isinstance(public_key, EllipticCurvePublicKey)
        record = verify(held, public_key)
        assert (str(record.session_id), record.allowance_octets) == (second.session_id, GB)
