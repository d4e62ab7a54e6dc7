"""The server process: it makes and joins every part, and stops them in reverse."""

import asyncio
import os
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import timedelta
from functools import partial
from typing import Any

import structlog

from kswifi.accounts.passkeys import PasskeyService
from kswifi.accounts.passwords import Passwords
from kswifi.accounts.rates import Rate
from kswifi.accounts.relying_party import RelyingParty
from kswifi.accounts.service import AccountRules, AccountService
from kswifi.api.app import create_app
from kswifi.api.edge.forwarded import ProxyTrust
from kswifi.api.edge.idempotency import prune_requests
from kswifi.api.edge.streams import EventStreams
from kswifi.api.server import ApiServer
from kswifi.api.services import Environment, Metrics, Services, SessionServices, SupportContact
from kswifi.bootstrap.charging import Charging
from kswifi.bootstrap.checks import check_keys, check_names
from kswifi.bootstrap.connection_metrics import ConnectionMetrics
from kswifi.bootstrap.connections import limits_of
from kswifi.bootstrap.external_smdp import delivery_of, open_peer, open_workers
from kswifi.bootstrap.free_data import open_free_data
from kswifi.bootstrap.free_data_metrics import FreeDataMetrics, metrics_text
from kswifi.bootstrap.lan import lan_ready, lan_servers
from kswifi.bootstrap.monitoring import monitoring_listener, monitoring_server
from kswifi.bootstrap.notifications import open_notifications
from kswifi.bootstrap.payments import open_payments, pass_rules
from kswifi.bootstrap.phones import open_phones
from kswifi.bootstrap.process import Ready, configure_logging, stop_event
from kswifi.bootstrap.records_process import RecordsProcess
from kswifi.bootstrap.rsp import RspOptions, open_smdp
from kswifi.bootstrap.vouchers import voucher_codes
from kswifi.catalogue.service import Catalogue
from kswifi.charging_records.projector import recorded_sequence
from kswifi.data_directory.layout import Installation
from kswifi.database.engine import Database, sqlite_url
from kswifi.database.migrate import migrate
from kswifi.esim.lines.authentication_centre import AuthenticationCentre
from kswifi.esim.lines.packets import CardPackets
from kswifi.esim.lines.service import EsimOrders
from kswifi.esim.lines.vault import VAULT_KEY_OCTETS, SubscriberVault
from kswifi.free_data.chores import forget_marks, tell_alerts, tell_waiting
from kswifi.free_data.pseudonyms import Marks
from kswifi.jobs.housekeeping import Housekeeper, outbox_chores
from kswifi.kernel.clock import Clock, SystemClock, unix_seconds
from kswifi.kernel.errors import KswifiError
from kswifi.kernel.listening import authority, listening_socket
from kswifi.ledger.client import LedgerClient
from kswifi.ledger.storage.snapshot import SnapshotStore
from kswifi.ledger.storage.sqlite_journal import SqliteJournal
from kswifi.listeners.descriptors import raise_descriptor_limit
from kswifi.listeners.pool import ConnectionPool
from kswifi.outbox.leases import release_leases
from kswifi.payments.going_live import close_rehearsal
from kswifi.payments.job_handlers import pass_handlers, prune_payments
from kswifi.providers.core.lab_network import LabNetworkAccess
from kswifi.pwa.router import pwa_routes
from kswifi.sessions.card.packets import CardRecords
from kswifi.sessions.job_handlers import SessionHandlers
from kswifi.sessions.line import ESIMSessionManager
from kswifi.sessions.network_access import CidrNetworkAccess
from kswifi.sessions.orders import SessionDownloadService
from kswifi.sessions.pass_refund import PassEnds
from kswifi.sessions.ports import NetworkAccess
from kswifi.sessions.projector import Projector, projected_sequence
from kswifi.sessions.signing import SessionSigningKey, fresh_signing_key_pem
from kswifi.sessions.tranches import release_waiting
from kswifi.settings import Settings
from kswifi.settings.listen import reachable
from kswifi.vouchers.service import VoucherService

_log = structlog.get_logger(__name__)


class PartEndedError(KswifiError):
    """A part of the process ended although nobody stopped it."""

    code = "part_ended"


