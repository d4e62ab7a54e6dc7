"""Charging: the service, its Diameter node, its records and its metrics."""

import gc
import sys
from datetime import timedelta
from typing import Final

import structlog

from kswifi.bootstrap.connections import diameter_limits_of
from kswifi.bootstrap.context import Context
from kswifi.bootstrap.metrics.charging import ChargingMetrics
from kswifi.bootstrap.metrics.connections import ConnectionMetrics
from kswifi.bootstrap.part import Loop, Part
from kswifi.bootstrap.parts.ledger import JournalReaders
from kswifi.bootstrap.process import LAB_GATEWAY
from kswifi.bootstrap.records_process import RecordsProcess
from kswifi.charging.policy import ChargingPolicy
from kswifi.charging.re_auth import AnnouncingLedger
from kswifi.charging.service import ChargingService
from kswifi.charging_records.projector import ChargingRecords
from kswifi.charging_records.service import prune_records
from kswifi.database.engine import Database
from kswifi.diameter.constants import (
    APPLICATION_S6A,
    CcFailureHandling,
    DirectDebitingFailureHandling,
    FinalUnitAction,
)
from kswifi.esim.lines.authentication_centre import AuthenticationCentre
from kswifi.kernel.clock import Clock, unix_seconds
from kswifi.kernel.listening import authority
from kswifi.ledger.client import LedgerClient
from kswifi.servers.diameter.application import NodeIdentity
from kswifi.servers.diameter.delayed_refusals import DelayedRefusals
from kswifi.servers.diameter.gy import GyApplication
from kswifi.servers.diameter.node import DiameterNode, TlsListener
from kswifi.servers.diameter.peer_rules import LOOPBACK, PeerRules
from kswifi.servers.diameter.s6a import S6aApplication
from kswifi.servers.diameter.tls import peer_context
from kswifi.settings import Settings
from kswifi.settings.diameter import ANY_PEER
from kswifi.settings.listen import reachable

_log = structlog.get_logger(__name__)

_UNSIGNED32_DIGITS: Final = 10
_UNSAID: Final = "unsaid"
_SWITCH_SECONDS: Final = 0.0005
"""How long the loop may keep the interpreter from the ledger's writer, which has a disk to keep busy."""


class Charging:
    """Charging of one process: ``start`` serves peers, ``close`` disconnects them; the process runs ``records``."""

    def __init__(
        self,
        settings: Settings,
        database: Database,
        ledger: LedgerClient,
        centre: AuthenticationCentre,
        state_id: int,
        clock: Clock,
        descriptors: int | None = None,
    ) -> None:
        """``descriptors``: how many files and sockets the process may open, None to leave the node's limits."""
        identity = NodeIdentity(settings.diameter_identity, settings.diameter_realm, state_id)
        self._listens = False
        self._database = database
        self._retention = timedelta(days=settings.cdr_retention_days)
        self.records = ChargingRecords(database, ledger)
        self.service = ChargingService(ledger, clock, policy_of(settings))
        self.announcing_ledger = AnnouncingLedger(ledger, lambda: ledger.state, self.service.notices)
        refusals = DelayedRefusals(settings.refusal_delay_milliseconds / 1000, _lower(settings.refusal_delay_peers))
        self._gy = GyApplication(self.service, identity, refusals=refusals)
        self.node = DiameterNode(
            host=settings.diameter_bind,
            port=settings.diameter_port,
            identity=identity,
            applications=(self._gy, S6aApplication(centre, identity)),
            rules=peer_rules_of(settings),
            tls=tls_listener_of(settings),
            limits=None if descriptors is None else diameter_limits_of(settings, descriptors),
        )
        self._gy.connect(self.node.ask)
        self.metrics = ChargingMetrics(self.service, self.node, lambda: ledger.figures)

    async def start(self, *, listens: bool = True) -> None:
        """Find the open ChargingSessions again, and listen; raises OSError where the port is taken.

        ``listens``: False where data providers deliver, so that no core of ours asks for grants.
        """
        self.service.recover()
        self._listens = listens
        if not listens:
            return
        # What was recovered stays: no collection needs to look through it again. A million accounts took one 0.2 s,
        # with every answer behind it.
        gc.collect()
        gc.freeze()
        sys.setswitchinterval(_SWITCH_SECONDS)
        self._gy.start()
        await self.node.start()

    async def close(self) -> None:
        """Take leave of every peer; answers that are under way still leave."""
        if not self._listens:
            return
        self._gy.flush()
        await self.node.close()
        self._gy.close()

    async def prune_records(self) -> int:
        """Delete a batch of records that have had their time."""
        return await prune_records(self._database, self._retention)


