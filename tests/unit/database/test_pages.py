"""Rows page by page: every row once, in both orders, with equal instants among the keys."""

from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Column, Connection, Integer, MetaData, String, Table, bindparam, delete, insert, select

from kswifi.database.engine import Database
from kswifi.database.pages import PagedQuery
from kswifi.database.types import UtcDateTime
from kswifi.kernel.errors import RefusedError
from kswifi.kernel.pages import Page, PageRequest, decode_cursor
from tests.support.databases import START, open_database

SCRATCH = MetaData()
note = Table(
    "note",
    SCRATCH,
    Column("name", String(8), primary_key=True),
    Column("owner", Integer, nullable=False),
    Column("at", UtcDateTime, nullable=False),
)
OF_OWNER = select(note).where(note.c.owner == bindparam("owner"))
ROWS = [
    {"name": f"n{at}", "owner": at % 2, "at": START + timedelta(microseconds=at // 5)}  # five rows each instant
    for at in range(31)
]


def fill(connection: Connection) -> None:
    connection.execute(insert(note), ROWS)


async def walk(database: Database, query: PagedQuery, limit: int) -> list[str]:
    found: list[str] = []
    request = PageRequest(limit)
    while True:
        page: Page[Any] = await database.read(
            partial(query.read, request=request, convert=lambda row: row.name, owner=1)
        )
        found += page.items
        if page.cursor is None:
            return found
        assert len(page.items) == limit
        request = PageRequest(limit, decode_cursor(page.cursor))


@pytest.mark.parametrize("newest_first", [False, True])
async def test_following_the_cursors_gives_each_row_of_the_owner_once(tmp_path: Path, newest_first: bool) -> None:
    query = PagedQuery(OF_OWNER, note.c.at, note.c.name, newest_first=newest_first)
    mine = sorted((it for it in ROWS if it["owner"] == 1), key=lambda it: (it["at"], it["name"]))
    wanted = [str(it["name"]) for it in mine]
    async with open_database(tmp_path) as database:
        await database.write(SCRATCH.create_all)
        await database.write(fill)
        for limit in (1, 2, 5, 14, 15, 16, 100):
            assert await walk(database, query, limit) == (wanted[::-1] if newest_first else wanted), limit


async def test_a_page_follows_a_row_that_was_deleted(tmp_path: Path) -> None:
    query = PagedQuery(OF_OWNER, note.c.name)
    async with open_database(tmp_path) as database:
        await database.write(SCRATCH.create_all)
        await database.write(fill)
        read = partial(query.read, convert=lambda row: row.name, owner=1)
        first = await database.read(partial(read, request=PageRequest(2)))
        assert first.items == ["n1", "n11"]

        def remove(connection: Connection) -> None:
            connection.execute(delete(note).where(note.c.name == "n11"))

        await database.write(remove)
        rest = await database.read(partial(read, request=PageRequest(2, first.last)))
        assert rest.items == ["n13", "n15"]


@pytest.mark.parametrize("after", [(), (1,), ("n1", "n1", "n1"), (1, 2), ("n1", "n1")])
async def test_the_cursor_of_another_list_is_refused(tmp_path: Path, after: tuple[Any, ...]) -> None:
    query = PagedQuery(OF_OWNER, note.c.at, note.c.name)
    async with open_database(tmp_path) as database:
        await database.write(SCRATCH.create_all)
        with pytest.raises(RefusedError, match="next"):
            await database.read(
                partial(query.read, request=PageRequest(1, after), convert=lambda row: row.name, owner=1)
            )
