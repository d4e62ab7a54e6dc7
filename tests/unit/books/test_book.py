"""The money book: whole entries or none, each once, for good; also against SQL that bypasses the code."""

import asyncio
import csv
import io
import json
from collections.abc import Awaitable, Callable, Mapping
from datetime import timedelta
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy import Connection, text
from sqlalchemy.exc import IntegrityError
from typer.testing import CliRunner

from kswifi.books.errors import ReferenceConflictError, UnbalancedEntryError
from kswifi.books.export import export_csv, export_json_lines
from kswifi.books.model import Account, BookEntry, checked_lines
from kswifi.books.service import balances, entries_after, post
from kswifi.books.verify import Verified, verify_book
from kswifi.cli.main import app
from kswifi.database.engine import Database
from tests.support.databases import START, open_database

PAID = [(Account.CASH_AT_GATEWAY, 80_000), (Account.DEFERRED_REVENUE, -80_000)]


async def _post(database: Database, reference: str, lines: list[tuple[Account, int]] | None = None) -> int:
    return await database.write(
        lambda connection: post(
            connection, reference=reference, kind="payment", lines=PAID if lines is None else lines, at=START
        )
    )


async def test_an_entry_is_written_once_and_stands_in_the_balances(tmp_path: Path) -> None:
    async with open_database(tmp_path) as database:
        assert await _post(database, "payment:1") == 1
        assert await _post(database, "payment:2") == 2
        assert await _post(database, "payment:1") == 1
        assert await _post(database, "payment:1", list(reversed(PAID))) == 1
        with pytest.raises(ReferenceConflictError):
            await _post(database, "payment:1", [(Account.CASH_AT_BANK, 1), (Account.REFUNDS, -1)])

        def look(connection: Connection) -> tuple[Mapping[Account, int], list[BookEntry], Verified]:
            standing = balances(connection)
            found = entries_after(connection, 0)
            verified = verify_book(connection)
            return standing, found, verified

        standing, found, verified = await database.read(look)
    assert {account: amount for account, amount in standing.items() if amount} == {
        Account.CASH_AT_GATEWAY: 160_000,
        Account.DEFERRED_REVENUE: -160_000,
    }
    assert [entry.reference for entry in found] == ["payment:1", "payment:2"]
    assert found[0].lines == tuple(PAID)
    assert verified.findings == ()
    assert verified.entries == 2


@pytest.mark.parametrize(
    "lines",
    [
        [],
        [(Account.CASH_AT_BANK, 5)],
        [(Account.CASH_AT_BANK, 5), (Account.REFUNDS, -4)],
        [(Account.CASH_AT_BANK, 5), (Account.CASH_AT_BANK, -5)],
        [(Account.CASH_AT_BANK, 10**15 + 1), (Account.REFUNDS, -(10**15) - 1)],
    ],
)
async def test_what_is_no_entry_is_refused_and_nothing_is_written(
    tmp_path: Path, lines: list[tuple[Account, int]]
) -> None:
    async with open_database(tmp_path) as database:
        with pytest.raises(UnbalancedEntryError):
            await _post(database, "payment:1", lines)
        assert await _post(database, "payment:1") == 1


def test_a_float_is_no_amount() -> None:
    with pytest.raises(TypeError):
        checked_lines([(Account.CASH_AT_BANK, 0.5), (Account.REFUNDS, -0.5)])  # type: ignore[list-item]


async def test_it_happens_with_the_callers_transaction_or_not_at_all(tmp_path: Path) -> None:
    async with open_database(tmp_path) as database:

        async def fails() -> None:
            def change(connection: Connection) -> None:
                post(connection, reference="payment:1", kind="payment", lines=PAID, at=START)
                raise LookupError

            await database.write(change)

        with pytest.raises(LookupError):
            await fails()
        assert await _post(database, "payment:2") == 1


INSERT_LINE = "INSERT INTO book_line VALUES ({}, '{}', {})"
INSERT_ENTRY = "INSERT INTO book_entry VALUES (2, 'by hand', 'k', 0, 0)"


@pytest.mark.parametrize(
    "statements",
    [
        [INSERT_ENTRY],
        [INSERT_LINE.format(2, "cash_at_bank", 5)],
        [INSERT_LINE.format(2, "a", 5), INSERT_LINE.format(2, "b", -4), INSERT_ENTRY],
        [INSERT_LINE.format(2, "a", 0), INSERT_LINE.format(2, "b", 0), INSERT_ENTRY],
        # PostgreSQL stores whole numbers only: it rounds these lines to 1 kobo and to nothing.
        [INSERT_LINE.format(2, "a", 0.5), INSERT_LINE.format(2, "b", -0.4), INSERT_ENTRY],
        [INSERT_LINE.format(1, "refunds", 5)],
        ["UPDATE book_line SET amount_kobo = 1"],
        ["DELETE FROM book_line"],
        ["UPDATE book_entry SET kind = 'other'"],
        ["DELETE FROM book_entry"],
    ],
)
async def test_the_database_itself_refuses_what_breaks_the_book(tmp_path: Path, statements: list[str]) -> None:
    async with open_database(tmp_path) as database:
        await _post(database, "payment:1")

        async def past_the_code() -> None:
            def change(connection: Connection) -> None:
                for statement in statements:
                    connection.execute(text(statement))

            await database.write(change)

        with pytest.raises(IntegrityError):
            await past_the_code()
        assert await database.read(lambda connection: verify_book(connection).findings) == ()


