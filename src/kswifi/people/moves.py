"""Move the sessions of a lost, broken or deleted eSIM to a new one of the same account.

The old line is frozen at once, so that a thief can neither use nor thaw it. The octets move by ``Send`` and
``Receive`` like a share, out of the frozen wallet, once the network has settled what it still holds.
"""

import asyncio
import os
from collections.abc import Callable
from dataclasses import dataclass, fields, replace
from datetime import datetime, timedelta
from functools import partial
from typing import Any, Final

import structlog
from sqlalchemy import Connection, bindparam, func, insert, select, update
from sqlalchemy.engine import Row

from kswifi.accounts.logins import end_logins, logins_of
from kswifi.accounts.model import SignedIn, hash_recovery_code
from kswifi.accounts.rates import Rate, RateLimiter
from kswifi.accounts.sql import user_account
from kswifi.database.engine import Database, announce, transaction_instant
from kswifi.database.errors import DatabaseBusyError
from kswifi.database.pages import PagedQuery
from kswifi.esim.lines.service import find_esim, note_replaced, wish_to_freeze
from kswifi.esim.model import ESim, ProfileState
from kswifi.free_data.grants import find_grant
from kswifi.kernel.clock import unix_seconds
from kswifi.kernel.ids import uuid7
from kswifi.kernel.pages import Page, PageRequest
from kswifi.ledger.errors import LedgerError
from kswifi.ledger.ports import LedgerAccounts
from kswifi.outbox.service import publish
from kswifi.people import store
from kswifi.people.errors import (
    LINE_NOT_MOVABLE,
    MOVE_NOT_CONFIRMED,
    MOVE_UNDER_WAY,
    TOO_MANY_MOVES,
    UNKNOWN_MOVE,
)
from kswifi.people.gifts import GiftService
from kswifi.people.job_handlers import MOVED
from kswifi.people.model import OctetTransfer, TransferEvent, TransferKind, TransferState
from kswifi.people.move_model import (
    MOVES_IN_PERIOD,
    PERIOD,
    Confirmation,
    MoveEvent,
    MoveReason,
    MoveState,
    PhoneMove,
    due_at,
    next_move_state,
)
from kswifi.people.returns import take_back_unclaimed
from kswifi.people.sql import phone_move
from kswifi.sessions import jobs as session_jobs
from kswifi.sessions.ending import end_unused_session, may_be_spent
from kswifi.sessions.model import LIVE_STATES, InternetSession, SessionEvent, SessionSource
from kswifi.sessions.orders import NEW_ESIM, ReceivedTerms, SessionDownloadService
from kswifi.sessions.store import find_session, live, note_moved, sessions_on

MOVE_CHANGED: Final = "move_changed"
"""The event of a changed move, for every device of the owner."""

CODE_ATTEMPTS: Final = Rate(10, timedelta(minutes=15))
MOVE_TOPIC: Final = "phone_move"
"""The topic that is announced with each change of a move."""
_PENDING_SECONDS: Final = 1.0
_IDLE_SECONDS: Final = 20.0
_AT_ONCE: Final = 50
_log = structlog.get_logger(__name__)
_t: Final = phone_move.c
_NAMES: Final = tuple(it.name for it in fields(PhoneMove))
_OF_USER: Final = PagedQuery(
    select(phone_move).where(_t.user_id == bindparam("wanted_user")), _t.move_id, newest_first=True
)


BY_OPERATOR: Final = "operator"
"""``asked_by`` of a move that the operator's staff asked for: only the owner can confirm it."""


