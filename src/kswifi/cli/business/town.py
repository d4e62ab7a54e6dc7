"""The server's services without listeners, on a clock that the story sets, and a card for each customer."""

import asyncio
import os
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from functools import partial
from typing import Final

import httpx2

from kswifi.bench.light_card import LightCard
from kswifi.bootstrap.context import Context, open_context
from kswifi.bootstrap.lab import sandbox_config
from kswifi.bootstrap.part import Part
from kswifi.bootstrap.parts.accounts import open_accounts
from kswifi.bootstrap.parts.catalogue import open_catalogue
from kswifi.bootstrap.parts.charging import open_charging
from kswifi.bootstrap.parts.desk import open_desk
from kswifi.bootstrap.parts.disk import open_disk
from kswifi.bootstrap.parts.free_data import open_free_data
from kswifi.bootstrap.parts.ledger import open_ledger
from kswifi.bootstrap.parts.notifications import open_notifications
from kswifi.bootstrap.parts.payments import open_payments
from kswifi.bootstrap.parts.phones import open_phones
from kswifi.bootstrap.parts.provisioning.smdp import ORGANIZATION, RspOptions, make_smdp
from kswifi.bootstrap.parts.sessions import open_sessions
from kswifi.bootstrap.parts.vouchers import open_vouchers
from kswifi.bootstrap.process import LAB_GATEWAY
from kswifi.charging.answers import ChargingAnswer
from kswifi.charging.service import ChargingService
from kswifi.charging_records.projector import ChargingRecords
from kswifi.cli.business.errors import BUSINESS_FAILED, NOT_A_NEW_INSTALLATION
from kswifi.data_directory.layout import Installation, installation_of
from kswifi.desk.figures.projector import FigureProjector
from kswifi.desk.fraud.watch import FraudWatch
from kswifi.diameter.constants import CcRequestType, SubscriptionIdType
from kswifi.diameter.messages.credit_control import CreditControlRequest
from kswifi.diameter.messages.units import PsInformation, ServiceCreditControl, ServiceUnit, SubscriptionId
from kswifi.esim.lines.service import EsimOrders, find_esim
from kswifi.esim.smdp.install_results import InstallResults
from kswifi.esim.smdp.pki_folder import load_folder
from kswifi.esim.smdp.provisioning import Provisioning
from kswifi.jobs.worker import Worker
from kswifi.kernel.numbers import Eid
from kswifi.lab.rehearsal.payments.server import CONTROL_HEADER, serving_gateway
from kswifi.ledger.client import LedgerClient
from kswifi.payments.jobs import ask_about
from kswifi.rsp.certificates import Role
from kswifi.rsp.curves import Curve
from kswifi.rsp.messages.metadata import ProfileMetadata
from kswifi.rsp.pki import CardIdentity, Pki
from kswifi.rsp.pki_making import make_card
from kswifi.sessions.model import InternetSession
from kswifi.sessions.orders import SessionDownloadService
from kswifi.sessions.projector import Projector
from kswifi.settings import Settings

_PARTS: Final = (
    open_ledger,
    open_charging,
    open_disk,
    open_catalogue,
    open_phones,
    open_accounts,
    open_free_data,
    open_vouchers,
    open_payments,
    open_sessions,
    open_notifications,
    open_desk,
)
_GRANT_OCTETS: Final = 250_000_000
"""Larger grants than a network gives: a gigabyte then takes few requests."""

_COST_KOBO_PER_GB: Final = 20_000
"""What a free GB costs in the story where no price is set: figures of cost would be zero."""

_REPORTS: Final = 60
_REPORT_SECONDS: Final = 4
_ROUNDS: Final = 50


class StoryClock:
    """A clock that stands until the story moves it on; it never goes back."""

    def __init__(self, at: datetime) -> None:
        self._at = at

    def now(self) -> datetime:
        """Return the instant at which it stands."""
        return self._at

    def move_to(self, at: datetime) -> None:
        """Move it on; an earlier instant is ignored."""
        self._at = max(self._at, at)


