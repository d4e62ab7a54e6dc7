"""Our SM-DP+: its sockets, certificates, stock of profiles, and the operators' side where ES2+ is served."""

import asyncio
import socket
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import structlog

from kswifi.bootstrap.context import Context
from kswifi.bootstrap.metrics.es2plus import Es2PlusMetrics
from kswifi.bootstrap.part import Loop, Part
from kswifi.bootstrap.parts.provisioning.external_smdp import ExternalSmdp
from kswifi.bootstrap.parts.provisioning.operators import OperatorSide, TlsFiles
from kswifi.data_directory.layout import Installation
from kswifi.database.engine import Database
from kswifi.esim.external_smdp.progress import PeerProgress
from kswifi.esim.lines.service import EsimOrders
from kswifi.esim.lines.vault import SubscriberVault
from kswifi.esim.operators.operator_orders import OperatorOrders
from kswifi.esim.smdp.install_results import InstallResults
from kswifi.esim.smdp.packages import Packages, load_stock
from kswifi.esim.smdp.pki_folder import init_folder, load_folder, revoked_in, tls_files
from kswifi.esim.smdp.provisioning import Provisioning
from kswifi.esim.smdp.rsp_model import SmdpRules
from kswifi.jobs.housekeeping import Chore
from kswifi.kernel.listening import authority, listening_socket
from kswifi.listeners.pool import ConnectionPool
from kswifi.rsp.access_rules import CarrierApp
from kswifi.rsp.pki import Pki
from kswifi.servers.rsp.asn1_binding import Es9PlusAsn1
from kswifi.servers.rsp.es9plus import Es9Plus
from kswifi.servers.rsp.https_server import Es9PlusServer, tls_context
from kswifi.servers.rsp.json_binding import application
from kswifi.settings.listen import reachable

ORGANIZATION: Final = "KSWiFi"
EID_PREFIX: Final = "89049032"

_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class RspOptions:
    """Where the SM-DP+ listens, what it is called, and what it has.

    ``smdp_address``: the name in activation codes, with its port where that is not 443. ``pki_dir``: a folder laid
    out as SGP.26, None for the installation's own. ``profiles_dir``: profile packages that anybody may order.
    ``es2_port``: the port where operators order by ES2+, None if there is none; ``es2_host``: its address, ``host``
    if None; ``es2_on_es9``: on the port of ES9+ too.
    ``plmn``: the network of the lines that are ordered here. ``carrier_apps``: whom Android shall trust with our
    profiles. ``progress``: receives what an external SM-DP+ reports about our orders, where ES2+ is served.
    """

    host: str
    port: int
    smdp_address: str
    pki_dir: Path | None = None
    profiles_dir: Path | None = None
    es2_port: int | None = None
    es2_host: str | None = None
    es2_on_es9: bool = False
    plmn: str = "00101"
    carrier_apps: tuple[CarrierApp, ...] = ()
    progress: PeerProgress | None = None

    @property
    def es2(self) -> bool:
        """Tell whether operators are served at all."""
        return self.es2_port is not None or self.es2_on_es9


@dataclass(frozen=True, slots=True)
class SmdpPlus:
    """An SM-DP+ that is ready to serve on its socket."""

    provisioning: Provisioning
    server: Es9PlusServer
    listener: socket.socket
    port: int
    operators: OperatorSide | None = None

    async def serve(self) -> None:
        """Serve until ``leave``."""
        parts = [self.server.serve(sockets=[self.listener])]
        if self.operators is not None:
            await self.operators.refresh()
            parts.append(self.operators.serve())
        await asyncio.gather(*parts)

    def leave(self) -> None:
        """Have it end what it is at and stop."""
        self.server.should_exit = True
        if self.operators is not None:
            self.operators.leave()

    def close(self) -> None:
        """Close its sockets."""
        self.listener.close()
        if self.operators is not None:
            self.operators.close()

    @property
    def chores(self) -> dict[str, Chore]:
        """What a housekeeper does for it."""
        chores: dict[str, Chore] = {"rsp_sessions": self.provisioning.prune}
        if self.operators is not None:
            chores["es2_answers"] = self.operators.orders.prune
            chores["expired_profile_orders"] = self.operators.orders.expire
        return chores


