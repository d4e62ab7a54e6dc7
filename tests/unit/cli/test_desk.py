"""The commands of the desk, on an installation's own files: every change is carried out and recorded."""

import asyncio
import json
from pathlib import Path
from uuid import UUID

import pytest
from sqlalchemy import Connection, insert, select
from typer.testing import CliRunner

from kswifi.accounts.sql import user_account
from kswifi.cli.main import app
from kswifi.free_data.holds import note_device
from kswifi.kernel.clock import SystemClock
from kswifi.sessions.disputes import open_dispute
from tests.support.clocks import ManualClock
from tests.support.databases import open_database
from tests.support.session_roads import ADA, GB, open_road

DISPUTE = "019ab0de-0000-7000-8000-00000000d1d1"
WHY = ("--reason", "asked on the phone")


def call(*words: str) -> str:
    done = CliRunner().invoke(app, list(words))
    assert done.exit_code == 0, (words, done.output, done.exception)
    return done.output


def refusal(*words: str) -> str | None:
    return getattr(CliRunner().invoke(app, list(words)).exception, "code", None)


@pytest.fixture
def ids(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    """Make an installation with a customer who has a stored session, a payment and a dispute; return their ids."""

    async def make() -> dict[str, str]:
        async with open_road(tmp_path, clock=ManualClock(SystemClock().now())) as road:
            session, payment = await road.stored(GB), await road.pay()
            await road.database.write(
                lambda connection: open_dispute(connection, ADA, session.session_id, DISPUTE, "too much", [])
            )
            return {"session": session.session_id, "line": session.esim_id, "payment": payment.reference}

    made = asyncio.run(make())
    monkeypatch.setenv("KSWIFI_DATA_DIR", str(tmp_path))
    return made


def test_a_customer_is_found_and_shown(ids: dict[str, str]) -> None:
    assert ADA in call("customers", "find", "ada@example.ng")
    assert "nobody was found" in call("customers", "find", "nobody@example.ng")
    shown = call("customers", "show", ADA)
    assert ids["session"] in shown
    assert "disputed the statement" in shown
    moments = json.loads(call("customers", "show", ADA, "--json"))["timeline"]
    assert {it["source"] for it in moments} >= {"account", "session", "payment", "dispute"}
    assert refusal("customers", "show", "nobody") == "no_such_customer"


def test_every_change_is_recorded_in_one_sound_chain(ids: dict[str, str], tmp_path: Path) -> None:
    call("customers", "logout", ADA, *WHY)
    code = call("customers", "recovery", ADA, *WHY).split()[-1]
    assert "will be frozen" in call("lines", "freeze", ids["line"], *WHY)
    assert "under way" in call("lines", "show", ids["line"])
    call("lines", "thaw", ids["line"], *WHY)
    assert "will be ordered" in call("sessions", "goodwill", ids["session"], *WHY)
    assert "another person" in call("sessions", "goodwill", ids["session"], "--offer", "free-3gb", *WHY)
    (waits,) = json.loads(call("sessions", "waiting", "--json"))["waiting"]
    assert refusal("sessions", "approve", waits["goodwill_id"], *WHY) == "second_person_needed"
    assert "asked to end it" in call("sessions", "revoke", ids["session"], *WHY)
    assert DISPUTE in call("disputes", "list")
    call("disputes", "answer", DISPUTE, "We looked into it.")
    assert "no dispute is open" in call("disputes", "list")
    assert "settled" in call("payments", "show", ids["payment"])
    call("payments", "look", ids["payment"], *WHY)
    assert "refund_asked" in call("payments", "refund", ids["payment"], *WHY)
    exported = tmp_path / "ada.json"
    call("customers", "export", ADA, str(exported))
    assert json.loads(exported.read_text())["account"]["email"] == "ada@example.ng"
    call("customers", "delete", ADA, *WHY)
    assert "nobody was found" in call("customers", "find", "ada@example.ng")
    found = json.loads(call("audit", "list", "--json"))["actions"]
    assert [it["command"] for it in reversed(found)] == [
        "customers logout",
        "customers recovery",
        "lines freeze",
        "lines thaw",
        "sessions goodwill",
        "sessions goodwill",
        "sessions revoke",
        "disputes answer",
        "payments look",
        "payments refund",
        "customers export",
        "customers delete",
    ]
    assert {it["role"] for it in found} == {"shell"}
    assert code not in json.dumps(found)
    assert json.loads(call("audit", "verify", "--json"))["findings"] == []
    assert CliRunner().invoke(app, ["audit", "verify", "--contains", "0" * 64]).exit_code == 1


def test_a_change_without_a_reason_is_refused(ids: dict[str, str]) -> None:
    for words in (
        ("customers", "logout", ADA),
        ("lines", "freeze", ids["line"]),
        ("sessions", "revoke", ids["session"]),
        ("sessions", "goodwill", ids["session"]),
        ("payments", "refund", ids["payment"]),
        ("customers", "delete", ADA),
    ):
        assert refusal(*words, "--reason", " ") == "reason_missing"
    assert "nothing was done yet" in call("audit", "list")


def test_a_group_of_accounts_is_held_released_and_put_back(ids: dict[str, str], tmp_path: Path) -> None:
    assert "asks for no safeguards" in call("fraud", "safeguards")
    assert "no accounts share" in call("fraud", "clusters")

    async def sign_up() -> str:
        async with open_database(tmp_path) as database:

            def change(connection: Connection) -> str:
                users: list[str] = sorted(connection.scalars(select(user_account.c.user_id)))
                for number in range(3 - len(users)):
                    more = {"user_id": str(UUID(int=2**127 + number)), "email": f"more{number}@example.ng"}
                    row = {"password_hash": "", "recovery_code_hash": b"", "created_at": database.clock.now()}
                    connection.execute(insert(user_account).values(**more, **row))
                for user_id in connection.scalars(select(user_account.c.user_id)).all():
                    note_device(connection, user_id, "a-mark")
                return users[0]

            return await database.write(change)

    oldest = asyncio.run(sign_up())
    assert "3 by device" in call("fraud", "clusters")
    assert refusal("fraud", "hold", oldest, "--reason", "") == "reason_missing"
    done = call("fraud", "freeze", ADA, *WHY)
    assert "freeze of 3 accounts and 1 lines" in done
    assert call("fraud", "show", oldest).count("HELD") == 3
    assert "no hold waits" in call("fraud", "holds")
    assert "undone by" not in call("fraud", "actions")
    assert "is undone" in call("fraud", "undo", done.split()[-1], *WHY)
    assert "undone by" in call("fraud", "actions")
    assert "HELD" not in call("fraud", "show", oldest)
    assert refusal("fraud", "release", oldest, *WHY) == "unknown_hold"
    assert json.loads(call("audit", "verify", "--json"))["findings"] == []


def test_jobs_are_listed(ids: dict[str, str]) -> None:
    assert "done" in call("jobs", "list")
    assert refusal("jobs", "retry", "no such key") == "not_stuck"
