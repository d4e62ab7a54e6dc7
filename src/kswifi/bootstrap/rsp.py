"""The SM-DP+ as a process of its own."""

import asyncio
import gc
import os
from collections.abc import Mapping
from typing import Any

from kswifi.bootstrap.checks import check_names
from kswifi.bootstrap.connections import limits_of
from kswifi.bootstrap.parts.provisioning.smdp import RspOptions, SmdpPlus, make_smdp
from kswifi.bootstrap.process import Ready, configure_logging, stop_event
from kswifi.bootstrap.service_manager import keeping_alive, service_manager
from kswifi.data_directory.layout import installation_of
from kswifi.database.engine import Database
from kswifi.database.migrate import migrate
from kswifi.esim.lines.vault import VAULT_KEY_OCTETS, SubscriberVault
from kswifi.jobs.housekeeping import Housekeeper, outbox_chores
from kswifi.kernel.clock import SystemClock
from kswifi.kernel.handed_over import HANDED_OVER
from kswifi.kernel.listening import authority
from kswifi.listeners.descriptors import raise_descriptor_limit
from kswifi.listeners.pool import ConnectionPool
from kswifi.sessions.signing import fresh_signing_key_pem
from kswifi.settings import Settings


async def run_rsp(settings: Settings, options: RspOptions, ready: Ready, end_of_input: int | None = None) -> None:
    """Run an SM-DP+ alone until it is asked to stop.

    Raises:
        KswifiError: the data directory or the PKI cannot be used.
        HandedOverError: the service manager listens where no setting says so.
        OSError: the port is taken.
    """
    check_names(settings, options.smdp_address, page=False)
    configure_logging(settings)
    pool = ConnectionPool(limits_of(settings, raise_descriptor_limit()))
    manager = service_manager(os.environ)
    HANDED_OVER.take(os.environ, os.getpid())
    stop = stop_event(end_of_input)

    def say_ready(reached: Mapping[str, Any]) -> None:
        ready(reached)
        manager.ready()

    installation = installation_of(settings).open()
    try:
        installation.read_or_make(installation.session_signing_key, fresh_signing_key_pem)
        vault = SubscriberVault(
            installation.read_or_make(installation.subscriber_key, lambda: os.urandom(VAULT_KEY_OCTETS))
        )
        database = Database(installation.database_url, SystemClock())
        try:
            await migrate(database)
            smdp = make_smdp(installation, database, vault, options, settings.smdp_rules, pool)
            HANDED_OVER.require_all_claimed()
            with keeping_alive(manager):
                await _serve(smdp, say_ready, stop)
            manager.stopping()
        finally:
            await database.close()
    finally:
        installation.close()


async def _serve(smdp: SmdpPlus, ready: Ready, stop: asyncio.Event) -> None:
    housekeeper = Housekeeper({**outbox_chores(smdp.provisioning.database), **smdp.chores})
    serving = asyncio.create_task(smdp.serve(), name="es9plus")
    keeping = asyncio.create_task(housekeeper.run(), name="housekeeper")
    stopping = asyncio.create_task(stop.wait(), name="stop")
    gc.collect()
    gc.freeze()  # what is here stays: no collection needs to look through it again (a tenth of a request's time)
    host = smdp.listener.getsockname()[0]
    reached = {"es9plus": f"https://{authority(host, smdp.port)}"}
    if smdp.operators is not None and smdp.operators.port is not None:
        reached["es2plus"] = f"https://{authority(smdp.operators.host, smdp.operators.port)}"
    ready(reached)
    await asyncio.wait((serving, keeping, stopping), return_when=asyncio.FIRST_COMPLETED)
    smdp.leave()
    housekeeper.stop()
    stopping.cancel()
    await asyncio.gather(serving, keeping)
