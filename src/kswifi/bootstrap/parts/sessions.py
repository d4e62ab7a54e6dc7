"""Internet sessions: orders, lines, the card's records, and the projector that follows the ledger."""

from kswifi.api.edge.streams import EventStreams
from kswifi.bootstrap.context import Context
from kswifi.bootstrap.part import Loop, Part
from kswifi.bootstrap.parts.ledger import JournalReaders
from kswifi.bootstrap.parts.provisioning.external_smdp import ExternalSmdp
from kswifi.bootstrap.projector_process import open_projector
from kswifi.catalogue.service import Catalogue
from kswifi.charging.re_auth import AnnouncingLedger
from kswifi.esim.external_smdp.delivery_by_line import DeliveryByLine
from kswifi.esim.lines.packets import CardPackets
from kswifi.esim.lines.service import EsimOrders
from kswifi.esim.smdp.secured_delivery import SecuredDelivery
from kswifi.free_data.service import FreeData
from kswifi.ledger.client import LedgerClient
from kswifi.payments.rules import PassRules
from kswifi.people.gifts import GiftService
from kswifi.people.job_handlers import TransferHandlers
from kswifi.people.line_limits import LineLimitService
from kswifi.people.moves import Movers, MoveService
from kswifi.people.returns import return_due
from kswifi.people.standing_order_watch import StandingOrderWatch
from kswifi.people.standing_orders import StandingOrderService
from kswifi.sessions import jobs
from kswifi.sessions.card.packets import CardRecords
from kswifi.sessions.job_handlers import SessionHandlers
from kswifi.sessions.line import ESIMSessionManager
from kswifi.sessions.orders import SessionDownloadService
from kswifi.sessions.pass_refund import PassEnds
from kswifi.sessions.supply_handlers import SupplyHandlers
from kswifi.sessions.tranches import release_waiting
from kswifi.supply.lines import SuppliedLines


async def open_sessions(context: Context) -> Part:
    """Open the road of an internet session from its order to its end."""
    database = context.database
    ledger, free_data = context.need(LedgerClient), context.need(FreeData)
    manager = ESIMSessionManager(database)
    supplied = context.find(SuppliedLines)
    downloads = SessionDownloadService(
        database=database,
        catalogue=context.need(Catalogue),
        orders=context.need(EsimOrders) if supplied is None else supplied,
        manager=manager,
        free_data=free_data,
        passes=context.need(PassRules),
    )
    context.offer(manager, downloads, CardRecords(database, CardPackets(context.vault)))
    pass_ends = PassEnds(
        database,
        context.need(AnnouncingLedger),
        lambda account_id: ledger.state.balances(account_id),  # noqa: PLW0108 - a failed ledger has no state
    )
    streams = EventStreams(database)
    context.offer(streams)
    projector = open_projector(context.settings, database, ledger, streams)
    context.need(JournalReaders).add(projector.wake)
    transfers = TransferHandlers(database, context.need(AnnouncingLedger))
    gifts = GiftService(downloads, free_data, context.settings.people_rules)
    movers = Movers(database, lambda: ledger.state, downloads, gifts)
    standing_orders = StandingOrderService(
        database, context.need(Catalogue), downloads, free_data, context.settings.standing_order_rules()
    )
    watch = StandingOrderWatch(database, downloads, standing_orders)
    line_limits = _line_limits(context)
    context.offer(gifts, MoveService(), standing_orders, line_limits)
    handlers = {
        **_session_handlers(context, transfers).handlers(),
        **transfers.handlers(),
        **line_limits.handlers(),
    }
    loops = [Loop("projector", projector.run, projector.stop), Loop("moves", movers.run, movers.stop)]
    if (external := context.find(ExternalSmdp)) is not None:
        # A slow SM-DP+ of others must hold up no other job.
        worker = external.worker(database, {jobs.DELIVER: handlers.pop(jobs.DELIVER)})
        loops.append(Loop("external-smdp-worker", worker.run, worker.stop))
    if supplied is not None:
        handlers |= SupplyHandlers(database, context.need(AnnouncingLedger)).handlers()
    return Part(
        jobs={**handlers, **pass_ends.handlers()},
        watches={
            "free_data_tranches": lambda: release_waiting(database, free_data.rules),
            "transfers": lambda: return_due(database),
            "standing_orders": watch.look,
            "line_limits": line_limits.follow_days,
        },
        loops=loops,
    )


def _line_limits(context: Context) -> LineLimitService:
    settings, ledger = context.settings, context.need(LedgerClient)
    return LineLimitService(
        context.database,
        context.need(AnnouncingLedger),
        lambda: ledger.state,
        settings.zone,
        settings.limit_rules(control_only_access=settings.gives_control_only_access),
    )


def _session_handlers(context: Context, transfers: TransferHandlers) -> SessionHandlers:
    settings, database = context.settings, context.database
    external = context.find(ExternalSmdp)
    return SessionHandlers(
        database=database,
        ledger=context.need(AnnouncingLedger),
        catalogue=context.need(Catalogue),
        signing_key=context.signing_key,
        line=settings.line_settings(settings.smdp_name),
        delivery=DeliveryByLine(
            database,
            own=SecuredDelivery(database),
            external=None if external is None else external.delivery,
        ),
        free_data=context.need(FreeData),
        lines=context.find(SuppliedLines),
        incoming=transfers,
        takes_provider_status=settings.es2_peer_storage_proof == "provider_status",
        proof_ends_exhaustion=settings.proof_ends_exhaustion,
    )