@pytest.mark.sqlite
async def test_verifying_finds_what_was_done_past_the_guards(tmp_path: Path) -> None:
    async with open_database(tmp_path) as database:
        for number in range(3):
            await _post(database, f"payment:{number}")

        def change(connection: Connection) -> None:
            for statement in (
                "DROP TRIGGER book_line_is_final",
                "DROP TRIGGER book_entry_is_kept",
                "DROP TRIGGER book_line_is_kept",
                "UPDATE book_line SET amount_kobo = 1 WHERE number = 1 AND account = 'cash_at_gateway'",
                "DELETE FROM book_line WHERE number = 2",
                "DELETE FROM book_entry WHERE number = 2",
            ):
                connection.execute(text(statement))

        await database.write(change)
        found = await database.read(lambda connection: " | ".join(verify_book(connection).findings))
    assert "entry 1 sums to -79999 kobo over 2 lines" in found
    assert "some are gone" in found
    assert "guard book_line_is_final is gone" in found
    assert "all accounts together are -79999 kobo" in found


accounts = st.sampled_from(list(Account))
amounts = st.integers(-(10**15), 10**15)


@settings(deadline=None, max_examples=200)
@given(st.lists(st.tuples(accounts, amounts), max_size=8), accounts)
def test_whatever_is_taken_sums_to_zero(lines: list[tuple[Account, int]], balancing: Account) -> None:
    balanced = [*lines, (balancing, -sum(amount for _, amount in lines))]
    for candidate in (lines, balanced):
        try:
            kept = checked_lines(candidate)
        except UnbalancedEntryError:
            continue
        assert sum(amount for _, amount in kept) == 0
        assert len({account for account, _ in kept}) == len(kept) >= 2
        assert all(amount for _, amount in kept)


async def _fill(folder: Path, count: int = 3) -> None:
    async with open_database(folder) as database:

        def change(connection: Connection) -> None:
            for number in range(count):
                at = START + timedelta(minutes=number)
                post(connection, reference=f"p:{number}", kind="payment", lines=PAID, at=at)

        await database.write(change)


async def test_exports_hold_every_line(tmp_path: Path) -> None:
    await _fill(tmp_path, 1_001)  # more than two pages

    async def work(export: Callable[..., Awaitable[int]]) -> str:
        out = io.StringIO()
        async with open_database(tmp_path) as database:
            assert await export(database, out) == 1_001
        return out.getvalue()

    rows = list(csv.DictReader(io.StringIO(await work(export_csv))))
    assert len(rows) == 2_002
    assert sum(int(row["amount_kobo"]) for row in rows) == 0
    assert rows[0]["account_class"] == "asset"
    lines = [json.loads(line) for line in (await work(export_json_lines)).splitlines()]
    assert [line["number"] for line in lines] == list(range(1, 1_002))
    assert all(sum(one["amount_kobo"] for one in line["lines"]) == 0 for line in lines)


@pytest.mark.sqlite
def test_the_commands(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KSWIFI_DATA_DIR", str(tmp_path))
    assert "there is no" in str(CliRunner().invoke(app, ["books", "verify"]).exception)
    asyncio.run(_fill(tmp_path))
    verified = CliRunner().invoke(app, ["books", "verify"])
    assert verified.exit_code == 0
    assert "₦2,400" in verified.output
    assert "3 entries; all accounts together: ₦0" in verified.output
    as_json = json.loads(CliRunner().invoke(app, ["books", "verify", "--json"]).output)
    assert as_json["balances_kobo"]["deferred_revenue"] == -240_000
    out = tmp_path / "book.csv"
    assert "3 entries written" in CliRunner().invoke(app, ["books", "export", "--output", str(out)]).output
    assert len(out.read_text().splitlines()) == 7
    assert CliRunner().invoke(app, ["books", "export", "--output", str(out)]).exit_code == 1
    assert len(CliRunner().invoke(app, ["books", "export", "--format", "jsonl"]).output.splitlines()) == 3

    async def damage() -> None:
        async with open_database(tmp_path) as database:
            await database.write(lambda connection: connection.execute(text("DROP TRIGGER book_line_is_kept")))

    asyncio.run(damage())
    damaged = CliRunner().invoke(app, ["books", "verify"])
    assert damaged.exit_code == 1
    assert "WRONG: the database's guard book_line_is_kept is gone" in damaged.output
