"""Outbox handlers of supply: what a provider's purchase, installation and counters mean for a session."""

from collections.abc import Mapping
from functools import partial

import structlog
from sqlalchemy import Connection

from kswifi.database.engine import Database
from kswifi.esim.lines.service import find_esim
from kswifi.esim.model import LineKind
from kswifi.esim.ports import StorageProof
from kswifi.kernel.clock import unix_seconds
from kswifi.ledger.commands import Command, Outcome, OutcomeCode, ProveStorage, ReportUsage
from kswifi.ledger.errors import LedgerBusyError, LedgerClosedError, LedgerFailedError
from kswifi.ledger.ports import LedgerCommands
from kswifi.outbox.model import Entry
from kswifi.outbox.results import Done, Handler, JobResult, Refused, Unknown
from kswifi.outbox.service import publish
from kswifi.sessions.model import LIVE_STATES, InternetSession
from kswifi.sessions.store import LINE_CHANGED, find_session
from kswifi.sessions.supplied import fail_purchase, prove
from kswifi.supply import jobs
from kswifi.supply.orders import CHARGED_STATES
from kswifi.supply.store import covered_octets, find_order

PORTION_CHANGED = "portion_changed"
"""The event of a portion that was delivered, or not bought."""

_log = structlog.get_logger(__name__)


class SupplyHandlers:
    """Handles what the supply worker tells."""

    def __init__(self, database: Database, ledger: LedgerCommands) -> None:
        self._database = database
        self._ledger = ledger

    def handlers(self) -> Mapping[str, Handler]:
        """Return the handler for each kind of entry."""
        return {
            jobs.DELIVERED: self.delivered,
            jobs.INSTALLED: self.installed,
            jobs.FAILED: self.failed,
            jobs.USED: self.used,
        }

    async def delivered(self, entry: Entry) -> JobResult:
        """Book a portion as used once the line has it; show a profile that can be installed."""
        session_id, reference = str(entry.payload["session_id"]), str(entry.payload["reference"])

        def change(connection: Connection) -> tuple[bool, int, int]:
            session = find_session(connection, session_id)
            kind = find_esim(connection, session.esim_id).kind
            order = find_order(connection, reference)
            _publish(connection, session, reference, str(order.state))
            if kind is not LineKind.OWN_LINE:
                return False, 0, 0
            prove(connection, session_id, StorageProof.PURCHASE)
            as_of = unix_seconds(order.delivered_at or order.created_at)
            return True, covered_octets(connection, session_id, CHARGED_STATES), as_of

        is_used, total, as_of = await self._database.write(change)
        if not is_used:
            return Done()
        return await self._count(session_id, total, as_of, StorageProof.PURCHASE)

    async def installed(self, entry: Entry) -> JobResult:
        """Accept the provider's report that the profile is installed as the proof of storage."""
        session_id = str(entry.payload["session_id"])
        await self._database.write(partial(prove, session_id=session_id, proof=StorageProof.PROVIDER_STATUS))
        return Done()

    async def failed(self, entry: Entry) -> JobResult:
        """Take a session back to its package, and show why nothing was bought."""
        session_id, reason = str(entry.payload["session_id"]), str(entry.payload["reason"])

        def change(connection: Connection) -> None:
            fail_purchase(connection, session_id, reason)
            reference = str(entry.payload["reference"])
            order = find_order(connection, reference)
            _publish(connection, find_session(connection, session_id), reference, str(order.state))

        await self._database.write(change)
        return Done()

    async def used(self, entry: Entry) -> JobResult:
        """Report the total of a session's counter to the ledger; the first use proves that the phone has it."""
        session_id, total = str(entry.payload["session_id"]), int(entry.payload["used_total_octets"])
        proof = StorageProof.FIRST_USE
        await self._database.write(partial(prove, session_id=session_id, proof=proof))
        return await self._count(session_id, total, int(entry.payload["as_of"]), proof)

    async def _count(self, session_id: str, total: int, as_of: int, proof: StorageProof) -> JobResult:
        """Prove the session and report its use, in this order: the ledger books nothing on an unproved account."""
        session = await self._database.read(partial(find_session, session_id=session_id))
        proved = ProveStorage(
            f"prove:{session_id}",
            session_id,
            str(session.storage_proof or proof),
            unix_seconds(session.ordered_at),
        )
        counted = ReportUsage(f"usage:{session_id}:{total}", session_id, total, as_of)
        for command in (proved, counted):
            outcome = await self._command(command)
            if isinstance(outcome, Unknown):
                return outcome
            if outcome.code is OutcomeCode.UNKNOWN_ACCOUNT and session.state not in LIVE_STATES:
                _log.error("usage_of_forgotten_session", session_id=session_id, octets=total)
                return Refused("the ledger has forgotten this session")
            if outcome.code is not OutcomeCode.DONE:
                return Unknown(f"the ledger answered {outcome.code}")
        return Done()

    async def _command(self, command: Command) -> Outcome | Unknown:
        try:
            return await self._ledger.execute(command)
        except (LedgerBusyError, LedgerClosedError, LedgerFailedError) as error:
            return Unknown(error.message)


def _publish(connection: Connection, session: InternetSession, reference: str, state: str) -> None:
    payload = {"session_id": session.session_id, "reference": reference, "state": state}
    publish(connection, user_id=session.user_id, kind=PORTION_CHANGED, payload=payload)
    publish(
        connection, user_id=session.user_id, kind=LINE_CHANGED, payload={"esim_id": session.esim_id, "hold": None}
    )
