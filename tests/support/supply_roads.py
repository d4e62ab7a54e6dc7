"""Sessions through a rehearsal provider over real HTTP: ledger, database, worker and the vendor's API."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from datetime import timedelta
from pathlib import Path

from sqlalchemy import Connection, insert

from kswifi.accounts.sql import user_account
from kswifi.books.model import Account
from kswifi.books.service import balances
from kswifi.catalogue.service import Catalogue
from kswifi.database.engine import Database
from kswifi.esim.lines.service import find_esim
from kswifi.esim.lines.vault import SubscriberVault
from kswifi.esim.model import ESim, LineSettings
from kswifi.free_data.pseudonyms import Marks
from kswifi.free_data.service import FreeData
from kswifi.jobs.worker import Worker
from kswifi.lab.rehearsal.providers.engine import Rules
from kswifi.lab.rehearsal.providers.model import LabLine
from kswifi.lab.rehearsal.providers.server import ProviderConfig, RunningProvider, serving_provider
from kswifi.ledger.client import LedgerClient
from kswifi.ledger.storage.sqlite_journal import SqliteJournal
from kswifi.outbox.results import JobResult
from kswifi.payments.rules import PassRules
from kswifi.providers.data.registry import open_provider
from kswifi.sessions.job_handlers import SessionHandlers
from kswifi.sessions.line import ESIMSessionManager
from kswifi.sessions.model import InternetSession, UsageData
from kswifi.sessions.orders import SessionDownloadService, package_digest
from kswifi.sessions.projector import Projector
from kswifi.sessions.signing import SessionSigningKey, fresh_signing_key_pem
from kswifi.sessions.store import find_session
from kswifi.sessions.supplied import buy_for_session
from kswifi.sessions.supply_handlers import SupplyHandlers
from kswifi.supply import store
from kswifi.supply.context import Supply
from kswifi.supply.exchange import ExchangeRates
from kswifi.supply.lines import SuppliedLines
from kswifi.supply.ports import DataProvider
from kswifi.supply.records import ProviderLine, ProviderOrder
from kswifi.supply.upkeep import Upkeep
from kswifi.supply.worker import SupplyWorker
from tests.support.clocks import ManualClock
from tests.support.data_providers import KEY, options
from tests.support.databases import START, open_database

ADA = "00000000-0000-4000-8000-00000000ada0"
NUMBER = "+2348031234567"
SIGNING_PEM = fresh_signing_key_pem()
RATES = ExchangeRates({"USD": 16_000_000}, START.date(), 5)


@dataclass
class SupplyRoad:
    """A server in resold mode without its edges, and the provider that it calls."""

    clock: ManualClock
    database: Database
    ledger: LedgerClient
    provider: DataProvider
    running: RunningProvider
    supply: Supply
    lines: SuppliedLines
    downloads: SessionDownloadService
    free_data: FreeData
    jobs: Worker
    worker: SupplyWorker
    projector: Projector

    async def settle(self, seconds: float = 0.0, rounds: int = 6) -> None:
        """Let time pass, and let all workers do what is due, several times over."""
        for _ in range(rounds):
            self.clock.advance(timedelta(seconds=seconds / rounds))
            await self.worker.round()
            await self.jobs.run_until_idle()
            await self.projector.catch_up()
        await self.jobs.run_until_idle()
        await self.projector.catch_up()

    async def downloaded(self, offer_id: str = "free-1gb") -> InternetSession:
        session = await self.downloads.order(ADA, offer_id)
        await self.settle()
        session, package = await self.downloads.package(ADA, session.session_id)
        return await self.downloads.confirm_download(ADA, session.session_id, package_digest(package))

    async def transferred(self, offer_id: str = "free-1gb") -> InternetSession:
        session = await self.downloaded(offer_id)
        await self.downloads.transfer_to_esim(session.session_id, session.esim_id)
        await self.settle()
        return await self.now(session)

    async def keep_number(self, network: str = "mtn") -> ESim:
        return await self.database.write(lambda c: self.lines.keep_number(c, ADA, NUMBER, network))

    async def draw(self, session: InternetSession) -> ProviderOrder:
        def change(connection: Connection) -> ProviderOrder:
            return buy_for_session(connection, self.lines, find_session(connection, session.session_id))

        return await self.database.write(change)

    async def now(self, session: InternetSession) -> InternetSession:
        return await self.database.read(lambda c: find_session(c, session.session_id))

    async def usage(self, session: InternetSession) -> UsageData:
        return (await self.downloads.overview(ADA, session.session_id)).usage

    async def orders(self, session: InternetSession) -> list[ProviderOrder]:
        return await self.database.read(lambda c: store.orders_of(c, session.session_id))

    async def line(self, session: InternetSession) -> ProviderLine:
        return await self.database.read(lambda c: self.lines.line(c, session.esim_id))

    async def esim(self, session: InternetSession) -> ESim:
        return await self.database.read(lambda c: find_esim(c, session.esim_id))

    async def books(self) -> dict[Account, int]:
        return {account: kobo for account, kobo in (await self.database.read(balances)).items() if kobo}

    def lab_line(self) -> LabLine:
        return next(iter(self.running.engine.book.lines.values()))

    @property
    def bought(self) -> int:
        """The orders at the provider, whatever we know of them."""
        return len(self.running.engine.book.orders)


async def _at_once(_seconds: float) -> None:
    """Do not wait between calls."""


@asynccontextmanager
async def open_supply_road(
    folder: Path,
    name: str,
    *,
    lag_seconds: int = 60,
    rules: Rules | None = None,
    passes: PassRules | None = None,
) -> AsyncIterator[SupplyRoad]:
    """Give a road with one user and a mapped catalogue; again in the folder, it goes on, the provider anew."""
    clock = ManualClock(START)
    rules = replace(rules or Rules(), merges=name == "esim_access", lag=timedelta(seconds=lag_seconds))
    config = ProviderConfig(face=name, key=KEY, rules=rules, clock=clock, file=folder / f"{name}.json")
    async with serving_provider(config) as running, open_database(folder, clock) as database:
        ledger = LedgerClient(SqliteJournal(folder), clock)
        await ledger.start()
        provider = open_provider(name, options(name, running.url, answer_seconds=2.0), clock)
        if provider.capabilities.usage_lag_seconds is not None:
            provider.capabilities = replace(provider.capabilities, usage_lag_seconds=lag_seconds)
        try:
            road = await _assemble(clock, database, ledger, provider, running, passes)
            yield road
        finally:
            await provider.close()
            await ledger.close()


async def _assemble(
    clock: ManualClock,
    database: Database,
    ledger: LedgerClient,
    provider: DataProvider,
    running: RunningProvider,
    passes: PassRules | None,
) -> SupplyRoad:
    def change(connection: Connection) -> None:
        connection.execute(
            insert(user_account)
            .prefix_with("OR IGNORE")
            .values(user_id=ADA, email="ada@example.ng", password_hash="", recovery_code_hash=b"", created_at=START)
        )

    await database.write(change)
    vault, catalogue = SubscriberVault(bytes(32)), Catalogue.load()
    supply = Supply(database, vault, {provider.name: provider}, RATES)
    lines = SuppliedLines(supply)
    free_data = FreeData(database, Marks(bytes(32)), None, lines.bundle_cost)
    manager = ESIMSessionManager(database)
    fair_use = None if passes is None else passes.fair_use_octets
    await Upkeep(supply, catalogue.offers, fair_use_octets=fair_use).look()
    handlers = SessionHandlers(
        database,
        ledger,
        catalogue,
        SessionSigningKey.from_pem(SIGNING_PEM),
        LineSettings("smdp.invalid"),
        _NoDelivery(),
        free_data,
        lines=lines,
    )
    jobs = Worker(database, {**handlers.handlers(), **SupplyHandlers(database, ledger).handlers()})
    return SupplyRoad(
        clock=clock,
        database=database,
        ledger=ledger,
        provider=provider,
        running=running,
        supply=supply,
        lines=lines,
        downloads=SessionDownloadService(database, catalogue, lines, manager, free_data, passes),
        free_data=free_data,
        jobs=jobs,
        worker=SupplyWorker(supply, sleep=_at_once),
        projector=Projector(database, ledger),
    )


class _NoDelivery:
    """No SM-DP+ of ours delivers to a provider's line."""

    async def deliver(self, esim_id: str, session_record: bytes) -> JobResult:
        raise AssertionError(f"{esim_id}: {len(session_record)} octets were to be delivered by our SM-DP+")
