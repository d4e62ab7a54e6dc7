"""`kswifi cdr`: what it prints, writes and refuses."""

import asyncio
import json
from pathlib import Path

import pytest
from sqlalchemy import Connection
from typer.testing import CliRunner

from kswifi.charging.journal_notes import Bearer, UsageNote
from kswifi.charging_records.model import ChargingDataRecord
from kswifi.charging_records.store import write_records
from kswifi.cli.main import app
from kswifi.kernel.clock import unix_seconds
from tests.support.databases import START, open_database

HERE = unix_seconds(START)


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("KSWIFI_DATA_DIR", str(tmp_path))
    return tmp_path


def fill(folder: Path) -> None:
    async def work() -> None:
        async with open_database(folder) as database:

            def change(connection: Connection) -> None:
                for number in range(3):
                    bearer = Bearer(f"00101000000000{number}", "smf", "internet", number, 6)
                    record = ChargingDataRecord.opened(f"s;{number}", bearer, HERE + number)
                    record.reserve(HERE + number)
                    record.use("account", 1_000 * number, HERE + 60)
                    if number < 2:
                        record.close(UsageNote(), HERE + 60, settled=True)
                    write_records(connection, [record])

            await database.write(change)

    asyncio.run(work())


def run(*words: str) -> str:
    result = CliRunner().invoke(app, ["cdr", *words])
    assert result.exit_code == 0, (result.output, result.exception)
    return result.output


def test_list_show_and_export(folder: Path) -> None:
    fill(folder)
    lines = run("list").splitlines()
    assert len(lines) == 3
    assert "s;2" in lines[2]
    assert "open" in lines[2]
    found = [json.loads(line) for line in run("list", "--json", "--closed", "--limit", "1").splitlines()]
    assert [(one["session_id"], one["cause"], one["rat_type"]) for one in found] == [("s;0", "silent", "EUTRAN")]
    assert json.loads(run("list", "--json", "--imsi", "001010000000001"))["session_id"] == "s;1"
    assert run("list", "--until", "2026-11-23") == ""
    assert len(run("list", "--since", "2026-11-23T09:30").splitlines()) == 1  # the open one
    assert json.loads(run("show", "s;1"))["hours"][0]["octets"] == 1_000
    assert len(run("export").splitlines()) == 4
    assert len(run("export", "--hourly").splitlines()) == 4
    out = folder / "records.jsonl"
    assert "3 records" in run("export", "--format", "jsonl", "--output", str(out))
    assert [json.loads(line)["octets"] for line in out.read_text().splitlines()] == [0, 1_000, 2_000]


def test_refusals_leave_what_is_there(folder: Path) -> None:
    result = CliRunner().invoke(app, ["cdr", "list"])
    assert "KSWIFI_DATA_DIR" in str(result.exception)
    assert not (folder / "control.db").exists()
    fill(folder)
    assert "no record" in str(CliRunner().invoke(app, ["cdr", "show", "s;9"]).exception)
    out = folder / "there.csv"
    out.write_text("mine")
    assert CliRunner().invoke(app, ["cdr", "export", "--output", str(out)]).exit_code == 1
    assert out.read_text() == "mine"
