"""A mode of the tests in which every step of the database runs twice, its first run rolled back.

A step must be able to run again from its beginning. One that changes captured state, uses up an iterator or acts
outside the database in its first run fails its test in this mode (``pytest --steps-twice``).
"""

from typing import Any

import pytest
from sqlalchemy import Connection

from kswifi.database import engine
from kswifi.database.dialect import is_open
from kswifi.database.engine import Database
from kswifi.database.writer import AFTER_COMMIT, TOPICS, Step


def _twice(step: Step[Any]) -> Step[Any]:
    def run(connection: Connection) -> Any:
        first = connection.begin_nested()
        try:
            step(connection)
        except BaseException:
            if not is_open(connection):
                raise
        if first.is_active:
            first.rollback()
        for noted in (TOPICS, AFTER_COMMIT):
            if noted in connection.info:
                connection.info[noted].clear()
        return step(connection)

    return run


def run_every_step_twice(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let ``Database.write`` and ``Database.read`` run each step twice."""
    write, read = Database.write, Database.read

    async def write_twice(self: Database, step: Step[Any], **how: Any) -> Any:
        return await write(self, _twice(step), **how)

    async def read_twice(self: Database, step: Step[Any]) -> Any:
        return await read(self, _twice(step))

    monkeypatch.setattr(engine.Database, "write", write_twice)
    monkeypatch.setattr(engine.Database, "read", read_twice)
