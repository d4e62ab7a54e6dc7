"""What packets cost and promise together: few statements, one commit for many, durable before they are answered."""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine, create_engine, event, text

from kswifi.esim.errors import UnknownEsimError
from kswifi.esim.lines.packets import Proof, ProofResult
from kswifi.kernel.ids import uuid7
from kswifi.payments.rules import PassRules
from kswifi.sessions.card.packets import HandedPacket
from kswifi.sessions.errors import PACKET_SUPERSEDED
from kswifi.sessions.model import InternetSession, SessionState
from tests.support.refusals import refused
from tests.support.session_roads import ADA, BOLA, Road, open_road

PROVED = Proof(ProofResult.PROVED, "por_ok")


async def waiting(road: Road, user_id: str) -> InternetSession:
    await road.stored(user_id=user_id)
    return await road.transferring(user_id=user_id)


async def packet_for(road: Road, session: InternetSession) -> HandedPacket:
    packet = await road.card_records.next_packet(session.user_id, session.esim_id)
    assert packet is not None
    return packet


def committed(road: Road, query: str, value: str) -> list[tuple[object, ...]]:
    """Read as another process does: what it sees is committed."""
    other = create_engine(road.database.url)
    try:
        with other.connect() as connection:
            return [tuple(row) for row in connection.execute(text(query), {"value": value})]
    finally:
        other.dispose()


@contextmanager
def statements() -> Iterator[list[str]]:
    seen: list[str] = []

    def note(_connection: Any, _cursor: Any, statement: str, *_: Any) -> None:
        seen.append(statement.split(maxsplit=1)[0])

    event.listen(Engine, "before_cursor_execute", note)
    try:
        yield seen
    finally:
        event.remove(Engine, "before_cursor_execute", note)


@pytest.mark.counts_statements
@pytest.mark.sqlite  # BEGIN is a statement of its own there
async def test_a_packet_and_its_proof_are_seven_statements(tmp_path: Path) -> None:
    async with open_road(tmp_path, passes=PassRules()) as road:
        session = await waiting(road, ADA)
        with statements() as asked:
            packet = await packet_for(road, session)
        assert asked == ["BEGIN", "SELECT", "INSERT", "UPDATE"]
        answer = road.hand_over(session.esim_id, packet)
        with statements() as brought:
            assert await road.card_records.take_answer(ADA, session.esim_id, packet.packet_id, answer) == PROVED
        assert brought == ["BEGIN", "SELECT", "UPDATE", "UPDATE", "INSERT"]


@pytest.mark.sqlite  # BEGIN is a statement of its own there
async def test_packets_of_many_share_a_commit_and_one_that_is_refused_hurts_none(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("kswifi.database.writer.TRANSACTION_SECONDS", 10)
    async with open_road(tmp_path, passes=PassRules()) as road:
        sessions = [await waiting(road, user_id) for user_id in (ADA, BOLA)]
        unknown_card = road.card_records.next_packet(ADA, str(uuid7(road.clock.now())))
        with statements() as asked:
            refused, *packets = await asyncio.gather(
                unknown_card, *(packet_for(road, each) for each in sessions), return_exceptions=True
            )
        assert isinstance(refused, UnknownEsimError)
        assert asked.count("BEGIN") == 1
        for session, packet in zip(sessions, packets, strict=True):
            assert isinstance(packet, HandedPacket)
            assert packet.packet_id == "2-1"
            query = "SELECT packet_counter, packet_content = wanted FROM card_record WHERE session_id = :value"
            assert committed(road, query, session.session_id) == [(1, 1)]
            query = "SELECT packet_counter FROM card_line WHERE esim_id = :value"
            assert committed(road, query, session.esim_id) == [(1,)]
            answer = road.hand_over(session.esim_id, packet)
            brought = await road.card_records.take_answer(
                session.user_id, session.esim_id, packet.packet_id, answer
            )
            assert brought == PROVED
            query = "SELECT known = wanted, failure, tries FROM card_record WHERE session_id = :value"
            assert committed(road, query, session.session_id) == [(1, None, 0)]
            query = "SELECT count(*) FROM outbox_entry WHERE key = :value"
            assert committed(road, query, f"session.prove_storage:{session.session_id}") == [(1,)]


async def test_a_line_whose_order_was_changed_keeps_it_when_a_counter_is_drawn(tmp_path: Path) -> None:
    async with open_road(tmp_path, passes=PassRules()) as road:
        session = await waiting(road, ADA)
        await road.card_records.arrange(ADA, session.esim_id, None, True)
        await road.settle()
        packets = [await packet_for(road, session) for _ in range(3)]
        assert [packet.packet_id for packet in packets] == ["2-1", "2-2", "2-3"]
        line = (await road.card_records.contents(ADA, session.esim_id)).line
        assert (line.wants_next, line.continues, line.wish) == (True, True, 1)


async def test_only_a_packets_own_name_names_it(tmp_path: Path) -> None:
    others = ("", "2", "02-1", "2-01", "2-\uff11", "2-2", "1-1", "2--1", "2-1\n", "2-" + "9" * 29)

    async with open_road(tmp_path, passes=PassRules()) as road:
        session = await waiting(road, ADA)
        answer = road.hand_over(session.esim_id, await packet_for(road, session))
        for named in others:
            with refused(PACKET_SUPERSEDED):
                await road.card_records.take_answer(ADA, session.esim_id, named, answer)
        with pytest.raises(UnknownEsimError):
            await road.card_records.take_answer(BOLA, session.esim_id, "2-1", answer)
        assert (await road.now(session)).state is SessionState.TRANSFERRING
        assert await road.card_records.take_answer(ADA, session.esim_id, "2-1", answer) == PROVED
