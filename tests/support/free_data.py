"""Free data alone, in one test's folder: its rules on a database with users, without sessions and cards."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final
from uuid import UUID

from sqlalchemy import Connection, insert

from kswifi.accounts.sql import user_account
from kswifi.catalogue.model import Offer
from kswifi.database.engine import Database
from kswifi.free_data.budgets import find_budget, set_budget
from kswifi.free_data.grants import find_grant, follow
from kswifi.free_data.model import Budget, BudgetKind, FreeGrant
from kswifi.free_data.pseudonyms import Marks
from kswifi.free_data.rules import FreeDataRules
from kswifi.free_data.service import FreeData
from kswifi.kernel.numbers import Eid
from kswifi.kernel.quantities import GIGABYTE, Kobo, Octets
from tests.support.clocks import ManualClock
from tests.support.databases import START, open_database

GB: Final = int(GIGABYTE)
MASTER: Final = bytes(range(32))


def user(number: int) -> str:
    """Return the id of a user."""
    return str(UUID(int=(7 << 76) | (2 << 62) | number))


def free_offer(octets: int, days: int = 30) -> Offer:
    return Offer(f"free-{octets}", "free", Octets(octets), Kobo(0), days)


@dataclass
class Given:
    """Free data and what tests do with it."""

    database: Database
    clock: ManualClock
    free_data: FreeData
    orders: int = field(default=0)

    async def order(
        self,
        who: str,
        octets: int = GB,
        *,
        device_id: str | None = None,
        eid: Eid | None = None,
        days: int = 30,
    ) -> str:
        """Take a free session; return its id."""
        self.orders += 1
        session_id = str(UUID(int=(7 << 76) | (3 << 62) | self.orders))
        await self.database.write(
            lambda connection: self.free_data.take(
                connection,
                user_id=who,
                session_id=session_id,
                offer=free_offer(octets, days),
                device_id=device_id,
                eid=eid,
            )
        )
        return session_id

    async def use(self, session_id: str, used: int, *, open_octets: int = 0, ended: bool = False) -> FreeGrant:
        """Tell what the ledger says of a session."""
        grant = await self.database.write(
            lambda connection: follow(connection, session_id, used, open_octets=open_octets, ended=ended)
        )
        assert grant is not None
        return grant

    async def grant(self, session_id: str) -> FreeGrant:
        grant = await self.database.read(lambda connection: find_grant(connection, session_id))
        assert grant is not None
        return grant

    async def set_budget(
        self,
        total_kobo: int,
        budget_id: str = "operator",
        kind: BudgetKind = BudgetKind.OPERATOR,
        *,
        daily_kobo: int | None = None,
        monthly_kobo: int | None = None,
    ) -> None:
        await self.database.write(
            lambda connection: set_budget(connection, budget_id, kind, total_kobo, daily_kobo, monthly_kobo)
        )

    async def budget(self, budget_id: str = "operator") -> Budget:
        return await self.database.read(lambda connection: find_budget(connection, budget_id))


@asynccontextmanager
async def open_free_data(folder: Path, rules: FreeDataRules | None = None, users: int = 3) -> AsyncIterator[Given]:
    """Give free data with so many users."""
    clock = ManualClock(START)
    async with open_database(folder, clock) as database:

        def change(connection: Connection) -> None:
            rows = [
                {
                    "user_id": user(number),
                    "phone_number": None,
                    "email": f"user{number}@example.ng",
                    "password_hash": "",
                    "recovery_code_hash": b"",
                    "created_at": START,
                }
                for number in range(users)
            ]
            connection.execute(insert(user_account), rows)

        await database.write(change)
        yield Given(database, clock, FreeData(database, Marks(MASTER), rules))
