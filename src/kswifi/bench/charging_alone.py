"""The charging server alone, with subscribers of its own: what `kswifi bench charging` measures.

It is the very charging of the server process, with its node, its ledger on the SQLite journal, its records and
its counters. Left out is what no request passes through: the API, the worker and the balances for people.
"""

import asyncio
import os
from contextlib import AsyncExitStack
from typing import Final

from kswifi.bench.gy_load.messages import imsi_of
from kswifi.bootstrap.parts.charging import Charging
from kswifi.bootstrap.process import Ready, configure_logging, stop_event
from kswifi.bootstrap.records_process import RecordsProcess
from kswifi.data_directory.layout import Installation
from kswifi.database.engine import Database, sqlite_url
from kswifi.database.migrate import migrate
from kswifi.esim.lines.authentication_centre import AuthenticationCentre
from kswifi.esim.lines.vault import VAULT_KEY_OCTETS, SubscriberVault
from kswifi.kernel.clock import SystemClock, unix_seconds
from kswifi.ledger.client import LedgerClient
from kswifi.ledger.commands import Credit, OpenWallet, Outcome, OutcomeCode, ProveStorage
from kswifi.ledger.storage.snapshot import SnapshotStore
from kswifi.ledger.storage.sqlite_journal import SqliteJournal
from kswifi.listeners.descriptors import raise_descriptor_limit
from kswifi.settings import Settings

_ALLOWANCE_OCTETS: Final = 10**13
_MONTH_SECONDS: Final = 30 * 86_400
_AT_ONCE: Final = 1_000
"""Subscribers credited between two waits for the disk."""


async def run_charging_alone(settings: Settings, subscribers: int, ready: Ready, end_of_input: int | None) -> None:
    """Credit the subscribers and serve Gy until told to stop; raises as ``run_server`` does."""
    configure_logging(settings)
    stop = stop_event(end_of_input)
    installation = Installation(settings.data_dir).open()
    try:
        async with AsyncExitStack() as stack:
            clock = SystemClock()
            database = Database(sqlite_url(installation.control_database), clock)
            stack.push_async_callback(database.close)
            await migrate(database)
            folder = installation.ledger_dir
            ledger = LedgerClient(SqliteJournal(folder), clock, snapshots=SnapshotStore(folder))
            await ledger.start()
            stack.push_async_callback(ledger.close)
            ledger.fatal = lambda _error: stop.set()
            now = unix_seconds(clock.now())
            await _credit(ledger, subscribers, now + _MONTH_SECONDS)
            centre = AuthenticationCentre(database, SubscriberVault(os.urandom(VAULT_KEY_OCTETS)))
            charging = Charging(settings, database, ledger, centre, now, clock, raise_descriptor_limit())
            await charging.records.catch_up()
            records = RecordsProcess(settings)
            making = asyncio.create_task(records.run(), name="charging-records")
            await charging.start()
            stack.push_async_callback(charging.close)
            ready({"diameter": charging.node.port})
            await stop.wait()
            records.stop()
            await making
    finally:
        installation.close()


async def _credit(ledger: LedgerClient, subscribers: int, expires_at: int) -> None:
    for first in range(0, subscribers, _AT_ONCE):
        for number in range(first, min(first + _AT_ONCE, subscribers)):
            wallet_id, account_id = f"wallet-{number}", f"account-{number}"
            for command in (
                OpenWallet(f"open-{number}", wallet_id, imsi_of(number).decode()),
                Credit(f"credit-{number}", wallet_id, account_id, _ALLOWANCE_OCTETS, expires_at),
                ProveStorage(f"prove-{number}", account_id, "install_result"),
            ):
                ledger.submit(command, _must_be_done)
        await ledger.execute(OpenWallet(f"pause-{first}", f"pause-{first}", f"pause-{first}"))


def _must_be_done(outcome: Outcome) -> None:
    if outcome.code is not OutcomeCode.DONE:
        raise RuntimeError(f"the ledger answered {outcome.code}")