class MoveService:
    """Moves as owners ask for them, confirm them and cancel them."""

    def __init__(self, random_bytes: Callable[[int], bytes] = os.urandom) -> None:
        self._random_bytes = random_bytes
        self._attempts = RateLimiter(CODE_ATTEMPTS)

    def count_attempt(self, user_id: str, now: datetime) -> None:
        """Count an attempt to confirm with a recovery code.

        Raises:
            TooManyAttemptsError: too many were made lately.
        """
        self._attempts.attempt(user_id, now)

    def ask(
        self, connection: Connection, user_id: str, esim_id: str, why: MoveReason, asked_by: str = BY_OPERATOR
    ) -> PhoneMove:
        """Ask for a move: freeze the line at once. If the phone is lost, sign all other devices out.

        Gifts of its sessions that nobody has claimed are taken back, so that they move as well. ``asked_by`` is the
        LoginSession of the owner who asks, which stays signed in.

        Raises:
            UnknownEsimError: the line is not the user's.
            MOVE_UNDER_WAY: one of this line is under way, or the line was replaced.
            TOO_MANY_MOVES: the account has moved as often as is allowed.
        """
        now = transaction_instant(connection)
        line = find_esim(connection, esim_id, user_id)
        self._require_allowed(connection, user_id, line, now)
        wish = wish_to_freeze(connection, line, freeze=True)
        if wish is not None:
            session_jobs.ask_to_freeze(connection, line.esim_id, wish)
        move = PhoneMove(
            move_id=str(uuid7(now, self._random_bytes)),
            user_id=user_id,
            old_esim_id=line.esim_id,
            new_esim_id=None,
            why=why,
            state=MoveState.WAITING,
            was_frozen=wish is None,
            asked_by=asked_by,
            confirmed_by=None,
            created_at=now,
            due_at=due_at(now, None, _changed_at(connection, user_id)),
            ended_at=None,
        )
        connection.execute(insert(phone_move).values({name: getattr(move, name) for name in _NAMES}))
        for session in sessions_on(connection, line.esim_id):
            take_back_unclaimed(connection, session.session_id)
        if why is MoveReason.LOST:
            end_logins(connection, user_id, but=asked_by)
        _publish(connection, move)
        return move

    def confirm(
        self,
        connection: Connection,
        signed_in: SignedIn,
        move_id: str,
        shown: Confirmation,
        recovery_code: str = "",
    ) -> PhoneMove:
        """Confirm a waiting move, so that it begins now; within 72 hours of a changed credential, after these.

        ``PASSKEY`` is verified by the caller. Idempotent.

        Raises:
            UNKNOWN_MOVE: the user has none with this id.
            MOVE_NOT_CONFIRMED: the recovery code is wrong, or this device was not signed in before the move.
        """
        move = self.move(connection, signed_in.user.user_id, move_id)
        if move.state is not MoveState.WAITING or move.confirmed_by is not None:
            return move
        if shown is Confirmation.RECOVERY_CODE:
            t = user_account.c
            digest = connection.scalar(select(t.recovery_code_hash).where(t.user_id == move.user_id))
            if digest != hash_recovery_code(recovery_code):
                raise MOVE_NOT_CONFIRMED("this is not your recovery code")
        if shown is Confirmation.OLD_DEVICE and not _is_older_device(connection, signed_in, move):
            raise MOVE_NOT_CONFIRMED("this device was not signed in before the move was asked for")
        now = transaction_instant(connection)
        due = due_at(move.created_at, now, _changed_at(connection, move.user_id))
        return _write(connection, move, confirmed_by=shown, due_at=due)

    def cancel(self, connection: Connection, user_id: str, move_id: str) -> PhoneMove:
        """Cancel a waiting move of a user who authenticated again, and thaw the line. Idempotent.

        Raises:
            UNKNOWN_MOVE: the user has none with this id.
            ILLEGAL_MOVE_TRANSITION: its octets are moving already.
        """
        move = self.move(connection, user_id, move_id)
        if move.state is MoveState.CANCELLED:
            return move
        state = next_move_state(move.state, MoveEvent.CANCELLED)
        if not move.was_frozen:
            wish = wish_to_freeze(connection, find_esim(connection, move.old_esim_id), freeze=False)
            if wish is not None:
                session_jobs.ask_to_freeze(connection, move.old_esim_id, wish)
        return _write(connection, move, state=state, ended_at=transaction_instant(connection))

    def move(self, connection: Connection, user_id: str, move_id: str) -> PhoneMove:
        """Return one of a user's moves.

        Raises:
            UNKNOWN_MOVE: the user has none with this id.
        """
        row = connection.execute(
            select(phone_move).where(_t.move_id == move_id, _t.user_id == user_id)
        ).one_or_none()
        if row is None:
            raise UNKNOWN_MOVE("there is no such move")
        return _read(row)

    def _require_allowed(self, connection: Connection, user_id: str, line: ESim, now: datetime) -> None:
        if not line.is_card:
            raise LINE_NOT_MOVABLE(
                "a data provider serves this line: ask support for a new one", esim_id=line.esim_id
            )
        open_ones = select(_t.move_id).where(
            _t.old_esim_id == line.esim_id, _t.state.in_((MoveState.WAITING, MoveState.MOVING))
        )
        is_over = line.replaced_by is not None and live(sessions_on(connection, line.esim_id)) is None
        if is_over or connection.execute(open_ones).first() is not None:
            raise MOVE_UNDER_WAY("this eSIM is being moved, or was moved", esim_id=line.esim_id)
        recent = select(func.count()).where(
            _t.user_id == user_id, _t.state != MoveState.CANCELLED, _t.created_at > now - PERIOD
        )
        if int(connection.scalar(recent) or 0) >= MOVES_IN_PERIOD:
            raise TOO_MANY_MOVES(
                f"{MOVES_IN_PERIOD} moves in {PERIOD.days} days are allowed: ask support", limit=MOVES_IN_PERIOD
            )