async def run_server(
    settings: Settings, ready: Ready, end_of_input: int | None = None, clock: Clock | None = None
) -> None:
    """Run the server process until it is told to stop.

    Args:
        settings: all of them.
        ready: told once where it is reached, when everything serves.
        end_of_input: a descriptor whose end means that the parent is gone, and so stop.
        clock: another than the machine's, for showing what happens later.

    Raises:
        SettingsInvalidError: a name in packages leads to loopback.
        KswifiError: the data directory is damaged or in use, or a part failed; nothing serves any more.
        OSError: a port is taken.
    """
    check_names(settings, settings.smdp_name, page=True)
    configure_logging(settings)
    if settings.hides_clients:
        _log.warning("clients_hidden_by_proxy", setting="KSWIFI_TRUSTED_PROXIES", origin=settings.origin)
    stop = stop_event(end_of_input)
    installation = Installation(settings.data_dir).open()
    try:
        async with AsyncExitStack() as stack:
            await _Server(settings, installation, stack, clock or SystemClock()).run(ready, stop)
    finally:
        installation.close()


class _Server:
    """Everything of one server process; ``stack`` closes what was opened, the last first."""

    def __init__(self, settings: Settings, installation: Installation, stack: AsyncExitStack, clock: Clock) -> None:
        self._settings = settings
        self._installation = installation
        self._stack = stack
        self._clock = clock
        self._descriptors = raise_descriptor_limit()
        self._pool = ConnectionPool(limits_of(settings, self._descriptors))
        self._failed: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    async def run(self, ready: Ready, stop: asyncio.Event) -> None:
        installation, settings = self._installation, self._settings
        signing_key = SessionSigningKey.from_pem(
            installation.read_or_make(installation.session_signing_key, fresh_signing_key_pem)
        )
        vault_key = installation.read_or_make(installation.subscriber_key, lambda: os.urandom(VAULT_KEY_OCTETS))
        vault = SubscriberVault(vault_key)
        database = Database(sqlite_url(installation.control_database), self._clock)
        self._stack.push_async_callback(database.close)
        await migrate(database)
        async with database.transaction() as connection:
            await release_leases(connection)  # we hold the directory's lock: whoever had them is dead
        await check_keys(installation, database, vault, signing_key)
        peer = open_peer(settings, database, self._stack)
        smdp = open_smdp(
            *(installation, database, vault),
            RspOptions(
                *(settings.rsp_bind, settings.rsp_port, settings.smdp_name),
                es2_host=settings.es2_bind,
                es2_port=settings.es2_port,
                es2_on_es9=settings.es2_on_rsp_port,
                plmn=settings.plmn,
                carrier_apps=settings.carrier_apps,
                progress=None if peer is None else peer.progress,
            ),
            pool=self._pool,
        )
        self._stack.callback(smdp.close)
        ledger = await self._ledger(database)
        charging = await self._charging(database, ledger, AuthenticationCentre(database, vault))
        orders = EsimOrders(vault, settings.numbers, peer_address=settings.peer_address)
        manager = ESIMSessionManager(database, signing_key)
        phones = open_phones(settings, database, Marks(vault_key), self._stack)
        catalogue = Catalogue.load(settings.offers_file)
        free_data = await open_free_data(settings, database, phones.marks, catalogue)
        passes = pass_rules(settings, orders, free_data)
        payments = open_payments(settings, installation, database, catalogue, passes)
        if payments is not None:
            self._stack.push_async_callback(payments.gateway.close)
            if not payments.gateway.sandbox and (closed := await close_rehearsal(database)):
                _log.warning("rehearsal_closed", payments=closed)
        pass_ends = PassEnds(
            *(database, charging.announcing_ledger),
            lambda account_id: ledger.state.balances(account_id),  # noqa: PLW0108 - a failed ledger has no state
        )
        handlers = SessionHandlers(
            *(database, charging.announcing_ledger, catalogue, signing_key),
            *(settings.line_settings(settings.smdp_name), delivery_of(database, peer), free_data),
            takes_provider_status=settings.es2_peer_storage_proof == "provider_status",
        )
        accounts = self._accounts(database)
        passkeys = PasskeyService(database, accounts, RelyingParty.of(settings.origin))
        notifications = open_notifications(settings, installation, database, self._clock, self._stack)
        services = Services(
            database=database,
            accounts=accounts,
            passkeys=passkeys,
            notifications=notifications.service,
            catalogue=catalogue,
            streams=EventStreams(database),
            environment=Environment(
                mode=settings.mode,
                public_origin=settings.origin,
                lab_origin=settings.lab_origin,
                allowed_hosts=settings.hosts,
                proxies=ProxyTrust(settings.trusted_proxies, settings.forwarded_header),
                support=SupportContact(settings.support_whatsapp, settings.support_phone, settings.support_email),
            ),
            sessions=SessionServices(
                free_data=free_data,
                vouchers=VoucherService(database, voucher_codes(vault), settings.venues),
                downloads=SessionDownloadService(*(database, catalogue, orders, manager, free_data), passes),
                manager=manager,
                card_records=CardRecords(database, CardPackets(vault)),
                signing_key=signing_key,
                network_access=self._network_access(),
            ),
            payments=None if payments is None else payments.service,
            phone_verifications=phones.service,
            readiness={"ledger": _ledger_answers(ledger)},
            metrics=Metrics(
                metrics_text(
                    charging.metrics,
                    ConnectionMetrics(self._pool, charging.node),
                    FreeDataMetrics(database, free_data),
                ),
                settings.metrics_networks,
            ),
        )
        chores = {
            **outbox_chores(database),
            **phones.chores,
            "free_data_marks": lambda: forget_marks(database, free_data.rules),
            "login_sessions": accounts.prune,
            "passkey_challenges": passkeys.prune,
            "idempotent_requests": lambda: prune_requests(database),
            "unpaid_payments": lambda: prune_payments(database),
            "charging_data_records": charging.prune_records,
            "ledger_journal": lambda: self._prune_journal(database, ledger),
            **smdp.chores,
        }
        projector = Projector(database, ledger, free_data.rules)
        # A network's records are made beside, by a process; the embedded way stays one process on a small machine.
        records = charging.records if settings.mode == "embedded" else RecordsProcess(settings)
        ledger.on_durable = _each_of(projector.wake, charging.records.wake)
        worked = {
            **handlers.handlers(),
            **pass_ends.handlers(),
            **pass_handlers(database, passes),
            **notifications.follower.handlers(),
            **phones.handlers,
        }
        workers = open_workers(database, worked if payments is None else {**worked, **payments.handlers}, peer)
        housekeeper = Housekeeper(chores)
        free_data_watch = Housekeeper(
            {
                "free_data_alerts": lambda: tell_alerts(database, free_data.rules),
                "free_data_waiting": lambda: tell_waiting(database, free_data.rules),
                "free_data_tranches": lambda: release_waiting(database, free_data.rules),
            },
            every_seconds=20.0,
        )
        async with (
            self._running("projector", projector.run(), projector.stop),
            self._running("charging-records", records.run(), records.stop),
            self._running("alerts", notifications.follower.run(), notifications.follower.stop),
            self._running("worker", workers.run(), workers.stop),
            self._running("housekeeper", housekeeper.run(), housekeeper.stop),
            self._running("free-data-watch", free_data_watch.run(), free_data_watch.stop),
            self._running("es9plus", smdp.serve(), smdp.leave),
            self._serving(services) as monitored_at,
        ):
            _log.info("ready", origin=settings.origin, charging_sessions=charging.service.open_sessions)
            ready(
                {
                    "origin": settings.origin,
                    "diameter": authority(reachable(settings.diameter_bind), charging.node.port),
                    "rsp": authority(reachable(settings.rsp_bind), smdp.port),
                    "metrics": monitored_at,
                    **lan_ready(settings, installation),
                }
            )
            await self._until(stop)

    async def _ledger(self, database: Database) -> LedgerClient:
        """Recover the ledger; it must hold at least what the projector has read of it."""
        folder = self._installation.ledger_dir
        ledger = LedgerClient(SqliteJournal(folder), self._clock, snapshots=SnapshotStore(folder))
        report = await ledger.start(max(await projected_sequence(database), await recorded_sequence(database)))
        self._stack.push_async_callback(ledger.close)
        ledger.fatal = self._fail
        _log.info("ledger_recovered", sequence=report.sequence, records=report.records, seconds=report.seconds)
        return ledger

    async def _prune_journal(self, database: Database, ledger: LedgerClient) -> int:
        """Drop a few old records of the journal that both of its readers have read."""
        days = self._settings.journal_retention_days
        if not days:
            return 0
        read_until = min(await projected_sequence(database), await recorded_sequence(database))
        return await ledger.prune(read_until, unix_seconds(self._clock.now()) - days * 86_400)

    async def _charging(self, database: Database, ledger: LedgerClient, centre: AuthenticationCentre) -> Charging:
        settings, installation = self._settings, self._installation
        state_id = int(
            installation.read_or_make(
                installation.origin_state_id, lambda: str(unix_seconds(self._clock.now())).encode()
            )
        )
        charging = Charging(settings, database, ledger, centre, state_id, self._clock, self._descriptors)
        await charging.start()
        self._stack.push_async_callback(charging.close)
        return charging

    def _accounts(self, database: Database) -> AccountService:
        settings = self._settings
        passwords = Passwords()
        self._stack.callback(passwords.close)
        rules = AccountRules(
            login_lifetime=settings.login_lifetime,
            login_idle=settings.login_idle,
            logins_by_address=Rate(settings.logins_per_quarter_hour, timedelta(minutes=15)),
            registrations_by_address=Rate(settings.registrations_per_hour, timedelta(hours=1)),
            venues=settings.venues,
        )
        return AccountService(database, passwords, rules)

    def _network_access(self) -> NetworkAccess:
        lab = self._settings.lab_origin
        if lab is None:
            return CidrNetworkAccess(self._settings.wifi_networks, self._settings.trusted_proxies)
        access = LabNetworkAccess(lab)
        self._stack.push_async_callback(access.close)
        return access

    @asynccontextmanager
    async def _running(
        self, name: str, work: Coroutine[Any, Any, None], stop: Callable[[], None]
    ) -> AsyncIterator[None]:
        """Run a part beside; if it ends before it is told to, the process fails."""
        task = asyncio.create_task(work, name=name)
        task.add_done_callback(self._ended)
        try:
            yield
        finally:
            task.remove_done_callback(self._ended)
            stop()
            await asyncio.gather(task, return_exceptions=True)

    @asynccontextmanager
    async def _serving(self, services: Services) -> AsyncIterator[str]:
        """Serve API and monitoring; give where monitoring is reached."""
        app = create_app(services)
        app.router.routes.extend(pwa_routes(services.environment.lab_origin))
        server = ApiServer(app, pool=self._pool)
        listener = listening_socket(self._settings.api_bind, self._settings.api_port)

        def leave() -> None:
            server.should_exit = True

        async with AsyncExitStack() as running:
            await running.enter_async_context(self._running("api", server.serve(sockets=[listener]), leave))
            for name, beside, socket_ in lan_servers(
                app, self._settings, self._installation, self._clock, self._pool
            ):
                stop = partial(setattr, beside, "should_exit", True)
                await running.enter_async_context(self._running(name, beside.serve(sockets=[socket_]), stop))
            socket_, place = monitoring_listener(self._settings)
            monitoring = monitoring_server(services, self._settings)
            stop = partial(setattr, monitoring, "should_exit", True)
            await running.enter_async_context(
                self._running("monitoring", monitoring.serve(sockets=[socket_]), stop)
            )
            yield place  # the socket listens already: who comes before uvicorn turns to it waits a moment

    async def _until(self, stop: asyncio.Event) -> None:
        stopped = asyncio.ensure_future(stop.wait())
        await asyncio.wait((stopped, self._failed), return_when=asyncio.FIRST_COMPLETED)
        stopped.cancel()
        if self._failed.done():
            self._failed.result()

    def _fail(self, error: BaseException) -> None:
        if not self._failed.done():
            self._failed.set_exception(error)

    def _ended(self, task: asyncio.Task[None]) -> None:
        error = None if task.cancelled() else task.exception()
        self._fail(error or PartEndedError(f"the {task.get_name()} ended by itself"))


def _ledger_answers(ledger: LedgerClient) -> Callable[[], Coroutine[Any, Any, bool]]:
    async def check() -> bool:
        return ledger.state is not None

    return check


def _each_of(*wakes: Callable[[int], None]) -> Callable[[int], None]:
    def wake(sequence: int) -> None:
        for one in wakes:
            one(sequence)

    return wake
