"""The console joined: its services, its listener, and what it needs of the other parts."""

from collections.abc import Mapping
from functools import partial
from urllib.parse import urlsplit

from kswifi.accounts.ceremonies import Ceremonies
from kswifi.accounts.relying_party import RelyingParty
from kswifi.bootstrap.context import Context
from kswifi.bootstrap.part import Loop, Part
from kswifi.bootstrap.parts.vouchers import voucher_codes
from kswifi.catalogue.service import Catalogue
from kswifi.console.app import create_console
from kswifi.console.services import ConsoleServices
from kswifi.desk.callers import CallerChecks
from kswifi.desk.staff import StaffPasskeys
from kswifi.desk.venue_reports import ReportLinks
from kswifi.free_data.service import FreeData
from kswifi.kernel.listening import listening_socket
from kswifi.ledger.client import LedgerClient
from kswifi.listeners.http_server import HttpServer
from kswifi.listeners.limits import ConnectionLimits
from kswifi.listeners.pool import ConnectionPool
from kswifi.settings.listen import reachable

CONNECTIONS_LIMIT = 64
_STOP_SECONDS = 1


async def open_console(context: Context) -> Part:
    """Open the console on a listener with connections of its own.

    Raises:
        OSError: its port is taken.
    """
    settings = context.settings
    listener = listening_socket(settings.console_host, settings.console_port)
    # A host name instead of an address, because passkeys need one.
    origin = settings.console_origin or f"http://localhost:{listener.getsockname()[1]}"
    app = create_console(_services(context, origin))
    pool = ConnectionPool(ConnectionLimits(connections=CONNECTIONS_LIMIT))
    server = HttpServer(app, "console", pool=pool, stop_seconds=_STOP_SECONDS)
    stop = partial(setattr, server, "should_exit", True)
    loop = Loop("console", lambda: server.serve(sockets=[listener]), stop)
    return Part(loops=(loop,), reached={"console": origin})


def _services(context: Context, origin: str) -> ConsoleServices:
    settings, database = context.settings, context.database
    ledger, free_data = context.need(LedgerClient), context.need(FreeData)
    names = {urlsplit(origin).hostname or "", reachable(settings.console_host), "127.0.0.1", "localhost"}

    def health() -> Mapping[str, int]:
        figures = ledger.figures
        return {
            "ledger_commands_waiting": figures.waiting_commands,
            "ledger_commands_answered": figures.answered_commands,
            "ledger_sequence": figures.durable_sequence,
            "ledger_reservations": figures.reservations,
        }

    return ConsoleServices(
        database=database,
        passkeys=StaffPasskeys(database, Ceremonies(database, RelyingParty.of(origin))),
        callers=context.need(CallerChecks),
        catalogue=context.need(Catalogue),
        codes=voucher_codes(context.vault),
        rules=free_data.rules,
        reports=ReportLinks(free_data.marks.digest),
        public_origin=settings.origin,
        zone=settings.zone,
        origin=origin,
        allowed_hosts=frozenset(names),
        demo=settings.mode == "embedded",
        readiness=context.merged(lambda part: part.checks.items()),
        health=health,
    )
