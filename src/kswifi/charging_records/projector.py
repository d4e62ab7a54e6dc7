"""The projector: it follows the ledger's journal and makes charging data records from it.

It stores its position in the journal in the transaction that stores the records, so that each effect counts exactly
once, even after a crash. Everything that was durable before an answer left is in the records eventually. It reads
rarely and in large pieces, because nothing waits for it.
"""

import asyncio
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Final

import msgspec
import structlog
from sqlalchemy import Connection

from kswifi.charging.journal_notes import Bearer, UsageNote
from kswifi.charging_records import store
from kswifi.charging_records.model import UNBOOKED, ChargingDataRecord, provider_record_id
from kswifi.database.engine import Database
from kswifi.database.errors import DatabaseBusyError
from kswifi.ledger import effects as fx
from kswifi.ledger.ports import LedgerJournal

EFFECTS_AT_ONCE: Final = 200_000
"""Projected in one transaction at most; the position is in it, so a new start goes on from its end."""
RECORDS_AT_ONCE: Final = 100
"""Journal records that are read in one piece."""
LAST_PIECES: Final = 10
"""The most pieces read while stopping: a stopping process does not wait for a long backlog."""

_log = structlog.get_logger(__name__)


async def recorded_sequence(database: Database) -> int:
    """Return the sequence up to which the journal was projected. The next start needs a journal that reaches it."""
    return await database.read(store.read_sequence)


class ChargingRecords:
    """Makes records from the journal. The ledger's ``on_durable`` hook calls ``wake``."""

    def __init__(
        self,
        database: Database,
        ledger: LedgerJournal,
        pause_seconds: float = 1.0,
        records_at_once: int = RECORDS_AT_ONCE,
        effects_at_once: int = 10_000,
    ) -> None:
        """``pause_seconds``: what was reported within it is written as one; so old the records may be."""
        self._database = database
        self._ledger = ledger
        self._pause_seconds = pause_seconds
        self._records_at_once = records_at_once
        self._effects_at_once = effects_at_once
        self._wake = asyncio.Event()
        self._stopping = asyncio.Event()

    def wake(self, _sequence: int = 0) -> None:
        """Signal that the journal has new records; call it on the loop's thread."""
        self._wake.set()

    def stop(self) -> None:
        """Make ``run`` return after a last pass; the next start reads the rest."""
        self._stopping.set()
        self._wake.set()

    async def run(self) -> None:
        """Make records until ``stop``."""
        while not self._stopping.is_set():
            self._wake.clear()
            await self._try_to_catch_up()
            try:
                async with asyncio.timeout(self._pause_seconds):
                    await self._stopping.wait()
            except TimeoutError:
                await self._wake.wait()
        await self._try_to_catch_up()

    async def catch_up(self) -> int:
        """Project everything durable (a bounded part while stopping); return the sequence that was reached."""
        left, sequence = LAST_PIECES, 0
        while left:
            left -= self._stopping.is_set()
            sequence = await self._database.read(store.read_sequence)
            records = await asyncio.to_thread(self._read_window, sequence)
            if not records:
                return sequence
            changes = await self._database.read(partial(_project, after_sequence=sequence, window=records))
            sequence = await self._database.write(partial(_write, changes=changes), alone=True)
        return sequence

    def _read_window(self, after_sequence: int) -> list[tuple[int, tuple[fx.Effect, ...]]]:
        """Return the next records, as many as one transaction may project; what they do not say is left out."""
        window: list[tuple[int, tuple[fx.Effect, ...]]] = []
        effects = 0
        while effects < self._effects_at_once:
            read = self._ledger.read_effects(after_sequence, self._records_at_once)
            for sequence, of_record in read:
                kept = tuple([it for it in of_record if type(it) in _PROJECTED and not _says_nothing(it)])
                window.append((sequence, kept))
                effects += len(of_record)
            if len(read) < self._records_at_once:
                break
            after_sequence = read[-1][0]
        return window

    async def _try_to_catch_up(self) -> None:
        try:
            await self.catch_up()
        except DatabaseBusyError:
            _log.warning("charging_records_wait_for_database")
            self._wake.set()


_TOLD: Final = (
    fx.Reserved,
    fx.Admitted,
    fx.Committed,
    fx.Overran,
    fx.Unbooked,
    fx.ReservationClosed,
    fx.ReservationForgotten,
)
_PROJECTED: Final = frozenset({*_TOLD, fx.Refunded, fx.Reported})


def _says_nothing(effect: fx.Effect) -> bool:
    """Return whether an effect changes no record: only the first grant of a reservation has a note."""
    return isinstance(effect, fx.Reserved) and not effect.note


@dataclass(frozen=True, slots=True)
class _Changes:
    """What a window of journal records changes in the tables, which held the journal up to ``after_sequence``."""

    after_sequence: int
    sequence: int
    begun: dict[str, str]
    forgotten: set[str]
    records: dict[str, ChargingDataRecord]


