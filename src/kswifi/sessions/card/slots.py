"""The slots of a card: which record holds which session, and the content that is wanted of it.

A record holds the signed right and the state of its session. ``wanted != known`` marks a record as pending: the
card has not yet proved the wanted content, and a secured packet has to bring it there.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from types import MappingProxyType
from typing import Any, Final

from sqlalchemy import Connection, bindparam, delete, insert, select, update
from sqlalchemy.engine import Row

from kswifi.database.engine import transaction_instant
from kswifi.kernel.clock import unix_seconds
from kswifi.rsp.saip.build import SESSION_RECORDS
from kswifi.rsp.session_record import RECORD_OCTETS, RecordState, RecordStatus, state_of
from kswifi.sessions.model import LIVE_STATES, SessionState
from kswifi.sessions.sql import card_line, card_record, internet_session

FIRST_RECORD: Final = 1
"""The number of the record that is part of the profile package."""

_c = card_record.c
_COLUMNS: Final = (
    _c.esim_id,
    _c.number,
    _c.session_id,
    _c.wanted,
    _c.known,
    _c.packet_counter,
    _c.packet_content,
    _c.failure,
    _c.tries,
    internet_session.c.state,
    internet_session.c.valid_until,
    internet_session.c.ordered_at,
)
# Built once: building a statement costs more than executing it.
_RECORDS: Final = (
    select(*_COLUMNS)
    .select_from(card_record.join(internet_session, internet_session.c.session_id == _c.session_id))
    .where(_c.esim_id == bindparam("line"))
    .order_by(_c.number)
)
_WANT: Final = (
    update(card_record)
    .where(_c.esim_id == bindparam("line"), _c.number == bindparam("place"))
    .values(wanted=bindparam("content"))
)
_LINE: Final = select(card_line).where(card_line.c.esim_id == bindparam("line"))
UNCHANGED_LINE: Final[Mapping[str, Any]] = MappingProxyType(
    {"wanted_order": [], "wants_next": False, "wish": 0, "session_order": [], "continues": False}
)
"""The column values of a line that its owner has not changed yet."""

_STATUS: Final = {
    SessionState.ACTIVE: RecordStatus.ACTIVE,
    SessionState.PAUSED: RecordStatus.PAUSED,
    **dict.fromkeys(LIVE_STATES - {SessionState.ACTIVE, SessionState.PAUSED}, RecordStatus.STORED),
}


@dataclass(frozen=True, slots=True)
class CardRecord:
    """One record of a card: its session, the wanted content and the content that the card has proved."""

    esim_id: str
    number: int
    session_id: str
    wanted: bytes
    known: bytes | None
    packet_counter: int | None
    packet_content: bytes | None
    failure: str | None
    tries: int
    state: SessionState
    valid_until: datetime
    ordered_at: datetime

    @property
    def settled(self) -> bool:
        """True if the card has proved the wanted content."""
        return self.known == self.wanted


@dataclass(frozen=True, slots=True)
class CardLine:
    """The order of use and the continue switch of a line: as wanted, and as confirmed by the ledger.

    ``wish`` numbers the owner's changes: a command for an older number is superseded.
    """

    wanted_order: tuple[str, ...] = ()
    wants_next: bool = False
    wish: int = 0
    session_order: tuple[str, ...] = ()
    continues: bool = False
    chosen_session_id: str | None = None


def records_of(connection: Connection, esim_id: str) -> list[CardRecord]:
    """Return the records of a card, ordered by record number."""
    return [_read(row) for row in connection.execute(_RECORDS, {"line": esim_id})]


def line_of(connection: Connection, esim_id: str) -> CardLine:
    """Return the order of use and the continue switch of a line; empty and off if the owner never changed them."""
    row = connection.execute(_LINE, {"line": esim_id}).one_or_none()
    if row is None:
        return CardLine()
    return CardLine(
        wanted_order=tuple(row.wanted_order),
        wants_next=row.wants_next,
        wish=row.wish,
        session_order=tuple(row.session_order),
        continues=row.continues,
        chosen_session_id=row.chosen_session_id,
    )


def change_line(connection: Connection, /, esim_id: str, **columns: object) -> None:
    """Update columns of a line; insert its row if there is none yet."""
    known = connection.scalar(select(card_line.c.esim_id).where(card_line.c.esim_id == esim_id))
    if known is None:
        connection.execute(insert(card_line).values(esim_id=esim_id, packet_counter=0, **UNCHANGED_LINE))
    connection.execute(update(card_line).where(card_line.c.esim_id == esim_id).values(**columns))


def note_installed(connection: Connection, esim_id: str, session_id: str, record: bytes) -> None:
    """Store that the installed profile contained this record; it replaces all records of the card."""
    connection.execute(delete(card_record).where(_c.esim_id == esim_id))
    connection.execute(
        insert(card_record).values(
            esim_id=esim_id, number=FIRST_RECORD, session_id=session_id, wanted=record, known=record, tries=0
        )
    )


def take_place(connection: Connection, esim_id: str, session_id: str, record: bytes) -> int | None:
    """Assign a record to a session and return its number; None if all records hold live sessions.

    A session keeps the record that it has. Otherwise it gets the first record that is free or whose session has
    ended.
    """
    records = records_of(connection, esim_id)
    own = next((it for it in records if it.session_id == session_id), None)
    if own is not None:
        return own.number
    taken = {it.number for it in records if it.state in LIVE_STATES}
    number = next((it for it in range(FIRST_RECORD, SESSION_RECORDS + 1) if it not in taken), None)
    if number is not None:
        connection.execute(delete(card_record).where(_c.esim_id == esim_id, _c.number == number))
        connection.execute(
            insert(card_record).values(
                esim_id=esim_id, number=number, session_id=session_id, wanted=record, tries=0
            )
        )
        project_wanted_records(connection, esim_id)
    return number


def give_up_place(connection: Connection, esim_id: str, number: int) -> None:
    """Free a record whose session was never written to the card."""
    connection.execute(delete(card_record).where(_c.esim_id == esim_id, _c.number == number))
    project_wanted_records(connection, esim_id)


def project_wanted_records(connection: Connection, esim_id: str) -> None:
    """Write the records that a card shall hold, from the present states of its sessions. Idempotent."""
    records = records_of(connection, esim_id)
    if not records:
        return
    line, now = line_of(connection, esim_id), unix_seconds(transaction_instant(connection))
    order = order_of_use(records, line)
    for record in records:
        place = order.index(record.session_id) + 1 if record.session_id in order else 0
        state = RecordState(
            status=_STATUS.get(record.state, RecordStatus.ENDED),
            place=place,
            continue_with_next=line.continues,
            as_of=now,
        )
        # A record from the profile package has no state octets: its session is stored and first in the order.
        before = state_of(record.wanted) or RecordState(
            status=RecordStatus.STORED, place=1, continue_with_next=False, as_of=now
        )
        if replace(before, as_of=now) != state:
            wanted = record.wanted[:RECORD_OCTETS] + state.encode()
            connection.execute(_WANT, {"line": esim_id, "place": record.number, "content": wanted})


def project_all_wanted_records(connection: Connection, esim_ids: Collection[str]) -> None:
    """Write the wanted records of several cards; cards without records are passed over. Idempotent."""
    having = select(_c.esim_id).where(_c.esim_id.in_(esim_ids)).distinct()
    for esim_id in connection.scalars(having).all():
        project_wanted_records(connection, esim_id)


def order_of_use(records: Sequence[CardRecord], line: CardLine) -> list[str]:
    """Return the live sessions of a card in the ledger's order: the owner's order first, the others by expiry."""
    alive = sorted(
        (it for it in records if it.state in LIVE_STATES), key=lambda it: (it.valid_until, it.ordered_at, it.number)
    )
    by_expiry = [it.session_id for it in alive]
    chosen = [it for it in line.session_order if it in by_expiry]
    return [*chosen, *(it for it in by_expiry if it not in chosen)]


def _read(row: Row[*tuple[Any, ...]]) -> CardRecord:
    return CardRecord(**{**row._asdict(), "state": SessionState(row.state)})
