"""The charging server without the other parts of the server, for `kswifi bench charging`.

It is the same charging as in the server process: Diameter node, ledger on the SQLite journal, records and counters.
The parts that no Gy request passes through are left out: the API, the worker and the balances for users.
"""

import asyncio
import os
from contextlib import AsyncExitStack
from typing import Final

from kswifi.bench.gy_load.messages import imsi_of
from kswifi.bootstrap.parts.charging import Charging
from kswifi.bootstrap.process import Ready, configure_logging, stop_event
from kswifi.bootstrap.records_process import RecordsProcess
from kswifi.data_directory.layout import installation_of
from kswifi.database.engine import Database
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
"""Subscribers credited before waiting for the disk."""


async def run_charging_alone(settings: Settings, subscribers: int, ready: Ready, end_of_input: int | None) -> None:
    """Credit the subscribers, then serve Gy until stopped; raises as ``run_server`` does.

    Args:
        settings: of the server.
        subscribers: how many lines to credit.
        ready: called with the Diameter port when it serves.
        end_of_input: a file descriptor whose end stops the server.
    """
    configure_logging(settings)
    stop = stop_event(end_of_input)
    installation = installation_of(settings).open()
    try:
        async with AsyncExitStack() as stack:
            clock = SystemClock()
            database = Database(installation.database_url, clock)
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
