"""SQL statements of secured packets, one per step; the statement objects are built once at import.

A packet needs two short transactions, which share a commit with other cards' packets (see ``Database.write``). Each
read is therefore one join that selects only the columns of the line and the record that a packet needs.
"""

from dataclasses import dataclass
from typing import Any, Final

from sqlalchemy import Connection, Row, and_, bindparam, select, update

from kswifi.database.dialect import insert
from kswifi.esim.errors import UnknownEsimError
from kswifi.esim.lines.service import canonical_esim_id
from kswifi.esim.model import ProfileState
from kswifi.esim.sql import esim
from kswifi.kernel.numbers import Iccid
from kswifi.sessions.card.slots import UNCHANGED_LINE
from kswifi.sessions.model import SessionState
from kswifi.sessions.sql import card_line, card_record, internet_session

_c = card_record.c
_COLUMNS: Final = (
    esim.c.esim_id,
    esim.c.iccid,
    esim.c.profile_state,
    esim.c.smdp_address,
    _c.number,
    _c.session_id,
    _c.wanted,
    _c.known,
    _c.packet_counter,
    _c.packet_content,
    _c.tries,
)
_OF_OWNER: Final = and_(esim.c.esim_id == bindparam("line"), esim.c.user_id == bindparam("owner"))
# Records that are not on the card yet come before records whose state has changed.
_WAITING: Final = (
    select(*_COLUMNS)
    .select_from(
        esim.outerjoin(card_record, and_(_c.esim_id == esim.c.esim_id, _c.known.is_distinct_from(_c.wanted)))
    )
    .where(_OF_OWNER)
    .order_by(_c.known.is_not(None), _c.number)
    .limit(1)
)
_HANDED: Final = (
    select(*_COLUMNS, internet_session.c.state, internet_session.c.storage_proof)
    .select_from(
        esim.outerjoin(
            card_record,
            and_(
                _c.esim_id == esim.c.esim_id,
                _c.number == bindparam("place"),
                _c.packet_counter == bindparam("counter"),
            ),
        ).outerjoin(internet_session, internet_session.c.session_id == _c.session_id)
    )
    .where(_OF_OWNER)
)
_DRAW: Final = (
    insert(card_line)
    .values(esim_id=bindparam("line"), packet_counter=bindparam("ahead"), **UNCHANGED_LINE)
    .on_conflict_do_update(
        index_elements=[card_line.c.esim_id],
        set_={"packet_counter": card_line.c.packet_counter + bindparam("ahead")},
    )
    .returning(card_line.c.packet_counter)
)
_RECORD: Final = update(card_record).where(_c.esim_id == bindparam("line"), _c.number == bindparam("place"))
_HAND_OUT: Final = _RECORD.values(packet_counter=bindparam("counter"), packet_content=_c.wanted)
_PROVE: Final = _RECORD.values(known=_c.packet_content, failure=None, tries=0)
_REFUSE: Final = _RECORD.values(failure=bindparam("status"), tries=bindparam("refusals"))


@dataclass(frozen=True, slots=True)
class PacketLine:
    """The columns of a line that a packet needs; ``record_travels_apart`` has the meaning of ``ESim``."""

    esim_id: str
    iccid: Iccid
    profile_state: ProfileState
    record_travels_apart: bool


@dataclass(frozen=True, slots=True)
class WaitingRecord:
    """A record that the next packet writes to the card."""

    number: int
    session_id: str
    wanted: bytes


@dataclass(frozen=True, slots=True)
class HandedRecord:
    """A record whose newest packet has been handed out, and the state of its session."""

    number: int
    session_id: str
    counter: int
    content: bytes
    known: bytes | None
    tries: int
    unproved: bool
    """True if the session is ``transferring`` and has no proof of storage yet."""


def next_waiting(connection: Connection, user_id: str, esim_id: str) -> tuple[PacketLine, WaitingRecord | None]:
    """Return a user's line and the record for its next packet; None if the card has proved every record.

    Raises:
        UnknownEsimError: no such eSIM, or it belongs to another user.
    """
    row = _of_owner(connection, _WAITING, user_id, esim_id)
    waiting = None if row.number is None else WaitingRecord(row.number, row.session_id, row.wanted)
    return _line(row), waiting


def handed_out(
    connection: Connection, user_id: str, esim_id: str, number: int, counter: int
) -> tuple[PacketLine, HandedRecord | None]:
    """Return a user's line and the record whose newest packet has this counter; None if there is a newer packet.

    Raises:
        UnknownEsimError: no such eSIM, or it belongs to another user.
    """
    row = _of_owner(connection, _HANDED, user_id, esim_id, place=number, counter=counter)
    if row.packet_content is None:
        return _line(row), None
    return _line(row), HandedRecord(
        number=row.number,
        session_id=row.session_id,
        counter=row.packet_counter,
        content=row.packet_content,
        known=row.known,
        tries=row.tries,
        unproved=row.state == SessionState.TRANSFERRING and row.storage_proof is None,
    )


def draw_counter(connection: Connection, esim_id: str, ahead: int = 1) -> int:
    """Increase the line's packet counter by ``ahead`` and return it.

    TS 102 225: a card accepts a packet only if its counter is higher than that of the last packet it accepted.
    ``ahead`` > 1 skips counters that the card may have seen already.
    """
    return int(connection.execute(_DRAW, {"line": esim_id, "ahead": ahead}).scalar_one())


def hand_out(connection: Connection, esim_id: str, number: int, counter: int) -> None:
    """Store the counter and the content of a record's newest packet; the content is what the record shall hold."""
    connection.execute(_HAND_OUT, {"line": esim_id, "place": number, "counter": counter})


def note_proved(connection: Connection, esim_id: str, number: int) -> None:
    """Store that the card has proved the content of the record's newest packet."""
    connection.execute(_PROVE, {"line": esim_id, "place": number})


def note_refused(connection: Connection, esim_id: str, number: int, status: str, tries: int) -> None:
    """Store the reason why the card refused the newest packet, and the number of refusals so far."""
    connection.execute(_REFUSE, {"line": esim_id, "place": number, "status": status, "refusals": tries})


def _of_owner(
    connection: Connection, statement: Any, user_id: str, esim_id: str, **more: int
) -> Row[*tuple[Any, ...]]:
    values = {"line": canonical_esim_id(esim_id), "owner": user_id, **more}
    row: Row[*tuple[Any, ...]] | None = connection.execute(statement, values).one_or_none()
    if row is None:
        raise UnknownEsimError("there is no such eSIM", esim_id=esim_id)
    return row


def _line(row: Row[*tuple[Any, ...]]) -> PacketLine:
    return PacketLine(row.esim_id, Iccid(row.iccid), ProfileState(row.profile_state), row.smdp_address is not None)
