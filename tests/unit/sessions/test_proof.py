"""The card's proof: what is refused, with which code, and what a refusal changes."""

import asyncio
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import update

from kswifi import milenage
from kswifi.esim.model import ProfileState
from kswifi.esim.service import find_esim
from kswifi.esim.sql import esim as esim_table
from kswifi.ledger.commands import OutcomeCode
from kswifi.rsp.session_record import pad
from kswifi.sessions.errors import (
    CardRefusedError,
    CardResynchronisedError,
    NoChallengeError,
    ProofError,
    ProofMalformedError,
    RecordDiffersError,
    WrongCardError,
    WrongResponseError,
)
from kswifi.sessions.model import SessionState
from kswifi.sessions.proof import storage_script
from tests.support.session_roads import ADA, BOLA, Road, open_road

OK = b"\x90\x00"
Responses = list[bytes]


def _other_iccid(answers: Responses) -> Responses:
    return [*answers[:2], bytes(10) + OK, *answers[3:]]


def _other_record(answers: Responses) -> Responses:
    record = bytearray(answers[5])
    record[40] ^= 0x01
    return [*answers[:5], bytes(record), answers[6]]


def _empty_record(answers: Responses) -> Responses:
    return [*answers[:5], pad(b"", 160) + OK, answers[6]]


def _other_res(answers: Responses) -> Responses:
    return [*answers[:6], b"\xdb\x08" + bytes(8) + answers[6][10:]]


def _short_res(answers: Responses) -> Responses:
    return [*answers[:6], b"\xdb\x01" + answers[6][2:3] + OK]


def _no_answer(answers: Responses) -> Responses:
    return [*answers[:6], OK]


def _forged_auts(answers: Responses) -> Responses:
    return [*answers[:6], b"\xdc\x0e" + bytes(14) + OK]


def _record_not_found(answers: Responses) -> Responses:
    return [*answers[:5], b"\x6a\x83", answers[6]]


def _mac_refused(answers: Responses) -> Responses:
    return [*answers[:6], b"\x98\x62"]


CASES = [
    (_other_iccid, WrongCardError, SessionState.DOWNLOADED),
    (_other_record, RecordDiffersError, SessionState.DOWNLOADED),
    (_empty_record, RecordDiffersError, SessionState.DOWNLOADED),
    (_other_res, WrongResponseError, SessionState.DOWNLOADED),
    (_short_res, WrongResponseError, SessionState.DOWNLOADED),
    (_forged_auts, WrongResponseError, SessionState.TRANSFERRING),
    (_no_answer, ProofMalformedError, SessionState.TRANSFERRING),
    (_record_not_found, CardRefusedError, SessionState.TRANSFERRING),
    (_mac_refused, CardRefusedError, SessionState.TRANSFERRING),
    (lambda answers: answers[:-1], ProofMalformedError, SessionState.TRANSFERRING),
    (lambda answers: [*answers, OK], ProofMalformedError, SessionState.TRANSFERRING),
    (lambda answers: [b"\x90", *answers[1:]], ProofMalformedError, SessionState.TRANSFERRING),
    (lambda answers: [bytes(300), *answers[1:]], ProofMalformedError, SessionState.TRANSFERRING),
]


@pytest.mark.parametrize(("change", "error", "state"), CASES)
def test_what_does_not_prove_it_is_refused(
    tmp_path: Path, change: Callable[[Responses], Responses], error: type[ProofError], state: SessionState
) -> None:
    async def scenario() -> None:
        async with open_road(tmp_path) as road:
            session, card = await road.transferring()
            challenge = await road.proofs.challenge(ADA, session.session_id)
            honest = [card.transmit(command.apdu) for command in challenge.script]
            assert all(answer[-2:] == OK for answer in honest)
            with pytest.raises(error) as refused:
                await road.proofs.prove(ADA, session.session_id, change(honest))
            assert refused.value.code.startswith("storage_proof_")
            await road.settle()
            now = await road.now(session)
            assert (now.state, now.storage_proof) == (state, None)
            assert (await road.reserve(session, 1)).code is OutcomeCode.NOT_PROVEN
            # A challenge is judged once: the honest answers come too late now.
            if state is SessionState.TRANSFERRING:
                with pytest.raises(NoChallengeError):
                    await road.proofs.prove(ADA, session.session_id, honest)
                await road.prove(session, card)
                await road.settle()
                assert (await road.now(session)).state is SessionState.STORED

    asyncio.run(scenario())


