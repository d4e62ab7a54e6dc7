"""Records carried to a card that has its profile: secured packets handed out, their proofs taken.

A phone with WiFi asks for the next packet, hands it to the enabled card, and brings the card's answer back. The
counter is drawn before a packet leaves, so no two packets have the same; a packet that is asked for again goes with
the next one. Whoever carries them can read or forge nothing, only lose it.
"""

from dataclasses import dataclass
from typing import Final

from sqlalchemy import update
from sqlalchemy.ext.asyncio import AsyncConnection

from kswifi.database.engine import Database
from kswifi.esim.model import ESim, ProfileState
from kswifi.esim.packets import CardPackets, Proof, ProofResult
from kswifi.esim.peer_orders import INSTALLS_FROM, prove_installed
from kswifi.esim.ports import StorageProof
from kswifi.esim.service import find_esim
from kswifi.rsp.saip.build import SESSION_RECORDS
from kswifi.sessions import card_places, work
from kswifi.sessions.card_places import CardLine, CardRecord
from kswifi.sessions.errors import CardNotReadyError, PacketSupersededError, SessionsNotOnEsimError
from kswifi.sessions.model import InternetSession, SessionEvent, SessionState
from kswifi.sessions.sql import internet_session
from kswifi.sessions.store import find_session, move_session

CARD_FULL: Final = f"the card is full: it holds {SESSION_RECORDS} sessions, and none of them is over"
TRIES: Final = 5
"""Packets for one content that the card may refuse before its transfer has failed."""
_LEAP: Final = 1 << 12
"""How far the counter goes ahead where a card has seen a higher one: a backup of ours was put back."""


@dataclass(frozen=True, slots=True)
class HandedPacket:
    """A packet to hand to the card: ENVELOPE commands, each to be sent in its turn."""

    packet_id: str
    session_id: str
    number: int
    iccid: str
    envelopes: tuple[bytes, ...]


@dataclass(frozen=True, slots=True)
class CardContents:
    """What a card holds, as far as it was proved, and how its line goes on."""

    esim: ESim
    records: tuple[CardRecord, ...]
    order: tuple[str, ...]
    line: CardLine


async def note_proof(connection: AsyncConnection, session: InternetSession, proof: StorageProof) -> None:
    """Note how a card has proved that it holds a session, and have the ledger told."""
    await connection.execute(
        update(internet_session)
        .where(internet_session.c.session_id == session.session_id)
        .values(storage_proof=proof)
    )
    await work.ask_to_prove_storage(connection, session)


def _may_be_on_a_card(esim: ESim) -> bool:
    """Whether a packet could reach the profile: it is installed, or at another's SM-DP+, which may tell nothing."""
    if esim.record_travels_apart and esim.profile_state in INSTALLS_FROM:
        return True
    return esim.profile_state is ProfileState.INSTALLED


