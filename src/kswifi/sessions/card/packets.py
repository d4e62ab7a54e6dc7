"""Write session records to a card that already has its profile: hand out secured packets and verify their proofs.

A phone with WiFi requests the next packet (SCP80, TS 102 225), sends it to the enabled card in ENVELOPE commands,
and returns the card's proof of receipt (PoR). The server increases the counter before it hands a packet out, so no
two packets have the same counter. A repeated request gets the same content with the next counter. The phone that
carries a packet cannot read or forge it; it can only lose it.
"""

import re
from dataclasses import dataclass
from typing import Final

from sqlalchemy import Connection, bindparam, update

from kswifi.database.engine import Database
from kswifi.esim.external_smdp.orders import INSTALLS_FROM, prove_installed
from kswifi.esim.lines.packets import CardPackets, Proof, ProofResult
from kswifi.esim.lines.service import find_esim
from kswifi.esim.model import ESim, ProfileState
from kswifi.esim.ports import StorageProof
from kswifi.rsp.saip.build import SESSION_RECORDS
from kswifi.sessions import jobs
from kswifi.sessions.card import packet_rows as packet_store
from kswifi.sessions.card import slots
from kswifi.sessions.card.packet_rows import HandedRecord, PacketLine, WaitingRecord
from kswifi.sessions.card.slots import CardLine, CardRecord
from kswifi.sessions.errors import PACKET_SUPERSEDED, PROFILE_NOT_INSTALLED, SESSIONS_NOT_ON_ESIM
from kswifi.sessions.model import SessionEvent, SessionState
from kswifi.sessions.sql import internet_session
from kswifi.sessions.store import find_session
from kswifi.sessions.transitions import move_session

CARD_FULL: Final = f"the card is full: it holds {SESSION_RECORDS} sessions, and none of them is over"
TRIES: Final = 5
"""How often the card may refuse packets with one content; then the transfer has failed."""
_LEAP: Final = 1 << 12
"""Increase of the counter after the card reported one that is too low.

This happens if our database was restored from a backup: the card has seen higher counters since.
"""
_PACKET_ID: Final = re.compile(r"([1-9][0-9]?)-([1-9][0-9]{0,12})")
_NOTE_PROOF: Final = (
    update(internet_session)
    .where(internet_session.c.session_id == bindparam("wanted"))
    .values(storage_proof=bindparam("proof"))
)


@dataclass(frozen=True, slots=True)
class HandedPacket:
    """A packet for the card as ENVELOPE commands, to be sent in this order."""

    packet_id: str
    session_id: str
    number: int
    iccid: str
    envelopes: tuple[bytes, ...]


@dataclass(frozen=True, slots=True)
class CardContents:
    """The proved records of a card, their order of use, and the settings of the line."""

    esim: ESim
    records: tuple[CardRecord, ...]
    order: tuple[str, ...]
    line: CardLine


def note_proof(connection: Connection, session_id: str, proof: StorageProof) -> None:
    """Store how a card proved that it holds a session, and ask the ledger to accept the proof."""
    connection.execute(_NOTE_PROOF, {"wanted": session_id, "proof": proof})
    jobs.ask_to_prove_storage(connection, session_id)


def _may_be_on_a_card(line: PacketLine) -> bool:
    """Tell whether a packet can reach the profile.

    True if the profile is installed. An external SM-DP+ may never report the installation; then a released order is
    enough.
    """
    if line.record_travels_apart and line.profile_state in INSTALLS_FROM:
        return True
    return line.profile_state is ProfileState.INSTALLED


def _parts(packet_id: str) -> tuple[int, int]:
    """Return the record number and the counter in a packet id; (0, 0) if the id is malformed."""
    named = _PACKET_ID.fullmatch(packet_id)
    return (0, 0) if named is None else (int(named[1]), int(named[2]))