@dataclass
class Town:
    """The services, and what customers do with them."""

    context: Context
    clock: StoryClock
    pki: Pki
    provisioning: Provisioning
    results: InstallResults
    worker: Worker
    projector: Projector
    records: ChargingRecords
    figures: FigureProjector
    fraud: FraudWatch
    gateway: httpx2.AsyncClient
    cards: dict[str, LightCard] = field(default_factory=dict)

    async def settle(self) -> None:
        """Do the work that is due, and project the ledger, until nothing is left.

        Raises:
            BUSINESS_FAILED: the work does not end.
        """
        for _ in range(_ROUNDS):
            await self.projector.catch_up()
            if not await self.worker.run_until_idle():
                return
        raise BUSINESS_FAILED("the work of the outbox does not end")

    async def close_day(self) -> None:
        """Write the charging data records and the figures, and look for accounts that appear too fast."""
        await self.records.catch_up()
        await self.figures.catch_up()
        await self.fraud.look()

    async def store(self, session: InternetSession) -> bool:
        """Download a session that is packaged, and store it on a new card; return whether its card has it."""
        downloads = self.context.need(SessionDownloadService)
        one, _ = await downloads.package(session.user_id, session.session_id)
        await downloads.confirm_download(one.user_id, one.session_id, one.package_sha256 or "")
        await downloads.transfer_to_esim(one.session_id, one.esim_id)
        await self.settle()
        if one.esim_id in self.cards:  # later sessions of a line need a phone that carries packets to the card
            return False
        card = self.cards[one.esim_id] = LightCard(self._new_card(), self.pki.trust())
        await self.results.handle_notification(await self._download_profile(card, one.esim_id))
        await self.settle()
        return True

    async def use(self, session: InternetSession, octets: int) -> int:
        """Use octets of a session on its line as a network charges them; return how many were granted and used."""
        line = await self.context.database.read(lambda connection: find_esim(connection, session.esim_id))
        await self.context.need(SessionDownloadService).activate_session_on_esim(line.esim_id)
        await self.settle()
        name, used, number = f"{LAB_GATEWAY};{session.session_id};{self.clock.now():%d%H%M%S%f}", 0, 0
        charge = partial(self._charge, name, str(line.imsi))
        answer = await charge(CcRequestType.INITIAL, number, None)
        while used < octets and number < _REPORTS and answer.grants:
            spent = min(octets - used, sum(it.granted.cc_total_octets or 0 for it in answer.services if it.granted))
            used, number = used + spent, number + 1
            self.clock.move_to(self.clock.now() + timedelta(seconds=_REPORT_SECONDS))
            if used >= octets:
                await charge(CcRequestType.TERMINATION, number, spent)
                await self.settle()
                return used
            answer = await charge(CcRequestType.UPDATE, number, spent)
        if not answer.refuses:
            await charge(CcRequestType.TERMINATION, number + 1, 0)
        await self.settle()
        return used

    async def pay(self, reference: str) -> None:
        """Pay at the sandbox gateway, and have the server look the payment up as after a webhook."""
        answer = await self.gateway.post(
            f"/control/charges/{reference}/pay", json={"tell_times": 0}, headers={CONTROL_HEADER: "1"}
        )
        answer.raise_for_status()
        await self.context.database.write(
            lambda connection: ask_about(connection, reference, f"business:{reference}")
        )
        await self.settle()

    async def _charge(
        self, name: str, imsi: str, kind: CcRequestType, number: int, used: int | None
    ) -> ChargingAnswer:
        ends = kind is CcRequestType.TERMINATION
        service = ServiceCreditControl(
            requested=None if ends else ServiceUnit(),
            used=() if used is None else (ServiceUnit(cc_total_octets=used),),
        )
        request = CreditControlRequest(
            session_id=name,
            origin_host=LAB_GATEWAY,
            origin_realm="localdomain",
            destination_realm="localdomain",
            cc_request_type=kind,
            cc_request_number=number,
            subscription_ids=(SubscriptionId(SubscriptionIdType.IMSI, imsi),),
            services=(service,),
            ps_information=PsInformation(called_station_id="internet", charging_id=1),
        )
        answered: asyncio.Future[ChargingAnswer] = asyncio.get_running_loop().create_future()
        self.context.need(ChargingService).handle(request, answered.set_result)
        return await answered

    async def _download_profile(self, card: LightCard, esim_id: str) -> bytes:
        """Take the card through a download by the functions of ES9+; return its signed install result."""
        address = self.context.settings.smdp_name
        line = await self.context.database.read(lambda connection: find_esim(connection, esim_id))
        begun = self.provisioning.initiate_authentication(card.challenge(), card.info1(), address)
        answer = card.authenticate(
            begun.server_signed1.raw, begun.server_signature1, begun.server_certificate, line.matching_id
        )
        offered = await self.provisioning.authenticate_client(begun.transaction_id, answer.encode())
        prepared = offered.prepared
        ready = card.prepare_download(
            prepared.smdp_signed2.raw, prepared.smdp_signature2, prepared.smdp_certificate
        )
        package = await self.provisioning.get_bound_profile_package(begun.transaction_id, ready.encode())
        card.open_package(package, begun.transaction_id, prepared.smdp_certificate)
        iccid, oid = ProfileMetadata.decode(offered.metadata).iccid, self.pki.smdp_identities()[0].oid
        return card.install_result(begun.transaction_id, iccid, address, oid, None).encode()

    def _new_card(self) -> CardIdentity:
        eum = next(it for it in self.pki.of_role(Role.EUM) if it.certificate.curve is Curve.NIST_P256)
        prefix = eum.certificate.permitted[0].eid_prefix
        serial = f"{int.from_bytes(os.urandom(9)):022d}"
        eid = Eid.with_check_digits(prefix + serial[-(30 - len(prefix)) :])
        card = make_card(eum, organization=ORGANIZATION, eid=eid, at=self.clock.now())
        return CardIdentity(eum.certificate.issuer_key_id, card, eum.certificate)