async def open_charging(context: Context) -> Part:
    """Open charging: Gy and S6a are served from here on.

    A network's records are made by a child process; embedded mode makes them here, to stay one process on a small
    machine.

    Raises:
        OSError: a port is taken.
        DiameterTlsError: a certificate, key or authority cannot be used.
    """
    settings, ledger = context.settings, context.need(LedgerClient)
    charging = Charging(
        settings=settings,
        database=context.database,
        ledger=ledger,
        centre=AuthenticationCentre(context.database, context.vault),
        state_id=_origin_state_id(context),
        clock=context.clock,
        descriptors=context.descriptors,
    )
    await charging.start(listens=settings.mode != "resold")
    context.stack.push_async_callback(charging.close)
    context.need(JournalReaders).add(charging.records.wake)
    context.offer(charging.announcing_ledger, charging.service)
    _log.info("charging_sessions_recovered", open_sessions=charging.service.open_sessions)
    records = RecordsProcess(settings) if settings.mode == "own-core" else charging.records
    connections = ConnectionMetrics(context.pool, charging.node)

    async def metrics() -> bytes:
        return charging.metrics.text() + connections.text()

    return Part(
        chores={"charging_data_records": charging.prune_records},
        loops=(Loop("charging-records", records.run, records.stop),),
        metrics=(metrics,),
        reached={"diameter": authority(reachable(settings.diameter_bind), charging.node.port)}
        if settings.mode != "resold"
        else {},
    )


def _origin_state_id(context: Context) -> int:
    """Return the Origin-State-Id (RFC 6733, 8.16), made at the first start.

    Raises:
        INSTALLATION_FILE_DAMAGED: the file holds no Unsigned32.
    """
    installation, now = context.installation, context.clock.now()
    text = installation.read_or_make_text(
        installation.origin_state_id, lambda: str(unix_seconds(now)), is_unsigned32
    )
    return int(text)


def is_unsigned32(text: str) -> bool:
    """Return whether a text is a decimal number that fits an AVP of the type Unsigned32 (RFC 6733, 4.2)."""
    return text.isdecimal() and text.isascii() and len(text) <= _UNSIGNED32_DIGITS and int(text) < 1 << 32


def policy_of(settings: Settings) -> ChargingPolicy:
    """Return what the operator set about grants."""
    failing, debiting = settings.cc_failure_handling, settings.direct_debiting_failure_handling
    embedded = settings.mode == "embedded"
    return ChargingPolicy(
        max_grant_octets=settings.grant_cap_octets,
        min_grant_octets=min(settings.grant_min_octets, settings.grant_cap_octets),
        grant_seconds=settings.grant_seconds,
        validity_seconds=settings.validity_seconds,
        shared_validity_seconds=settings.shared_validity_seconds,
        control_only_validity_seconds=settings.control_only_validity_seconds,
        grace_seconds=settings.grace_seconds,
        control_only_peers=frozenset({LAB_GATEWAY} if embedded else settings.control_only_peers),
        final_unit_action=FinalUnitAction[settings.final_unit_action.upper()],
        redirect_url=settings.redirect_url or settings.origin,
        refuse_in_group=settings.refuse_in_group,
        quota_holding_seconds=settings.quota_holding_seconds or None,
        threshold_percent=settings.quota_threshold_percent,
        time_quota_seconds=settings.time_quota_seconds or None,
        failure_handling=None if failing == _UNSAID else CcFailureHandling[failing.upper()],
        direct_debiting_failure_handling=(
            None if debiting == _UNSAID else DirectDebitingFailureHandling[debiting.upper()]
        ),
    )


def peer_rules_of(settings: Settings) -> PeerRules:
    """Return who may connect from where: the lab's gateway from this machine, or the cores that were listed.

    Without a list any name may connect from this very machine; the settings refuse that where others reach it.
    """
    if settings.mode == "embedded":
        gateway = frozenset({LAB_GATEWAY})
        return PeerRules(peers={LAB_GATEWAY: LOOPBACK}, any_name_from=(), reserved={APPLICATION_S6A: gateway})
    trusted = (*LOOPBACK, *settings.diameter_trusted_networks)
    names = settings.diameter_names_alone
    peers = dict(settings.diameter_networks)
    for name in names - {ANY_PEER}:
        peers[name] = (*peers.get(name, ()), *trusted)
    any_name = ANY_PEER in names or not settings.diameter_peers
    return PeerRules(
        peers=peers,
        any_name_from=trusted if any_name else (),
        agents=_lower(settings.diameter_agents),
        reserved={APPLICATION_S6A: _lower(settings.diameter_vector_peers)},
    )


def tls_listener_of(settings: Settings) -> TlsListener | None:
    """Return where Diameter is served over TLS; None where it is not.

    Raises:
        DiameterTlsError: a certificate, key or authority cannot be used.
    """
    host = settings.diameter_tls_host
    certificate, key, ca = settings.diameter_tls_certificate, settings.diameter_tls_key, settings.diameter_tls_ca
    if host is None or certificate is None or key is None or ca is None:
        return None
    return TlsListener(host, settings.diameter_tls_port, peer_context(certificate, key, ca))


def _lower(names: tuple[str, ...]) -> frozenset[str]:
    return frozenset(name.lower() for name in names)