class CardRecords:
    """The requests of users' phones about the records on their cards."""

    def __init__(self, database: Database, packets: CardPackets) -> None:
        self._database = database
        self._packets = packets

    async def contents(self, user_id: str, esim_id: str) -> CardContents:
        """Return the contents of a user's card.

        Raises:
            UnknownEsimError: no such eSIM, or it belongs to another user.
        """
        return await self._database.read(
            lambda connection: self._contents(connection, find_esim(connection, esim_id, user_id))
        )

    async def next_packet(self, user_id: str, esim_id: str) -> HandedPacket | None:
        """Return a packet with a new counter for a record that the card has not proved; None if all are proved.

        Raises:
            UnknownEsimError: there is none, or it is somebody else's.
            PROFILE_NOT_INSTALLED: its profile is not installed, so nothing is there that a packet could reach.
        """
        drawn = await self._database.write(lambda connection: self._draw(connection, user_id, esim_id))
        if drawn is None:
            return None
        line, record, counter = drawn
        return HandedPacket(
            packet_id=f"{record.number}-{counter}",
            session_id=record.session_id,
            number=record.number,
            iccid=str(line.iccid),
            envelopes=tuple(self._packets.write(line.iccid, counter, record.number, record.wanted)),
        )

    async def take_answer(self, user_id: str, esim_id: str, packet_id: str, answer: bytes) -> Proof:
        """Verify the card's answer to a packet and store the result.

        Args:
            user_id: the owner of the eSIM.
            esim_id: the eSIM.
            packet_id: the id of the handed-out packet.
            answer: data and status word of the response to the last ENVELOPE.

        Raises:
            UnknownEsimError: there is none, or it is somebody else's.
            PACKET_SUPERSEDED: another packet was handed out since: hand that to the card.
        """
        return await self._database.write(
            lambda connection: self._take(connection, user_id, esim_id, packet_id, answer)
        )

    async def arrange(
        self, user_id: str, esim_id: str, order: tuple[str, ...] | None, continues: bool | None
    ) -> CardContents:
        """Request an order of use, the continue switch, or both; None leaves a value unchanged.

        The ledger applies the request asynchronously. The returned contents show it as wanted until the ledger
        confirms.

        Raises:
            UnknownEsimError: there is none, or it is somebody else's.
            SESSIONS_NOT_ON_ESIM: the order names a session that is not on it, or one twice.
        """

        def change(connection: Connection) -> CardContents:
            esim = find_esim(connection, esim_id, user_id)
            line = slots.line_of(connection, esim.esim_id)
            if order is not None:
                records = slots.records_of(connection, esim.esim_id)
                on_card = {it.session_id for it in records}
                if len(set(order)) != len(order) or not on_card.issuperset(order):
                    raise SESSIONS_NOT_ON_ESIM("an order names sessions on this eSIM, each once")
            wanted = line.wanted_order if order is None else order
            follows = line.wants_next if continues is None else continues
            if (wanted, follows) != (line.wanted_order, line.wants_next):
                wish = line.wish + 1
                columns = {"wanted_order": list(wanted), "wants_next": follows, "wish": wish}
                slots.change_line(connection, esim.esim_id, **columns)
                jobs.ask_to_arrange(connection, esim.esim_id, wish)
            return self._contents(connection, esim)

        return await self._database.write(change)

    def _contents(self, connection: Connection, esim: ESim) -> CardContents:
        records = slots.records_of(connection, esim.esim_id)
        line = slots.line_of(connection, esim.esim_id)
        return CardContents(esim, tuple(records), tuple(slots.order_of_use(records, line)), line)

    @staticmethod
    def _draw(connection: Connection, user_id: str, esim_id: str) -> tuple[PacketLine, WaitingRecord, int] | None:
        line, record = packet_store.next_waiting(connection, user_id, esim_id)
        if not _may_be_on_a_card(line):
            raise PROFILE_NOT_INSTALLED(
                "the profile is not on a card yet: install it first", profile_state=str(line.profile_state)
            )
        if record is None:
            return None
        counter = packet_store.draw_counter(connection, line.esim_id)
        packet_store.hand_out(connection, line.esim_id, record.number, counter)
        return line, record, counter

    def _take(self, connection: Connection, user_id: str, esim_id: str, packet_id: str, answer: bytes) -> Proof:
        line, record = packet_store.handed_out(connection, user_id, esim_id, *_parts(packet_id))
        if record is None:
            raise PACKET_SUPERSEDED("another packet was handed out since: ask for it", packet_id=packet_id)
        proof = self._packets.read(line.iccid, record.counter, record.content, answer)
        if proof.result is ProofResult.PROVED:
            _proved(connection, line, record)
        else:
            _refused(connection, line, record, proof)
        return proof


def _proved(connection: Connection, line: PacketLine, record: HandedRecord) -> None:
    packet_store.note_proved(connection, line.esim_id, record.number)
    # An external SM-DP+ may never report the installation. A valid PoR proves it: only the installed profile has
    # the keys.
    if line.record_travels_apart:
        prove_installed(connection, line.esim_id)
    if record.unproved:
        note_proof(connection, record.session_id, StorageProof.POR)


def _refused(connection: Connection, line: PacketLine, record: HandedRecord, proof: Proof) -> None:
    """Store the refusal; after ``TRIES`` refusals of a record that was never on the card, fail the transfer.

    The failed transfer frees the record.
    """
    if proof.result is ProofResult.COUNTER_LOW:
        packet_store.draw_counter(connection, line.esim_id, _LEAP)
    tries = min(record.tries + 1, TRIES)
    packet_store.note_refused(connection, line.esim_id, record.number, proof.status[:64], tries)
    if record.known is not None or tries < TRIES:
        return
    session = find_session(connection, record.session_id)
    if session.state is SessionState.TRANSFERRING:
        slots.give_up_place(connection, line.esim_id, record.number)
        words = f"the card refused it: {proof.status}"
        move_session(connection, session, SessionEvent.TRANSFER_FAILED, words)