def test_a_card_with_other_keys_is_refused(tmp_path: Path) -> None:
    """A rogue card holds the right files and skips the MAC check: its RES gives it away."""

    async def scenario() -> None:
        async with open_road(tmp_path) as road:
            session, card = await road.transferring()
            challenge = await road.proofs.challenge(ADA, session.session_id)
            answers = [card.transmit(command.apdu) for command in challenge.script]
            rand = challenge.script[-1].apdu[6:22]
            res, ck, ik, _ = milenage.f2345(bytes(16), bytes(16), rand)
            answers[-1] = b"\xdb\x08" + res + b"\x10" + ck + b"\x10" + ik + OK
            with pytest.raises(WrongResponseError):
                await road.proofs.prove(ADA, session.session_id, answers)

    asyncio.run(scenario())


def test_an_old_challenge_is_worth_nothing(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with open_road(tmp_path) as road:
            session, card = await road.transferring()
            first = await road.proofs.challenge(ADA, session.session_id)
            answers = [card.transmit(command.apdu) for command in first.script]
            await road.proofs.challenge(ADA, session.session_id)
            with pytest.raises(WrongResponseError):  # judged by the newer challenge
                await road.proofs.prove(ADA, session.session_id, answers)

            other, card = await road.transferring(user_id=BOLA)
            challenge = await road.proofs.challenge(BOLA, other.session_id)
            answers = [card.transmit(command.apdu) for command in challenge.script]
            road.clock.advance(timedelta(seconds=300))
            with pytest.raises(NoChallengeError):
                await road.proofs.prove(BOLA, other.session_id, answers)

    asyncio.run(scenario())


def test_a_card_that_is_ahead_is_resynchronised(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with open_road(tmp_path) as road:
            session, card = await road.transferring()
            await _take_back_the_sequence_number(road, session.esim_id, card_ahead_by=5, transmit=card.transmit)
            with pytest.raises(CardResynchronisedError):
                await road.prove(session, card)
            assert (await road.now(session)).state is SessionState.TRANSFERRING
            await road.prove(session, card)
            await road.settle()
            assert (await road.now(session)).state is SessionState.STORED

    asyncio.run(scenario())


async def _take_back_the_sequence_number(
    road: Road, esim_id: str, card_ahead_by: int, transmit: Callable[[bytes], bytes]
) -> None:
    """Let the card see vectors, then forget them: as if the server had been restored from a backup."""
    async with road.database.reading() as connection:
        esim = await find_esim(connection, esim_id)
    for _ in range(card_ahead_by):
        vector = await road.authentication_centre.authentication_vector(esim.imsi)
        answers = [transmit(command.apdu) for command in storage_script(vector.rand, vector.autn)]
        assert answers[-1][0] == 0xDB
    async with road.database.transaction() as connection:
        await connection.execute(
            update(esim_table).where(esim_table.c.esim_id == esim_id).values(seq=0, ind=card_ahead_by - 1)
        )


def test_proved_once_is_proved(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with open_road(tmp_path) as road:
            session, card = await road.transferring()
            proved = await road.prove(session, card)
            assert await road.proofs.prove(ADA, session.session_id, []) == proved
            await road.settle()
            assert await road.proofs.prove(ADA, session.session_id, []) == await road.now(session)
            async with road.database.reading() as connection:
                assert (await find_esim(connection, session.esim_id)).profile_state is ProfileState.INSTALLED

    asyncio.run(scenario())