@asynccontextmanager
async def open_town(settings: Settings, begins_at: datetime) -> AsyncIterator[Town]:
    """Open a new installation without listeners, on a clock that begins at an instant.

    Raises:
        NOT_A_NEW_INSTALLATION: the data directory holds something already, or the mode is not embedded.
    """
    installation = installation_of(settings)
    if settings.mode != "embedded" or installation.has_database:
        raise NOT_A_NEW_INSTALLATION(
            "business is simulated in a new installation in embedded mode: set KSWIFI_DATA_DIR to a new directory",
            data_dir=str(installation.data_dir),
        )
    clock = StoryClock(begins_at)
    installation.open()
    try:
        async with AsyncExitStack() as opened:
            config = sandbox_config(settings, installation)
            assert config is not None  # noqa: S101 - embedded mode has it
            origin = await opened.enter_async_context(serving_gateway(replace(config, port=0, clock=clock)))
            silent = settings.model_copy(
                update={
                    "diameter_port": 0,
                    "sandbox_port": int(origin.rpartition(":")[2]),
                    "smdp_address": settings.smdp_name,
                    "grant_cap_octets": _GRANT_OCTETS,
                    "registrations_per_hour": 1_000_000,
                    "free_cost_kobo_per_gb": settings.free_cost_kobo_per_gb or _COST_KOBO_PER_GB,
                }
            )
            gateway = await opened.enter_async_context(httpx2.AsyncClient(base_url=origin, trust_env=False))
            yield await _open_town(silent, installation, clock, gateway, opened)
    finally:
        installation.close()


async def _open_town(
    settings: Settings,
    installation: Installation,
    clock: StoryClock,
    gateway: httpx2.AsyncClient,
    opened: AsyncExitStack,
) -> Town:
    context = await open_context(settings, installation, clock, opened)
    options = RspOptions(settings.rsp_bind, 0, settings.smdp_name, plmn=settings.plmn)
    smdp = make_smdp(installation, context.database, context.vault, options, settings.smdp_rules, context.pool)
    opened.callback(smdp.close)
    context.offer(EsimOrders(context.vault, settings.numbers))
    for open_part in _PARTS:
        part: Part = await open_part(context)
        context.parts.append(part)
    ledger, pki = context.need(LedgerClient), load_folder(installation.pki_dir)
    return Town(
        context=context,
        clock=clock,
        pki=pki,
        provisioning=smdp.provisioning,
        results=InstallResults(context.database, pki.trust()),
        worker=Worker(context.database, context.merged(lambda part: part.jobs.items())),
        projector=Projector(context.database, ledger, settings.free_rules),
        records=ChargingRecords(context.database, ledger),
        figures=FigureProjector(context.database, settings.zone),
        fraud=FraudWatch(context.database, settings.velocity_rules(real_octets=True)),
        gateway=gateway,
    )


Say = Callable[[str], None]