def moves_of(connection: Connection, user_id: str, page: PageRequest) -> Page[PhoneMove]:
    """Return a page of a user's moves, the newest first."""
    return _OF_USER.read(connection, page, _read, wanted_user=user_id)


@dataclass(frozen=True, slots=True)
class _Holding:
    """A live session of the old line, with its available octets; None for an uncapped one."""

    session: InternetSession
    octets: int | None


class Movers:
    """Carries out the moves that are due: once octets are settled, each session goes to the new eSIM."""

    def __init__(
        self,
        database: Database,
        accounts: Callable[[], LedgerAccounts],
        downloads: SessionDownloadService,
        gifts: GiftService,
    ) -> None:
        self._database = database
        self._accounts = accounts
        self._downloads = downloads
        self._gifts = gifts
        self._wake = asyncio.Event()
        self._stopping = False

    async def run(self) -> None:
        """Carry out moves until ``stop``: at once after a request, and again and again while one is under way."""
        unsubscribe = self._database.subscribe(MOVE_TOPIC, self._wake.set)
        try:
            while not self._stopping:
                self._wake.clear()
                seconds = _PENDING_SECONDS
                try:
                    seconds = _PENDING_SECONDS if await self.carry_out() else _IDLE_SECONDS
                except (DatabaseBusyError, LedgerError) as error:
                    _log.warning("moves_wait", why=error.message)
                try:
                    async with asyncio.timeout(seconds):
                        await self._wake.wait()
                except TimeoutError:
                    continue
        finally:
            unsubscribe()

    def stop(self) -> None:
        """End ``run`` after its present work."""
        self._stopping = True
        self._wake.set()

    async def carry_out(self) -> bool:
        """Begin the moves that are due and settled, and continue those under way; tell whether any is left."""
        due = await self._database.read(_due)
        for move in due:
            holdings = await self._holdings(move)
            if holdings is not None:
                await self._database.write(partial(self._begin, move=move, holdings=holdings))
        moving = await self._database.read(_moving)
        if moving:
            await self._database.write(self._continue, alone=True)
        return bool(due or moving)

    async def _holdings(self, move: PhoneMove) -> list[_Holding] | None:
        """Return what the old line's sessions have available; None while the network holds some of it.

        The ledger's own numbers count, not the projection: a frozen wallet gets no new grant, so what is settled
        stays settled.
        """

        def look(connection: Connection) -> tuple[ESim, list[InternetSession]]:
            on_it = sessions_on(connection, move.old_esim_id)
            return find_esim(connection, move.old_esim_id), [it for it in on_it if it.state in LIVE_STATES]

        line, sessions = await self._database.read(look)
        if not line.frozen:
            return None
        holdings = []
        for session in sessions:
            account = self._accounts().account(session.session_id)
            if account is None:
                holdings.append(_Holding(session, 0))
                continue
            if account.balances.reserved:
                return None
            holdings.append(_Holding(session, None if account.uncapped else account.balances.available))
        return holdings

    def _begin(self, connection: Connection, move: PhoneMove, holdings: list[_Holding]) -> None:
        """Send the octets of each session; order the first one on a new eSIM, the others once that is installed."""
        current = _find(connection, move.move_id)
        if current is None or current.state is not MoveState.WAITING:
            return
        if any(store.is_unsettled(connection, it.session.session_id) for it in holdings):
            return  # octets are about to leave a session, or to come back: look again
        now = transaction_instant(connection)
        due = due_at(
            current.created_at,
            current.due_at if current.confirmed_by else None,
            _changed_at(connection, move.user_id),
        )
        if due > now:  # a credential was changed since it was asked for
            _write(connection, current, due_at=due)
            return
        new_esim_id: str | None = None
        for holding in sorted(holdings, key=lambda it: (it.octets is not None, it.session.valid_until)):
            session = holding.session
            if holding.octets is None and new_esim_id is None:
                new_esim_id = self._order_uncapped(connection, session)
                _end_old(connection, session)
            elif holding.octets and session.valid_until > now:
                transfer = self._send(
                    connection, session, holding.octets, NEW_ESIM if new_esim_id is None else None
                )
                if transfer.to_session_id is not None:
                    new_esim_id = find_session(connection, transfer.to_session_id).esim_id
            else:
                _end_old(connection, session)
        if new_esim_id is not None:
            note_replaced(connection, move.old_esim_id, new_esim_id)
        state = next_move_state(current.state, MoveEvent.BEGUN)
        if new_esim_id is None:  # nothing was left to move
            _write(connection, current, state=next_move_state(state, MoveEvent.FINISHED), ended_at=now)
        else:
            _write(connection, current, state=state, new_esim_id=new_esim_id)

    def _send(
        self, connection: Connection, session: InternetSession, octets: int, esim_id: str | None
    ) -> OctetTransfer:
        now = transaction_instant(connection)
        grant = find_grant(connection, session.session_id)
        transfer = OctetTransfer(
            transfer_id=str(uuid7(now)),
            kind=TransferKind.MOVE,
            code=None,
            giver_id=session.user_id,
            receiver_id=session.user_id,
            from_session_id=session.session_id,
            to_session_id=None,
            octets=octets,
            kobo=0,
            withheld_octets=0 if grant is None else grant.withheld_octets,
            state=TransferState.OFFERED,
            reason=None,
            valid_until=session.valid_until,
            created_at=now,
            expires_at=session.valid_until,  # it does not go back before
            ended_at=None,
        )
        begun = self._gifts.begin(connection, transfer, session, esim_id)
        if begun.to_session_id is not None:
            note_moved(connection, session.session_id, begun.to_session_id)
        return begun

    def _order_uncapped(self, connection: Connection, session: InternetSession) -> str:
        terms = ReceivedTerms(
            source=SessionSource.MOVE,
            offer_id=session.offer_id,
            free=session.free,
            allowance_octets=None,
            valid_until=session.valid_until,
            pass_period_id=session.pass_period_id,
        )
        key = f"move:{session.session_id}"
        ordered = self._downloads.order_received(connection, session.user_id, terms, key, NEW_ESIM)
        note_moved(connection, session.session_id, ordered.session_id)
        return ordered.esim_id

    def _continue(self, connection: Connection) -> None:
        """Order the sessions that waited for the new eSIM, and finish the moves whose octets have arrived."""
        for move in _moving(connection):
            waiting = _open_transfers(connection, move.old_esim_id)
            if not waiting:
                now = transaction_instant(connection)
                _write(connection, move, state=next_move_state(move.state, MoveEvent.FINISHED), ended_at=now)
                continue
            line = find_esim(connection, str(move.new_esim_id))
            if line.profile_state is not ProfileState.INSTALLED:
                continue
            for transfer in (it for it in waiting if it.state is TransferState.SENT and it.to_session_id is None):
                received = self._gifts.order_for_own(connection, transfer, line.esim_id)
                note_moved(connection, transfer.from_session_id, received.session_id)
                store.change_state(connection, transfer, TransferEvent.CLAIMED, to_session_id=received.session_id)


