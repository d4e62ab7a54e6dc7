"""The audit trail: append-only, chained, and every kind of tampering is found."""

from pathlib import Path

import pytest
from sqlalchemy import Connection, text
from sqlalchemy.exc import IntegrityError

from kswifi.database.engine import Database
from kswifi.desk.audit import FIRST_HASH, actions, checked_reason, record, verify_trail
from kswifi.desk.errors import REASON_MISSING, ROLE_MAY_NOT
from kswifi.desk.roles import ALLOWED, Operator, Permission, Role
from tests.support.databases import open_database
from tests.support.refusals import refused

ADA = Operator("ada", Role.FOUNDER)
GUARDS = ("operator_action_is_final", "operator_action_is_kept", "operator_action_follows")


async def _three(database: Database) -> None:
    def change(connection: Connection) -> None:
        for number in range(3):
            record(connection, ADA, "lines freeze", f"line-{number}", reason="lost phone", after={"frozen": True})

    await database.write(change)


async def test_a_chain_is_verified_and_listed_newest_first(tmp_path: Path) -> None:
    async with open_database(tmp_path) as database:
        assert (await database.read(verify_trail)).newest_hash == FIRST_HASH
        await _three(database)
        verified = await database.read(verify_trail)
        listed = await database.read(actions)
    assert (verified.rows, verified.findings) == (3, ())
    assert [it.number for it in listed] == [3, 2, 1]
    assert listed[0].previous_hash == listed[1].hash != listed[2].hash
    assert verified.newest_hash == listed[0].hash


@pytest.mark.parametrize("statement", ["UPDATE operator_action SET who = 'eve'", "DELETE FROM operator_action"])
async def test_the_database_refuses_changes(tmp_path: Path, statement: str) -> None:
    async with open_database(tmp_path) as database:
        await _three(database)
        with pytest.raises(IntegrityError, match="append-only"):
            await database.write(lambda connection: connection.execute(text(statement)))


TAMPERING = {
    "UPDATE operator_action SET who = 'eve' WHERE number = 2": "row 2 was changed",
    "UPDATE operator_action SET after = '{}' WHERE number = 1": "row 1 was changed",
    "UPDATE operator_action SET at = at + 1 WHERE number = 3": "row 3 was changed",
    "DELETE FROM operator_action WHERE number = 2": "row 2 is missing",
    "DELETE FROM operator_action WHERE number = 1": "row 1 is missing",
    "UPDATE operator_action SET previous_hash = 'x' WHERE number = 3": "row 3 does not follow",
}


@pytest.mark.sqlite
@pytest.mark.parametrize(("statement", "finding"), TAMPERING.items())
async def test_tampering_around_the_triggers_is_found(tmp_path: Path, statement: str, finding: str) -> None:
    async with open_database(tmp_path) as database:
        await _three(database)

        def tamper(connection: Connection) -> None:
            for guard in GUARDS:
                connection.execute(text(f"DROP TRIGGER {guard}"))
            connection.execute(text(statement))

        await database.write(tamper)
        found = (await database.read(verify_trail)).findings
    assert any(it.startswith(finding) for it in found), found
    assert [it for it in found if "trigger" in it] == [f"the trigger {it} is missing" for it in sorted(GUARDS)]


@pytest.mark.sqlite  # the name of a trigger is enough there
async def test_rows_cut_off_at_the_end_are_found_by_a_hash_that_was_noted(tmp_path: Path) -> None:
    async with open_database(tmp_path) as database:
        await _three(database)
        noted = (await database.read(verify_trail)).newest_hash

        def cut(connection: Connection) -> None:
            connection.execute(text("DROP TRIGGER operator_action_is_kept"))
            connection.execute(text("DELETE FROM operator_action WHERE number = 3"))

        assert (await database.read(lambda connection: verify_trail(connection, noted))).findings == ()
        await database.write(cut)
        found = (await database.read(lambda connection: verify_trail(connection, noted))).findings
    assert any("cut off" in it for it in found)


def test_a_reason_is_needed() -> None:
    assert checked_reason("  lost \n phone ") == "lost phone"
    for words in ("", "  ", "ab", "x" * 301):
        with refused(REASON_MISSING):
            checked_reason(words)


def test_every_permission_has_a_role_and_refuses_the_others() -> None:
    assert set(ALLOWED) == set(Permission)
    for permission, roles in ALLOWED.items():
        assert Role.FOUNDER in roles
        assert Operator("root", Role.SHELL).may(permission)
        for role in set(Role) - roles - {Role.SHELL}:
            with refused(ROLE_MAY_NOT):
                Operator("eve", role).require(permission)
