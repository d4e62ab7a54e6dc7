"""Refund a pass: check that nothing of it was used, end its sessions in the ledger, then return the money.

A session belongs to the refunded period if it is valid beyond the start of that period. The ledger revokes each of
these sessions first. Only then does the handler read finally whether an octet was used. So no octet can be used
while the refund is under way.
"""

from collections.abc import Callable, Mapping

from sqlalchemy import Connection, select

from kswifi.database.engine import Database
from kswifi.ledger.commands import Revoke
from kswifi.ledger.errors import LedgerBusyError, LedgerClosedError, LedgerFailedError
from kswifi.ledger.ports import LedgerCommands
from kswifi.ledger.state import Balances
from kswifi.outbox.model import Entry
from kswifi.outbox.results import Done, Handler, JobResult, Unknown
from kswifi.payments.jobs import END_SESSIONS, WITHDRAW
from kswifi.payments.model import PassPeriod, PassState, PaymentEvent, PaymentState
from kswifi.payments.settling import take_back
from kswifi.payments.store import find_payment, move_payment, period_of, set_period_state
from kswifi.sessions import jobs
from kswifi.sessions.ending import ON_THE_CARD, end_session
from kswifi.sessions.model import LIVE_STATES, InternetSession, SessionEvent
from kswifi.sessions.sql import internet_session
from kswifi.sessions.store import find_session, get_balance

USED = "something of it has been used"
GIVEN_BACK = "the pass was given back"


class PassEnds:
    """Executes the outbox entries that end passes early; ``balances`` reads the ledger's state in memory."""

    def __init__(
        self, database: Database, ledger: LedgerCommands, balances: Callable[[str], Balances | None]
    ) -> None:
        self._database = database
        self._ledger = ledger
        self._balances = balances

    def handlers(self) -> Mapping[str, Handler]:
        """Return the handler of each kind of entry."""
        return {WITHDRAW: self.withdraw, END_SESSIONS: self.end_sessions}

    async def withdraw(self, entry: Entry) -> JobResult:
        """Refund a pass if nothing of it was used; otherwise deny the refund and resume the pass."""
        reference = str(entry.payload["reference"])
        asked = await self._database.read(lambda connection: _refund_asked(connection, reference))
        if asked is None:
            return Done()
        period, sessions, used = asked
        if used or any(self._is_spent(session) for session in sessions):
            return await self._deny(reference)
        for session in sessions:
            try:
                await self._ledger.execute(Revoke(f"revoke:{session.session_id}", session.session_id, GIVEN_BACK))
            except (LedgerBusyError, LedgerClosedError, LedgerFailedError) as error:
                return Unknown(error.message)
        if any(self._is_spent(session) for session in sessions):
            await self._end(period)  # the ledger has ended these sessions; the resumed pass allows new orders
            return await self._deny(reference)

        def change(connection: Connection) -> None:
            payment = find_payment(connection, reference)
            if payment.state is PaymentState.REFUND_ASKED:
                take_back(connection, payment, "its payer asked for it, and nothing was used")

        await self._database.write(change)
        return Done()

    async def end_sessions(self, entry: Entry) -> JobResult:
        """End the sessions that are valid beyond the start of a refunded period."""
        period = await self._database.read(
            lambda connection: period_of(connection, str(entry.payload["reference"]))
        )
        if period is not None:
            await self._end(period)
        return Done()

    async def _deny(self, reference: str) -> JobResult:
        def change(connection: Connection) -> None:
            payment, period = find_payment(connection, reference), period_of(connection, reference)
            if payment.state is PaymentState.REFUND_ASKED and period is not None:
                set_period_state(connection, period, PassState.GRANTED)
                move_payment(connection, payment, PaymentEvent.REFUND_DENIED, USED)

        await self._database.write(change)
        return Done()

    def _is_spent(self, session: InternetSession) -> bool:
        """Tell whether the ledger has usage for the session, or granted octets that are not reported yet."""
        balances = self._balances(session.session_id)
        return balances is not None and (balances.used > 0 or balances.reserved > 0 or balances.overrun > 0)

    async def _end(self, period: PassPeriod) -> None:
        def change(connection: Connection) -> None:
            for found in sessions_reaching_into(connection, period):
                session = find_session(connection, found.session_id)
                if session.state not in LIVE_STATES:
                    continue
                jobs.ask_to_revoke(connection, session, GIVEN_BACK)
                if session.state not in ON_THE_CARD:
                    end_session(connection, session, SessionEvent.REVOKED, GIVEN_BACK)

        await self._database.write(change)


def _refund_asked(connection: Connection, reference: str) -> tuple[PassPeriod, list[InternetSession], bool] | None:
    """Return the period of a requested refund, its sessions, and whether a balance shows usage, or None."""
    payment, period = find_payment(connection, reference), period_of(connection, reference)
    if payment.state is not PaymentState.REFUND_ASKED or period is None:
        return None
    sessions = sessions_reaching_into(connection, period)
    balances = [get_balance(connection, session.session_id)[0] for session in sessions]
    return period, sessions, any(balance.used > 0 or balance.overrun > 0 for balance in balances)


def sessions_reaching_into(connection: Connection, period: PassPeriod) -> list[InternetSession]:
    """Return the user's sessions under passes that are valid beyond the start of this period."""
    t = internet_session.c
    query = select(t.session_id).where(
        t.user_id == period.user_id, t.pass_period_id.is_not(None), t.valid_until > period.starts_at
    )
    ids = connection.execute(query).scalars().all()
    return [find_session(connection, session_id) for session_id in ids]