def _end_old(connection: Connection, session: InternetSession) -> None:
    session_jobs.ask_to_revoke(connection, session, MOVED)
    if not may_be_spent(session):
        end_unused_session(connection, session, SessionEvent.REVOKED, MOVED)


def _open_transfers(connection: Connection, old_esim_id: str) -> list[OctetTransfer]:
    out = [
        transfer
        for session in sessions_on(connection, old_esim_id)
        for transfer in store.transfers_of_session(connection, session.session_id)
        if transfer.from_session_id == session.session_id and transfer.kind is TransferKind.MOVE
    ]
    ended = (TransferState.RECEIVED, TransferState.RETURNED, TransferState.REFUSED)
    return [it for it in out if it.state not in ended]


def _is_older_device(connection: Connection, signed_in: SignedIn, move: PhoneMove) -> bool:
    return signed_in.login_id != move.asked_by and any(
        it.login_id == signed_in.login_id and it.created_at < move.created_at
        for it in logins_of(connection, move.user_id)
    )


def _changed_at(connection: Connection, user_id: str) -> datetime | None:
    t = user_account.c
    changed: datetime | None = connection.scalar(select(t.credentials_changed_at).where(t.user_id == user_id))
    return changed


def _due(connection: Connection) -> list[PhoneMove]:
    now = transaction_instant(connection)
    query = select(phone_move).where(_t.state == MoveState.WAITING, _t.due_at <= now)
    return [_read(row) for row in connection.execute(query.order_by(_t.due_at).limit(_AT_ONCE)).all()]


