"""A month's plan, what is printed of it, and the page that shows it."""

import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from typer.testing import CliRunner

from kswifi.cli.main import app
from kswifi.free_data.plan import octets_of, plan_month

PAGE = Path("docs/economics.md")


@given(st.integers(1, 10**6), st.integers(1, 100), st.integers(0, 10**6))
def test_what_is_spent_and_what_comes_back_are_what_was_reserved(users: int, gigabytes: int, price: int) -> None:
    plan = plan_month(users, octets_of(gigabytes), price)
    assert plan.committed_kobo == users * gigabytes * price
    assert plan.daily_kobo * 30 >= plan.committed_kobo
    for row in plan.rows:
        assert row.spent_kobo + row.given_back_kobo == plan.committed_kobo
        assert row.spent_kobo * 10**9 >= row.used_octets * price
    assert plan.rows[0].given_back_kobo == 0


def test_the_page_on_economics_shows_what_the_command_prints() -> None:
    text = PAGE.read_text("utf-8")
    found = re.search(r"    \$ kswifi (plan .*)\n((?:    .*\n)+)", text)
    assert found is not None
    printed = CliRunner().invoke(app, found.group(1).split())
    assert printed.exit_code == 0
    assert printed.output == "".join(line[4:] + "\n" for line in found.group(2).splitlines())


@pytest.mark.sqlite
def test_budgets_are_set_shown_stopped_and_resumed_by_command(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import asyncio
    import json

    from tests.support.databases import open_database

    async def make() -> None:
        async with open_database(tmp_path):
            pass

    def call(*words: str) -> str:
        done = CliRunner().invoke(app, list(words))
        assert done.exit_code == 0, done.output
        return done.output

    monkeypatch.setenv("KSWIFI_DATA_DIR", str(tmp_path))
    refused = CliRunner().invoke(app, ["budget", "show"])
    assert getattr(refused.exception, "code", None) == "nothing_here"
    asyncio.run(make())
    assert "no budget is set" in call("budget", "show")
    assert "₦500" in call("budget", "set", "operator", "--total-kobo", "50000", "--daily-kobo", "10000")
    assert "at most ₦100 a day\n  at most what is left a month" in call(
        "budget", "set", "operator", "--total-kobo", "50000"
    ), "more money does not lift a ceiling"
    lifted = call("budget", "set", "operator", "--total-kobo", "50000", "--monthly-kobo", "7", "--without-ceilings")
    assert "at most what is left a day\n  at most ₦0.07 a month" in lifted
    call("budget", "set", "operator", "--total-kobo", "50000", "--daily-kobo", "10000", "--without-ceilings")
    call("budget", "set", "acme", "--kind", "sponsor", "--total-kobo", "1")
    call("budget", "stop", "until Monday")
    shown = call("budget", "show")
    assert "STOPPED: until Monday" in shown
    assert "committed today ₦0 of ₦100, this month ₦0\n" in shown
    call("budget", "resume", "--reason", "it is Monday")
    trail = json.loads(call("audit", "list", "--limit", "2", "--json"))["actions"]
    assert [(it["command"], it["reason"]) for it in trail] == [
        ("budget resume", "it is Monday"),
        ("budget stop", "stopped at the server"),
    ]
    shown = json.loads(call("budget", "show", "--json"))
    assert [it["budget_id"] for it in shown["budgets"]] == ["operator", "acme"]
    assert (shown["budgets"][0]["daily_kobo"], shown["stopped"], shown["waiting"]) == (10_000, None, 0)
    assert (shown["budgets"][0]["today_kobo"], shown["month_kobo"], shown["monthly_kobo"]) == (0, 0, None)
    unknown = CliRunner().invoke(app, ["accounts", "kyc", "ada@example.ng", "1"])
    assert getattr(unknown.exception, "code", None) == "nothing_here"
