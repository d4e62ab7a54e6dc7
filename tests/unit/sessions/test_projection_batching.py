"""The same journal in any batches, with any deaths in between, leaves the same tables and the same events."""

import asyncio
import sqlite3
from collections.abc import Sequence
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy import URL, Connection, Table, select

from kswifi.database.engine import Database, Step, sqlite_url
from kswifi.esim.sql import esim
from kswifi.free_data.rules import FreeDataRules
from kswifi.free_data.sql import free_grant
from kswifi.kernel.clock import unix_seconds
from kswifi.ledger.commands import Ask, Command, Commit, HoldWallet, LiftHold, Receive, Reserve, Revoke, Send
from kswifi.outbox.sql import domain_event, outbox_entry
from kswifi.sessions import projector as projector_module
from kswifi.sessions.model import InternetSession
from kswifi.sessions.projector import Pace, Projector
from kswifi.sessions.sql import card_line, card_record, internet_session, ledger_projection, session_balance
from tests.support.session_roads import ADA, BOLA, GB, Road, open_road

RULES = FreeDataRules(tranche_octets=GB // 2, cost_kobo_per_gb=20_000)
MB = 1_000_000
TABLES: tuple[Table, ...] = (
    *(internet_session, session_balance, free_grant, esim, card_line, card_record, ledger_projection),
    *(domain_event, outbox_entry),
)

KINDS = ("use", "use", "use", "use", "give", "hold", "lift", "revoke")
STEPS = st.lists(
    st.lists(st.tuples(st.integers(0, 1), st.sampled_from(KINDS), st.integers(1, 300)), min_size=1, max_size=4),
    min_size=3,
    max_size=12,
)
PACES = st.builds(
    Pace,
    records_at_once=st.sampled_from([1, 2, 7, 1_000]),
    light_rows=st.sampled_from([0, 1, 256]),
    row_seconds=st.sampled_from([0.0, 1e9]),
)


class Killed(BaseException):
    """The process dies."""


class MortalDatabase(Database):
    """Dies at a write: before its commit, or after it."""

    def __init__(self, url: URL, road: Road, deaths: Sequence[tuple[int, bool]]) -> None:
        super().__init__(url, road.clock)
        self.deaths = list(deaths)
        self.writes = 0

    async def write(self, step: Step[object], *, alone: bool = False, wait_seconds: float | None = None) -> object:  # type: ignore[override]
        self.writes += 1
        death = next((it for it in self.deaths if it[0] <= self.writes), None)
        if death is None:
            return await super().write(step, alone=alone, wait_seconds=wait_seconds)
        self.deaths.remove(death)
        self.writes = 0
        if death[1]:
            await super().write(step, alone=alone, wait_seconds=wait_seconds)
        raise Killed


def _commands(road: Road, sessions: Sequence[InternetSession], steps: list[tuple[int, str, int]]) -> list[Command]:
    expires = unix_seconds(road.clock.now()) + 3600
    made: list[Command] = []
    for place, kind, amount in steps:
        session, name = sessions[place], f"{kind}-{next(_numbers)}"
        line = session.esim_id
        if kind == "use":
            made.append(Commit(name, f"gw;{line}", amount * MB, Ask(10 * MB, 1, expires)))
        elif kind == "give":
            other = sessions[1 - place].session_id
            made.append(Send(f"{name}:send", session.session_id, amount * MB, name))
            made.append(Receive(f"{name}:receive", other, amount * MB, name))
        elif kind == "hold":
            made.append(HoldWallet(name, line, "paused"))
        elif kind == "lift":
            made += [LiftHold(name, line), Reserve(f"r-{name}", f"gw;{line}", line, Ask(10 * MB, 1, expires))]
        elif amount < 30:  # a revocation ends everything: a rare one
            made.append(Revoke(name, session.session_id, "test"))
    return made


_numbers = iter(range(1 << 60))


async def _tables(database: Database) -> dict[str, list[tuple[object, ...]]]:
    def read(connection: Connection) -> dict[str, list[tuple[object, ...]]]:
        return {
            it.name: [tuple(row) for row in connection.execute(select(it).order_by(*it.primary_key))]
            for it in TABLES
        }

    return await database.read(read)


@pytest.mark.sqlite  # it copies the file
@settings(deadline=None, max_examples=8)
@given(
    steps=STEPS,
    paces=st.lists(PACES, min_size=3, max_size=3),
    deaths=st.lists(st.tuples(st.integers(1, 6), st.booleans()), max_size=6),
    cost=st.sampled_from([1, 4, 64]),
)
async def test_any_batches_and_deaths_leave_the_same(
    tmp_path_factory: pytest.TempPathFactory,
    steps: list[list[tuple[int, str, int]]],
    paces: list[Pace],
    deaths: list[tuple[int, bool]],
    cost: int,
) -> None:
    folder: Path = tmp_path_factory.mktemp("batching")
    async with open_road(folder, rules=RULES) as road:
        sessions = [await road.stored(GB, ADA), await road.stored(GB, BOLA)]
        for session in sessions:
            await road.reserve(session, 10 * MB)
        await road.settle()
        for some in steps:  # each a record or a few, with all its commands at the same time
            await asyncio.gather(*(road.ledger.execute(it) for it in _commands(road, sessions, some)))
        found = []
        for number, pace in enumerate(paces):
            copy = folder / f"control-{number}.db"
            _copy(folder / "control.db", copy)
            database = MortalDatabase(sqlite_url(copy), road, deaths if number else [])
            with pytest.MonkeyPatch.context() as patch:
                patch.setattr(projector_module, "_COST_AT_ONCE", cost if number else 64)
                while True:
                    try:
                        await Projector(database, road.ledger, RULES, pace=pace).catch_up()
                        break
                    except Killed:
                        continue
            found.append(await _tables(database))
            await database.close()
        assert found[0]["ledger_projection"][0][1] == road.ledger.durable_sequence
        assert found[1] == found[0]
        assert found[2] == found[0]
        account = road.ledger.state.account(sessions[0].session_id)
        if account is not None:
            (row,) = [it for it in found[0]["session_balance"] if it[0] == sessions[0].session_id]
            assert row[2] == account.balances.used


def _copy(source: Path, target: Path) -> None:
    with sqlite3.connect(source) as read, sqlite3.connect(target) as written:
        read.backup(written)
    read.close()
    written.close()
