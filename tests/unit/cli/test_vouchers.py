"""`kswifi vouchers` and `kswifi budget deposit`, on an installation's own files."""

import asyncio
import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from kswifi.books.model import Account
from kswifi.books.service import balances
from kswifi.cli.main import app
from tests.support.databases import open_database


def call(*words: str) -> str:
    done = CliRunner().invoke(app, list(words))
    assert done.exit_code == 0, done.output
    return done.output


def refusal(*words: str) -> str | None:
    return getattr(CliRunner().invoke(app, list(words)).exception, "code", None)


@pytest.fixture(autouse=True)
def installation(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    async def make() -> None:
        async with open_database(tmp_path):
            pass

    asyncio.run(make())
    (tmp_path / "keys").mkdir()
    (tmp_path / "keys" / "subscriber-keys.bin").write_bytes(bytes(32))
    monkeypatch.setenv("KSWIFI_DATA_DIR", str(tmp_path))
    return tmp_path


def recorded() -> list[tuple[str, str]]:
    """Return the commands of the audit trail with their subjects, in order."""
    found = json.loads(call("audit", "list", "--json"))["actions"]
    return [(it["command"], it["subject"]) for it in reversed(found)]


def test_a_batch_is_made_listed_printed_and_revoked(installation: Path) -> None:
    assert "no vouchers" in call("vouchers", "list")
    call("budget", "set", "cafe", "--kind", "venue", "--total-kobo", "100000")
    assert "batch 1: 30 vouchers of Mama Put" in call(
        "vouchers", "make", "--venue", "Mama Put", "--count", "30", "--budget", "cafe"
    )
    (shown,) = json.loads(call("vouchers", "list", "--json"))
    assert (shown["venue"], shown["budget_id"], shown["count"], shown["redeemed"]) == ("Mama Put", "cafe", 30, 0)
    assert "0 of    30 redeemed  open" in call("vouchers", "list")
    sheet = installation / "sheet.pdf"
    call("vouchers", "sheet", "1", str(sheet))
    assert sheet.read_bytes().startswith(b"%PDF-")
    assert refusal("vouchers", "sheet", "1", str(sheet)) == "vouchers_refused"  # nothing is written over
    call("vouchers", "revoke", "1")
    assert "revoked" in call("vouchers", "list")
    assert refusal("vouchers", "make", "--venue", "a", "--count", "1", "--offer", "unlimited") == (
        "voucher_batch_invalid"
    )
    weeks = installation / "weeks.csv"
    call("venues", "report", "Mama Put", str(weeks))
    assert len(weeks.read_text().splitlines()) == 13
    assert refusal("venues", "report", "nobody", str(installation / "other.csv")) == "unknown_report_venue"
    assert "/api/v1/venue-reports/" in call("venues", "report-link", "Mama Put")
    assert refusal("vouchers", "sheet", "1", str(installation / "again.pdf")) == "vouchers_refused"
    assert refusal("vouchers", "revoke", "2") == "unknown_voucher_batch"
    assert recorded() == [
        ("budget set", "cafe"),
        ("vouchers make", "batch 1"),
        ("vouchers revoke", "batch 1"),
        ("venues report-link", "venue Mama Put"),
    ]


def test_only_a_venues_budget_pays_for_vouchers() -> None:
    call("budget", "set", "operator", "--total-kobo", "100000")
    for budget, code in (("operator", "voucher_batch_invalid"), ("nobody", "unknown_budget")):
        assert refusal("vouchers", "make", "--venue", "a", "--count", "1", "--budget", budget) == code


def test_a_deposit_is_booked_once_by_the_banks_reference(installation: Path) -> None:
    async def booked() -> tuple[int, int]:
        async with open_database(installation) as database:
            found = await database.read(balances)
        return found[Account.CASH_AT_BANK], found[Account.SPONSORS_DEPOSITS]

    call("budget", "set", "operator", "--total-kobo", "1")
    call("budget", "set", "cafe", "--kind", "venue", "--total-kobo", "100000")
    for _ in range(2):
        assert "₦1,000 paid in" in call("budget", "deposit", "cafe", "--kobo", "100000", "--reference", "GTB 17")
    assert asyncio.run(booked()) == (100_000, -100_000)
    assert refusal("budget", "deposit", "cafe", "--kobo", "1", "--reference", "GTB 17") is not None
    assert refusal("budget", "deposit", "operator", "--kobo", "1", "--reference", "x") == "budget_invalid"
    assert refusal("budget", "deposit", "nobody", "--kobo", "1", "--reference", "x") == "unknown_budget"
    assert asyncio.run(booked()) == (100_000, -100_000)
    assert recorded()[2:] == [("budget deposit", "cafe")] * 2  # the second gave the same entry


def test_venues_are_added_listed_and_removed() -> None:
    assert "no venues" in call("venues", "list")
    added = call("venues", "add", "Mama Put", "--area", "Yaba, Lagos", "--hours", "daily 8 to 22")
    assert "venue 1: Mama Put, Yaba, Lagos, daily 8 to 22" in added
    (shown,) = json.loads(call("venues", "list", "--json"))
    assert (shown["name"], shown["area"], shown["hours"]) == ("Mama Put", "Yaba, Lagos", "daily 8 to 22")
    call("venues", "remove", "1")
    assert refusal("venues", "remove", "1") == "unknown_venue"
    assert refusal("venues", "add", " ", "--area", "Yaba", "--hours", "daily") == "venue_invalid"
