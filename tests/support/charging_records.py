"""A charging service on a real journal, and the records made from it."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path

from kswifi.charging.answers import ChargingAnswer
from kswifi.charging.policy import ChargingPolicy
from kswifi.charging.service import ChargingService
from kswifi.charging_records.model import ChargingDataRecord
from kswifi.charging_records.projector import ChargingRecords
from kswifi.charging_records.service import RecordFilter, find_records
from kswifi.database.engine import Database
from kswifi.diameter.messages.credit_control import CreditControlRequest
from kswifi.kernel.clock import unix_seconds
from kswifi.ledger.client import LedgerClient
from kswifi.ledger.commands import Credit, OpenWallet, ProveStorage
from kswifi.ledger.storage.sqlite_journal import SqliteJournal
from tests.support.charging import GATEWAY, IMSI, WALLET
from tests.support.clocks import ManualClock
from tests.support.databases import START, open_database


class Recorded:
    """A charging service on a real journal, and the records made from it."""

    def __init__(self, database: Database, ledger: LedgerClient, clock: ManualClock) -> None:
        self.database, self.ledger, self.clock = database, ledger, clock
        self.records = ChargingRecords(database, ledger)
        self.restart()

    def restart(self) -> None:
        """Lose what charging had in memory."""
        policy = ChargingPolicy(control_only_peers=frozenset({GATEWAY}), validity_seconds=60, grace_seconds=30)
        self.service = ChargingService(self.ledger, self.clock, policy)
        self.service.recover()

    async def credit(self, account_id: str, octets: int) -> None:
        expires_at = unix_seconds(self.clock.now()) + 86_400 * 30
        for command in (
            OpenWallet(f"o-{account_id}", WALLET, IMSI),
            Credit(f"c-{account_id}", WALLET, account_id, octets, expires_at),
            ProveStorage(f"p-{account_id}", account_id, "por"),
        ):
            await self.ledger.execute(command)

    async def ask(self, message: CreditControlRequest) -> ChargingAnswer:
        answer: asyncio.Future[ChargingAnswer] = asyncio.get_running_loop().create_future()
        self.service.handle(message, answer.set_result)
        return await answer

    def pass_minutes(self, minutes: float) -> None:
        self.clock.advance(timedelta(minutes=minutes))

    async def all(self, wanted: RecordFilter | None = None) -> list[ChargingDataRecord]:
        await self.records.catch_up()
        return await self.found(wanted)

    async def found(self, wanted: RecordFilter | None = None) -> list[ChargingDataRecord]:
        """Return the records that are there, without regard to which process made them."""
        return [it async for it in find_records(self.database, wanted or RecordFilter())]


@asynccontextmanager
async def recorded(folder: Path) -> AsyncIterator[Recorded]:
    clock = ManualClock(START)
    async with open_database(folder, clock) as database:
        ledger = LedgerClient(SqliteJournal(folder), clock)
        await ledger.start()
        try:
            yield Recorded(database, ledger, clock)
        finally:
            await ledger.close()