class CardRecords:
    """What users' phones ask about the records on their cards."""

    def __init__(self, database: Database, packets: CardPackets) -> None:
        self._database = database
        self._packets = packets

    async def contents(self, user_id: str, esim_id: str) -> CardContents:
        """Return what is on a card of a user's.

        Raises:
            UnknownEsimError: there is none, or it is somebody else's.
        """
        async with self._database.reading() as connection:
            return await self._contents(connection, await find_esim(connection, esim_id, user_id))

    async def next_packet(self, user_id: str, esim_id: str) -> HandedPacket | None:
        """Return a packet that the card has not proved yet, with a counter of its own; None if all is proved.

        Raises:
            UnknownEsimError: there is none, or it is somebody else's.
            CardNotReadyError: its profile is not installed, so nothing is there that a packet could reach.
        """
        async with self._database.transaction() as connection:
            esim = await find_esim(connection, esim_id, user_id)
            if not _may_be_on_a_card(esim):
                raise CardNotReadyError(
                    "the profile is not on a card yet: install it first", profile_state=str(esim.profile_state)
                )
            records = await card_places.records_of(connection, esim.esim_id)
            # A session that is not on the card yet goes before what only changed.
            waiting = sorted((it for it in records if not it.settled), key=lambda it: it.known is not None)
            if not waiting:
                return None
            record = waiting[0]
            counter = await card_places.draw_counter(connection, esim.esim_id)
            await card_places.write_record(connection, record, packet_counter=counter, packet_content=record.wanted)
        envelopes = self._packets.write(esim.iccid, counter, record.number, record.wanted)
        return HandedPacket(
            packet_id=f"{record.number}-{counter}",
            session_id=record.session_id,
            number=record.number,
            iccid=str(esim.iccid),
            envelopes=tuple(envelopes),
        )

    async def take_answer(self, user_id: str, esim_id: str, packet_id: str, answer: bytes) -> Proof:
        """Take the card's answer to a packet: data and status word of its last ENVELOPE.

        Raises:
            UnknownEsimError: there is none, or it is somebody else's.
            PacketSupersededError: another packet was handed out since: hand that to the card.
        """
        async with self._database.transaction() as connection:
            esim = await find_esim(connection, esim_id, user_id)
            records = await card_places.records_of(connection, esim.esim_id)
            record = next((it for it in records if f"{it.number}-{it.packet_counter}" == packet_id), None)
            if record is None or record.packet_counter is None or record.packet_content is None:
                raise PacketSupersededError("another packet was handed out since: ask for it", packet_id=packet_id)
            proof = self._packets.read(esim.iccid, record.packet_counter, record.packet_content, answer)
            if proof.result is ProofResult.PROVED:
                await self._proved(connection, record)
            else:
                await self._refused(connection, record, proof)
        return proof

    async def arrange(
        self, user_id: str, esim_id: str, order: tuple[str, ...] | None, continues: bool | None
    ) -> CardContents:
        """Ask for an order of use, a switch for the next session, or both; the ledger confirms them a moment later.

        Raises:
            UnknownEsimError: there is none, or it is somebody else's.
            SessionsNotOnEsimError: the order names a session that is not on it, or one twice.
        """
        async with self._database.transaction() as connection:
            esim = await find_esim(connection, esim_id, user_id)
            line = await card_places.line_of(connection, esim.esim_id)
            if order is not None:
                on_card = {it.session_id for it in await card_places.records_of(connection, esim.esim_id)}
                if len(set(order)) != len(order) or not on_card.issuperset(order):
                    raise SessionsNotOnEsimError("an order names sessions on this eSIM, each once")
            wanted = line.wanted_order if order is None else order
            follows = line.wants_next if continues is None else continues
            if (wanted, follows) != (line.wanted_order, line.wants_next):
                wish = line.wish + 1
                await card_places.change_line(
                    connection, esim.esim_id, wanted_order=list(wanted), wants_next=follows, wish=wish
                )
                await work.ask_to_arrange(connection, esim.esim_id, wish)
            return await self._contents(connection, esim)

    async def _contents(self, connection: AsyncConnection, esim: ESim) -> CardContents:
        records = await card_places.records_of(connection, esim.esim_id)
        line = await card_places.line_of(connection, esim.esim_id)
        return CardContents(esim, tuple(records), tuple(card_places.order_of_use(records, line)), line)

    async def _proved(self, connection: AsyncConnection, record: CardRecord) -> None:
        await card_places.write_record(connection, record, known=record.packet_content, failure=None, tries=0)
        # Another's SM-DP+ may never have said that the profile is installed: who has its keys has it.
        await connection.run_sync(prove_installed, record.esim_id)
        session = await find_session(connection, record.session_id)
        if session.state is SessionState.TRANSFERRING and session.storage_proof is None:
            await note_proof(connection, session, StorageProof.POR)

    async def _refused(self, connection: AsyncConnection, record: CardRecord, proof: Proof) -> None:
        """Note why; what never comes onto the card after so many tries has failed, and its place is free again."""
        if proof.result is ProofResult.COUNTER_LOW:
            await card_places.draw_counter(connection, record.esim_id, _LEAP)
        record = await card_places.write_record(
            connection, record, failure=proof.status[:64], tries=min(record.tries + 1, TRIES)
        )
        if record.known is not None or record.tries < TRIES:
            return
        session = await find_session(connection, record.session_id)
        if session.state is SessionState.TRANSFERRING:
            await card_places.give_up_place(connection, record)
            words = f"the card refused it: {proof.status}"
            await move_session(connection, session, SessionEvent.TRANSFER_FAILED, words)
