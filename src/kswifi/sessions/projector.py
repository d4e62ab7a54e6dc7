"""Project the ledger's journal into the control database: balances, session states and line states.

The projector reads the journal's effects after its stored sequence number. It writes the new number in the
transaction that applies the effects, so each effect is applied exactly once, also across a crash. Only the
projector moves a session to ``stored``, ``active``, ``paused`` or ``exhausted``, or a stored one to ``revoked``.
"""

import asyncio
from collections.abc import Iterable, Sequence
from dataclasses import replace
from functools import partial
from typing import Final

import structlog
from sqlalchemy import Connection, select

from kswifi.database.dialect import insert
from kswifi.database.engine import Database, after_commit
from kswifi.database.errors import DatabaseBusyError
from kswifi.esim.errors import UnknownEsimError
from kswifi.esim.lines.service import find_esim, set_hold
from kswifi.esim.model import Hold
from kswifi.free_data.grants import follow
from kswifi.free_data.rules import FreeDataRules
from kswifi.kernel.clock import from_unix_seconds
from kswifi.ledger import effects as fx
from kswifi.outbox.service import publish
from kswifi.sessions import tranches
from kswifi.sessions.card import slots
from kswifi.sessions.ending import cut_off_if_exhausted, end_session
from kswifi.sessions.errors import UnknownSessionError
from kswifi.sessions.model import LIVE_STATES, Balance, InternetSession, SessionEvent, SessionState, allows
from kswifi.sessions.ports import LedgerJournal
from kswifi.sessions.sql import ledger_projection, session_balance
from kswifi.sessions.store import (
    BALANCE_CHANGED,
    LINE_CHANGED,
    find_session,
    get_balance,
    move_session,
    sessions_on,
)

RECORDS_AT_ONCE: Final = 500
_NAME: Final = "sessions"

_log = structlog.get_logger(__name__)


async def projected_sequence(database: Database) -> int:
    """Return the sequence number of the last projected journal record; the journal must keep all later records."""
    return await database.read(_sequence)


class Projector:
    """Follows the ledger's journal; the ledger's ``on_durable`` calls ``wake``."""

    def __init__(
        self,
        database: Database,
        ledger: LedgerJournal,
        rules: FreeDataRules | None = None,
        *,
        pause_seconds: float = 0.1,
    ) -> None:
        self._database = database
        self._ledger = ledger
        self._rules = rules or FreeDataRules()
        self._pause_seconds = pause_seconds
        self._wake = asyncio.Event()
        self._stopping = asyncio.Event()

    def wake(self, _sequence: int = 0) -> None:
        """Signal new journal records. Call it on the event loop's thread."""
        self._wake.set()

    def stop(self) -> None:
        """Make ``run`` return after the current batch."""
        self._stopping.set()
        self._wake.set()

    async def run(self) -> None:
        """Project until ``stop``. A pause between two passes makes the batches of a busy journal larger."""
        while not self._stopping.is_set():
            self._wake.clear()
            try:
                await self.catch_up()
            except DatabaseBusyError:
                _log.warning("projector_waits_for_database")
                self._wake.set()
            try:
                async with asyncio.timeout(self._pause_seconds):
                    await self._stopping.wait()
            except TimeoutError:
                await self._wake.wait()

    async def catch_up(self) -> int:
        """Project all durable records; return the last sequence number, an earlier one after ``stop``."""
        sequence = await projected_sequence(self._database)
        while not self._stopping.is_set():
            records = await asyncio.to_thread(self._ledger.read_effects, sequence, RECORDS_AT_ONCE)
            if not records:
                return sequence

            sequence = await self._database.write(partial(self._project, records=records), alone=True)
        return sequence

    def _project(self, connection: Connection, records: Sequence[tuple[int, Iterable[fx.Effect]]]) -> int:
        """Apply the records that are not projected yet; return the last sequence number."""
        # Read the number in this transaction: another projector may have applied these records.
        sequence = _sequence(connection)
        fresh = [(number, effects) for number, effects in records if number > sequence]
        if not fresh:
            return sequence
        projection = _Projection(connection, self._rules)
        for _, effects in fresh:
            projection.apply(effects)
        projection.write()
        _put_sequence(connection, fresh[-1][0])
        return fresh[-1][0]