async def open_smdp(context: Context) -> Part:
    """Open our SM-DP+ on its sockets, and offer the orders of lines. In resold mode providers deliver profiles."""
    settings = context.settings
    if settings.mode == "resold":
        context.installation.note_pki_not_needed()
        return Part()
    external = context.find(ExternalSmdp)
    smdp = make_smdp(
        installation=context.installation,
        database=context.database,
        vault=context.vault,
        options=RspOptions(
            host=settings.rsp_bind,
            port=settings.rsp_port,
            smdp_address=settings.smdp_name,
            es2_host=settings.es2_bind,
            es2_port=settings.es2_port,
            es2_on_es9=settings.es2_on_rsp_port,
            plmn=settings.plmn,
            carrier_apps=settings.carrier_apps,
            progress=None if external is None else external.progress,
        ),
        rules=settings.smdp_rules,
        pool=context.pool,
    )
    context.stack.callback(smdp.close)
    context.offer(EsimOrders(context.vault, settings.numbers, peer_address=settings.peer_address))
    return Part(
        chores=smdp.chores,
        loops=(Loop("es9plus", smdp.serve, smdp.leave),),
        metrics=() if smdp.operators is None else (Es2PlusMetrics(smdp.operators.calls).text,),
        reached={"rsp": authority(reachable(settings.rsp_bind), smdp.port)},
    )


def make_smdp(
    installation: Installation,
    database: Database,
    vault: SubscriberVault,
    options: RspOptions,
    rules: SmdpRules | None = None,
    pool: ConnectionPool | None = None,
) -> SmdpPlus:
    """Make an SM-DP+, its sockets bound; ``pool`` holds the connections of both its ports, None for one of its own.

    Raises:
        PkiError: its certificates cannot be used.
        PackageRefusedError: the folder of profiles cannot be read.
        OSError: the port is taken.
    """
    now = database.clock.now()
    pool = ConnectionPool() if pool is None else pool
    listener = listening_socket(options.host, options.port)
    try:
        port = int(listener.getsockname()[1])
        name = options.smdp_address.rpartition(":")[0] or options.smdp_address
        pki = installation_pki(installation, name, options.pki_dir, database)
        trust = pki.trust(revoked_in(options.pki_dir or installation.pki_dir, pki, now))
        tls = TlsFiles(*tls_files(pki, name, installation.tls_dir, now))
        context = tls_context(*tls)
        identities = pki.smdp_identities()
        packages = Packages(
            vault,
            options.smdp_address,
            load_stock(options.profiles_dir) if options.profiles_dir is not None else None,
            plmn=options.plmn,
            carrier_apps=options.carrier_apps,
        )
        provisioning = Provisioning(
            database,
            vault,
            identities=identities,
            trust=trust,
            packages=packages,
            addresses=tuple(dict.fromkeys((options.smdp_address, name, f"{name}:{port}"))),
            rules=rules,
        )
        results = InstallResults(database, trust)
        routes = Es9Plus(provisioning, results).routes() + Es9PlusAsn1(provisioning, results).routes()
        side = None
        if options.es2:
            life = (rules or SmdpRules()).order_life
            orders = OperatorOrders(database, options.smdp_address, packages.is_stocked, life)
            side = OperatorSide(database, orders, tls, identities[0].oid, options.progress)
            if options.es2_on_es9:
                routes += side.share(context)
            if options.es2_port is not None:
                side.open(options.es2_host or options.host, options.es2_port, pool)
        return SmdpPlus(provisioning, Es9PlusServer(application(routes), context, pool=pool), listener, port, side)
    except BaseException:
        listener.close()
        raise


def installation_pki(installation: Installation, name: str, given: Path | None, database: Database) -> Pki:
    """Return the PKI of a folder that was given, or the installation's own, made at the first start.

    Raises:
        PkiError: it cannot be used.
    """
    if given is not None:
        return load_folder(given)
    folder = installation.pki_dir
    if folder.is_dir() and any(folder.iterdir()):
        installation.note_pki_made()
        return load_folder(folder)
    made = init_folder(
        folder, smdp_address=name, organization=ORGANIZATION, eid_prefix=EID_PREFIX, at=database.clock.now()
    )
    installation.note_pki_made()
    _log.info("pki_made", folder=str(folder))
    return made
