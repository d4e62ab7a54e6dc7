"""The places on a card: which record holds which session, and what it shall say.

A record says the signed right and the state of its session. When either changes, what is wanted differs from what
the card has proved, and stays so until a secured packet brought it there: nothing has to be remembered beside.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, Final

from sqlalchemy import delete, insert, select, update
from sqlalchemy.engine import Row
from sqlalchemy.ext.asyncio import AsyncConnection

from kswifi.database.engine import transaction_instant
from kswifi.kernel.clock import unix_seconds
from kswifi.rsp.saip.build import SESSION_RECORDS
from kswifi.rsp.session_record import RECORD_OCTETS, RecordState, RecordStatus, state_of
from kswifi.sessions.model import LIVE_STATES, SessionState
from kswifi.sessions.sql import card_line, card_record, internet_session

FIRST_RECORD: Final = 1
"""The one that travels inside the profile."""

_c = card_record.c
_COLUMNS: Final = (
    *(_c.esim_id, _c.number, _c.session_id, _c.wanted, _c.known, _c.packet_counter, _c.packet_content),
    *(_c.failure, _c.tries, internet_session.c.state, internet_session.c.valid_until),
    internet_session.c.ordered_at,
)
_STATUS: Final = {
    SessionState.ACTIVE: RecordStatus.ACTIVE,
    SessionState.PAUSED: RecordStatus.PAUSED,
    **dict.fromkeys(LIVE_STATES - {SessionState.ACTIVE, SessionState.PAUSED}, RecordStatus.STORED),
}


@dataclass(frozen=True, slots=True)
class CardRecord:
    """One record: the session's, what is wanted of it, and what the card has proved."""

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
        """Whether the card has proved that it says what it shall."""
        return self.known == self.wanted


@dataclass(frozen=True, slots=True)
class CardLine:
    """A line's order of use and its switch, as wanted (``wish`` counts) and as the ledger has confirmed them."""

    wanted_order: tuple[str, ...] = ()
    wants_next: bool = False
    wish: int = 0
    session_order: tuple[str, ...] = ()
    continues: bool = False
    chosen_session_id: str | None = None


async def records_of(connection: AsyncConnection, esim_id: str) -> list[CardRecord]:
    """Return the records of a card by their number."""
    joined = card_record.join(internet_session, internet_session.c.session_id == _c.session_id)
    query = select(*_COLUMNS).select_from(joined).where(_c.esim_id == esim_id).order_by(_c.number)
    return [_read(row) for row in await connection.execute(query)]


async def line_of(connection: AsyncConnection, esim_id: str) -> CardLine:
    """Return a line's order and switch; those of a line that nobody changed yet are empty and off."""
    row = (await connection.execute(select(card_line).where(card_line.c.esim_id == esim_id))).one_or_none()
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


async def change_line(connection: AsyncConnection, esim_id: str, **columns: object) -> None:
    """Write what changed of a line."""
    known = await connection.scalar(select(card_line.c.esim_id).where(card_line.c.esim_id == esim_id))
    if known is None:
        fresh = {"packet_counter": 0, "wanted_order": [], "wants_next": False, "wish": 0}
        fresh |= {"session_order": [], "continues": False}
        await connection.execute(insert(card_line).values(esim_id=esim_id, **fresh))
    await connection.execute(update(card_line).where(card_line.c.esim_id == esim_id).values(**columns))


async def draw_counter(connection: AsyncConnection, esim_id: str, ahead: int = 1) -> int:
    """Return the next counter for a secured packet; with ``ahead``, one that leaps over what a card may have."""
    query = select(card_line.c.packet_counter).where(card_line.c.esim_id == esim_id)
    counter = int(await connection.scalar(query) or 0) + ahead
    await change_line(connection, esim_id, packet_counter=counter)
    return counter


async def note_installed(connection: AsyncConnection, esim_id: str, session_id: str, record: bytes) -> None:
    """Note that the profile brought this record."""
    await connection.execute(delete(card_record).where(_c.esim_id == esim_id))
    await connection.execute(
        insert(card_record).values(
            esim_id=esim_id, number=FIRST_RECORD, session_id=session_id, wanted=record, known=record, tries=0
        )
    )


async def take_place(connection: AsyncConnection, esim_id: str, session_id: str, record: bytes) -> int | None:
    """Give a session a record: its own, an empty one, or that of a session that is over; None if all are taken."""
    records = await records_of(connection, esim_id)
    own = next((it for it in records if it.session_id == session_id), None)
    if own is not None:
        return own.number
    taken = {it.number for it in records if it.state in LIVE_STATES}
    number = next((it for it in range(FIRST_RECORD, SESSION_RECORDS + 1) if it not in taken), None)
    if number is not None:
        await connection.execute(delete(card_record).where(_c.esim_id == esim_id, _c.number == number))
        await connection.execute(
            insert(card_record).values(
                esim_id=esim_id, number=number, session_id=session_id, wanted=record, tries=0
            )
        )
        await refresh(connection, esim_id)
    return number


async def give_up_place(connection: AsyncConnection, record: CardRecord) -> None:
    """Free the record of a session that never came onto the card."""
    await connection.execute(delete(card_record).where(_c.esim_id == record.esim_id, _c.number == record.number))
    await refresh(connection, record.esim_id)


async def write_record(connection: AsyncConnection, record: CardRecord, **columns: object) -> CardRecord:
    """Write what changed of a record; return it as it is then."""
    await connection.execute(
        update(card_record).where(_c.esim_id == record.esim_id, _c.number == record.number).values(**columns)
    )
    return replace(record, **columns)  # type: ignore[arg-type]


async def refresh(connection: AsyncConnection, esim_id: str) -> None:
    """Bring what is wanted of a card's records up to how its sessions stand now."""
    records = await records_of(connection, esim_id)
    if not records:
        return
    line, now = await line_of(connection, esim_id), unix_seconds(transaction_instant(connection))
    order = order_of_use(records, line)
    for record in records:
        place = order.index(record.session_id) + 1 if record.session_id in order else 0
        state = RecordState(
            status=_STATUS.get(record.state, RecordStatus.ENDED),
            place=place,
            continue_with_next=line.continues,
            as_of=now,
        )
        # What a profile brought says nothing of its state: it is the first, and stored.
        before = state_of(record.wanted) or RecordState(
            status=RecordStatus.STORED, place=1, continue_with_next=False, as_of=now
        )
        if replace(before, as_of=now) != state:
            await write_record(connection, record, wanted=record.wanted[:RECORD_OCTETS] + state.encode())


def order_of_use(records: Sequence[CardRecord], line: CardLine) -> list[str]:
    """Return the live sessions of a card in the ledger's order: those chosen first, the others by their expiry."""
    alive = sorted(
        (it for it in records if it.state in LIVE_STATES), key=lambda it: (it.valid_until, it.ordered_at, it.number)
    )
    by_expiry = [it.session_id for it in alive]
    chosen = [it for it in line.session_order if it in by_expiry]
    return [*chosen, *(it for it in by_expiry if it not in chosen)]


def _read(row: Row[*tuple[Any, ...]]) -> CardRecord:
    return CardRecord(**{**row._asdict(), "state": SessionState(row.state)})