def _write(connection: Connection, changes: _Changes) -> int:
    """Write all changed rows and the position; return the sequence that was reached.

    The rows were computed before, so that the database is not locked meanwhile: where another process has written
    since, nothing is done.
    """
    sequence = store.read_sequence(connection)
    if sequence != changes.after_sequence:
        return sequence
    store.write_reservations(connection, changes.begun)
    store.forget_reservations(connection, changes.forgotten)
    store.write_records(connection, changes.records.values())
    store.write_sequence(connection, changes.sequence)
    return changes.sequence


def _project(
    connection: Connection, after_sequence: int, window: Sequence[tuple[int, Iterable[fx.Effect]]]
) -> _Changes:
    """Compute what a window changes, from the rows as they are."""
    effects = [effect for _, of_record in window for effect in of_record]
    told = [it for it in effects if isinstance(it, _TOLD)]
    begun = _begun(told)
    refunds = [
        (it, opened) for it in effects if isinstance(it, fx.Refunded) and (opened := _bearer(it)) is not None
    ]
    sessions = store.read_reservations(connection, {it.reservation_id for it in told} - begun.keys())
    sessions |= {reservation_id: session_id for reservation_id, (session_id, _) in begun.items()}
    counted = [it for it in effects if isinstance(it, fx.Reported)]
    wanted = {*sessions.values(), *(session_id for _, (session_id, _) in refunds)}
    wanted |= {provider_record_id(it.account_id) for it in counted}
    records = store.read_records(connection, wanted)
    forgotten: set[str] = set()
    for effect in told:
        session_id = sessions.get(effect.reservation_id)
        # Nearly all effects are of this kind and need nothing else.
        if isinstance(effect, fx.Committed) and session_id in records and effect.reservation_id not in forgotten:
            records[session_id].report(effect.account_id, effect.octets, _usage(effect.note), effect.at)
            continue
        if isinstance(effect, fx.ReservationForgotten):
            forgotten.add(effect.reservation_id)
        elif session_id is not None:
            # A Session-Id may be used again after it was forgotten; its reservation is then new.
            forgotten.discard(effect.reservation_id)
            if session_id not in records and effect.reservation_id in begun:
                bearer = begun[effect.reservation_id][1]
                records[session_id] = ChargingDataRecord.opened(session_id, bearer, effect.at)
            record = records.get(session_id)
            if record is not None:  # None: the record was pruned long before this effect
                _tell(record, effect)
    _give_back(records, refunds)
    _count(records, counted)
    kept = {key: session_id for key, (session_id, _) in begun.items() if key not in forgotten}
    return _Changes(after_sequence, window[-1][0], kept, forgotten, records)


def _begun(told: Sequence[fx.Effect]) -> dict[str, tuple[str, Bearer]]:
    """Return the reservations that the effects open, with the Session-Id and the bearer of each."""
    begun: dict[str, tuple[str, Bearer]] = {}
    for effect in told:
        if isinstance(effect, fx.Reserved | fx.Admitted) and effect.note:
            opened = _bearer(effect)
            if opened is not None:
                begun[effect.reservation_id] = opened
    return begun


def _give_back(
    records: dict[str, ChargingDataRecord], refunds: Sequence[tuple[fx.Refunded, tuple[str, Bearer]]]
) -> None:
    for refund, (session_id, bearer) in refunds:
        if session_id not in records:
            records[session_id] = ChargingDataRecord.opened(session_id, bearer, refund.at)
        records[session_id].give_back(refund.account_id, refund.octets, refund.at)


def _count(records: dict[str, ChargingDataRecord], counted: Sequence[fx.Reported]) -> None:
    for it in counted:
        record_id = provider_record_id(it.account_id)
        if record_id not in records:
            records[record_id] = ChargingDataRecord.of_provider(it.account_id, it.as_of)
        records[record_id].count(it.account_id, it.octets, it.overrun_octets, it.as_of)


def _tell(record: ChargingDataRecord, effect: fx.Effect) -> None:
    match effect:
        case fx.Reserved(at=at, note=note) | fx.Admitted(at=at, note=note):
            if note:  # only the first Reserved or Admitted of a reservation has one
                record.reserve(at)
        case fx.Committed(account_id=account, octets=octets, at=at, note=note):
            record.report(account, octets, _usage(note), at)
        case fx.Overran(account_id=account, octets=octets, at=at):
            record.use(account, octets, at, overrun=True)
        case fx.Unbooked(octets=octets, at=at, note=note):
            record.use(UNBOOKED, octets, at, overrun=True)
            record.report(UNBOOKED, 0, _usage(note), at)
        case fx.ReservationClosed(settled=settled, at=at, note=note):
            record.close(_usage(note), at, settled=settled)


def _bearer(effect: fx.Reserved | fx.Admitted | fx.Refunded) -> tuple[str, Bearer] | None:
    try:
        return Bearer.from_note(effect.note)
    except msgspec.MsgspecError:
        _log.warning("effect_without_bearer", effect=repr(effect))
        return None


def _usage(note: str) -> UsageNote:
    try:
        return UsageNote.from_note(note)
    except msgspec.MsgspecError:
        _log.warning("usage_note_not_understood", note=note)
        return UsageNote()
