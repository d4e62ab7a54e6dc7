"""Follow the sources of the figures, or compute all figures anew.

A pass reads in a reader's snapshot which days have changed, computes them there, and writes the differences with
the new positions in one short transaction. It is repeated safely: what it writes depends on the sources alone.
"""

import asyncio
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from datetime import tzinfo
from typing import Final

import structlog
from sqlalchemy import Connection, delete, select

from kswifi.database.dialect import insert
from kswifi.database.engine import Database
from kswifi.database.errors import DatabaseBusyError
from kswifi.desk.figures.model import Cell, without_zeros
from kswifi.desk.figures.sources import SOURCES, Source, computed
from kswifi.desk.figures.sql import figure_day, figure_position
from kswifi.kernel.clock import monotonic_seconds

_log = structlog.get_logger(__name__)

LEAST_PAUSE_SECONDS: Final = 5.0
_PAUSE_SHARE: Final = 20.0
"""How many times longer than a pass the pause after it is: figures take at most a twentieth of one processor."""

_DAYS_AT_ONCE: Final = 31
_t: Final = figure_day.c


@dataclass(frozen=True, slots=True)
class _Change:
    """What one source has changed: rows to write and to delete, and its new position."""

    source: str
    position: int
    write: dict[Cell, int]
    remove: list[Cell]


class FigureProjector:
    """Keeps the figures up to date; ``zone`` is the time zone of the local days."""

    def __init__(
        self, database: Database, zone: tzinfo, monotonic: Callable[[], float] = monotonic_seconds
    ) -> None:
        self._database = database
        self._zone = zone
        self._monotonic = monotonic
        self._stop = asyncio.Event()

    async def run(self) -> None:
        """Follow until ``stop``."""
        while not self._stop.is_set():
            began = self._monotonic()
            try:
                await self.catch_up()
            except DatabaseBusyError:
                _log.warning("figures_wait_for_database")
            pause = max(LEAST_PAUSE_SECONDS, _PAUSE_SHARE * (self._monotonic() - began))
            with suppress(TimeoutError):
                async with asyncio.timeout(pause):
                    await self._stop.wait()

    def stop(self) -> None:
        """End ``run`` after its present pass."""
        self._stop.set()

    async def catch_up(self) -> int:
        """Bring all figures up to date; return how many rows were written or deleted."""
        return sum([await self._follow(source, anew=False) for source in SOURCES])

    async def rebuild(self) -> int:
        """Compute the figures of all days anew; return how many rows differed.

        Days whose sources are no longer kept (charging data records, after KSWIFI_CDR_RETENTION_DAYS) stay as they
        are.
        """
        return sum([await self._follow(source, anew=True) for source in SOURCES])

    async def _follow(self, source: Source, *, anew: bool) -> int:
        change = await self._database.read(lambda connection: self._compute(connection, source, anew=anew))
        if not change.write and not change.remove and not anew:
            known = await self._database.read(lambda connection: _position(connection, source.name))
            if known == change.position:
                return 0
        await self._database.write(lambda connection: _write(connection, change), alone=True)
        return len(change.write) + len(change.remove)

    def _compute(self, connection: Connection, source: Source, *, anew: bool) -> _Change:
        """Return what a source changes, in one snapshot."""
        days, position = source.changed(
            connection, None if anew else _position(connection, source.name), self._zone
        )
        write: dict[Cell, int] = {}
        remove: list[Cell] = []
        for start in range(0, len(days), _DAYS_AT_ONCE):
            some = days[start : start + _DAYS_AT_ONCE]
            stored = _stored(connection, source, [day.isoformat() for day in some])
            fresh: dict[Cell, int] = {}
            for day in some:
                fresh |= without_zeros(computed(connection, source, day, self._zone))
            write |= {cell: value for cell, value in fresh.items() if stored.get(cell) != value}
            remove += [cell for cell in stored if cell not in fresh]
        return _Change(source.name, position, write, remove)


def _position(connection: Connection, source: str) -> int | None:
    query = select(figure_position.c.position).where(figure_position.c.source == source)
    found: int | None = connection.scalar(query)
    return found


def _stored(connection: Connection, source: Source, days: list[str]) -> dict[Cell, int]:
    query = select(figure_day).where(_t.day.in_(days), _t.name.in_(source.figures))
    return {(row.day, row.name, row.dimension): row.value for row in connection.execute(query)}


def _write(connection: Connection, change: _Change) -> None:
    for day, name, dimension in change.remove:
        connection.execute(delete(figure_day).where(_t.day == day, _t.name == name, _t.dimension == dimension))
    if change.write:
        statement = insert(figure_day)
        statement = statement.on_conflict_do_update(
            index_elements=["day", "name", "dimension"], set_={"value": statement.excluded.value}
        )
        rows = [
            {"day": day, "name": name, "dimension": dimension, "value": value}
            for (day, name, dimension), value in change.write.items()
        ]
        connection.execute(statement, rows)
    statement = insert(figure_position).values(source=change.source, position=change.position)
    connection.execute(
        statement.on_conflict_do_update(index_elements=["source"], set_={"position": change.position})
    )