def _moving(connection: Connection) -> list[PhoneMove]:
    query = select(phone_move).where(_t.state == MoveState.MOVING).order_by(_t.move_id).limit(_AT_ONCE)
    return [_read(row) for row in connection.execute(query).all()]


def _find(connection: Connection, move_id: str) -> PhoneMove | None:
    row = connection.execute(select(phone_move).where(_t.move_id == move_id)).one_or_none()
    return None if row is None else _read(row)


def _write(connection: Connection, move: PhoneMove, **values: Any) -> PhoneMove:
    connection.execute(update(phone_move).where(_t.move_id == move.move_id).values(**values))
    changed = replace(move, **values)
    _publish(connection, changed)
    return changed


def _publish(connection: Connection, move: PhoneMove) -> None:
    payload = {
        "move_id": move.move_id,
        "esim_id": move.old_esim_id,
        "why": str(move.why),
        "state": str(move.state),
        "confirmed_by": None if move.confirmed_by is None else str(move.confirmed_by),
        "due_at": unix_seconds(move.due_at),
    }
    publish(connection, user_id=move.user_id, kind=MOVE_CHANGED, payload=payload)
    announce(connection, MOVE_TOPIC)


def _read(row: Row[*tuple[Any, ...]]) -> PhoneMove:
    values = {name: getattr(row, name) for name in _NAMES}
    return PhoneMove(
        **{
            **values,
            "why": MoveReason(row.why),
            "state": MoveState(row.state),
            "confirmed_by": None if row.confirmed_by is None else Confirmation(row.confirmed_by),
        }
    )
