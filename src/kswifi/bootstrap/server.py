"""The server process: opens its parts in order, runs their loops, and closes everything in reverse."""

import os
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack
from typing import Final

import structlog

from kswifi.bootstrap.checks import check_names
from kswifi.bootstrap.clock import server_clock
from kswifi.bootstrap.context import Context, open_context
from kswifi.bootstrap.part import Part
from kswifi.bootstrap.parts.accounts import open_accounts
from kswifi.bootstrap.parts.background import open_background
from kswifi.bootstrap.parts.catalogue import open_catalogue
from kswifi.bootstrap.parts.charging import open_charging
from kswifi.bootstrap.parts.clock import open_clock
from kswifi.bootstrap.parts.desk import open_desk
from kswifi.bootstrap.parts.disk import open_disk
from kswifi.bootstrap.parts.free_data import open_free_data
from kswifi.bootstrap.parts.integrity import open_integrity
from kswifi.bootstrap.parts.ledger import open_ledger
from kswifi.bootstrap.parts.notifications import open_notifications
from kswifi.bootstrap.parts.payments import open_payments
from kswifi.bootstrap.parts.phones import open_phones
from kswifi.bootstrap.parts.provisioning.external_smdp import open_external_smdp
from kswifi.bootstrap.parts.provisioning.smdp import open_smdp
from kswifi.bootstrap.parts.sessions import open_sessions
from kswifi.bootstrap.parts.supply import open_supply
from kswifi.bootstrap.parts.vouchers import open_vouchers
from kswifi.bootstrap.parts.web.api import open_api
from kswifi.bootstrap.parts.web.console import open_console
from kswifi.bootstrap.process import Ready, configure_logging, stop_event
from kswifi.bootstrap.service_manager import keeping_alive, service_manager
from kswifi.data_directory.layout import installation_of
from kswifi.kernel.clock import Clock
from kswifi.kernel.handed_over import HANDED_OVER
from kswifi.settings import Settings

_log = structlog.get_logger(__name__)

PARTS: Final[tuple[Callable[[Context], Awaitable[Part]], ...]] = (
    open_clock,
    open_external_smdp,
    open_smdp,
    open_ledger,
    open_charging,
    open_disk,
    open_integrity,
    open_catalogue,
    open_phones,
    open_accounts,
    open_supply,
    open_free_data,
    open_vouchers,
    open_payments,
    open_sessions,
    open_notifications,
    open_desk,
    # The last three serve all parts above.
    open_background,
    open_api,
    open_console,
)
"""The parts, in the order in which they are opened: one that needs a service comes after the one that offers it."""


async def run_server(
    settings: Settings, ready: Ready, end_of_input: int | None = None, clock: Clock | None = None
) -> None:
    """Run the server process until it is asked to stop.

    Args:
        settings: all of them.
        ready: called once with the addresses of the process, when everything serves.
        end_of_input: a descriptor whose end means that the parent process is gone; the server then stops.
        clock: used instead of the machine's, to show what happens later.

    Raises:
        SettingsInvalidError: a name in packages leads to loopback.
        KswifiError: the data directory is damaged or in use, or a part failed; nothing serves any more.
        HandedOverError: the service manager listens where no setting says so.
        OSError: a port is taken.
    """
    check_names(settings, settings.smdp_name, page=True)
    configure_logging(settings)
    if settings.hides_clients:
        _log.warning("clients_hidden_by_proxy", setting="KSWIFI_TRUSTED_PROXIES", origin=settings.origin)
    manager = service_manager(os.environ)
    HANDED_OVER.take(os.environ, os.getpid())
    stop = stop_event(end_of_input)
    installation = installation_of(settings).open()
    try:
        async with AsyncExitStack() as opened, AsyncExitStack() as running:
            context = await open_context(
                settings, installation, clock or server_clock(settings, installation), opened
            )
            for open_part in PARTS:
                context.parts.append(await open_part(context))
            for loop in (it for part in context.parts for it in part.loops):
                await running.enter_async_context(context.supervisor.running(loop))
            HANDED_OVER.require_all_claimed()
            reached = context.merged(lambda part: part.reached.items())
            _log.info("ready", **reached)
            ready(reached)
            manager.ready()
            with keeping_alive(manager):
                await context.supervisor.until(stop)
            manager.stopping()
    finally:
        installation.close()
