"""Hold accounts that meet a velocity rule: the server looks at what is new, and a person reviews each hold."""

from datetime import datetime, timedelta
from typing import Final

import structlog
from sqlalchemy import Connection

from kswifi.database.engine import Database, transaction_instant
from kswifi.desk.audit import record
from kswifi.desk.fraud.model import Finding, VelocityRule, too_fast
from kswifi.desk.fraud.sightings import new_marks, sightings_of
from kswifi.desk.roles import Operator, Role
from kswifi.free_data.holds import Hold, HoldState, holds_of, place_hold

REVIEWED_FOR: Final = timedelta(days=30)
"""A released account is not held again for the same link within this time: a person has looked at it."""

HELD_AT_ONCE: Final = 500
_OVERLAP: Final = timedelta(minutes=1)
"""Look back over what a transaction may have written after the last look."""

_SERVER: Final = Operator("fraud rules", Role.SERVER)
_log = structlog.get_logger(__name__)


class FraudWatch:
    """Looks at new orders, sign-ups and payments every few seconds; without rules it holds nobody."""

    def __init__(self, database: Database, rules: tuple[VelocityRule, ...]) -> None:
        self._database = database
        self._rules = rules
        self._looked_at: datetime | None = None

    async def look(self) -> int:
        """Hold the accounts that meet a rule now; return their number."""
        if not self._rules:
            return 0
        now = self._database.clock.now()
        longest = max(rule.within for rule in self._rules)
        since = now - longest if self._looked_at is None else self._looked_at - _OVERLAP

        def find(connection: Connection) -> list[Finding]:
            return too_fast(sightings_of(connection, new_marks(connection, since), now - longest), self._rules)

        findings = await self._database.read(find)
        held = 0
        if findings:
            held = await self._database.write(lambda connection: hold_found(connection, findings))
        self._looked_at = now
        if held:
            _log.warning("accounts_held", accounts=held)
        return held


def hold_found(connection: Connection, findings: list[Finding]) -> int:
    """Place a hold on each account of some findings that is not held yet and was not reviewed lately."""
    held, now = 0, transaction_instant(connection)
    for finding in findings:
        for user_id in finding.user_ids:
            if held >= HELD_AT_ONCE:
                return held
            why = str(finding.rule.link)
            if any(_reviewed(it, why, now) for it in holds_of(connection, [user_id])):
                continue
            facts = {
                "accounts": len(finding.user_ids),
                "first_at": finding.first_at.isoformat(),
                "last_at": finding.last_at.isoformat(),
            }
            hold = place_hold(connection, user_id, why, facts, _SERVER.name, HoldState.WAITING)
            if hold is None:
                continue
            record(connection, _SERVER, "fraud hold", user_id, reason=f"rule: {why}", after=facts)
            held += 1
    return held


def _reviewed(hold: Hold, why: str, now: datetime) -> bool:
    lately = hold.decided_at is not None and hold.decided_at > now - REVIEWED_FOR
    return not hold.in_force and hold.why == why and lately