class _Projection:
    """The effects of one transaction: balances are summed up, states move at once."""

    def __init__(self, connection: Connection, rules: FreeDataRules) -> None:
        self._connection = connection
        self._rules = rules
        self._balances: dict[str, tuple[Balance, int]] = {}
        self._exhausted: list[str] = []

    def apply(self, effects: Iterable[fx.Effect]) -> None:
        for effect in effects:
            self._apply_to_balance(effect)
            self._apply_to_state(effect)

    def write(self) -> None:
        # The ledger's own hold is in the same journal record as the exhaustion. Only after the whole record is it
        # certain that the hold is missing.
        for session_id in self._exhausted:
            session = self._session(session_id)
            if session is not None:
                cut_off_if_exhausted(self._connection, session)
        for session_id, (balance, at) in self._balances.items():
            session = self._session(session_id)
            if session is None:
                continue
            values = {**_octets(balance), "as_of": from_unix_seconds(at)}
            self._connection.execute(
                insert(session_balance)
                .values(session_id=session_id, **values)
                .on_conflict_do_update(index_elements=["session_id"], set_=values)
            )
            if session.free:
                grant = follow(
                    self._connection,
                    session_id,
                    balance.used,
                    open_octets=balance.reserved,
                    ended=session.state not in LIVE_STATES,
                )
                if grant is not None and grant.wants_release:
                    tranches.release(self._connection, session_id, self._rules)
            publish(
                self._connection,
                user_id=session.user_id,
                kind=BALANCE_CHANGED,
                payload={
                    "session_id": session_id,
                    "esim_id": session.esim_id,
                    **_octets(balance),
                    "as_of": from_unix_seconds(at).isoformat(),
                },
            )

    def _apply_to_balance(self, effect: fx.Effect) -> None:
        match effect:
            case fx.Credited(account_id=account, octets=octets, at=at, withheld_octets=withheld):
                self._add(account, at, credited=octets or 0, available=octets or 0, withheld=withheld)
            case fx.Disbursed(account_id=account, octets=octets, at=at):
                self._add(account, at, credited=octets, available=octets, withheld=-octets)
            case fx.Reserved(account_id=account, octets=octets, at=at):
                self._take(account, at, reserved=octets)
            case fx.Committed(account_id=account, octets=octets, released_octets=released, at=at):
                self._take(account, at, used=octets, reserved=-released)
            case fx.Released(account_id=account, octets=octets, at=at):
                self._take(account, at, reserved=-octets)
            case fx.Refunded(account_id=account, octets=octets, at=at):
                self._take(account, at, used=-octets)
            case fx.Overran(account_id=account, octets=octets, at=at):
                self._add(account, at, overrun=octets)
            case _:
                self._apply_end_to_balance(effect)

    def _apply_end_to_balance(self, effect: fx.Effect) -> None:
        match effect:
            case fx.Expired(account_id=account, octets=octets, at=at):
                self._add(account, at, available=-octets, expired=octets)
                self._withhold_nothing(account, at)
            case fx.Revoked(account_id=account, octets=octets, at=at):
                self._add(account, at, available=-octets, revoked=octets)
                self._withhold_nothing(account, at)
            case fx.Transferred(from_account_id=giver, to_account_id=taker, octets=octets, at=at):
                self._add(giver, at, credited=-octets, available=-octets)
                self._add(taker, at, credited=octets, available=octets)
            case _:
                pass

    def _take(self, session_id: str, at: int, **octets: int) -> None:
        """Move octets out of ``available``; an uncapped session is credited with the same amount."""
        total = sum(octets.values())
        session = self._session(session_id)
        if session is not None and session.allowance_octets is None:
            self._add(session_id, at, credited=total, **octets)
        else:
            self._add(session_id, at, available=-total, **octets)

    def _session(self, session_id: str) -> InternetSession | None:
        """Return an account's session; None, with a log entry, if this database has none."""
        try:
            return find_session(self._connection, session_id)
        except UnknownSessionError:
            after_commit(
                self._connection, partial(_log.error, "ledger_account_without_session", account_id=session_id)
            )
            return None

    def _withhold_nothing(self, session_id: str, at: int) -> None:
        """Set ``withheld`` of an ended account to zero: the rest will never be credited."""
        self._add(session_id, at, withheld=-self._balance(session_id).withheld)

    def _balance(self, session_id: str) -> Balance:
        known = self._balances.get(session_id)
        return known[0] if known else get_balance(self._connection, session_id)[0]

    def _add(self, session_id: str, at: int, **octets: int) -> None:
        balance = self._balance(session_id)
        changed = {name: getattr(balance, name) + more for name, more in octets.items()}
        self._balances[session_id] = (replace(balance, **changed), at)

    def _apply_to_state(self, effect: fx.Effect) -> None:
        match effect:
            case fx.StorageProved(account_id=account):
                self._move(account, SessionEvent.STORAGE_PROVED)
            case fx.Committed(account_id=account, first=True, at=at):
                self._move(account, SessionEvent.USAGE_STARTED, activated_at=from_unix_seconds(at))
            case fx.Exhausted(account_id=account):
                self._move(account, SessionEvent.USED_UP)
                self._exhausted.append(account)
            case fx.Expired(account_id=account):
                self._end(account, SessionEvent.EXPIRED, "its validity is over")
            case fx.Revoked(account_id=account, reason=reason):
                self._end(account, SessionEvent.REVOKED, reason)
            case _:
                self._apply_to_line(effect)

    def _apply_to_line(self, effect: fx.Effect) -> None:
        match effect:
            case fx.WalletHeld(wallet_id=wallet, reason=reason):
                self._hold_line(wallet, Hold(reason))
            case fx.HoldLifted(wallet_id=wallet, account_id=chosen):
                self._line(wallet, None, SessionEvent.LIFTED)
                if chosen is not None:
                    self._put_first(wallet, chosen)
            case fx.Ordered(wallet_id=wallet, account_ids=accounts):
                self._arrange(wallet, session_order=list(accounts))
            case fx.ContinueWithNextSet(wallet_id=wallet, enabled=enabled):
                self._arrange(wallet, continues=enabled)
            case _:
                pass

    def _move(self, session_id: str, event: SessionEvent, **columns: object) -> None:
        session = self._session(session_id)
        if session is not None and allows(session.state, event):
            move_session(self._connection, session, event, None, **columns)

    def _end(self, session_id: str, event: SessionEvent, reason: str) -> None:
        """End a session; if it has ended already, only its balance changes."""
        session = self._session(session_id)
        if session is not None and allows(session.state, event):
            end_session(self._connection, session, event, reason)

    def _hold_line(self, wallet_id: str, hold: Hold) -> None:
        """Set a line's hold; if it is held for both a pause and an exhaustion, show the exhaustion."""
        try:
            esim = find_esim(self._connection, wallet_id)
        except UnknownEsimError:
            esim = None  # ``_line`` logs the unknown eSIM
        shown = hold if esim is None or esim.hold is not Hold.EXHAUSTED else Hold.EXHAUSTED
        self._line(wallet_id, shown, SessionEvent.HELD)

    def _line(self, wallet_id: str, hold: Hold | None, event: SessionEvent) -> None:
        try:
            esim = find_esim(self._connection, wallet_id)
        except UnknownEsimError:
            after_commit(self._connection, partial(_log.error, "ledger_wallet_without_esim", wallet_id=wallet_id))
            return
        set_hold(self._connection, wallet_id, hold)
        if esim.hold is not hold:
            publish(
                self._connection,
                user_id=esim.user_id,
                kind=LINE_CHANGED,
                payload={"esim_id": wallet_id, "hold": hold and str(hold)},
            )
        for session in sessions_on(self._connection, wallet_id):
            if session.state in (SessionState.ACTIVE, SessionState.PAUSED) and allows(session.state, event):
                move_session(self._connection, session, event)

    def _put_first(self, wallet_id: str, session_id: str) -> None:
        line = slots.line_of(self._connection, wallet_id)
        order = [session_id, *(it for it in line.session_order if it != session_id)]
        # Activating a session puts it first. An order of use that is requested and not confirmed stays requested.
        wanted = order if line.wanted_order == line.session_order else list(line.wanted_order)
        self._arrange(wallet_id, session_order=order, wanted_order=wanted)

    def _arrange(self, wallet_id: str, **columns: object) -> None:
        """Store a line's order of use or continue switch as the ledger has confirmed it."""
        try:
            esim = find_esim(self._connection, wallet_id)
        except UnknownEsimError:
            return  # logged already for its sessions
        slots.change_line(self._connection, wallet_id, **columns)
        slots.refresh(self._connection, wallet_id)
        publish(
            self._connection,
            user_id=esim.user_id,
            kind=LINE_CHANGED,
            payload={"esim_id": wallet_id, "hold": esim.hold and str(esim.hold)},
        )


def _octets(balance: Balance) -> dict[str, int]:
    return {
        "credited": balance.credited,
        "used": balance.used,
        "reserved": balance.reserved,
        "available": balance.available,
        "overrun": balance.overrun,
        "expired": balance.expired,
        "revoked": balance.revoked,
        "withheld": balance.withheld,
    }


def _sequence(connection: Connection) -> int:
    query = select(ledger_projection.c.sequence).where(ledger_projection.c.name == _NAME)
    return int(connection.scalar(query) or 0)


def _put_sequence(connection: Connection, sequence: int) -> None:
    connection.execute(
        insert(ledger_projection)
        .values(name=_NAME, sequence=sequence)
        .on_conflict_do_update(index_elements=["name"], set_={"sequence": sequence})
    )
